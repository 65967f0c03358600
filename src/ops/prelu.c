// prelu: y = x, or slope[c] x where x < 0; parameter slope {C}.
#include <prelu_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    TRY(plc_op_set_shape(ctx, node, x->c, x->h, x->w));
    TRY(plc_op_add_param(ctx, node, "slope", &x->c, 1, PLC_AXIS_OUT, PLC_AXIS_NONE, true));
done:
    return status;
}

static prelu_params make_params(const plc_lower *lower, int node, plc_tensor x, plc_tensor y)
{
    return (prelu_params){
        .C = x.shape.c,
        .size = x.shape.h * x.shape.w,
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .x_planes = x.planes,
        .x_first = x.first,
        .y_planes = y.planes,
        .y_first = y.first,
        .slope_offset = plc_lower_param(lower, node, 0),
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, prelu_params *p, double bytes)
{
    plc_launch *launch = NULL;
    const plc_tiled_launch tiled = {.file = "prelu",
                                    .kernel = kernel,
                                    .buffers = buffers,
                                    .n_buffers = n_buffers,
                                    .result = n_buffers - 1,
                                    .params = p,
                                    .params_bytes = sizeof *p,
                                    .tile_items = &p->tile_pixels,
                                    .tile_channels = &p->tile_channels,
                                    .n_channels = p->C,
                                    .n_items = p->size,
                                    .item_pixels = 1,
                                    .bytes = bytes};

    return plc_append_tiled_launch(lower, &tiled, &launch);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    prelu_params p = make_params(lower, step->node, x, y);

    return append(lower, "prelu_forward", PLC_BUFFERS(x.buffer, lower->weights, y.buffer), &p,
                  2 * plc_tensor_bytes(lower, y));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const int input = lower->graph->nodes[step->node].inputs[0];
    const plc_tensor x = plc_lower_value(lower, input);
    plc_launch *launch = NULL;
    plc_tensor dy, dx;
    bool accumulate, wanted;

    TRY(plc_lower_grad(lower, step->output, &dy));
    prelu_params p = make_params(lower, step->node, x, dy);
    TRY(plc_append_tensor_launch(lower->list, "prelu", "prelu_grad_slope",
                                 PLC_BUFFERS(dy.buffer, x.buffer, lower->grads), &p, sizeof p,
                                 &launch));
    plc_launch_groups(lower->device, launch, (size_t)p.C, 1, 1);
    launch->bytes = 2 * plc_tensor_bytes(lower, x);
    TRY(plc_lower_grad_target(lower, input, &dx, &accumulate, &wanted));
    if (!wanted)
        return status;
    p.dx_planes = dx.planes;
    p.dx_first = dx.first;
    p.accumulate = accumulate;
    TRY(append(lower, "prelu_backward", PLC_BUFFERS(dy.buffer, x.buffer, lower->weights, dx.buffer),
               &p, (3 + accumulate) * plc_tensor_bytes(lower, dx)));
done:
    return status;
}

const struct op op_prelu = {
    .name = "prelu",
    .n_inputs = 1,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
