// A run's report: what was measured, kept in memory, as report.json, as a table, as report.html.
#ifndef PLC_REPORT_REPORT_H
#define PLC_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <base/status.h>
#include <base/text.h>
#include <report/fields.h>
#include <report/history.h>
#include <report/table.h>

#define PLC_REPORT_SCHEMA "pleach.run/1"

// Field names are the keys of the JSON. Every text is owned by the report (plc_strdup).
// A real number that is not known is NAN (null in JSON); a count or time that is not known is 0.
typedef struct plc_report_network {
    char *name;             // "dense" "pruned" "fused" "dense-control" "scratch" "cnn5" "random"
    double accuracy;        // 0..1, test images
    double interval[2];     // plc_wilson_interval
    double loss;            // mean over the test images
    long long macs, params; // of one image; trainable
    int conv_layers;
    double latency_ms; // median time of one batch of `latency_batch` images
    int latency_batch;
    double images_per_second; // inference at the run's batch
    double inference_ms;      // of `inference_batch` images, where the run has a target for it
    int inference_batch;
    double train_seconds;
    int epochs;
} plc_report_network;

typedef struct plc_report_channels {
    char *layer;
    int before, after;
} plc_report_channels;

typedef struct plc_report_mask_update {
    int epoch, step; // 1-based epoch of the job, step in it
    double pl;
    long long macs, params; // of the network compacted to these masks
    double latency_ms;      // of that network as predicted, where the run has a target for it
    int n_pruned, flips, returns;
} plc_report_mask_update;

typedef struct plc_report_target {
    char *kind;    // "macs" "params" "latency"
    double target; // the share that may stay; milliseconds
    double dense;  // of the dense network: MACs, parameters, milliseconds
    int batch;     // of the latency
} plc_report_target;

typedef struct plc_report_block {
    char *name;
    char *action; // "keep" "drop" "merge", or "empty": its branch lost all channels while pruning
    double
        importance; // rise of the calibration loss by the action; of one that is kept, without it
    double border_error; // merge: change of the calibration logits by moved padding, as a share
} plc_report_block;

// Starts from zero: plc_report report = {0}.
typedef struct plc_report {
    char *command, *model, *data;
    char *options; // "--macs 0.2": what else was chosen
    int input[3];  // c, h, w
    int n_classes;
    unsigned long long seed;
    int epochs, batch;
    struct {
        char *name, *platform, *driver;
        int compute_units; // 0: not known
        int lanes;
        char *mapping; // "vector" "work-item"
    } device;
    plc_report_network *networks;
    size_t n_networks, networks_capacity;
    plc_report_target *targets;
    size_t n_targets, targets_capacity;
    plc_report_channels *channels;
    size_t n_channels, channels_capacity;
    plc_report_mask_update *mask_updates;
    size_t n_mask_updates, mask_updates_capacity;
    plc_report_block *blocks;
    size_t n_blocks, blocks_capacity;
    struct {
        double score_ms, mask_ms, compact_ms, fuse_ms, total_seconds;
        double share_of_training; // total_seconds / training time
    } method_cost;
    struct {
        long long device_peak_bytes, host_peak_bytes;
    } memory;
    double seconds; // the whole run
} plc_report;

void plc_report_finish(plc_report *report);

// Append. The new network has accuracy, interval and loss NAN, all else 0; *network is borrowed until
// the next one is added. `name` and `layer` are copied.
pleach_status plc_report_add_network(pleach_ctx *ctx, plc_report *report, const char *name,
                                     plc_report_network **network);
// Of a layer that is there already only `after` changes.
pleach_status plc_report_set_channels(pleach_ctx *ctx, plc_report *report, const char *layer,
                                      int before, int after);
pleach_status plc_report_add_mask_update(pleach_ctx *ctx, plc_report *report,
                                         const plc_report_mask_update *update);
pleach_status plc_report_add_target(pleach_ctx *ctx, plc_report *report, const char *kind,
                                    double target, double dense, int batch);
// With no border error yet.
pleach_status plc_report_add_block(pleach_ctx *ctx, plc_report *report, const char *name,
                                   const char *action, double importance);

// Wilson's score interval of n_correct / n at 95 %; NAN when n is 0.
void plc_wilson_interval(double n_correct, double n, double interval[2]);

// report.json. The text is malloc'ed; the caller frees it. Reading fails with PLEACH_EIO and
// PLEACH_EINPUT (no JSON, another schema, a key of the wrong type: text names file and key);
// keys that are not known are skipped, keys that are missing stay empty.
pleach_status plc_report_to_json(pleach_ctx *ctx, const plc_report *report, char **text);
pleach_status plc_report_write_json(pleach_ctx *ctx, const plc_report *report, const char *path);
pleach_status plc_report_from_json(pleach_ctx *ctx, const char *text, size_t size, const char *name,
                                   plc_report *report);
pleach_status plc_report_read_json(pleach_ctx *ctx, const char *path, plc_report *report);

// A run as `pleach report` shows it. All borrowed.
typedef struct plc_report_run {
    const char *title; // its folder
    const plc_report *report;
    const plc_history *history; // NULL: no curves
} plc_report_run;

// One table of the networks of all runs, then each run's costs. Appends to `text`.
pleach_status plc_report_print(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                               plc_text *text);

// The table of networks alone, a row per network of each run. The caller finishes *table.
pleach_status plc_report_tabulate(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                  plc_table *table);
// "resnet20 on fashion-mnist, 1 x 28 x 28, 10 classes; 12 epochs of batch 128, seed 0"
pleach_status plc_report_describe(pleach_ctx *ctx, const plc_report *report, plc_text *text);
// What the method cost, what was done to blocks, memory: a sentence per line, empty when not known.
pleach_status plc_report_print_costs(pleach_ctx *ctx, const plc_report *report, plc_text *text);

// One self-contained page: the same table, then each run's curves as inline SVG. Replaces `path`.
pleach_status plc_report_write_html(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                    const char *path);

// The fields of the structs above (fields.h).
extern const plc_field plc_report_fields[];

#endif
