// Launchers of gather_oihw (cl/rewrite.cl) and mask_scatter (cl/prune.cl).
#include <ops/arena_launch.h>

pleach_status plc_append_gather(plc_launch_list *list, const plc_gather *g)
{
    pleach_status status = PLEACH_OK;
    const int values[] = {g->from, g->to, g->n0, g->n1, g->tail, g->depth, g->kept0, g->kept1};
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "rewrite", "gather_oihw", "", &launch));
    plc_launch_arg_buffer(launch, g->from_arena);
    plc_launch_arg_buffer(launch, g->to_arena);
    plc_launch_arg_buffer(launch, g->kept);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        plc_launch_arg_int(launch, values[i]);
    plc_launch_items(launch, (size_t)g->n0 * (size_t)g->n1 * (size_t)g->tail);
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
