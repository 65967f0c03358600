// Results of `pleach bench`: in memory, as JSON, and several of them side by side.
#ifndef PLC_REPORT_BENCH_H
#define PLC_REPORT_BENCH_H

#include <base/text.h>
#include <price/peaks.h>
#include <report/fields.h>
#include <report/table.h>

#define PLC_BENCH_SCHEMA "pleach.bench/1"

// Field names are the keys of the JSON. Every text is owned. A number that was not measured is NAN
// (null), a count 0.

// The launches of a step that run one kernel, or one kernel on one shape in one pass; numbers are of one step.
typedef struct plc_bench_kernel {
    char *kernel, *shape, *pass; // shape and pass: "" in a profile by kernel
    int runs;
    double ms, share;                    // of the time of all kernels
    double flops, executed_flops, bytes; // by the layer's definition; by the algorithm; moved
    double gflops, gb_s;                 // flops and bytes over ms
    char *bound;                         // by the roofline of the peaks: "compute" "memory"
    double peak_share;                   // of what bounds it
} plc_bench_kernel;

typedef struct plc_bench_result {
    char *kind; // "train" "infer" "ops" "device"

    // All but device.
    char *model;
    int input[3], batch;
    long long bytes_per_step; // counted from the launches
    double kernel_ms;         // of a step: sum of its kernels, timed one by one
    struct {
        double ms, share; // the least time of a step by it; what share of the measured time that is
    } roofline;
    plc_peaks peaks; // of the same run; device, ops, and with --roofline

    // train, infer
    int repeats;
    struct {
        double best, median;
    } images_per_second;
    double latency_ms; // batch / median speed
    struct {
        double p50, p90; // of single batches, with a wait after each
        int steps;
    } step_ms;
    struct {
        char *model;  // NULL: none
        double ratio; // time of a single batch over that of this model, both in turns
    } beside;
    struct {
        double create_seconds, first_step_seconds; // both from the beginning
        double build_seconds;                      // of create_seconds, in programs
        int programs_compiled, programs_cached;
    } start;
    long long macs; // of an image
    double gflops;  // 2 macs an image, in training three times
    long long least_bytes_per_step;
    // Of the workload's buffers alone, which are there from its start to its end.
    long long device_peak_bytes;
    double wall_ms; // of a step at the best speed
    double joules_per_image;
    plc_bench_kernel *profile; // by kernel, longest first; only with --profile
    size_t n_profile, profile_capacity;

    // ops
    plc_bench_kernel *ops; // by kernel, shape and pass, longest first
    size_t n_ops, ops_capacity;
} plc_bench_result;

// The JSON of a result: the keys of its kind. NULL without memory or for texts that are not UTF-8.
json_t *plc_bench_result_to_json(const plc_bench_result *result);
void plc_bench_result_finish(plc_bench_result *result);

// A file of results. Works when zero.
typedef struct plc_bench {
    const char *path;  // borrowed
    const char *title; // borrowed; what it is called beside others: as read, its path
    struct {
        char *name, *platform, *driver;
        int lanes;
        char *mapping;
    } device;
    plc_bench_result *results;
    size_t n_results, results_capacity;
    int n_documents;
} plc_bench;

// Reads `path`: one document, or several of one device, mapping and driver behind one another, as `>>` appends them. Results of a kind that is not known are left out, which the log is told. Fails with
// PLEACH_EIO, and with PLEACH_EINPUT (no JSON: file and line; another schema, a key missing or of the
// wrong type: file, result and key).
pleach_status plc_bench_read(pleach_ctx *ctx, const char *path, plc_bench *bench);
void plc_bench_finish(plc_bench *bench);

// Appends "conv_forward 16->16 3x3 s1 32x32 forward" to an empty text.
pleach_status plc_bench_name_kernel(pleach_ctx *ctx, const plc_bench_kernel *kernel,
                                    plc_text *text);

enum { PLC_BENCH_MAX_FILES = 8 }; // side by side

// One measure of all files.
typedef struct plc_bench_row {
    char *group;                        // owned: "train resnet20 3x32x32, batch 128"
    char *measure;                      // owned: "images/s"
    double values[PLC_BENCH_MAX_FILES]; // NAN where a file has none
} plc_bench_row;

// Works when zero.
typedef struct plc_bench_rows {
    plc_bench_row *items; // owned; the first row of a group is its headline
    size_t n_items, capacity;
} plc_bench_rows;

// The measures of n files (1..PLC_BENCH_MAX_FILES) side by side, groups and measures in the order in
// which they first appear. Of results of one group in one file the last counts.
pleach_status plc_bench_compare(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                plc_bench_rows *rows);
void plc_bench_rows_finish(plc_bench_rows *rows);

// The rows as a table: a column per file, from the second on with the ratio to the first. Borrows the
// titles of `files`; the caller finishes *table.
pleach_status plc_bench_tabulate(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                 const plc_bench_rows *rows, plc_table *table);

// One self-contained page: `first` (NULL: nothing), bars for each group, the roofline of each device with
// its kernels, the table; without files `first` alone. Replaces `path`.
pleach_status plc_bench_write_html(pleach_ctx *ctx, const plc_table *first, const plc_bench *files,
                                   size_t n, const plc_bench_rows *rows, const char *path);

// Fields of a result by its kind, NULL for one that is not known; and of a file but its results.
const plc_field *plc_bench_result_fields(const char *kind);
extern const plc_field plc_bench_fields[];
extern const plc_field plc_bench_all_fields[]; // of a result of any kind

#endif
