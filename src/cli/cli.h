// What the commands share: the global options, parsing, the device, output.
#ifndef PLC_CLI_CLI_H
#define PLC_CLI_CLI_H

#include <argp.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <pleach/device.h>
#include <base/status.h>
#include <base/text.h>
#include <cli/progress.h>

#ifndef PLEACH_VERSION
#define PLEACH_VERSION "of a build without its version"
#endif

// State of one call of the program. Global options have their fields here.
typedef struct plc_cli {
    pleach_ctx *ctx;
    const char *device;      // --device; NULL: PLEACH_DEVICE, then the default choice
    int lanes;               // --lanes
    int mapping;             // --mapping: PLEACH_MAPPING_
    int precision;           // --precision: PLEACH_PRECISION_
    const char *tune;        // --tune; NULL: PLEACH_TUNE, then fast
    const char *binary;      // --binary; NULL: kernels are compiled
    const char *manifest;    // --manifest
    bool allow_broken;       // --allow-broken
    bool external_data;      // --external-data
    unsigned long long seed; // --seed
    bool seed_given;
    bool json; // --json
    plc_progress progress;
    sigset_t ignored_signals; // see cli/signals.h
} plc_cli;

// A command parses its own arguments; argv[0] is "pleach NAME".
typedef struct plc_command {
    const char *name, *summary;
    pleach_status (*run)(plc_cli *cli, int argc, char **argv);
} plc_command;

extern const plc_command plc_commands[]; // ends with a NULL name
int plc_commands_count(void);

pleach_status plc_cli_devices(plc_cli *cli, int argc, char **argv);  // devices.c
pleach_status plc_cli_train(plc_cli *cli, int argc, char **argv);    // train.c
pleach_status plc_cli_compress(plc_cli *cli, int argc, char **argv); // compress.c
pleach_status plc_cli_sweep(plc_cli *cli, int argc, char **argv);    // sweep.c
pleach_status plc_cli_eval(plc_cli *cli, int argc, char **argv);     // eval.c
pleach_status plc_cli_inspect(plc_cli *cli, int argc, char **argv);  // inspect.c
pleach_status plc_cli_export(plc_cli *cli, int argc, char **argv);   // export.c
pleach_status plc_cli_ops(plc_cli *cli, int argc, char **argv);      // ops.c
pleach_status plc_cli_bench(plc_cli *cli, int argc, char **argv);    // bench.c
pleach_status plc_cli_report(plc_cli *cli, int argc, char **argv);   // report.c
pleach_status plc_cli_data(plc_cli *cli, int argc, char **argv);     // data.c
pleach_status plc_cli_fpga(plc_cli *cli, int argc, char **argv);     // fpga.c

// What a command accepts besides the global options. `option` gets each of its options by key,
// `argument` each word that is none (NULL: the command takes none); `user` is handed to both.
typedef struct plc_cli_args {
    const struct argp_option *options; // ends with {0}; NULL: none
    const char *args_doc, *doc;        // for --help, as argp has them
    pleach_status (*option)(plc_cli *cli, void *user, int key, const char *value);
    pleach_status (*argument)(plc_cli *cli, void *user, const char *word);
    void *user;
} plc_cli_args;

// Parses argv; --help prints and exits with 0. An unknown option is answered with the nearest known
// one. Fails with PLEACH_EUSAGE.
pleach_status plc_cli_parse(plc_cli *cli, const plc_cli_args *args, int argc, char **argv);

// Index of the first word of argv that is no global option (argc when there is none), for main.
pleach_status plc_cli_skip_global(plc_cli *cli, int argc, char **argv, int *next);

// Numbers as options have them: the whole text, in range. Fail with PLEACH_EUSAGE naming `option`.
pleach_status plc_cli_int(plc_cli *cli, const char *option, const char *value, int low, int high,
                          int *number);
pleach_status plc_cli_real(plc_cli *cli, const char *option, const char *value, double *number);
pleach_status plc_cli_seed(plc_cli *cli, const char *option, const char *value,
                           unsigned long long *seed);
// "3x32x32" into {c, h, w}.
pleach_status plc_cli_shape(plc_cli *cli, const char *option, const char *value, int shape[3]);
// "unknown WHAT 'NAME'; did you mean '...'?" for a NULL-terminated or counted list. Returns PLEACH_EUSAGE.
pleach_status plc_cli_unknown(plc_cli *cli, const char *what, const char *name,
                              const char *const *names, int n);

// Device options from the global ones; fails with PLEACH_EUSAGE.
pleach_status plc_cli_device_opts(plc_cli *cli, pleach_device_opts *opts);

// Opens the chosen device and names it on stderr.
pleach_status plc_cli_open_device(plc_cli *cli, bool profile, pleach_device **device);

// {"name": ..., "platform": ..., "driver": ..., "lanes": ..., "mapping": ...}; NULL without memory.
json_t *plc_cli_device_json(const pleach_device *device);
// A copy of a text for people: names in it may come from files, and what a terminal would obey is a '?'. The caller
// frees *copy.
pleach_status plc_cli_copy_printable(pleach_ctx *ctx, const char *text, char **copy);
// Writes heading, such a copy and a line's end to standard error.
void plc_cli_complain(const char *heading, const char *text);
// A copy of a name, as of a file, that JSON can hold (plc_utf8_mend). The caller frees *copy.
pleach_status plc_cli_copy_name(pleach_ctx *ctx, const char *name, char **copy);
// The same as a JSON text; NULL is "". NULL without memory.
json_t *plc_cli_json_name(const char *name);
// Appends `item`, which is taken. Where that fails, or it is NULL, *list becomes NULL: no document is printed without it.
void plc_cli_json_append(json_t **list, json_t *item);
// Prints one document on stdout. Takes `root`; NULL, what could not be made, is PLEACH_EFAILED.
pleach_status plc_cli_print_json(plc_cli *cli, json_t *root);
// Prints a text on stdout; fails with PLEACH_EIO when it cannot be written.
pleach_status plc_cli_print(plc_cli *cli, const plc_text *text);

#endif
