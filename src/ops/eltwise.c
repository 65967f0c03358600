// Launchers of the kernels that map pixels to pixels.
#include <ops/eltwise.h>

#include <eltwise_params.h>
#include <stdlib.h>
#include <base/memory.h>
#include <ops/batch_norm.h>
#include <ops/channel_lanes.h>
#include <ops/fill.h>
#include <ops/mask.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static eltwise_params make_params(const plc_lower *lower, plc_tensor y)
{
    const int size = y.shape.h * y.shape.w;

    return (eltwise_params){
        .C = y.shape.c,
        .size = size,
        .n_images = lower->n_images,
        .y_planes = y.planes,
        .y_first = y.first,
    };
}

static void set_clip(const plc_lower *lower, plc_clip clip, eltwise_params *p)
{
    const plc_clip stored = plc_lower_stored_clip(lower, clip);

    p->flags |= clip.on ? ELTWISE_CLIP : 0;
    p->low = stored.low;
    p->high = stored.high;
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, eltwise_params *p, double bytes)
{
    const plc_tiled_launch pixels = {.file = "eltwise",
                                     .kernel = kernel,
                                     .buffers = buffers,
                                     .n_buffers = n_buffers,
                                     .params = p,
                                     .params_bytes = sizeof *p,
                                     .tile_items = &p->tile_pixels,
                                     .bytes = bytes};

    return plc_append_pixels_launch(lower, pixels, p->C * p->size);
}

pleach_status plc_eltwise_forward(plc_lower *lower, plc_tensor a, const plc_tensor *b,
                                  plc_clip clip, plc_tensor y)
{
    const plc_tensor second = b ? *b : a; // a launch names only what it reads
    eltwise_params p = make_params(lower, y);

    if (lower->channel_lanes)
        return plc_channel_map(lower, a, b, NULL, clip, y);
    set_clip(lower, clip, &p);
    p.a_planes = a.planes;
    p.a_first = a.first;
    p.b_planes = second.planes;
    p.b_first = second.first;
    p.flags |= b ? ELTWISE_ADD : 0;
    return append(lower, "eltwise_forward", PLC_BUFFERS(a.buffer, second.buffer, y.buffer), &p,
                  (b ? 3 : 2) * plc_tensor_bytes(lower, y));
}

pleach_status plc_eltwise_backward(plc_lower *lower, plc_tensor dy, plc_tensor y, plc_clip clip,
                                   plc_tensor dx, bool accumulate)
{
    const plc_tensor gate = clip.on ? y : dy; // a launch names only what it reads
    eltwise_params p = make_params(lower, gate);

    set_clip(lower, clip, &p);
    p.a_planes = dx.planes;
    p.a_first = dx.first;
    p.b_planes = dy.planes;
    p.b_first = dy.first;
    p.flags |= accumulate ? ELTWISE_ACCUMULATE : 0;
    return append(lower, "eltwise_backward", PLC_BUFFERS(dy.buffer, gate.buffer, dx.buffer), &p,
                  (2 + accumulate + clip.on) * plc_tensor_bytes(lower, dx));
}

pleach_status plc_fill_view(plc_lower *lower, plc_tensor tensor)
{
    eltwise_params p = make_params(lower, tensor);

    return append(lower, "fill_zero", PLC_BUFFERS(tensor.buffer), &p,
                  plc_tensor_bytes(lower, tensor));
}

// y *= masks[mask_offset + c]; nothing for an offset of -1.
static pleach_status append_mask(plc_lower *lower, int mask_offset, plc_tensor y)
{
    plc_launch *launch = NULL;
    eltwise_params p = make_params(lower, y);
    const plc_tiled_launch tiled = {.file = "eltwise",
                                    .kernel = "mask_apply",
                                    .buffers = (plc_buffer *const[]){y.buffer, lower->masks},
                                    .n_buffers = 2,
                                    .params = &p,
                                    .params_bytes = sizeof p,
                                    .tile_items = &p.tile_pixels,
                                    .tile_channels = &p.tile_channels,
                                    .n_channels = p.C,
                                    .n_items = p.size,
                                    .item_pixels = 1,
                                    .bytes = (double)p.C * sizeof(float)}; // where all are kept

    p.mask_offset = mask_offset;
    return p.mask_offset < 0 ? PLEACH_OK : plc_append_tiled_launch(lower, &tiled, &launch);
}

pleach_status plc_mask_gradient_lower(plc_lower *lower, int node)
{
    pleach_status status = PLEACH_OK;
    plc_tensor grad;

    if (!lower->mask_gradients)
        return status;
    TRY(plc_lower_grad(lower, node, &grad));
    TRY(append_mask(lower, plc_lower_mask(lower, node), grad));
done:
    return status;
}

// Whether a node hands its inputs' channels on one by one, those of a concatenation side by side.
static bool hands_on(const pleach_graph *graph, int node)
{
    static const char *const others[] = {"conv", "conv_transpose", "linear", "flatten", "slice"};
    const plc_node *n = &graph->nodes[node];
    bool hands_on = n->op->channels != plc_op_channels_freeze;

    if (plc_graph_is_depthwise(graph, n))
        return n->shape.c == graph->nodes[n->inputs[0]].shape.c;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        hands_on = hands_on && !plc_graph_is(graph, node, others[i]);
    return hands_on;
}

// *mask is the offset of factors for the channels of a value: its own mask, or the first that they reach; -1: none.
static pleach_status find_mask(const plc_lower *lower, int node, int *mask)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *graph = lower->graph;
    int *first = NULL; // where the value's channels begin in others that they reach, -1: nowhere

    *mask = plc_lower_mask(lower, node);
    if (*mask >= 0)
        return status;
    TRY(plc_alloc(lower->ctx, (size_t)graph->n_nodes, sizeof *first, &first));
    for (int i = 0; i < graph->n_nodes; i++)
        first[i] = i == node ? 0 : -1;
    for (int i = node + 1; i < graph->n_nodes && *mask < 0; i++) {
        const plc_node *n = &graph->nodes[i];
        int before = 0;

        for (int j = 0; hands_on(graph, i) && j < n->n_inputs && first[i] < 0; j++) {
            const int input = n->inputs[j];
            first[i] = first[input] < 0 ? -1 : first[input] + before;
            before += plc_graph_is(graph, i, "concat") ? graph->nodes[input].shape.c : 0;
        }
        if (first[i] >= 0 && plc_lower_mask(lower, i) >= 0)
            *mask = plc_lower_mask(lower, i) + first[i];
    }
done:
    free(first);
    return status;
}

pleach_status plc_mask_stop_lower(plc_lower *lower, int node)
{
    pleach_status status = PLEACH_OK;
    plc_tensor grad;
    int mask = -1;

    if (lower->mask_gradients)
        return status;
    TRY(plc_lower_grad(lower, node, &grad));
    TRY(find_mask(lower, node, &mask));
    TRY(append_mask(lower, mask, grad));
done:
    return status;
}
