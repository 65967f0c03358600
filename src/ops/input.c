// input: the images of the batch. Its shape is given when the graph is made.
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    (void)graph;
    return plc_op_set_shape(ctx, node, node->shape.c, node->shape.h, node->shape.w);
}

// Graph inputs are frozen by plc_channels_create; they tie to nothing before them.
static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    (void)channels;
    (void)graph;
    (void)node;
}

const struct op op_input = {
    .name = "input",
    .n_inputs = 0,
    .shape = shape,
    .channels = channels,
};
