// Peaks: launches that grow until they are long against the clock; the best of several counts.
#include <price/peaks.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <base/clock.h>
#include <base/memory.h>
#include <bench_params.h>
#include <device/launch.h>
#include <kernel/kernels.h>

enum {
    REPEATS = 5,
    MIN_REPEATS = 2, // also of launches that take long
    EMPTY_LAUNCHES = 500,
    VECTOR_GROUPS = 8,     // per compute unit: some per thread, so that none idles at the end
    WORK_ITEM_GROUPS = 32, // per compute unit: as many as may be resident
    FMA_ROUNDS = 64,       // first guesses, which grow
    MEMORY_PASSES = 1,
    MAX_GROWTH = 1 << 26,
    MEMORY_SHARE = 16, // an array is at most this part of the device's memory
};

static const double long_enough = 0.01; // seconds of a launch: thousands of times its start
static const double patience = 0.1;     // seconds after which no more repeats begin
static const int chain_counts[] = {4, 8, 12, 16, 24, 32};
static const size_t array_bytes[] = {64 << 10, 512 << 10, 4 << 20, 32 << 20, 256 << 20};

// A launch that is repeated: one list, its only launch, and the argument that makes it longer.
typedef struct probe {
    plc_launch_list list;
    plc_launch *launch;
    int count_arg, count;
} probe;

static pleach_status run_once(probe *p, double *seconds)
{
    pleach_status status = PLEACH_OK;
    const double begin = plc_clock_seconds();

    TRY(plc_launch_list_run(&p->list));
    TRY(plc_device_finish(p->list.device));
    *seconds = plc_clock_seconds() - begin;
done:
    return status;
}

// Doubles the count until a launch is long enough, then takes the best of some. *seconds: per count.
static pleach_status time_probe(probe *p, double *seconds)
{
    pleach_status status = PLEACH_OK;
    double now = 0, best = INFINITY, spent = 0;

    TRY(plc_launch_list_freeze(&p->list));
    TRY(run_once(p, &now)); // touches the memory, starts the clocks
    TRY(run_once(p, &now));
    while (now < long_enough && p->count < MAX_GROWTH) {
        p->count *= 2;
        TRY(plc_launch_update_arg(&p->list, p->launch, p->count_arg, &p->count));
        TRY(run_once(p, &now));
    }
    for (int i = 0; i < MIN_REPEATS || (i < REPEATS && spent < patience); i++) {
        TRY(run_once(p, &now));
        best = fmin(best, now);
        spent += now;
    }
    *seconds = best / p->count;
done:
    return status;
}

static pleach_status begin_probe(pleach_device *device, const char *kernel, const char *options,
                                 probe *p)
{
    plc_launch_list_init(&p->list, device);
    return plc_launch_add(&p->list, "bench", kernel, options, &p->launch);
}

static void add_count(probe *p, int count)
{
    p->count = count;
    p->count_arg = p->launch->n_args;
    plc_launch_arg_int(p->launch, count);
}

static int count_groups(const pleach_device *device)
{
    const int units = device->info->compute_units > 0 ? device->info->compute_units : 1;

    return units * (device->vector_lanes ? VECTOR_GROUPS : WORK_ITEM_GROUPS);
}

static size_t pixel_bytes(const pleach_device *device)
{
    return (size_t)device->lanes * sizeof(float);
}

static pleach_status measure_chains(pleach_device *device, plc_fma_peak *peak)
{
    pleach_status status = PLEACH_OK;
    const int n_groups = count_groups(device);
    double seconds = 0;
    char options[32];
    plc_buffer *y = NULL;
    probe p = {0};

    snprintf(options, sizeof options, "-DCHAINS=%d", peak->chains);
    TRY(plc_buffer_create(device, "sums", (size_t)n_groups * pixel_bytes(device), &y));
    TRY(begin_probe(device, "fma_chains", options, &p));
    plc_launch_arg_buffer(p.launch, y);
    plc_launch_arg_float(p.launch, 0.5f); // chains go to 1 and stay there: no large or tiny numbers
    plc_launch_arg_float(p.launch, 0.5f);
    add_count(&p, FMA_ROUNDS);
    plc_launch_groups(device, p.launch, (size_t)n_groups, 1, 1);
    TRY(time_probe(&p, &seconds));
    peak->gflops =
        fmax(peak->gflops, 2e-9 * peak->chains * FMA_UNROLL * n_groups * device->lanes / seconds);
done:
    plc_launch_list_finish(&p.list);
    plc_buffer_destroy(device, &y);
    return status;
}

// *best: GB/s of `kernel` over the first n_pixels of x and y, `traffic` bytes for each of theirs.
static pleach_status measure_traffic(pleach_device *device, const char *kernel, plc_buffer *x,
                                     plc_buffer *y, size_t n_pixels, double traffic, double *best)
{
    pleach_status status = PLEACH_OK;
    const int most = (int)(n_pixels / MEMORY_UNROLL), wanted = count_groups(device);
    const int n_groups = most < wanted ? most : wanted;
    const int run = most / n_groups * MEMORY_UNROLL;
    double seconds = 0;
    probe p = {0};

    TRY(begin_probe(device, kernel, "", &p));
    plc_launch_arg_buffer(p.launch, x);
    plc_launch_arg_buffer(p.launch, y);
    plc_launch_arg_int(p.launch, device->vector_lanes ? run : 1);
    plc_launch_arg_int(p.launch, device->vector_lanes ? 1 : n_groups);
    plc_launch_arg_int(p.launch, run);
    add_count(&p, MEMORY_PASSES);
    plc_launch_groups(device, p.launch, (size_t)n_groups, 1, 1);
    TRY(time_probe(&p, &seconds));
    *best = fmax(*best, 1e-9 * traffic * n_groups * run * (double)pixel_bytes(device) / seconds);
done:
    plc_launch_list_finish(&p.list);
    return status;
}

static pleach_status measure_memory(pleach_device *device, plc_bandwidth *bandwidth)
{
    pleach_status status = PLEACH_OK;
    const size_t bytes = (size_t)bandwidth->bytes, n_pixels = bytes / pixel_bytes(device);
    plc_buffer *x = NULL, *y = NULL;

    TRY(plc_buffer_create(device, "read array", bytes, &x));
    TRY(plc_buffer_create(device, "written array", bytes, &y));
    TRY(measure_traffic(device, "memory_copy", x, y, n_pixels, 2, &bandwidth->copy_gb_s));
    TRY(measure_traffic(device, "memory_read", x, y, n_pixels, 1, &bandwidth->read_gb_s));
    TRY(measure_traffic(device, "memory_write", x, y, n_pixels, 1, &bandwidth->write_gb_s));
done:
    plc_buffer_destroy(device, &x);
    plc_buffer_destroy(device, &y);
    return status;
}

static double smaller(double so_far, double now)
{
    return so_far > 0 ? fmin(so_far, now) : now;
}

static pleach_status measure_launches(pleach_device *device, plc_peaks *peaks)
{
    pleach_status status = PLEACH_OK;
    double now = 0;
    probe p = {0};

    TRY(begin_probe(device, "no_work", "", &p));
    add_count(&p, 0);
    plc_launch_groups(device, p.launch, 1, 1, 1);
    TRY(plc_launch_list_freeze(&p.list));
    TRY(run_once(&p, &now));
    for (int i = 0; i < REPEATS; i++) {
        double begin = plc_clock_seconds();

        for (int j = 0; j < EMPTY_LAUNCHES; j++)
            TRY(plc_launch_list_run(&p.list));
        TRY(plc_device_finish(device));
        peaks->launch_us =
            smaller(peaks->launch_us, 1e6 * (plc_clock_seconds() - begin) / EMPTY_LAUNCHES);
        begin = plc_clock_seconds();
        for (int j = 0; j < EMPTY_LAUNCHES; j++)
            TRY(run_once(&p, &now));
        peaks->launch_wait_us =
            smaller(peaks->launch_wait_us, 1e6 * (plc_clock_seconds() - begin) / EMPTY_LAUNCHES);
    }
done:
    plc_launch_list_finish(&p.list);
    return status;
}

// The rows that will be measured: sizes up to what the device's memory holds with ease.
static pleach_status make_rows(pleach_device *device, plc_peaks *peaks)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_info *info = device->info;
    const size_t share = info->global_memory_bytes / MEMORY_SHARE;
    const size_t most = share < info->max_allocation_bytes ? share : info->max_allocation_bytes;

    if (peaks->n_fma)
        return status;
    for (size_t i = 0; i < sizeof chain_counts / sizeof *chain_counts; i++) {
        TRY(plc_grow(device->ctx, &peaks->fma, &peaks->fma_capacity, i + 1));
        peaks->fma[peaks->n_fma++] = (plc_fma_peak){.chains = chain_counts[i]};
    }
    for (size_t i = 0; i < sizeof array_bytes / sizeof *array_bytes; i++) {
        if (i > 0 && array_bytes[i] > most)
            break;
        TRY(plc_grow(device->ctx, &peaks->bandwidth, &peaks->bandwidth_capacity, i + 1));
        peaks->bandwidth[peaks->n_bandwidth++] =
            (plc_bandwidth){.bytes = (long long)array_bytes[i]};
    }
done:
    return status;
}

pleach_status plc_peaks_measure(pleach_device *device, plc_peaks *peaks)
{
    pleach_status status = PLEACH_OK;

    TRY(make_rows(device, peaks));
    for (size_t i = 0; i < peaks->n_fma; i++) {
        TRY(measure_chains(device, &peaks->fma[i]));
        peaks->gflops = fmax(peaks->gflops, peaks->fma[i].gflops);
    }
    for (size_t i = 0; i < peaks->n_bandwidth; i++)
        TRY(measure_memory(device, &peaks->bandwidth[i]));
    TRY(measure_launches(device, peaks));
done:
    return status;
}

void plc_peaks_finish(plc_peaks *peaks)
{
    free(peaks->fma);
    free(peaks->bandwidth);
    *peaks = (plc_peaks){0};
}

// A traffic counts while its arrays (copying has two of them) are larger than `bytes`, and once more.
static double best_from(const plc_peaks *peaks, double bytes, size_t traffic, int n_arrays)
{
    double best = 0;

    for (size_t i = peaks->n_bandwidth; i-- > 0;) {
        const plc_bandwidth *row = &peaks->bandwidth[i];

        best = fmax(best, *(const double *)((const char *)row + traffic));
        if ((double)row->bytes * n_arrays <= bytes)
            break;
    }
    return best;
}

double plc_peaks_bandwidth(const plc_peaks *peaks, double bytes)
{
    return fmax(best_from(peaks, bytes, offsetof(plc_bandwidth, copy_gb_s), 2),
                fmax(best_from(peaks, bytes, offsetof(plc_bandwidth, read_gb_s), 1),
                     best_from(peaks, bytes, offsetof(plc_bandwidth, write_gb_s), 1)));
}

double plc_peaks_seconds(const plc_peaks *peaks, double flops, double bytes)
{
    const double gb_s = plc_peaks_bandwidth(peaks, bytes);

    return fmax(peaks->gflops > 0 ? 1e-9 * flops / peaks->gflops : 0,
                gb_s > 0 ? 1e-9 * bytes / gb_s : 0);
}
