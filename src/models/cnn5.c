// cnn5: a plain 5-layer network, the control of the same computations.
#include <models/models.h>

#include <limits.h>
#include <stdio.h>
#include <models/build.h>

// Widest last convolution that plc_model_cnn5_for_macs tries.
enum { WIDTH_MAX = 1 << 13 };

// Conv 0 to 3 has an eighth, a quarter, a half, all of `width`. The MACs grow with every step of
// width, so that a width for given MACs can be searched; rounding to the nearest keeps the first three
// convolutions from growing at the same step, which keeps the steps small.
static int filters_of(int width, int conv)
{
    int share = 8 >> conv;
    int filters = (int)(((long long)width + share / 2) / share);

    return width > 0 && filters < 1 ? 1 : filters;
}

static pleach_status build_conv(plc_build *b, int i, int filters)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = &b->graph->nodes[b->at].shape;
    bool pooled = i > 0 && x->h >= 2 && x->w >= 2;
    char name[16];

    if (pooled) {
        snprintf(name, sizeof name, "pool%d", i);
        TRY(plc_build_pool(b, "max_pool", name, 2, 2));
    }
    snprintf(name, sizeof name, "conv%d", i + 1);
    TRY(plc_build_conv(b, name, filters, 3, 1, 1));
    snprintf(name, sizeof name, "bn%d", i + 1);
    TRY(plc_build_op(b, "batch_norm", name));
    snprintf(name, sizeof name, "relu%d", i + 1);
    TRY(plc_build_op(b, "relu", name));
done:
    return status;
}

pleach_status plc_model_cnn5(pleach_ctx *ctx, plc_shape input, int n_classes, int width,
                             pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};

    TRY(plc_graph_create(ctx, "cnn5", input, graph));
    b.graph = *graph;
    for (int i = 0; i < 4; i++)
        TRY(build_conv(&b, i, filters_of(width, i)));
    TRY(plc_build_classifier(&b, "fc", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}

static pleach_status macs_at(pleach_ctx *ctx, plc_shape input, int n_classes, int width,
                             long long *macs)
{
    pleach_graph *graph = NULL;
    pleach_status status = plc_model_cnn5(ctx, input, n_classes, width, &graph);

    if (status == PLEACH_OK)
        *macs = pleach_graph_macs(graph);
    pleach_graph_destroy(&graph);
    return status;
}

pleach_status plc_model_cnn5_for_macs(pleach_ctx *ctx, plc_shape input, int n_classes,
                                      long long macs, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    int low = 1, high = WIDTH_MAX; // the least width that reaches `macs` lies in [low, high]
    long long at = 0, below = 0;

    *graph = NULL;
    while (low < high) {
        int middle = low + (high - low) / 2;
        TRY(macs_at(ctx, input, n_classes, middle, &at));
        if (at >= macs)
            high = middle;
        else
            low = middle + 1;
    }
    TRY(macs_at(ctx, input, n_classes, low, &at));
    if (low > 1) {
        TRY(macs_at(ctx, input, n_classes, low - 1, &below));
        if (macs - below < at - macs)
            low--;
    }
    TRY(plc_model_cnn5(ctx, input, n_classes, low, graph));
done:
    return status;
}
