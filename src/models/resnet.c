// ResNet for small images: names as in PyTorch ("layer2.0.conv1", "layer2.0.shortcut.0").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { N_STAGES = 3, STEM_FILTERS = 16 };

// x -> conv1 bn1 relu1 conv2 bn2, + shortcut(x), relu2.
static pleach_status build_block(plc_build *b, const char *prefix, int filters, int stride)
{
    pleach_status status = PLEACH_OK;
    int x = b->at, branch = 0;

    b->prefix = prefix;
    TRY(plc_build_conv(b, "conv1", filters, 3, stride, 1));
    TRY(plc_build_op(b, "batch_norm", "bn1"));
    TRY(plc_build_op(b, "relu", "relu1"));
    TRY(plc_build_conv(b, "conv2", filters, 3, 1, 1));
    TRY(plc_build_op(b, "batch_norm", "bn2"));
    branch = b->at;
    b->at = x;
    if (stride != 1 || b->graph->nodes[x].shape.c != filters) {
        TRY(plc_build_conv(b, "shortcut.0", filters, 1, stride, 0));
        TRY(plc_build_op(b, "batch_norm", "shortcut.1"));
    }
    TRY(plc_build_join(b, "add", "add", branch));
    TRY(plc_build_op(b, "relu", "relu2"));
done:
    b->prefix = NULL;
    return status;
}

pleach_status plc_model_resnet(pleach_ctx *ctx, plc_shape input, int n_classes, int depth,
                               pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};
    char text[32];

    *graph = NULL;
    if (depth < 8 || (depth - 2) % 6 != 0)
        FAIL(ctx, PLEACH_EUSAGE, "resnet%d: the depth must be 6n + 2; use 20, 32, 44, 56 or 110",
             depth);
    snprintf(text, sizeof text, "resnet%d", depth);
    TRY(plc_graph_create(ctx, text, input, graph));
    b.graph = *graph;
    TRY(plc_build_conv(&b, "conv1", STEM_FILTERS, 3, 1, 1));
    TRY(plc_build_op(&b, "batch_norm", "bn1"));
    TRY(plc_build_op(&b, "relu", "relu"));
    for (int stage = 0; stage < N_STAGES; stage++)
        for (int block = 0; block < (depth - 2) / 6; block++) {
            snprintf(text, sizeof text, "layer%d.%d.", stage + 1, block);
            TRY(build_block(&b, text, STEM_FILTERS << stage, stage > 0 && block == 0 ? 2 : 1));
        }
    TRY(plc_build_classifier(&b, "fc", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
