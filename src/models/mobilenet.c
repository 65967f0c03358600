// MobileNetV2: inverted residuals around depthwise convolutions. Names as in torchvision ("features.2.conv.1.0").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { STEM_FILTERS = 32, LAST_FILTERS = 1280 };

// Stages: expansion, filters, blocks, stride of the first. On small images `small_stride` of it.
static const struct {
    int expansion, filters, blocks, stride, small_stride;
} stages[] = {
    {1, 16, 1, 1, 1}, {6, 24, 2, 2, 1},  {6, 32, 3, 2, 2},  {6, 64, 4, 2, 2},
    {6, 96, 3, 1, 1}, {6, 160, 3, 2, 2}, {6, 320, 1, 1, 1},
};
enum { N_STAGES = sizeof stages / sizeof *stages };

static pleach_status build_depthwise(plc_build *b, const char *conv, const char *norm,
                                     const char *relu, int stride)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_build_depthwise(b, conv, 3, stride));
    TRY(plc_build_op(b, "batch_norm", norm));
    TRY(plc_build_op(b, "relu", relu));
done:
    return status;
}

static pleach_status build_block(plc_build *b, const char *prefix, int expansion, int filters,
                                 int stride)
{
    pleach_status status = PLEACH_OK;
    const int x = b->at, channels = b->graph->nodes[x].shape.c;

    b->prefix = prefix;
    if (expansion == 1) {
        TRY(build_depthwise(b, "conv.0.0", "conv.0.1", "conv.0.2", stride));
        TRY(plc_build_conv_norm(b, "conv.1", "conv.2", NULL, filters, 1, 1));
    } else {
        TRY(plc_build_conv_norm(b, "conv.0.0", "conv.0.1", "conv.0.2", channels * expansion, 1, 1));
        TRY(build_depthwise(b, "conv.1.0", "conv.1.1", "conv.1.2", stride));
        TRY(plc_build_conv_norm(b, "conv.2", "conv.3", NULL, filters, 1, 1));
    }
    if (stride == 1 && channels == filters)
        TRY(plc_build_join(b, "add", "add", x));
done:
    b->prefix = NULL;
    return status;
}

pleach_status plc_model_mobilenet_v2(pleach_ctx *ctx, plc_shape input, int n_classes,
                                     pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};
    const bool large = plc_build_is_large(input);
    char prefix[32];
    int number = 1;

    TRY(plc_graph_create(ctx, "mobilenet_v2", input, graph));
    b.graph = *graph;
    TRY(plc_build_conv_norm(&b, "features.0.0", "features.0.1", "features.0.2", STEM_FILTERS, 3,
                            large ? 2 : 1));
    for (int s = 0; s < N_STAGES; s++)
        for (int block = 0; block < stages[s].blocks; block++) {
            const int first = large ? stages[s].stride : stages[s].small_stride;
            snprintf(prefix, sizeof prefix, "features.%d.", number++);
            TRY(build_block(&b, prefix, stages[s].expansion, stages[s].filters,
                            block == 0 ? first : 1));
        }
    TRY(plc_build_conv_norm(&b, "features.18.0", "features.18.1", "features.18.2", LAST_FILTERS, 1,
                            1));
    TRY(plc_build_classifier(&b, "classifier.1", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
