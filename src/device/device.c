// Opening a device: context, queue, and the lane mapping that its facts suggest.
#include <device/device.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

enum { FLOAT_BYTES = 4, HALF_BYTES = 2 };
enum { GPU_LANES = 32, MOST_CPU_LANES = 16 };

// OpenCL's largest type, long16, to which every device aligns; the least allocation of its profiles.
enum { LARGEST_TYPE_BYTES = 128, LEAST_ALLOCATION_BYTES = 1 << 20 };

// The largest power of two up to n, within the bounds of a CPU's lanes: devices may report any width.
static int cpu_lanes(int n)
{
    int lanes = PLC_LEAST_LANES;

    while (lanes < MOST_CPU_LANES && 2 * lanes <= n)
        lanes *= 2;
    return lanes;
}

// A CPU or FPGA work-item holds all lanes in a vector; GPU lanes are neighbours in a work-group.
pleach_status plc_device_choose_lanes(pleach_ctx *ctx, const pleach_device_info *info,
                                      const pleach_device_opts *opts, int *lanes,
                                      bool *vector_lanes)
{
    const bool is_gpu = strcmp(info->kind, "gpu") == 0;

    *vector_lanes =
        opts->mapping == PLEACH_MAPPING_AUTO ? !is_gpu : opts->mapping == PLEACH_MAPPING_VECTOR;
    *lanes = opts->lanes                ? opts->lanes
             : is_gpu && !*vector_lanes ? GPU_LANES
                                        : cpu_lanes(info->vector_width_float);
    const int most = *vector_lanes ? MOST_CPU_LANES : 64;
    if (*lanes < PLC_LEAST_LANES || *lanes > most || (*lanes & (*lanes - 1)) != 0)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "%d lanes: the %s mapping takes a power of two from %d to %d", *lanes,
                        *vector_lanes ? "vector" : "work-item", PLC_LEAST_LANES, most);
    if (!*vector_lanes && (size_t)*lanes > info->max_work_group_size)
        return plc_fail(
            ctx, PLEACH_EDEVICE,
            "%d lanes: '%s' takes work-groups of at most %zu; choose fewer with --lanes, "
            "or --mapping vector",
            *lanes, info->name, info->max_work_group_size);
    return PLEACH_OK;
}

// Drivers report facts that cannot be; what can be put right is, the rest is refused.
static pleach_status check_facts(pleach_ctx *ctx, pleach_device_info *info)
{
    if (info->base_alignment_bytes < 1 || info->base_alignment_bytes % (int)sizeof(float) != 0)
        info->base_alignment_bytes = LARGEST_TYPE_BYTES;
    if (info->compute_units < 1)
        info->compute_units = 1;
    if (info->max_work_group_size < 1)
        return plc_fail(
            ctx, PLEACH_EDEVICE,
            "'%s' (driver %s) says that it takes work-groups of no item; choose another "
            "device or update its driver",
            info->name, info->driver_version);
    if (info->max_allocation_bytes < LEAST_ALLOCATION_BYTES ||
        info->max_allocation_bytes < (size_t)info->base_alignment_bytes)
        return plc_fail(ctx, PLEACH_EDEVICE,
                        "'%s' (driver %s) says that it allocates at most %zu bytes at once; choose "
                        "another device or update its driver",
                        info->name, info->driver_version, info->max_allocation_bytes);
    return PLEACH_OK;
}

// Kernels use no more than core OpenCL for halfs. The extension is the sign that a device converts them in
// hardware; without it nothing is known of their speed.
static pleach_status choose_precision(pleach_device *device, const pleach_device_opts *opts)
{
    const bool half = opts->precision == PLEACH_PRECISION_HALF;

    if (half && !device->info->has_fp16)
        return plc_fail(device->ctx, PLEACH_EDEVICE,
                        "'%s' has no half precision (cl_khr_fp16); use --precision float, or "
                        "another --device (`pleach devices` lists them)",
                        device->info->name);
    device->value_bytes = half ? HALF_BYTES : FLOAT_BYTES;
    return PLEACH_OK;
}

static pleach_status check_usable(pleach_ctx *ctx, const plc_device_table *table, int row)
{
    const pleach_device_info *info = &table->list.items[row];
    char why[PLC_OBSTACLE_MAX];

    if (!plc_device_has_obstacle(table, row, why))
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EDEVICE,
                    "'%s' (driver %s) %s; choose another device or update its driver", info->name,
                    info->driver_version, why);
}

pleach_status plc_device_open_with(pleach_ctx *ctx, const plc_cl *cl, const char *choice,
                                   const pleach_device_opts *opts, pleach_device **out)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_opts defaults = {0};
    pleach_device *device = NULL;
    cl_int error = CL_SUCCESS;
    int row = 0;

    if (opts == NULL)
        opts = &defaults;
    TRY(plc_alloc(ctx, 1, sizeof *device, &device));
    device->ctx = ctx;
    device->cl = cl;
    device->profile = opts->profile;
    device->allow_broken = opts->allow_broken;
    device->progress = opts->progress;
    device->progress_user = opts->user;
    TRY(plc_device_table_create(ctx, cl, &device->table));
    TRY(plc_device_table_choose(ctx, device->table, choice, &row));
    device->id = device->table->ids[row];
    device->platform = device->table->platforms[row];
    device->info = &device->table->list.items[row];
    TRY(check_usable(ctx, device->table, row));
    TRY(check_facts(ctx, device->info));
    TRY(plc_device_choose_lanes(ctx, device->info, opts, &device->lanes, &device->vector_lanes));
    TRY(choose_precision(device, opts));

    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)device->platform, 0};
    device->context = cl->clCreateContext(properties, 1, &device->id, NULL, NULL, &error);
    TRY(plc_cl_check(ctx, error, "clCreateContext"));
    device->queue = cl->clCreateCommandQueue(device->context, device->id,
                                             opts->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
    TRY(plc_cl_check(ctx, error, "clCreateCommandQueue"));
    *out = device;
    device = NULL;
done:
    plc_device_close_base(&device);
    return status;
}

void plc_device_close_base(pleach_device **device)
{
    pleach_device *d = *device;

    if (d == NULL)
        return;
    if (d->queue)
        d->cl->clReleaseCommandQueue(d->queue);
    if (d->context)
        d->cl->clReleaseContext(d->context);
    plc_device_table_destroy(&d->table);
    free(d);
    *device = NULL;
}

const char *plc_device_layout_name(const pleach_device *device)
{
    const bool half = device->value_bytes == HALF_BYTES;

    if (device->vector_lanes)
        return half ? "vector, half" : "vector";
    return half ? "work-item, half" : "work-item";
}

void plc_device_tell(const pleach_device *device, const char *what, int n_done, int n)
{
    if (device->progress)
        device->progress(device->progress_user, what, n_done, n);
}

const pleach_device_info *pleach_device_get_info(const pleach_device *device)
{
    return device->info;
}

size_t pleach_device_memory_bytes(const pleach_device *device)
{
    return device->memory_bytes;
}

size_t pleach_device_peak_memory_bytes(const pleach_device *device)
{
    return device->peak_memory_bytes;
}

pleach_status plc_device_flush(pleach_device *device)
{
    return plc_cl_check(device->ctx, device->cl->clFlush(device->queue), "clFlush(queue)");
}

pleach_status plc_device_finish(pleach_device *device)
{
    return plc_cl_check(device->ctx, device->cl->clFinish(device->queue), "clFinish(queue)");
}

pleach_status plc_device_wait(pleach_device *device, cl_event *event)
{
    pleach_status status = PLEACH_OK;

    if (*event == NULL)
        return status;
    status = plc_cl_check(device->ctx, device->cl->clWaitForEvents(1, event), "clWaitForEvents");
    device->cl->clReleaseEvent(*event);
    *event = NULL;
    return status;
}

void plc_device_settle(pleach_device *device)
{
    (void)device->cl->clFinish(device->queue);
}

void plc_device_drop_event(pleach_device *device, cl_event *event)
{
    if (*event == NULL)
        return;
    (void)device->cl->clWaitForEvents(1, event);
    device->cl->clReleaseEvent(*event);
    *event = NULL;
}
