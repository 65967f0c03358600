// relu: y = max(x, 0).
#include <ops/eltwise.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    return plc_op_set_shape(ctx, node, x->c, x->h, x->w);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const int x = lower->graph->nodes[step->node].inputs[0];

    return plc_eltwise_forward(lower, plc_lower_value(lower, x), NULL, true,
                               plc_lower_value(lower, step->output));
}

// dx (+)= dy where y > 0.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor y = plc_lower_value(lower, step->output);
    plc_tensor dy, dx;
    bool accumulate, wanted;

    TRY(plc_lower_grad(lower, step->output, &dy));
    TRY(plc_lower_grad_target(lower, lower->graph->nodes[step->node].inputs[0], &dx, &accumulate,
                              &wanted));
    if (wanted)
        TRY(plc_eltwise_backward(lower, dy, &y, dx, accumulate));
done:
    return status;
}

const struct op op_relu = {
    .name = "relu",
    .n_inputs = 1,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};
