// When inference is on channel lanes, and how images get there and logits leave: cl/channel_ends.cl.
#include <ops/channel_lanes.h>

#include <channel_ends_params.h>
#include <graph/graph.h>
#include <ops/tensor_launch.h>

// Flattened pixels lie in another order on channel lanes; linear layers know that (channel_conv.c).
static bool flattens_for_linear_only(const pleach_graph *graph, int node)
{
    const plc_shape in = graph->nodes[graph->nodes[node].inputs[0]].shape;

    if (in.h * in.w == 1)
        return true;
    for (int i = node + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == node && !plc_graph_is(graph, i, "linear"))
                return false;
    return node < graph->n_nodes - 1;
}

bool plc_channel_lanes_suit(const pleach_device *device, const pleach_graph *graph, int n_images)
{
    const plc_shape out = graph->nodes[graph->n_nodes - 1].shape;

    if (!device->vector_lanes || device->value_bytes != sizeof(float) ||
        n_images >= device->lanes || out.h * out.w > 1)
        return false;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct op *op = graph->nodes[i].op;
        if (op->forward && !op->forward_channel_lanes)
            return false;
        if (plc_graph_is(graph, i, "flatten") && !flattens_for_linear_only(graph, i))
            return false;
    }
    return true;
}

pleach_status plc_channel_images(plc_lower *lower, plc_buffer *images, plc_buffer *mean_std)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor y = plc_lower_value(lower, 0);
    const int size = y.shape.h * y.shape.w;
    const plc_tile tile = plc_tile_planes(lower->device, 1, size, 1);
    const channel_ends_params p = {
        .C = y.shape.c,
        .size = size,
        .n_images = lower->n_images,
        .planes = y.planes,
        .first = y.first,
        .tile_pixels = tile.items,
    };
    plc_launch *launch = NULL;

    TRY(plc_append_tensor_launch(lower->list, "channel_ends", "channel_images",
                                 PLC_BUFFERS(images, mean_std, y.buffer), &p, sizeof p, &launch));
    plc_launch_groups(lower->device, launch, tile.n_item_tiles, (size_t)lower->n_images, 1);
    launch->bytes = plc_tensor_bytes(lower, y) * (1 + 1.0 / sizeof(float));
done:
    return status;
}

pleach_status plc_channel_logits(plc_lower *lower, plc_tensor logits, plc_buffer *lanes)
{
    pleach_status status = PLEACH_OK;
    const channel_ends_params p = {
        .C = logits.shape.c,
        .size = 1,
        .n_images = lower->n_images,
        .planes = logits.planes,
        .first = logits.first,
    };
    plc_launch *launch = NULL;

    TRY(plc_append_tensor_launch(lower->list, "channel_ends", "channel_logits",
                                 PLC_BUFFERS(logits.buffer, lanes), &p, sizeof p, &launch));
    plc_launch_groups(lower->device, launch, (size_t)lower->n_blocks, 1, 1);
    launch->bytes = 2 * plc_tensor_bytes(lower, logits);
done:
    return status;
}
