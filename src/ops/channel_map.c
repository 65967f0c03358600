// Batch norm, addition, clipping, products and copies on channel lanes: launches of cl/channel_map.cl.
#include <ops/channel_lanes.h>

#include <channel_map_params.h>
#include <ops/batch_norm.h>
#include <ops/tensor_launch.h>

// Floats that repay starting a work-group.
enum { GROUP_FLOATS = 1 << 13 };

pleach_status plc_channel_append(plc_lower *lower, const char *name, plc_buffer *const *buffers,
                                 int n_buffers, const void *params, size_t params_bytes, int *tile,
                                 int n_items, int item_floats, double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    *tile = item_floats < GROUP_FLOATS ? GROUP_FLOATS / item_floats : 1;
    TRY(plc_append_tensor_launch(lower->list, name, name, buffers, n_buffers, params, params_bytes,
                                 &launch));
    plc_launch_groups(lower->device, launch, (size_t)((n_items + *tile - 1) / *tile), 1, 1);
    launch->bytes = bytes;
done:
    return status;
}

// `second` is x where the flags ask for none: a launch names only what it reads.
static pleach_status append(plc_lower *lower, plc_tensor x, plc_tensor second,
                            plc_buffer *coefficients, plc_tensor y, channel_map_params p)
{
    double bytes = 2 * plc_tensor_bytes(lower, y);

    p.C = y.shape.c;
    p.size = y.shape.h * y.shape.w;
    p.n_pixels = lower->n_images * p.size;
    p.x_planes = x.planes;
    p.x_first = x.first;
    p.add_planes = second.planes;
    p.add_first = second.first;
    p.y_planes = y.planes;
    p.y_first = y.first;
    if (p.flags & (MAP_ADD | MAP_TIMES))
        bytes += plc_tensor_bytes(lower, second);
    return plc_channel_append(lower, "channel_map",
                              PLC_BUFFERS(x.buffer, second.buffer, y.buffer, coefficients), &p,
                              sizeof p, &p.tile_pixels, p.n_pixels, p.C, bytes);
}

pleach_status plc_channel_map(plc_lower *lower, plc_tensor x, const plc_tensor *add,
                              const plc_channel_scaling *scaling, plc_clip clip, plc_tensor y)
{
    const channel_map_params p = {
        .scale_offset = scaling ? scaling->scale_offset : 0,
        .shift_offset = scaling ? scaling->shift_offset : 0,
        .flags = (scaling ? MAP_SCALE : 0) | (add ? MAP_ADD : 0) | (clip.on ? MAP_CLIP : 0),
        .low = clip.low,
        .high = clip.high,
    };

    return append(lower, x, add ? *add : x, scaling ? lower->scratch : x.buffer, y, p);
}

pleach_status plc_channel_product(plc_lower *lower, plc_tensor a, plc_tensor b, plc_tensor y)
{
    const bool is_gate = b.shape.h * b.shape.w < a.shape.h * a.shape.w;

    return append(lower, a, b, a.buffer, y,
                  (channel_map_params){.flags = MAP_TIMES | (is_gate ? MAP_GATE : 0)});
}

pleach_status plc_channel_batch_norm_forward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const bool has_add = step->add != PLC_NO_NODE;
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const plc_tensor add = plc_lower_value(lower, has_add ? step->add : step->output);
    plc_channel_scaling scaling;

    TRY(plc_batch_norm_coefficients(lower, step->node, &scaling.scale_offset,
                                    &scaling.shift_offset));
    TRY(plc_channel_map(lower, x, has_add ? &add : NULL, &scaling, step->clip, y));
done:
    return status;
}
