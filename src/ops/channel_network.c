// Joins launches on channel lanes: a table of what each does, and one launch that walks along it.
#include <ops/channel_network.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <channel_network_params.h>
#include <ops/channel_conv.h>

// Which arguments of a kernel are what; SCRATCH_NONE: it has no local memory.
enum { SCRATCH_NONE = -1 };
static const struct {
    const char *label;
    int kind, x, add, y, scratch, params;
} kernels[] = {
    {"channel_conv", CHANNEL_CONV, 0, 2, 1, SCRATCH_NONE, 4},
    {"channel_conv_depthwise", CHANNEL_CONV_DEPTHWISE, 0, 2, 1, SCRATCH_NONE, 4},
    {"channel_winograd", CHANNEL_WINOGRAD, 0, 2, 1, 4, 5},
    {"channel_map", CHANNEL_MAP, 0, 1, 2, SCRATCH_NONE, 4},
    {"channel_max_pool", CHANNEL_MAX_POOL, 0, 0, 1, SCRATCH_NONE, 2},
    {"channel_avg_pool", CHANNEL_AVG_POOL, 0, 0, 1, SCRATCH_NONE, 2},
    {"channel_pad", CHANNEL_PAD, 0, 0, 1, SCRATCH_NONE, 2},
    {"channel_function", CHANNEL_FUNCTION, 0, 0, 1, SCRATCH_NONE, 2},
};
enum { N_KERNELS = sizeof kernels / sizeof kernels[0] };

// Where a buffer lies; false: not in `memory`, or so far behind that a record's int does not say it.
static bool find_place(const plc_channel_memory *memory, const plc_buffer *buffer,
                       channel_place *place)
{
    *place = (channel_place){0};
    if (buffer == memory->input)
        place->in = CHANNEL_IN_INPUT;
    else if (buffer == memory->logits)
        place->in = CHANNEL_IN_LOGITS;
    else if (buffer == memory->prepared)
        place->in = CHANNEL_IN_PREPARED;
    else if (memory->slab && buffer->parent == memory->slab &&
             buffer->offset_bytes / sizeof(float) <= INT_MAX)
        *place = (channel_place){CHANNEL_IN_SLAB, (int)(buffer->offset_bytes / sizeof(float))};
    else
        return false;
    return true;
}

// The record of one launch; false where it cannot be joined.
static bool describe(const plc_launch *launch, const plc_channel_memory *memory,
                     channel_launch *record, size_t *scratch_bytes)
{
    for (int i = 0; i < N_KERNELS; i++) {
        if (strcmp(launch->label, kernels[i].label) != 0)
            continue;
        const plc_arg *params = &launch->args[kernels[i].params];
        record->kind = kernels[i].kind;
        record->n_x = (int)launch->global[0];
        record->n_y = (int)launch->global[1];
        memcpy(&record->of, params->value, params->bytes);
        if (kernels[i].scratch != SCRATCH_NONE) {
            const size_t bytes = launch->args[kernels[i].scratch].bytes;
            *scratch_bytes = bytes > *scratch_bytes ? bytes : *scratch_bytes;
        }
        return find_place(memory, launch->args[kernels[i].x].buffer, &record->x) &&
               find_place(memory, launch->args[kernels[i].add].buffer, &record->add) &&
               find_place(memory, launch->args[kernels[i].y].buffer, &record->y);
    }
    return false;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

// The table's one launch. Buffers that a network lacks are any other.
static pleach_status append(plc_launch_list *joined, const plc_channel_memory *memory,
                            plc_buffer *launches, plc_buffer *state, size_t scratch_bytes,
                            int n_launches, int n_groups, int n_workers)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_channel_conv_append(joined, "channel_network", "channel_network", PLC_CHANNEL_KT,
                                &launch));
    plc_launch_arg_buffer(launch, memory->slab ? memory->slab : memory->input);
    plc_launch_arg_buffer(launch, memory->input);
    plc_launch_arg_buffer(launch, memory->logits);
    plc_launch_arg_buffer(launch, memory->prepared);
    plc_launch_arg_buffer(launch, launches);
    plc_launch_arg_buffer(launch, state);
    plc_launch_arg_local(launch, scratch_bytes);
    plc_launch_arg_int(launch, n_launches);
    plc_launch_arg_int(launch, n_groups);
    plc_launch_groups(joined->device, launch, (size_t)n_workers, 1, 1);
done:
    return status;
}

pleach_status plc_channel_network_join(const plc_launch_list *list,
                                       const plc_channel_memory *memory, plc_launch_list *joined,
                                       plc_buffer **launches, plc_buffer **state)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = joined->device;
    const size_t n = (size_t)list->n_items;
    channel_launch *records = NULL;
    int n_groups = 0, n_most = 0;
    size_t scratch_bytes = sizeof(float);

    TRY(plc_alloc(device->ctx, n + 1, sizeof *records, &records));
    for (size_t i = 0; i < n; i++) {
        if (!describe(list->items[i], memory, &records[i], &scratch_bytes))
            goto done;
        const int groups = records[i].n_x * records[i].n_y;
        records[i].first_group = n_groups;
        n_groups += groups;
        n_most = groups > n_most ? groups : n_most;
    }
    if (n == 0)
        goto done;
    TRY(plc_buffer_create(device, "launches", n * sizeof *records, launches));
    TRY(plc_buffer_write(device, *launches, 0, n * sizeof *records, records));
    TRY(plc_buffer_create(device, "progress", (size_t)(CHANNEL_TAKEN + n_groups) * sizeof(int),
                          state));
    TRY(append(joined, memory, *launches, *state, scratch_bytes, (int)n, n_groups,
               smaller(device->info->compute_units, n_most)));
done:
    free(records);
    return status;
}
