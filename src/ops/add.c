// add: y = a + b of two values of one shape; ties a residual trunk into one group.
#include <ops/eltwise.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *a = plc_op_input_shape(graph, node, 0);
    const plc_shape *b = plc_op_input_shape(graph, node, 1);

    if (a->c != b->c || a->h != b->h || a->w != b->w)
        return plc_fail(
            ctx, PLEACH_EGRAPH,
            "add '%s': '%s' is %d x %d x %d, '%s' is %d x %d x %d; both must have one shape, put a "
            "1x1 convolution on one of them",
            node->name, graph->nodes[node->inputs[0]].name, a->c, a->h, a->w,
            graph->nodes[node->inputs[1]].name, b->c, b->h, b->w);
    return plc_op_set_shape(ctx, node, a->c, a->h, a->w);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const int *inputs = lower->graph->nodes[step->node].inputs;
    const plc_tensor b = plc_lower_value(lower, inputs[1]);

    return plc_eltwise_forward(lower, plc_lower_value(lower, inputs[0]), &b, step->clip,
                               plc_lower_value(lower, step->output));
}

// da (+)= g, db (+)= g; g = dy, where y was not clipped. a and b may be one value.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    const plc_tensor y = plc_lower_value(lower, step->output);
    plc_tensor dy, dx;
    bool accumulate, wanted;

    TRY(plc_lower_grad(lower, step->output, &dy));
    for (int i = 0; i < node->n_inputs; i++) {
        TRY(plc_lower_grad_target(lower, node->inputs[i], &dx, &accumulate, &wanted));
        if (wanted)
            TRY(plc_eltwise_backward(lower, dy, y, step->clip, dx, accumulate));
    }
done:
    return status;
}

const struct op op_add = {
    .name = "add",
    .n_inputs = 2,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};
