// DenseNet-40, growth 12: batch norm, ReLU, convolution, and concat(what came before, new).
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { N_BLOCKS = 3, LAYERS_PER_BLOCK = 12, GROWTH = 12, STEM_FILTERS = 16 };

static pleach_status build_layer(plc_build *b, const char *prefix)
{
    pleach_status status = PLEACH_OK;
    int before = b->at;

    b->prefix = prefix;
    TRY(plc_build_op(b, "batch_norm", "bn"));
    TRY(plc_build_op(b, "relu", "relu"));
    TRY(plc_build_conv(b, "conv", GROWTH, 3, 1, 1));
    TRY(plc_build_join(b, "concat", "concat", before));
done:
    b->prefix = NULL;
    return status;
}

// 1x1 convolution that keeps the number of channels, then 2x2 average pooling.
static pleach_status build_transition(plc_build *b, const char *prefix)
{
    pleach_status status = PLEACH_OK;

    b->prefix = prefix;
    TRY(plc_build_op(b, "batch_norm", "bn"));
    TRY(plc_build_op(b, "relu", "relu"));
    TRY(plc_build_conv(b, "conv", b->graph->nodes[b->at].shape.c, 1, 1, 0));
    TRY(plc_build_pool(b, "avg_pool", "pool", 2, 2));
done:
    b->prefix = NULL;
    return status;
}

pleach_status plc_model_densenet40(pleach_ctx *ctx, plc_shape input, int n_classes,
                                   pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};
    char text[32];

    TRY(plc_graph_create(ctx, "densenet40", input, graph));
    b.graph = *graph;
    TRY(plc_build_conv(&b, "conv1", STEM_FILTERS, 3, 1, 1));
    for (int block = 0; block < N_BLOCKS; block++) {
        for (int layer = 0; layer < LAYERS_PER_BLOCK; layer++) {
            snprintf(text, sizeof text, "block%d.%d.", block + 1, layer);
            TRY(build_layer(&b, text));
        }
        snprintf(text, sizeof text, "trans%d.", block + 1);
        if (block + 1 < N_BLOCKS)
            TRY(build_transition(&b, text));
    }
    TRY(plc_build_op(&b, "batch_norm", "bn"));
    TRY(plc_build_op(&b, "relu", "relu"));
    TRY(plc_build_classifier(&b, "fc", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
