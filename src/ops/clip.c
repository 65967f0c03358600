// relu: y = max(x, 0); clip: y = min(max(x, alpha), beta).
#include <math.h>
#include <ops/eltwise.h>
#include <ops/ops.h>

plc_clip plc_clip_of(const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    if (n->op == &op_relu)
        return (plc_clip){true, 0.0f, INFINITY};
    return n->op == &op_clip ? (plc_clip){true, n->attrs.alpha, n->attrs.beta} : (plc_clip){0};
}

static pleach_status clip_shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    // Written so that a NaN fails too.
    if (!(node->attrs.alpha <= node->attrs.beta))
        return plc_fail(ctx, PLEACH_EGRAPH,
                        "clip '%s': from %g to %g; the first must not be larger", node->name,
                        (double)node->attrs.alpha, (double)node->attrs.beta);
    return plc_op_shape_pass(ctx, graph, node);
}

// A pruned channel is 0 before clipping. Where it is not behind it, what reads it would miss a constant.
static void clip_channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_attrs *a = &graph->nodes[node].attrs;

    (a->alpha <= 0 && a->beta >= 0 ? plc_op_channels_pass : plc_op_channels_freeze)(channels, graph,
                                                                                    node);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const int x = lower->graph->nodes[step->node].inputs[0];

    return plc_eltwise_forward(lower, plc_lower_value(lower, x), NULL,
                               plc_clip_of(lower->graph, step->node),
                               plc_lower_value(lower, step->output));
}

// dx (+)= dy where y was not clipped.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (g.wanted)
        TRY(plc_eltwise_backward(lower, g.dy, plc_lower_value(lower, step->output),
                                 plc_clip_of(lower->graph, step->node), g.dx, g.accumulate));
done:
    return status;
}

const struct op op_relu = {
    .name = "relu",
    .n_inputs = 1,
    .shape = plc_op_shape_pass,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};

const struct op op_clip = {
    .name = "clip",
    .n_inputs = 1,
    .attrs = PLC_ATTR_ALPHA | PLC_ATTR_BETA,
    .shape = clip_shape,
    .channels = clip_channels,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};
