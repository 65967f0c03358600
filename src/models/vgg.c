// VGG-16 with batch norm, for small images and as for ImageNet. Names count as in torchvision's vgg16_bn ("features.3").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { POOL = 0, HIDDEN_FEATURES = 4096 };

// Filters of each convolution. A pool halves, rounding down; one that meets fewer than 2 x 2 pixels
// is left out: 32x32 goes 16, 8, 4, 2, 1 with five pools, 28x28 goes 14, 7, 3, 1 with four.
static const int plan[] = {64,   64,  POOL, 128, 128,  POOL, 256, 256, 256,
                           POOL, 512, 512,  512, POOL, 512,  512, 512, POOL};

// Appends what stands at plan[i]; `number` counts the modules of torchvision's list, left-out ones
// too.
static pleach_status build_step(plc_build *b, int filters, bool bias, int *number)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = &b->graph->nodes[b->at].shape;
    static const char *const after[] = {"batch_norm", "relu"};
    bool pooled = x->h >= 2 && x->w >= 2;
    char name[32];

    snprintf(name, sizeof name, "features.%d", (*number)++);
    if (filters == POOL) {
        if (pooled)
            TRY(plc_build_pool(b, "max_pool", name, 2, 2));
        goto done;
    }
    TRY(plc_build_node(
        b, "conv", name,
        &(plc_attrs){.kernel = {3, 3}, .pad = {1, 1}, .out_channels = filters, .bias = bias}));
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "features.%d", (*number)++);
        TRY(plc_build_op(b, after[i], name));
    }
done:
    return status;
}

static pleach_status build_features(plc_build *b, bool bias)
{
    pleach_status status = PLEACH_OK;
    int number = 0;

    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++)
        TRY(build_step(b, plan[i], bias, &number));
done:
    return status;
}

pleach_status plc_model_vgg16(pleach_ctx *ctx, plc_shape input, int n_classes, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};

    TRY(plc_graph_create(ctx, "vgg16", input, graph));
    b.graph = *graph;
    TRY(build_features(&b, false));
    TRY(plc_build_classifier(&b, "classifier", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}

pleach_status plc_model_vgg16_bn(pleach_ctx *ctx, plc_shape input, int n_classes,
                                 pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};

    TRY(plc_graph_create(ctx, "vgg16_bn", input, graph));
    b.graph = *graph;
    TRY(build_features(&b, true));
    TRY(plc_build_op(&b, "flatten", "flatten"));
    TRY(plc_build_linear(&b, "classifier.0", HIDDEN_FEATURES));
    TRY(plc_build_op(&b, "relu", "classifier.1"));
    TRY(plc_build_linear(&b, "classifier.3", HIDDEN_FEATURES));
    TRY(plc_build_op(&b, "relu", "classifier.4"));
    TRY(plc_build_linear(&b, "classifier.6", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
