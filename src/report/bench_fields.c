// The fields of benchmark results, once: JSON is written, read and freed by these tables.
#include <report/bench.h>

#include <string.h>

#define FIELD(kind_, field) PLC_FIELD(plc_bench_result, kind_, field)
#define INNER(object, kind_, field) PLC_FIELD_INNER(plc_bench_result, object, kind_, field)

static const plc_field fma_fields[] = {
    PLC_FIELD(plc_fma_peak, INT, chains),
    PLC_FIELD(plc_fma_peak, REAL, gflops),
    PLC_FIELDS_END,
};

static const plc_field bandwidth_fields[] = {
    PLC_FIELD(plc_bandwidth, COUNT, bytes),
    PLC_FIELD(plc_bandwidth, REAL, copy_gb_s),
    PLC_FIELD(plc_bandwidth, REAL, read_gb_s),
    PLC_FIELD(plc_bandwidth, REAL, write_gb_s),
    PLC_FIELDS_END,
};

static const plc_field peaks_fields[] = {
    INNER(peaks, REAL, gflops),
    PLC_FIELD_INNER_LIST(plc_bench_result, peaks, fma, plc_fma_peak, fma_fields),
    PLC_FIELD_INNER_LIST(plc_bench_result, peaks, bandwidth, plc_bandwidth, bandwidth_fields),
    INNER(peaks, REAL, launch_us),
    INNER(peaks, REAL, launch_wait_us),
    PLC_FIELDS_END,
};

static const plc_field profile_fields[] = {
    PLC_FIELD(plc_bench_kernel, TEXT, kernel),
    PLC_FIELD(plc_bench_kernel, INT, runs),
    PLC_FIELD(plc_bench_kernel, REAL, ms),
    PLC_FIELD(plc_bench_kernel, REAL, share),
    PLC_FIELD(plc_bench_kernel, REAL, gflops),
    PLC_FIELD(plc_bench_kernel, REAL, gb_s),
    PLC_FIELDS_END,
};

static const plc_field op_fields[] = {
    PLC_FIELD(plc_bench_kernel, TEXT, pass),
    PLC_FIELD(plc_bench_kernel, TEXT, kernel),
    PLC_FIELD(plc_bench_kernel, TEXT, shape),
    PLC_FIELD(plc_bench_kernel, INT, runs),
    PLC_FIELD(plc_bench_kernel, REAL, ms),
    PLC_FIELD(plc_bench_kernel, REAL, share),
    PLC_FIELD(plc_bench_kernel, REAL, flops),
    PLC_FIELD(plc_bench_kernel, REAL, executed_flops),
    PLC_FIELD(plc_bench_kernel, REAL, bytes),
    PLC_FIELD(plc_bench_kernel, REAL, gflops),
    PLC_FIELD(plc_bench_kernel, REAL, gb_s),
    PLC_FIELD(plc_bench_kernel, TEXT, bound),
    PLC_FIELD(plc_bench_kernel, REAL, peak_share),
    PLC_FIELDS_END,
};

static const plc_field roofline_fields[] = {
    INNER(roofline, REAL, ms),
    INNER(roofline, REAL, share),
    PLC_FIELDS_END,
};

static const plc_field speed_fields[] = {
    INNER(images_per_second, REAL, best),
    INNER(images_per_second, REAL, median),
    PLC_FIELDS_END,
};

static const plc_field step_fields[] = {
    INNER(step_ms, REAL, p50),
    INNER(step_ms, REAL, p90),
    INNER(step_ms, INT, steps),
    PLC_FIELDS_END,
};

static const plc_field beside_fields[] = {
    INNER(beside, TEXT, model),
    INNER(beside, REAL, ratio),
    PLC_FIELDS_END,
};

static const plc_field start_fields[] = {
    INNER(start, REAL, create_seconds), INNER(start, REAL, first_step_seconds),
    INNER(start, REAL, build_seconds),  INNER(start, INT, programs_compiled),
    INNER(start, INT, programs_cached), PLC_FIELDS_END,
};

static const plc_field device_result_fields[] = {
    FIELD(TEXT, kind),
    PLC_FIELD_OBJECT_OF(peaks, peaks_fields),
    PLC_FIELDS_END,
};

static const plc_field ops_result_fields[] = {
    FIELD(TEXT, kind),
    FIELD(TEXT, model),
    FIELD(TRIPLE, input),
    FIELD(INT, batch),
    FIELD(REAL, kernel_ms),
    FIELD(COUNT, bytes_per_step),
    PLC_FIELD_OBJECT_OF(roofline, roofline_fields),
    PLC_FIELD_OBJECT_OF(peaks, peaks_fields),
    PLC_FIELD_LIST_OF(plc_bench_result, ops, plc_bench_kernel, op_fields),
    PLC_FIELDS_END,
};

static const plc_field speed_result_fields[] = {
    FIELD(TEXT, kind),
    FIELD(TEXT, model),
    FIELD(TRIPLE, input),
    FIELD(INT, batch),
    FIELD(INT, repeats),
    PLC_FIELD_OBJECT_OF(images_per_second, speed_fields),
    FIELD(REAL, latency_ms),
    PLC_FIELD_OBJECT_OF(step_ms, step_fields),
    PLC_FIELD_OBJECT_OF(beside, beside_fields),
    PLC_FIELD_OBJECT_OF(start, start_fields),
    FIELD(COUNT, macs),
    FIELD(REAL, gflops),
    FIELD(COUNT, bytes_per_step),
    FIELD(COUNT, least_bytes_per_step),
    FIELD(COUNT, device_peak_bytes),
    FIELD(REAL, wall_ms),
    FIELD(REAL, kernel_ms),
    PLC_FIELD_OBJECT_OF(roofline, roofline_fields),
    FIELD(REAL, joules_per_image),
    PLC_FIELD_OBJECT_OF(peaks, peaks_fields),
    PLC_FIELD_LIST_OF(plc_bench_result, profile, plc_bench_kernel, profile_fields),
    PLC_FIELDS_END,
};

// What owns memory, in a result of any kind.
const plc_field plc_bench_all_fields[] = {
    FIELD(TEXT, kind),
    FIELD(TEXT, model),
    PLC_FIELD_OBJECT_OF(beside, beside_fields),
    PLC_FIELD_OBJECT_OF(peaks, peaks_fields),
    PLC_FIELD_LIST_OF(plc_bench_result, profile, plc_bench_kernel, op_fields),
    PLC_FIELD_LIST_OF(plc_bench_result, ops, plc_bench_kernel, op_fields),
    PLC_FIELDS_END,
};

const plc_field *plc_bench_result_fields(const char *kind)
{
    static const struct {
        const char *kind;
        const plc_field *fields;
    } kinds[] = {
        {"train", speed_result_fields},
        {"infer", speed_result_fields},
        {"ops", ops_result_fields},
        {"device", device_result_fields},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0)
            return kinds[i].fields;
    return NULL;
}

static const plc_field device_fields[] = {
    PLC_FIELD_INNER(plc_bench, device, TEXT, name),
    PLC_FIELD_INNER(plc_bench, device, TEXT, platform),
    PLC_FIELD_INNER(plc_bench, device, TEXT, driver),
    PLC_FIELD_INNER(plc_bench, device, INT, lanes),
    PLC_FIELD_INNER(plc_bench, device, TEXT, mapping),
    PLC_FIELDS_END,
};

const plc_field plc_bench_fields[] = {
    PLC_FIELD_OBJECT_OF(device, device_fields),
    PLC_FIELDS_END,
};
