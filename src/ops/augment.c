// The input's value from a batch of 8-bit images.
#include <ops/augment.h>

#include <augment_params.h>
#include <ops/tensor_launch.h>

pleach_status plc_augment_lower(plc_lower *lower, plc_buffer *images, plc_buffer *mean_std,
                                const plc_augment_opts *opts, plc_augment *augment)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor y = plc_lower_value(lower, 0);
    const plc_tile tile = plc_tile_planes(lower->device, 1, y.shape.h, y.shape.w);
    const augment_params p = {
        .seed_low = (unsigned)opts->seed,
        .seed_high = (unsigned)(opts->seed >> 32),
        .C = y.shape.c,
        .H = y.shape.h,
        .W = y.shape.w,
        .n_images = lower->n_images,
        .y_planes = y.planes,
        .y_first = y.first,
        .crop = opts->crop,
        .tile_rows = tile.items,
        .flags = opts->flip ? AUGMENT_FLIP : 0,
    };
    const unsigned first_step = 0;
    plc_launch *launch = NULL;

    TRY(plc_append_tensor_launch(lower->list, "augment", "augment",
                                 PLC_BUFFERS(images, mean_std, y.buffer), &p, sizeof p, &launch));
    augment->launch = launch;
    augment->step_arg = launch->n_args;
    plc_launch_arg_value(launch, &first_step, sizeof first_step);
    plc_launch_arg_int(launch, opts->training);
    plc_launch_groups(lower->device, launch, tile.n_item_tiles, (size_t)p.C,
                      (size_t)lower->n_blocks);
    plc_launch_set_shape(launch, "%dx%dx%d", p.C, p.H, p.W);
    launch->bytes = plc_tensor_bytes(lower, y) * (1 + 1.0 / lower->device->value_bytes);
done:
    return status;
}
