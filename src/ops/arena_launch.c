// Launchers of gather_oihw (cl/rewrite.cl) and mask_scatter (cl/prune.cl).
#include <ops/arena_launch.h>

#include <rewrite_params.h>

pleach_status plc_append_gathers(plc_launch_list *list, plc_buffer *from, plc_buffer *to,
                                 plc_buffer *kept, plc_buffer *gathers, int n_gathers)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "rewrite", "gather_oihw", "", &launch));
    plc_launch_arg_buffer(launch, from);
    plc_launch_arg_buffer(launch, to);
    plc_launch_arg_buffer(launch, kept);
    plc_launch_arg_buffer(launch, gathers);
    plc_launch_groups(list->device, launch, GATHER_PARTS, (size_t)n_gathers, 1);
done:
    return status;
}

pleach_status plc_append_mask_scatter(plc_launch_list *list, plc_buffer *kept, plc_buffer *class_of,
                                      plc_buffer *masks, int n_masks)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "prune", "mask_scatter", "", &launch));
    plc_launch_arg_buffer(launch, kept);
    plc_launch_arg_buffer(launch, class_of);
    plc_launch_arg_buffer(launch, masks);
    plc_launch_arg_int(launch, n_masks);
    plc_launch_items(launch, (size_t)n_masks);
done:
    return status;
}
