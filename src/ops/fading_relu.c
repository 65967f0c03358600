// fading_relu: y = x > 0 ? x : (1 - gate) x. A ReLU while its node's gate is 1, the identity when it is 0.
#include <fading_relu_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static fading_relu_params make_params(const plc_lower *lower, int node, plc_tensor y)
{
    return (fading_relu_params){
        .C = y.shape.c,
        .size = y.shape.h * y.shape.w,
        .n_images = lower->n_images,
        .y_planes = y.planes,
        .y_first = y.first,
        .gate_offset = node,
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, fading_relu_params *p, double bytes)
{
    const plc_tiled_launch pixels = {.file = "fading_relu",
                                     .kernel = kernel,
                                     .buffers = buffers,
                                     .n_buffers = n_buffers,
                                     .params = p,
                                     .params_bytes = sizeof *p,
                                     .tile_items = &p->tile_pixels,
                                     .bytes = bytes};

    return plc_append_pixels_launch(lower, pixels, p->C * p->size);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    fading_relu_params p = make_params(lower, step->node, y);

    p.x_planes = x.planes;
    p.x_first = x.first;
    return append(lower, "fading_relu_forward", PLC_BUFFERS(x.buffer, lower->gates, y.buffer), &p,
                  2 * plc_tensor_bytes(lower, y));
}

// dx (+)= dy where y > 0, else (1 - gate) dy.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor y = plc_lower_value(lower, step->output);
    fading_relu_params p = make_params(lower, step->node, y);
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        goto done;
    p.dy_planes = g.dy.planes;
    p.dy_first = g.dy.first;
    p.x_planes = g.dx.planes;
    p.x_first = g.dx.first;
    p.flags = g.accumulate ? FADING_RELU_ACCUMULATE : 0;
    TRY(append(lower, "fading_relu_backward",
               PLC_BUFFERS(g.dy.buffer, y.buffer, lower->gates, g.dx.buffer), &p,
               (3 + g.accumulate) * plc_tensor_bytes(lower, g.dx)));
done:
    return status;
}

// Without channel lanes: it lives in training, while its branch fades.
const struct op op_fading_relu = {
    .name = "fading_relu",
    .n_inputs = 1,
    .shape = plc_op_shape_pass,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
