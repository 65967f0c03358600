// batch_norm: y = gamma (x - mean) / sqrt(var + eps) + beta per channel; running mean and variance for inference.
#include <ops/batch_norm.h>

#include <batch_norm_params.h>
#include <ops/channel_lanes.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    static const struct {
        const char *name;
        bool trainable;
    } vectors[] = {
        {"gamma", true}, {"beta", true}, {"running_mean", false}, {"running_var", false}};

    // Written so that a NaN fails too.
    if (!(node->attrs.eps > 0 && node->attrs.eps < 1))
        FAIL(ctx, PLEACH_EGRAPH, "batch_norm '%s': eps is %g; give a value between 0 and 1",
             node->name, (double)node->attrs.eps);
    if (!(node->attrs.momentum > 0 && node->attrs.momentum <= 1))
        FAIL(ctx, PLEACH_EGRAPH, "batch_norm '%s': momentum is %g; give a value above 0, at most 1",
             node->name, (double)node->attrs.momentum);
    TRY(plc_op_set_shape(ctx, node, x->c, x->h, x->w));
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        TRY(plc_op_add_param(ctx, node, vectors[i].name, &x->c, 1, PLC_AXIS_OUT, PLC_AXIS_NONE,
                             vectors[i].trainable));
done:
    return status;
}

// Sums over the batch are cut into runs of pixels, so that a layer of few channels fills the device.
// Runs follow from the batch and the plane, never from the number of channels: else a compacted network
// would add in another order than the masked one.
enum {
    VECTOR_RUN = 1024,  // 64 KiB of 16 lanes
    WORK_ITEM_RUN = 32, // loads of one work-item
    VECTOR_SPLITS_MAX = 64,
    WORK_ITEM_SPLITS_MAX = 128, // the finalizing kernel adds them one after another
};

static void set_splits(const plc_lower *lower, batch_norm_params *p)
{
    const bool vector = lower->device->vector_lanes;
    const int total = p->n_blocks * p->size;
    const int most = vector ? VECTOR_SPLITS_MAX : WORK_ITEM_SPLITS_MAX;
    int run = vector ? VECTOR_RUN : WORK_ITEM_RUN;

    if (run < (total + most - 1) / most)
        run = (total + most - 1) / most;
    if (p->size <= run)
        run = run / p->size * p->size; // whole planes: groups that run together read side by side
    p->run = run;
    p->n_splits = (total + run - 1) / run;
}

static batch_norm_params make_params(const plc_lower *lower, int node, int coefficients)
{
    const plc_node *n = &lower->graph->nodes[node];
    batch_norm_params p = {
        .C = n->shape.c,
        .size = n->shape.h * n->shape.w,
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .gamma_offset = plc_lower_param(lower, node, 0),
        .beta_offset = plc_lower_param(lower, node, 1),
        .mean_offset = plc_lower_param(lower, node, 2),
        .variance_offset = plc_lower_param(lower, node, 3),
        .mask_offset = plc_lower_mask(lower, node),
        .gate_offset = node,
        .coefficients_offset = coefficients,
        .eps = n->attrs.eps,
    };

    set_splits(lower, &p);
    return p;
}

static pleach_status make_coefficients(plc_lower *lower, int node, batch_norm_params *p)
{
    pleach_status status = PLEACH_OK;
    int coefficients = 0;

    TRY(plc_lower_scratch(lower, node,
                          (size_t)BN_N_COEFFICIENTS * (size_t)lower->graph->nodes[node].shape.c,
                          &coefficients));
    *p = make_params(lower, node, coefficients);
done:
    return status;
}

// Two sums of each channel, split and lane.
static double partials_bytes(const plc_lower *lower, const batch_norm_params *p)
{
    return 2.0 * p->C * p->n_splits * lower->device->lanes * sizeof(float);
}

// Appends a launch with a group for each channel and split.
static pleach_status append_sums(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                                 int n_buffers, const batch_norm_params *p, double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    plc_lower_workspace(lower,
                        (size_t)p->C * 2 * (size_t)p->n_splits * (size_t)lower->device->lanes);
    TRY(plc_append_tensor_launch(lower->list, "batch_norm", kernel, buffers, n_buffers, p,
                                 sizeof *p, &launch));
    plc_launch_groups(lower->device, launch, (size_t)p->C, (size_t)p->n_splits, 1);
    launch->bytes = bytes + partials_bytes(lower, p);
    launch->flops = 4.0 * lower->n_images * p->C * p->size;
done:
    return status;
}

// Appends a launch with a group for each channel.
static pleach_status append_per_channel(plc_lower *lower, const char *kernel,
                                        plc_buffer *const *buffers, int n_buffers,
                                        const batch_norm_params *p, plc_launch **launch)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_append_tensor_launch(lower->list, "batch_norm", kernel, buffers, n_buffers, p,
                                 sizeof *p, launch));
    plc_launch_groups(lower->device, *launch, (size_t)p->C, 1, 1);
    (*launch)->bytes = partials_bytes(lower, p);
done:
    return status;
}

// Appends a launch with a group for each tile, which writes buffer `result`.
static pleach_status append_map(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                                int n_buffers, int result, const batch_norm_params *p, double bytes)
{
    plc_launch *launch = NULL;
    batch_norm_params params = *p;
    const plc_tiled_launch tiled = {.file = "batch_norm",
                                    .kernel = kernel,
                                    .buffers = buffers,
                                    .n_buffers = n_buffers,
                                    .result = result,
                                    .params = &params,
                                    .params_bytes = sizeof params,
                                    .tile_items = &params.tile_pixels,
                                    .tile_channels = &params.tile_channels,
                                    .n_channels = p->C,
                                    .n_items = p->size,
                                    .item_pixels = 1,
                                    .flops = 4.0 * lower->n_images * p->C * p->size,
                                    .bytes = bytes};

    return plc_append_tiled_launch(lower, &tiled, &launch);
}

int plc_batch_norm_after(const plc_lower *lower, int node)
{
    const pleach_graph *graph = lower->graph;

    for (int i = node + 1; i < graph->n_nodes; i++)
        if (plc_graph_is(graph, i, "batch_norm") && graph->nodes[i].inputs[0] == node)
            return i;
    return PLC_NO_NODE;
}

int plc_batch_norm_mean(const plc_lower *lower, int node)
{
    enum { RUNNING_MEAN = 2 };

    return plc_lower_param(lower, node, RUNNING_MEAN);
}

pleach_status plc_batch_norm_coefficients(plc_lower *lower, int node, int *scale, int *shift)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    batch_norm_params p;

    TRY(make_coefficients(lower, node, &p));
    TRY(plc_append_tensor_launch(
        lower->prepare, "batch_norm", "bn_coefficients",
        PLC_BUFFERS(lower->weights, lower->masks, lower->gates, lower->scratch), &p, sizeof p,
        &launch));
    plc_launch_items(launch, (size_t)p.C);
    *scale = p.coefficients_offset + BN_SCALE * p.C;
    *shift = p.coefficients_offset + BN_SHIFT * p.C;
done:
    return status;
}

// Views that forward and backward read. Without an add, `add` is x: a launch must name no other buffer
// than it uses, because buffers live from their first launch to their last.
typedef struct views {
    plc_tensor x, add, y;
} views;

static views set_views(const plc_lower *lower, const plc_step *step, batch_norm_params *p)
{
    const int x = lower->graph->nodes[step->node].inputs[0];
    const bool has_add = step->add != PLC_NO_NODE;
    const plc_clip clip = plc_lower_stored_clip(lower, step->clip);
    const views v = {plc_lower_value(lower, x), plc_lower_value(lower, has_add ? step->add : x),
                     plc_lower_value(lower, step->output)};

    p->x_planes = v.x.planes;
    p->x_first = v.x.first;
    p->add_planes = v.add.planes;
    p->add_first = v.add.first;
    p->y_planes = v.y.planes;
    p->y_first = v.y.first;
    p->flags = (clip.on ? BN_CLIP : 0) | (has_add ? BN_ADD : 0);
    p->low = clip.low;
    p->high = clip.high;
    return v;
}

// The batch's statistics and what follows from them; sums first, unless the convolution before left them.
static pleach_status append_statistics(plc_lower *lower, const plc_step *step, const views *v,
                                       batch_norm_params p, double pass)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    const plc_sums *given = &lower->sums[node->inputs[0]];
    plc_buffer *sums = lower->workspace;
    plc_launch *launch = NULL;

    if (given->buffer && given->batch_norm == step->node) {
        sums = given->buffer;
        p.n_splits = given->n_splits;
        p.flags |= BN_SUMS_GIVEN;
    } else {
        TRY(append_sums(lower, "bn_statistics", PLC_BUFFERS(v->x.buffer, sums), &p, pass));
    }
    TRY(append_per_channel(
        lower, "bn_finalize",
        PLC_BUFFERS(v->x.buffer, sums, lower->weights, lower->masks, lower->gates, lower->scratch),
        &p, &launch));
    lower->running[step->node] = (plc_running){launch, launch->n_args};
    plc_launch_arg_float(launch, node->attrs.momentum);
done:
    return status;
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    batch_norm_params p;
    int scale, shift;

    TRY(make_coefficients(lower, step->node, &p));
    const views v = set_views(lower, step, &p);
    const double pass = plc_tensor_bytes(lower, v.x);
    if (lower->training)
        TRY(append_statistics(lower, step, &v, p, pass));
    else
        TRY(plc_batch_norm_coefficients(lower, step->node, &scale, &shift));
    TRY(append_map(lower, "bn_apply",
                   PLC_BUFFERS(v.x.buffer, v.add.buffer, v.y.buffer, lower->scratch), 2, &p,
                   (step->add == PLC_NO_NODE ? 2 : 3) * pass));
done:
    return status;
}

// What backward reads and writes. y is x where the gate is judged from x; dadd is dy where it is not written.
typedef struct gradients {
    plc_tensor dy, x, y, dx, dadd;
    bool wants_dx;
} gradients;

static void set_dy(batch_norm_params *p, gradients *g, plc_tensor dy)
{
    g->dy = dy;
    p->dy_planes = dy.planes;
    p->dy_first = dy.first;
}

// The add's gradient is asked for first, because it is written first: it may be dx's tensor too.
static pleach_status set_gradients(plc_lower *lower, const plc_step *step, batch_norm_params *p,
                                   gradients *g)
{
    pleach_status status = PLEACH_OK;
    const views v = set_views(lower, step, p);
    const bool has_add = step->add != PLC_NO_NODE;
    bool accumulate = false, wants_dadd = false;
    plc_tensor dy;

    TRY(plc_lower_grad(lower, step->output, &dy));
    set_dy(p, g, dy);
    g->x = v.x;
    g->y = has_add && step->clip.on ? v.y : v.x;
    g->dadd = dy;
    if (has_add)
        TRY(plc_lower_grad_target(lower, step->add, &g->dadd, &accumulate, &wants_dadd));
    if (wants_dadd)
        p->flags |= accumulate ? BN_ACCUMULATE_DADD : BN_WRITE_DADD;
    else
        g->dadd = dy;
    TRY(plc_lower_grad_target(lower, lower->graph->nodes[step->node].inputs[0], &g->dx, &accumulate,
                              &g->wants_dx));
    if (accumulate)
        p->flags |= BN_ACCUMULATE_DX;
    if (lower->mask_gradients)
        p->flags |= BN_MASK_GRADIENTS;
    p->dadd_planes = g->dadd.planes;
    p->dadd_first = g->dadd.first;
    p->dx_planes = g->dx.planes;
    p->dx_first = g->dx.first;
done:
    return status;
}

static int count_flag(const batch_norm_params *p, int flags)
{
    return (p->flags & flags) == flags;
}

static pleach_status append_backward_sums(plc_lower *lower, const gradients *g,
                                          const batch_norm_params *p)
{
    const int passes = 2 + count_flag(p, BN_CLIP | BN_ADD) + count_flag(p, BN_WRITE_DADD) +
                       2 * count_flag(p, BN_ACCUMULATE_DADD);

    return append_sums(lower, "bn_backward_reduce",
                       PLC_BUFFERS(g->dy.buffer, g->x.buffer, g->y.buffer, lower->scratch,
                                   g->dadd.buffer, lower->workspace),
                       p, passes * plc_tensor_bytes(lower, g->x));
}

static pleach_status append_backward_map(plc_lower *lower, const gradients *g,
                                         const batch_norm_params *p)
{
    const int passes = 3 + count_flag(p, BN_CLIP | BN_ADD) + count_flag(p, BN_ACCUMULATE_DX);

    return append_map(
        lower, "bn_backward_apply",
        PLC_BUFFERS(g->dy.buffer, g->x.buffer, g->y.buffer, lower->scratch, g->dx.buffer), 4, p,
        passes * plc_tensor_bytes(lower, g->x));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    batch_norm_params p;
    gradients g = {0};
    plc_launch *launch = NULL;

    TRY(make_coefficients(lower, step->node, &p));
    TRY(set_gradients(lower, step, &p, &g));
    TRY(append_backward_sums(lower, &g, &p));
    TRY(append_per_channel(
        lower, "bn_backward_finalize",
        PLC_BUFFERS(lower->workspace, lower->weights, lower->gates, lower->grads, lower->scratch),
        &p, &launch));
    if (!g.wants_dx)
        return status;
    if (p.flags & BN_WRITE_DADD) { // dadd is g: clipping needs no second judgement
        set_dy(&p, &g, g.dadd);
        g.y = g.x;
        p.flags &= ~(BN_CLIP | BN_ADD);
    }
    TRY(append_backward_map(lower, &g, &p));
done:
    return status;
}

const struct op op_batch_norm = {
    .name = "batch_norm",
    .n_inputs = 1,
    .attrs = PLC_ATTR_EPS | PLC_ATTR_MOMENTUM,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = plc_channel_batch_norm_forward,
    .backward = backward,
};
