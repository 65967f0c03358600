// flatten: C x H x W -> a vector; channel c becomes features c H W .. (c + 1) H W - 1.
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    // A value's own product fits an int: plc_op_set_shape saw to it.
    return plc_op_set_shape(ctx, node, (long long)x->c * x->h * x->w, 1, 1);
}

static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];
    const plc_shape *x = plc_op_input_shape(graph, n, 0);
    int plane = x->h * x->w;

    for (int i = 0; i < n->shape.c; i++)
        plc_channels_tie(channels, n->inputs[0], i / plane, node, i);
}

// No cost: a view.
const struct op op_flatten = {
    .name = "flatten",
    .n_inputs = 1,
    .shape = shape,
    .channels = channels,
};
