// DenseNet-121. Names as in torchvision ("features.denseblock1.denselayer1.conv1").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { N_BLOCKS = 4, GROWTH = 32, BOTTLENECK = 4, STEM_FILTERS = 64 };

static const int layers[N_BLOCKS] = {6, 12, 24, 16};

static pleach_status build_layer(plc_build *b, const char *prefix)
{
    pleach_status status = PLEACH_OK;
    const int before = b->at;

    b->prefix = prefix;
    TRY(plc_build_op(b, "batch_norm", "norm1"));
    TRY(plc_build_op(b, "relu", "relu1"));
    TRY(plc_build_conv_norm(b, "conv1", "norm2", "relu2", BOTTLENECK * GROWTH, 1, 1));
    TRY(plc_build_conv(b, "conv2", GROWTH, 3, 1, 1));
    TRY(plc_build_join(b, "concat", "concat", before));
done:
    b->prefix = NULL;
    return status;
}

static pleach_status build_transition(plc_build *b, const char *prefix)
{
    pleach_status status = PLEACH_OK;

    b->prefix = prefix;
    TRY(plc_build_op(b, "batch_norm", "norm"));
    TRY(plc_build_op(b, "relu", "relu"));
    TRY(plc_build_conv(b, "conv", b->graph->nodes[b->at].shape.c / 2, 1, 1, 0));
    TRY(plc_build_pool(b, "avg_pool", "pool", 2, 2));
done:
    b->prefix = NULL;
    return status;
}

static pleach_status build_stem(plc_build *b, plc_shape input)
{
    pleach_status status = PLEACH_OK;
    const bool large = plc_build_is_large(input);
    const plc_attrs pool = {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}};

    b->prefix = "features.";
    TRY(plc_build_conv_norm(b, "conv0", "norm0", "relu0", STEM_FILTERS, large ? 7 : 3,
                            large ? 2 : 1));
    if (large)
        TRY(plc_build_node(b, "max_pool", "pool0", &pool));
done:
    b->prefix = NULL;
    return status;
}

static pleach_status build_block(plc_build *b, int block)
{
    pleach_status status = PLEACH_OK;
    char prefix[64];

    for (int layer = 1; layer <= layers[block]; layer++) {
        snprintf(prefix, sizeof prefix, "features.denseblock%d.denselayer%d.", block + 1, layer);
        TRY(build_layer(b, prefix));
    }
    snprintf(prefix, sizeof prefix, "features.transition%d.", block + 1);
    if (block + 1 < N_BLOCKS)
        TRY(build_transition(b, prefix));
done:
    return status;
}

pleach_status plc_model_densenet121(pleach_ctx *ctx, plc_shape input, int n_classes,
                                    pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};

    TRY(plc_graph_create(ctx, "densenet121", input, graph));
    b.graph = *graph;
    TRY(build_stem(&b, input));
    for (int block = 0; block < N_BLOCKS; block++)
        TRY(build_block(&b, block));
    TRY(plc_build_op(&b, "batch_norm", "features.norm5"));
    TRY(plc_build_op(&b, "relu", "features.relu5"));
    TRY(plc_build_classifier(&b, "classifier", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
