// pad: pixels around images, any number on each side: attrs.pad above and to the left, attrs.pad_after below and to
// the right; of one value (attrs.alpha), of the border's pixels, or mirrored at them (attrs.mode).
#include <math.h>
#include <pad_params.h>
#include <ops/channel_lanes.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    const int sizes[] = {x->h, x->w};

    for (int i = 0; i < 2; i++) {
        TRY(plc_op_check_window(ctx, node, "pad", a->pad[i], 0));
        TRY(plc_op_check_window(ctx, node, "pad_after", a->pad_after[i], 0));
    }
    if (a->mode < PLC_PAD_VALUE || a->mode > PLC_PAD_REFLECT || !isfinite(a->alpha))
        FAIL(ctx, PLEACH_EGRAPH, "pad '%s': mode %d, value %g", node->name, a->mode,
             (double)a->alpha);
    for (int i = 0; i < 2; i++)
        if (a->mode == PLC_PAD_REFLECT && (a->pad[i] >= sizes[i] || a->pad_after[i] >= sizes[i]))
            FAIL(ctx, PLEACH_EGRAPH, "pad '%s': %d and %d pixels cannot be mirrored, there are %d",
                 node->name, a->pad[i], a->pad_after[i], sizes[i]);
    TRY(plc_op_set_shape(ctx, node, x->c, (long long)x->h + a->pad[0] + a->pad_after[0],
                         (long long)x->w + a->pad[1] + a->pad_after[1]));
done:
    return status;
}

// Where something else than 0 surrounds a pruned channel, it would be missed.
static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_attrs *a = &graph->nodes[node].attrs;

    (a->mode == PLC_PAD_VALUE && a->alpha != 0 ? plc_op_channels_freeze
                                               : plc_op_channels_pass)(channels, graph, node);
}

// The views of x and y, or of their gradients.
static pad_params make_params(const plc_lower *lower, const plc_step *step, plc_tensor x,
                              plc_tensor y)
{
    const plc_attrs *a = &lower->graph->nodes[step->node].attrs;

    return (pad_params){
        .C = x.shape.c,
        .H = x.shape.h,
        .W = x.shape.w,
        .P = y.shape.h,
        .Q = y.shape.w,
        .top = a->pad[0],
        .left = a->pad[1],
        .mode = a->mode,
        .value = a->alpha,
        .n_images = lower->n_images,
        .x_planes = x.planes,
        .x_first = x.first,
        .y_planes = y.planes,
        .y_first = y.first,
    };
}

// Appends a launch from one view to the other, which has `rows` of `columns` pixels.
static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            pad_params *p, int rows, int columns, double bytes)
{
    plc_launch *launch = NULL;
    const plc_tiled_launch tiled = {.file = "pad",
                                    .kernel = kernel,
                                    .buffers = buffers,
                                    .n_buffers = 2,
                                    .result = 1,
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

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    pad_params p = make_params(lower, step, x, y);

    return append(lower, "pad_forward", (plc_buffer *const[]){x.buffer, y.buffer}, &p, p.P, p.Q,
                  plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, y));
}

static pleach_status channel_forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    pad_params p = make_params(lower, step, x, y);

    return plc_channel_append(lower, "channel_pad", PLC_BUFFERS(x.buffer, y.buffer), &p, sizeof p,
                              &p.tile_rows, lower->n_images * p.P, p.Q * p.C,
                              plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, y));
}

// dx (+)= the part of dy that lies over x, and what repeats its pixels.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        return status;
    pad_params p = make_params(lower, step, g.dx, g.dy);
    p.accumulate = g.accumulate;
    TRY(append(lower, "pad_backward", (plc_buffer *const[]){g.dy.buffer, g.dx.buffer}, &p, p.H, p.W,
               (2 + g.accumulate) * plc_tensor_bytes(lower, g.dx)));
done:
    return status;
}

const struct op op_pad = {
    .name = "pad",
    .n_inputs = 1,
    .attrs = PLC_ATTR_PAD | PLC_ATTR_PAD_AFTER | PLC_ATTR_MODE | PLC_ATTR_ALPHA,
    .shape = shape,
    .channels = channels,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = channel_forward,
    .backward = backward,
};
