// Launch lists: appended once, frozen once, then only enqueued.
#include <device/launch.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

void plc_launch_list_init(plc_launch_list *list, pleach_device *device)
{
    *list = (plc_launch_list){.device = device};
}

void plc_launch_list_finish(plc_launch_list *list)
{
    for (int i = 0; i < list->n_items; i++) {
        list->device->cl->clReleaseKernel(list->items[i]->kernel);
        free(list->items[i]);
    }
    free(list->items);
    *list = (plc_launch_list){0};
}

// How many items a work-group of this kernel may have, as the driver built it: registers bound it too.
static pleach_status read_most_items(pleach_device *device, cl_kernel kernel, size_t *most)
{
    pleach_status status = PLEACH_OK;

    CL_TRY(device->ctx, device->cl,
           clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof *most,
                                    most, NULL));
    if (*most == 0)
        FAIL(device->ctx, PLEACH_EDEVICE,
             "'%s' (driver %s) says that a kernel takes work-groups of no item; choose another "
             "device or update its driver",
             device->info->name, device->info->driver_version);
    if (*most > device->info->max_work_group_size)
        *most = device->info->max_work_group_size;
done:
    return status;
}

pleach_status plc_launch_list_append(plc_launch_list *list, cl_kernel kernel, const char *label,
                                     plc_launch **out)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    size_t most_items = 0;

    status = read_most_items(list->device, kernel, &most_items);
    if (status != PLEACH_OK) {
        plc_fail_in(list->device->ctx, status, "kernel '%s'", label);
        goto done;
    }
    TRY(plc_grow(list->device->ctx, &list->items, &list->capacity, (size_t)list->n_items + 1));
    TRY(plc_alloc(list->device->ctx, 1, sizeof *launch, &launch));
    launch->label = label;
    launch->kernel = kernel;
    launch->most_items = most_items;
    list->items[list->n_items++] = launch;
    *out = launch;
done:
    if (status != PLEACH_OK)
        list->device->cl->clReleaseKernel(kernel);
    return status;
}

void plc_launch_arg_buffer(plc_launch *launch, plc_buffer *buffer)
{
    assert(launch->n_args < PLC_MAX_ARGS && buffer != NULL);
    launch->args[launch->n_args++] = (plc_arg){.buffer = buffer, .bytes = sizeof(cl_mem)};
}

void plc_launch_arg_value(plc_launch *launch, const void *value, size_t bytes)
{
    assert(launch->n_args < PLC_MAX_ARGS && bytes <= PLC_MAX_ARG_BYTES);
    plc_arg *arg = &launch->args[launch->n_args++];
    *arg = (plc_arg){.bytes = bytes};
    memcpy(arg->value, value, bytes);
}

void plc_launch_arg_local(plc_launch *launch, size_t bytes)
{
    assert(launch->n_args < PLC_MAX_ARGS && bytes > 0);
    launch->args[launch->n_args++] = (plc_arg){.local = true, .bytes = bytes};
}

void plc_launch_arg_int(plc_launch *launch, int value)
{
    plc_launch_arg_value(launch, &value, sizeof value);
}

void plc_launch_arg_float(plc_launch *launch, float value)
{
    plc_launch_arg_value(launch, &value, sizeof value);
}

double plc_launch_executed_flops(const plc_launch *launch)
{
    return launch->executed_flops > 0 ? launch->executed_flops : launch->flops;
}

void plc_launch_set_shape(plc_launch *launch, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(launch->shape, sizeof launch->shape, format, args);
    va_end(args);
}

static pleach_status set_arg(plc_launch_list *list, const plc_launch *launch, int index)
{
    const plc_arg *arg = &launch->args[index];
    const void *value = arg->buffer  ? (const void *)&arg->buffer->mem
                        : arg->local ? NULL
                                     : (const void *)arg->value;
    const cl_int error =
        list->device->cl->clSetKernelArg(launch->kernel, (cl_uint)index, arg->bytes, value);

    if (error == CL_SUCCESS)
        return PLEACH_OK;
    const pleach_status failed = plc_cl_check(list->device->ctx, error, "clSetKernelArg");
    return plc_fail_in(list->device->ctx, failed, "kernel '%s', argument %d", launch->label, index);
}

// The grid's sizes follow a kernel's own arguments.
static pleach_status set_grid(plc_launch_list *list, const plc_launch *launch)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = list->device->ctx;

    for (int i = 0; i < 3; i++) {
        const int size = (int)launch->global[i];
        CL_TRY(ctx, list->device->cl,
               clSetKernelArg(launch->kernel, (cl_uint)(launch->n_args + i), sizeof size, &size));
    }
done:
    return status == PLEACH_OK
               ? status
               : plc_fail_in(ctx, status, "kernel '%s', the grid's sizes", launch->label);
}

// Said here, where the remedy is known: a launch would fail with CL_INVALID_WORK_GROUP_SIZE or
// CL_OUT_OF_RESOURCES, or take the program down. Local memory counts once its arguments are set.
static pleach_status check_limits(pleach_device *device, const plc_launch *launch)
{
    pleach_status status = PLEACH_OK;
    const size_t items = launch->local[0] * launch->local[1] * launch->local[2];
    cl_ulong local_bytes = 0;

    if (items > launch->most_items)
        FAIL(device->ctx, PLEACH_EDEVICE,
             "kernel '%s' needs work-groups of %zu items, and '%s' takes at most %zu of it; choose "
             "fewer lanes with --lanes, or --mapping vector",
             launch->label, items, device->info->name, launch->most_items);
    CL_TRY(device->ctx, device->cl,
           clGetKernelWorkGroupInfo(launch->kernel, device->id, CL_KERNEL_LOCAL_MEM_SIZE,
                                    sizeof local_bytes, &local_bytes, NULL));
    if (local_bytes > device->info->local_memory_bytes)
        FAIL(device->ctx, PLEACH_EDEVICE,
             "kernel '%s' needs %llu bytes of local memory, and '%s' has %zu; choose fewer lanes "
             "with --lanes, or --tune off",
             launch->label, (unsigned long long)local_bytes, device->info->name,
             device->info->local_memory_bytes);
done:
    return status;
}

pleach_status plc_launch_list_freeze(plc_launch_list *list)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < list->n_items; i++) {
        for (int j = 0; j < list->items[i]->n_args; j++)
            TRY(set_arg(list, list->items[i], j));
        if (list->device->single_work_item)
            TRY(set_grid(list, list->items[i]));
        TRY(check_limits(list->device, list->items[i]));
    }
done:
    return status;
}

pleach_status plc_launch_update_arg(plc_launch_list *list, plc_launch *launch, int index,
                                    const void *value)
{
    assert(index < launch->n_args && launch->args[index].buffer == NULL &&
           !launch->args[index].local);
    memcpy(launch->args[index].value, value, launch->args[index].bytes);
    return set_arg(list, launch, index);
}

static pleach_status add_profile(pleach_device *device, plc_launch *launch, cl_event event)
{
    pleach_status status = PLEACH_OK;
    cl_ulong begin = 0, end = 0;
    const cl_event events[] = {event};

    CL_TRY(device->ctx, device->cl, clWaitForEvents(1, events));
    CL_TRY(device->ctx, device->cl,
           clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL));
    CL_TRY(device->ctx, device->cl,
           clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
    if (end > begin) // some drivers have an end before its start
        launch->seconds += (double)(end - begin) * 1e-9;
    launch->n_runs++;
done:
    device->cl->clReleaseEvent(event);
    if (status != PLEACH_OK)
        plc_fail_in(device->ctx, status, "kernel '%s', its time", launch->label);
    return status;
}

pleach_status plc_launch_run(pleach_device *device, plc_launch *launch)
{
    pleach_status status = PLEACH_OK;
    static const size_t one[3] = {1, 1, 1};
    const bool single = device->single_work_item;
    cl_event event = NULL;
    const cl_int error = device->cl->clEnqueueNDRangeKernel(
        device->queue, launch->kernel, 3, NULL, single ? one : launch->global,
        single ? one : launch->local, 0, NULL, device->profile ? &event : NULL);

    if (error != CL_SUCCESS) {
        const pleach_status failed = plc_cl_check(device->ctx, error, "clEnqueueNDRangeKernel");
        return plc_fail_in(device->ctx, failed,
                           "kernel '%s' of %zux%zux%zu items in groups of %zux%zux%zu",
                           launch->label, launch->global[0], launch->global[1], launch->global[2],
                           launch->local[0], launch->local[1], launch->local[2]);
    }
    if (event)
        TRY(add_profile(device, launch, event));
done:
    return status;
}

pleach_status plc_launch_list_run(plc_launch_list *list)
{
    return plc_launch_list_run_first(list, list->n_items);
}

pleach_status plc_launch_list_run_first(plc_launch_list *list, int n)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < n; i++)
        TRY(plc_launch_run(list->device, list->items[i]));
done:
    return status;
}
