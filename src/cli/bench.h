// What the sub-commands of `pleach bench` share: their options, rows of kernels, output.
#ifndef PLC_CLI_BENCH_H
#define PLC_CLI_BENCH_H

#include <argp.h>
#include <cli/cli.h>
#include <price/profile.h>
#include <report/bench.h>

// Each gets the words behind its own name; argv[0] is "pleach bench NAME".
pleach_status plc_bench_train(plc_cli *cli, int argc, char **argv);  // bench_speed.c
pleach_status plc_bench_infer(plc_cli *cli, int argc, char **argv);  // bench_speed.c
pleach_status plc_bench_ops(plc_cli *cli, int argc, char **argv);    // bench_ops.c
pleach_status plc_bench_device(plc_cli *cli, int argc, char **argv); // bench_device.c
pleach_status plc_bench_sides(plc_cli *cli, int argc, char **argv);  // bench_compare.c: `compare`
pleach_status plc_bench_tune(plc_cli *cli, int argc, char **argv);   // bench_tune.c

// Options of the sub-commands that run a network.
typedef struct plc_bench_args {
    const char *model, *beside; // beside: NULL, or what `infer` times in turns with the model
    int input[3], n_classes, batch, n_repeats;
    bool profile, roofline;
} plc_bench_args;

enum {
    PLC_BENCH_KEY_MODEL = 1,
    PLC_BENCH_KEY_INPUT,
    PLC_BENCH_KEY_CLASSES,
    PLC_BENCH_KEY_BATCH,
    PLC_BENCH_KEY_REPEATS,
    PLC_BENCH_KEY_PROFILE,
    PLC_BENCH_KEY_ROOFLINE,
    PLC_BENCH_KEY_BESIDE,
};

#define PLC_BENCH_NETWORK_OPTIONS                                                                   \
    {"model",                                                                                       \
     PLC_BENCH_KEY_MODEL,                                                                           \
     "NAME|FILE",                                                                                   \
     0,                                                                                             \
     "network by name, or a model file (default resnet20)",                                         \
     1},                                                                                            \
        {"input",                                                                                   \
         PLC_BENCH_KEY_INPUT,                                                                       \
         "CxHxW",                                                                                   \
         0,                                                                                         \
         "image size of a network by name (default 3x32x32)",                                       \
         1},                                                                                        \
        {"classes", PLC_BENCH_KEY_CLASSES, "N", 0, "classes of a network by name (default 10)", 1}, \
    {                                                                                               \
        "batch", PLC_BENCH_KEY_BATCH, "N", 0, "images per step (default 128)", 1                    \
    }

// And of those that time whole steps of it.
#define PLC_BENCH_SPEED_OPTIONS                                                                     \
    {"repeats", PLC_BENCH_KEY_REPEATS, "N", 0, "measurements of about half a second (default 5)",   \
     1},                                                                                            \
        {"profile", PLC_BENCH_KEY_PROFILE, NULL, 0, "also time each kernel, in steps of their own", \
         1},                                                                                        \
    {                                                                                               \
        "roofline", PLC_BENCH_KEY_ROOFLINE, NULL, 0,                                                \
            "also measure the device's peaks, and what they leave to gain", 1                       \
    }

// And of `infer` alone.
#define PLC_BENCH_INFER_OPTIONS                                                                    \
    {                                                                                              \
        "beside", PLC_BENCH_KEY_BESIDE, "NAME|FILE", 0,                                            \
            "also time single batches in turns with those of this network, built for the images "  \
            "of the model, and tell the ratio: it holds where the machine changes its speed",      \
            1                                                                                      \
    }

extern const plc_bench_args plc_bench_defaults;

// Takes any of the keys above; `user` is the plc_bench_args.
pleach_status plc_bench_take_option(plc_cli *cli, void *user, int key, const char *value);

// Opens the device and a workload on it for the network that `args` name, which fill the result's
// kind, model, input and batch as well. The caller finishes all three.
pleach_status plc_bench_open(plc_cli *cli, const plc_bench_args *args, const char *kind,
                             bool profiles, pleach_device **device, plc_workload *workload,
                             plc_bench_result *result);

// Appends the rows of a profile to a list of the result, longest first, with what the peaks (NULL: not
// known) say of them.
pleach_status plc_bench_add_kernels(pleach_ctx *ctx, const plc_profile *profile,
                                    const plc_peaks *peaks, plc_bench_kernel **items, size_t *n,
                                    size_t *capacity);

// What is said instead of a time where events of all kernels end as they begin.
extern const char plc_bench_no_times[];

// Appends a table of kernels to `text`; with shapes and shares of the peaks, or without.
pleach_status plc_bench_print_kernels(pleach_ctx *ctx, const plc_bench_kernel *items, size_t n,
                                      bool by_shape, plc_text *text);

// One line: "peaks: 480 GFLOPS, 48.0 GB/s in cache, 32.0 GB/s in memory".
pleach_status plc_bench_print_peaks(pleach_ctx *ctx, const plc_peaks *peaks, plc_text *text);

// Prints the document of one result on standard output.
pleach_status plc_bench_print_json(plc_cli *cli, const pleach_device *device,
                                   const plc_bench_result *result);

#endif
