// max_pool, avg_pool: windows of each channel; global_avg_pool: the mean of each channel's plane.
// Padding counts in neither: max_pool never picks it, avg_pool divides by the pixels inside the image.
#include <ops/ops.h>

#include <stdio.h>
#include <pool_params.h>
#include <pool_window.h>
#include <ops/channel_lanes.h>
#include <ops/tensor_launch.h>

enum {
    WINDOW_ATTRS =
        PLC_ATTR_KERNEL | PLC_ATTR_STRIDE | PLC_ATTR_PAD | PLC_ATTR_PAD_MORE | PLC_ATTR_DILATION
};

// Whether each window has a pixel to pick, or to divide by: those that begin in front of the image, and the last one.
// The others begin on a pixel.
static bool windows_have_pixels(const plc_attrs *a, int axis, int size, int n_windows)
{
    bool have = (n_windows - 1) * a->stride[axis] - a->pad[axis] < size;

    for (int o = 0; have && o < n_windows && o * a->stride[axis] < a->pad[axis]; o++) {
        const pool_span span =
            pool_window(o, a->kernel[axis], a->stride[axis], a->pad[axis], a->dilation[axis], size);
        have = span.count > 0;
    }
    return have;
}

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    int size[2] = {x->h, x->w}, out[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        TRY(plc_op_window(ctx, node, i, size[i], &out[i]));
        if (!windows_have_pixels(&node->attrs, i, size[i], out[i]))
            FAIL(ctx, PLEACH_EGRAPH,
                 "%s '%s': along the %s a window covers padding alone; use less padding",
                 node->op->name, node->name, i == 0 ? "height" : "width");
    }
    TRY(plc_op_set_shape(ctx, node, x->c, out[0], out[1]));
done:
    return status;
}

static pleach_status global_shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    return plc_op_set_shape(ctx, node, plc_op_input_shape(graph, node, 0)->c, 1, 1);
}

static void describe(const pleach_graph *graph, const plc_node *node, char *text, size_t size)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    snprintf(text, size, "%dx%dx%d->%dx%d", x->c, x->h, x->w, node->shape.h, node->shape.w);
}

static void set_x(pool_params *p, plc_tensor x)
{
    p->x_planes = x.planes;
    p->x_first = x.first;
}

static void set_dx(pool_params *p, plc_tensor dx, bool accumulate)
{
    p->dx_planes = dx.planes;
    p->dx_first = dx.first;
    p->flags = accumulate ? POOL_ACCUMULATE : 0;
}

// The window, and the view y (or dy).
static pool_params make_params(const plc_lower *lower, const plc_step *step, plc_tensor y)
{
    const plc_node *node = &lower->graph->nodes[step->node];
    const plc_shape *x = plc_op_input_shape(lower->graph, node, 0);
    const plc_attrs *a = &node->attrs;

    return (pool_params){
        .C = x->c,
        .H = x->h,
        .W = x->w,
        .P = y.shape.h,
        .Q = y.shape.w,
        .R = a->kernel[0],
        .S = a->kernel[1],
        .stride_h = a->stride[0],
        .stride_w = a->stride[1],
        .pad_h = a->pad[0],
        .pad_w = a->pad[1],
        .dilation_h = a->dilation[0],
        .dilation_w = a->dilation[1],
        .n_images = lower->n_images,
        .y_planes = y.planes,
        .y_first = y.first,
    };
}

// Appends a launch that writes its last buffer, over tiles of `rows` rows of `columns` pixels and of
// channels.
static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, pool_params *p, int rows, int columns, double bytes)
{
    plc_launch *launch = NULL;
    const plc_tiled_launch tiled = {.file = "pool",
                                    .kernel = kernel,
                                    .buffers = buffers,
                                    .n_buffers = n_buffers,
                                    .result = n_buffers - 1,
                                    .params = p,
                                    .params_bytes = sizeof *p,
                                    .tile_items = &p->tile_rows,
                                    .tile_channels = &p->tile_channels,
                                    .n_channels = p->C,
                                    .n_items = rows,
                                    .item_pixels = columns,
                                    .bytes = bytes};

    return plc_append_tiled_launch(lower, &tiled, &launch);
}

static pleach_status append_forward(plc_lower *lower, const plc_step *step, const char *kernel,
                                    bool global)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    pool_params p = make_params(lower, step, y);

    set_x(&p, x);
    return append(lower, kernel, PLC_BUFFERS(x.buffer, y.buffer), &p, global ? 1 : p.P,
                  global ? p.H * p.W : p.Q,
                  plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, y));
}

// max_pool names x too, from which it finds the maxima anew.
static pleach_status append_backward(plc_lower *lower, const plc_step *step, const char *kernel,
                                     bool reads_x, bool global)
{
    pleach_status status = PLEACH_OK;
    const int input = lower->graph->nodes[step->node].inputs[0];
    const plc_tensor x = plc_lower_value(lower, input);
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        return status;
    pool_params p = make_params(lower, step, g.dy);
    const int rows = global ? 1 : p.H, columns = global ? p.H * p.W : p.W;
    const double bytes = (1 + g.accumulate + reads_x) * plc_tensor_bytes(lower, g.dx) +
                         plc_tensor_bytes(lower, g.dy);
    set_dx(&p, g.dx, g.accumulate);
    if (reads_x) {
        set_x(&p, x);
        TRY(append(lower, kernel, PLC_BUFFERS(x.buffer, g.dy.buffer, g.dx.buffer), &p, rows,
                   columns, bytes));
    } else {
        TRY(append(lower, kernel, PLC_BUFFERS(g.dy.buffer, g.dx.buffer), &p, rows, columns, bytes));
    }
done:
    return status;
}

static pleach_status max_forward(plc_lower *lower, const plc_step *step)
{
    return append_forward(lower, step, "max_pool_forward", false);
}

static pleach_status max_backward(plc_lower *lower, const plc_step *step)
{
    return append_backward(lower, step, "max_pool_backward", true, false);
}

static pleach_status avg_forward(plc_lower *lower, const plc_step *step)
{
    return append_forward(lower, step, "avg_pool_forward", false);
}

static pleach_status avg_backward(plc_lower *lower, const plc_step *step)
{
    return append_backward(lower, step, "avg_pool_backward", false, false);
}

static pleach_status global_forward(plc_lower *lower, const plc_step *step)
{
    return append_forward(lower, step, "global_avg_pool_forward", true);
}

static pleach_status global_backward(plc_lower *lower, const plc_step *step)
{
    return append_backward(lower, step, "global_avg_pool_backward", false, true);
}

const struct op op_max_pool = {
    .name = "max_pool",
    .n_inputs = 1,
    .attrs = WINDOW_ATTRS,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .describe = describe,
    .forward = max_forward,
    .forward_channel_lanes = plc_channel_max_pool_forward,
    .backward = max_backward,
};

const struct op op_avg_pool = {
    .name = "avg_pool",
    .n_inputs = 1,
    .attrs = WINDOW_ATTRS,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .describe = describe,
    .forward = avg_forward,
    .forward_channel_lanes = plc_channel_avg_pool_forward,
    .backward = avg_backward,
};

const struct op op_global_avg_pool = {
    .name = "global_avg_pool",
    .n_inputs = 1,
    .shape = global_shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .describe = describe,
    .forward = global_forward,
    .forward_channel_lanes = plc_channel_global_avg_pool_forward,
    .backward = global_backward,
};
