// `pleach bench compare` without files: the devices of a machine, each tested and then timed.
#ifndef PLC_CLI_BENCH_DEVICES_H
#define PLC_CLI_BENCH_DEVICES_H

#include <cli/bench.h>

// What is to be measured, as the options say it. All is borrowed.
typedef struct plc_bench_machine {
    const char *devices;  // choices between commas; NULL: the one of --device, without it all
    bool emulators;       // also those that nobody has named
    const char *out;      // folder of the results
    double limit_seconds; // of each child
    plc_bench_args network;
} plc_bench_machine;

// What became of one device.
typedef struct plc_bench_outcome {
    char id[32];                    // "0:1"
    char *name, *platform, *driver; // owned
    char *path;                     // owned: the file of its results, NULL: there are none
    char *failed;                   // owned: each step that failed and why, NULL: none did
} plc_bench_outcome;

// Works when zero.
typedef struct plc_bench_outcomes {
    plc_bench_outcome *items; // owned
    size_t n_items, capacity;
} plc_bench_outcomes;

// Tests and times the devices one after another; each that was measured leaves a file in machine->out.
// Fails with PLEACH_EDEVICE (no such device, none at all), with what the options' network fails with, and
// as plc_bench_run_children does; that devices fail is told in their outcomes only.
pleach_status plc_bench_measure_devices(plc_cli *cli, const plc_bench_machine *machine,
                                        plc_bench_outcomes *outcomes);
void plc_bench_outcomes_finish(plc_bench_outcomes *outcomes);

// Each device, and its file or what went wrong; the caller finishes *table.
pleach_status plc_bench_tabulate_outcomes(pleach_ctx *ctx, const plc_bench_outcomes *outcomes,
                                          plc_table *table);
// A list with an object for each device; NULL without memory.
json_t *plc_bench_outcomes_to_json(const plc_bench_outcomes *outcomes);

// Fails with PLEACH_EDEVICE unless every device was measured and computes rightly.
pleach_status plc_bench_check_outcomes(pleach_ctx *ctx, const plc_bench_outcomes *outcomes);

#endif
