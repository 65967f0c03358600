// Batch norm, addition, clipping and copies on channel lanes: launches of cl/channel_map.cl.
#include <ops/channel_lanes.h>

#include <channel_map_params.h>
#include <ops/batch_norm.h>
#include <ops/tensor_launch.h>

// Floats that repay starting a work-group.
enum { GROUP_FLOATS = 1 << 13 };

pleach_status plc_channel_map(plc_lower *lower, plc_tensor x, const plc_tensor *add,
                              const plc_channel_scaling *scaling, plc_clip clip, plc_tensor y)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    const plc_tensor second = add ? *add : x; // a launch names only what it reads
    plc_buffer *coefficients = scaling ? lower->scratch : x.buffer;
    const int n_pixels = lower->n_images * y.shape.h * y.shape.w;
    const int tile = y.shape.c < GROUP_FLOATS ? GROUP_FLOATS / y.shape.c : 1;
    const channel_map_params p = {
        .C = y.shape.c,
        .n_pixels = n_pixels,
        .x_planes = x.planes,
        .x_first = x.first,
        .add_planes = second.planes,
        .add_first = second.first,
        .y_planes = y.planes,
        .y_first = y.first,
        .scale_offset = scaling ? scaling->scale_offset : 0,
        .shift_offset = scaling ? scaling->shift_offset : 0,
        .tile_pixels = tile,
        .flags = (scaling ? MAP_SCALE : 0) | (add ? MAP_ADD : 0) | (clip.on ? MAP_CLIP : 0),
        .low = clip.low,
        .high = clip.high,
    };

    TRY(plc_append_tensor_launch(lower->list, "channel_map", "channel_map",
                                 PLC_BUFFERS(x.buffer, second.buffer, y.buffer, coefficients), &p,
                                 sizeof p, &launch));
    plc_launch_groups(lower->device, launch, (size_t)((n_pixels + tile - 1) / tile), 1, 1);
    launch->bytes = (add ? 3 : 2) * plc_tensor_bytes(lower, y);
done:
    return status;
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
