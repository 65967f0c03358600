// affine: y = scale x + shift with parameters of each value of an image: scale {C, H, W}, shift {C, H, W}. Where one
// number per channel does, a convolution of 1x1 with a group per channel is pruned better.
#include <affine_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const int dims[] = {x->c, x->h, x->w};

    TRY(plc_op_set_shape(ctx, node, x->c, x->h, x->w));
    TRY(plc_op_add_param(ctx, node, "scale", dims, 3, PLC_AXIS_OUT, PLC_AXIS_NONE, true));
    TRY(plc_op_add_param(ctx, node, "shift", dims, 3, PLC_AXIS_OUT, PLC_AXIS_NONE, true));
done:
    return status;
}

static affine_params make_params(const plc_lower *lower, int node, plc_tensor x, plc_tensor y)
{
    const int plane = x.shape.h * x.shape.w;

    return (affine_params){
        .n = x.shape.c * plane,
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .x_planes = x.planes * plane,
        .x_first = x.first * plane,
        .y_planes = y.planes * plane,
        .y_first = y.first * plane,
        .scale_offset = plc_lower_param(lower, node, 0),
        .shift_offset = plc_lower_param(lower, node, 1),
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, affine_params *p, double bytes)
{
    const plc_tiled_launch values = {.file = "affine",
                                     .kernel = kernel,
                                     .buffers = buffers,
                                     .n_buffers = n_buffers,
                                     .params = p,
                                     .params_bytes = sizeof *p,
                                     .tile_items = &p->tile_values,
                                     .bytes = bytes};

    return plc_append_pixels_launch(lower, values, p->n);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    affine_params p = make_params(lower, step->node, x, y);

    return append(lower, "affine_forward", PLC_BUFFERS(x.buffer, lower->weights, y.buffer), &p,
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
    affine_params p = make_params(lower, step->node, x, dy);
    TRY(plc_append_tensor_launch(lower->list, "affine", "affine_grad_params",
                                 PLC_BUFFERS(dy.buffer, x.buffer, lower->grads), &p, sizeof p,
                                 &launch));
    plc_launch_groups(lower->device, launch, (size_t)p.n, 1, 1);
    launch->bytes = 2 * plc_tensor_bytes(lower, x);
    TRY(plc_lower_grad_target(lower, input, &dx, &accumulate, &wanted));
    if (!wanted)
        return status;
    p.dx_planes = dx.planes * dx.shape.h * dx.shape.w;
    p.dx_first = dx.first * dx.shape.h * dx.shape.w;
    p.accumulate = accumulate;
    TRY(append(lower, "affine_backward", PLC_BUFFERS(dy.buffer, lower->weights, dx.buffer), &p,
               (2 + accumulate) * plc_tensor_bytes(lower, dx)));
done:
    return status;
}

const struct op op_affine = {
    .name = "affine",
    .n_inputs = 1,
    .shape = shape,
    .channels = plc_op_channels_freeze,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
