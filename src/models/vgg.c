// VGG-16 with batch norm for small images. Names count as in torchvision's vgg16_bn ("features.3").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { POOL = 0 };

// Filters of each convolution. A pool halves, rounding down; one that meets fewer than 2 x 2 pixels
// is left out: 32x32 goes 16, 8, 4, 2, 1 with five pools, 28x28 goes 14, 7, 3, 1 with four.
static const int plan[] = {64,   64,  POOL, 128, 128,  POOL, 256, 256, 256,
                           POOL, 512, 512,  512, POOL, 512,  512, 512, POOL};

// Appends what stands at plan[i]; `number` counts the modules of torchvision's list, left-out ones
// too.
static pleach_status build_step(plc_build *b, int filters, int *number)
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
    TRY(plc_build_conv(b, name, filters, 3, 1, 1));
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "features.%d", (*number)++);
        TRY(plc_build_op(b, after[i], name));
    }
done:
    return status;
}

pleach_status plc_model_vgg16(pleach_ctx *ctx, plc_shape input, int n_classes, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};
    int number = 0;

    TRY(plc_graph_create(ctx, "vgg16", input, graph));
    b.graph = *graph;
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++)
        TRY(build_step(&b, plan[i], &number));
    TRY(plc_build_classifier(&b, "classifier", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
