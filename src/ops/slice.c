// slice: channels attrs.offset .. attrs.offset + attrs.out_channels - 1 of a value.
#include <ops/eltwise.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;

    if (a->offset < 0 || a->out_channels < 1 || a->out_channels > x->c - a->offset)
        return plc_fail(ctx, PLEACH_EGRAPH, "slice '%s': %d channels from %d on, of %d", node->name,
                        a->out_channels, a->offset, x->c);
    return plc_op_set_shape(ctx, node, a->out_channels, x->h, x->w);
}

static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    for (int c = 0; c < n->shape.c; c++)
        plc_channels_tie(channels, n->inputs[0], n->attrs.offset + c, node, c);
}

static plc_tensor part(const plc_node *node, plc_tensor x)
{
    x.first += node->attrs.offset;
    x.shape.c = node->shape.c;
    return x;
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_node *n = &lower->graph->nodes[step->node];

    return plc_eltwise_forward(lower, part(n, plc_lower_value(lower, n->inputs[0])), NULL,
                               (plc_clip){0}, plc_lower_value(lower, step->output));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &lower->graph->nodes[step->node];
    plc_tensor dy, dx;

    TRY(plc_lower_grad(lower, step->output, &dy));
    if (!lower->value_grads[n->inputs[0]].buffer)
        return status;
    TRY(plc_lower_grad(lower, n->inputs[0], &dx)); // 0 where nothing was written yet
    TRY(plc_eltwise_backward(lower, dy, dy, (plc_clip){0}, part(n, dx), true));
done:
    return status;
}

const struct op op_slice = {
    .name = "slice",
    .n_inputs = 1,
    .attrs = PLC_ATTR_OFFSET | PLC_ATTR_OUT_CHANNELS,
    .shape = shape,
    .channels = channels,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};
