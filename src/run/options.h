// The options of a job as JSON: config.json of a run directory.
#ifndef PLC_RUN_OPTIONS_H
#define PLC_RUN_OPTIONS_H

#include <jansson.h>
#include <pleach/run.h>
#include <base/status.h>
#include <base/text.h>

#define PLC_CONFIG_COMMAND "command" // of config.json, beside the options: "train" or "compress"

enum { PLC_RUN_MAX_SETTLE = 9 }; // of --settle: a digit per class in a checkpoint

// What --controls may name (controls.c).
enum { PLC_RUN_N_CONTROL_NAMES = 4 };
extern const char *const plc_run_control_names[PLC_RUN_N_CONTROL_NAMES];

// Appends what was chosen, "--macs 0.2 --band 0.1": options that differ from their defaults, but those that a report
// names by themselves (model, data, epochs, batch, seed) and the directory.
pleach_status plc_options_describe(pleach_ctx *ctx, const pleach_run_opts *opts, plc_text *text);

// A new object with every option of the table.
pleach_status plc_options_to_json(pleach_ctx *ctx, const pleach_run_opts *opts, json_t **object);

// Texts in *opts are borrowed from `object`. An option that is not there keeps its default; one of the
// wrong type, or unknown, is PLEACH_EINPUT (text names it).
pleach_status plc_options_from_json(pleach_ctx *ctx, const json_t *object, pleach_run_opts *opts);

// Epochs of the phases before tuning: as the options say, else a twelfth dense (none from a model file), a sixth pruning
// and, where blocks may go, a twelfth fading.
typedef struct plc_phase_epochs {
    int dense, prune, fade;
} plc_phase_epochs;
plc_phase_epochs plc_options_phases(const pleach_run_opts *opts);

// Ranges of all options. Fails with PLEACH_EUSAGE: text names the option, its value and its range.
pleach_status plc_options_check(pleach_ctx *ctx, const pleach_run_opts *opts, bool compress);

#endif
