// linear: y = W x + b on vectors; weight {O, I}, optional bias {O}.
#include <ops/channel_lanes.h>
#include <ops/conv.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    int weight[2] = {node->attrs.out_channels, x->c};

    if (x->h != 1 || x->w != 1)
        FAIL(ctx, PLEACH_EGRAPH,
             "linear '%s': input is %d x %d x %d, expected a vector; put global_avg_pool or "
             "flatten before it",
             node->name, x->c, x->h, x->w);
    if (node->attrs.out_channels < 1)
        FAIL(ctx, PLEACH_EGRAPH, "linear '%s': %d output features; give at least 1", node->name,
             node->attrs.out_channels);
    TRY(plc_op_set_shape(ctx, node, node->attrs.out_channels, 1, 1));
    TRY(plc_op_add_param(ctx, node, "weight", weight, 2, PLC_AXIS_OUT, PLC_AXIS_IN, true));
    if (node->attrs.bias)
        TRY(plc_op_add_param(ctx, node, "bias", weight, 1, PLC_AXIS_OUT, PLC_AXIS_NONE, true));
done:
    return status;
}

// Ends its input's channels and begins its own.
static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    (void)channels;
    (void)graph;
    (void)node;
}

static void cost(const pleach_graph *graph, const plc_node *node, plc_cost *cost)
{
    plc_op_cost_of_pass(graph, node, cost);
    cost->macs = (long long)plc_param_count(&node->params[0]);
}

const struct op op_linear = {
    .name = "linear",
    .n_inputs = 1,
    .attrs = PLC_ATTR_OUT_CHANNELS | PLC_ATTR_BIAS,
    .shape = shape,
    .channels = channels,
    .cost = cost,
    .describe = plc_op_describe_weights,
    .forward = plc_conv_forward,
    .forward_channel_lanes = plc_channel_conv_forward,
    .backward = plc_conv_backward,
};
