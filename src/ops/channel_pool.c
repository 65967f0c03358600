// Pooling on channel lanes: launches of cl/channel_pool.cl.
#include <ops/channel_lanes.h>

#include <pool_params.h>
#include <ops/tensor_launch.h>

// Pixels that a work-group reads.
enum { GROUP_PIXELS = 512 };

static pleach_status append(plc_lower *lower, const plc_step *step, const char *kernel, bool global)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    const plc_attrs *a = &node->attrs;
    const plc_tensor x = plc_lower_value(lower, node->inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const int n_pixels = lower->n_images * y.shape.h * y.shape.w;
    plc_launch *launch = NULL;
    pool_params p = {
        .C = x.shape.c,
        .H = x.shape.h,
        .W = x.shape.w,
        .P = y.shape.h,
        .Q = y.shape.w,
        .R = global ? x.shape.h : a->kernel[0],
        .S = global ? x.shape.w : a->kernel[1],
        .stride_h = global ? 1 : a->stride[0],
        .stride_w = global ? 1 : a->stride[1],
        .pad_h = global ? 0 : a->pad[0],
        .pad_w = global ? 0 : a->pad[1],
        .dilation_h = global ? 1 : a->dilation[0],
        .dilation_w = global ? 1 : a->dilation[1],
        .n_images = lower->n_images,
        .x_planes = x.planes,
        .x_first = x.first,
        .y_planes = y.planes,
        .y_first = y.first,
    };

    const int window = p.R < GROUP_PIXELS && p.S < GROUP_PIXELS ? p.R * p.S : GROUP_PIXELS;
    p.tile_rows = window < GROUP_PIXELS ? GROUP_PIXELS / window : 1;
    TRY(plc_append_tensor_launch(lower->list, "channel_pool", kernel,
                                 PLC_BUFFERS(x.buffer, y.buffer), &p, sizeof p, &launch));
    plc_launch_groups(lower->device, launch, (size_t)((n_pixels + p.tile_rows - 1) / p.tile_rows),
                      (size_t)((p.C + lower->device->lanes - 1) / lower->device->lanes), 1);
    launch->bytes = plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, y);
done:
    return status;
}

pleach_status plc_channel_max_pool_forward(plc_lower *lower, const plc_step *step)
{
    return append(lower, step, "channel_max_pool", false);
}

pleach_status plc_channel_avg_pool_forward(plc_lower *lower, const plc_step *step)
{
    return append(lower, step, "channel_avg_pool", false);
}

pleach_status plc_channel_global_avg_pool_forward(plc_lower *lower, const plc_step *step)
{
    return append(lower, step, "channel_avg_pool", true);
}
