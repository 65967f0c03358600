// A run directory: config.json, log.jsonl, checkpoint.safetensors, models, plans, report.
#ifndef PLC_RUN_DIRECTORY_H
#define PLC_RUN_DIRECTORY_H

#include <jansson.h>
#include <stdio.h>
#include <base/status.h>

typedef struct plc_directory {
    char *path; // owned
    FILE *log;  // owned: log.jsonl, appended to
} plc_directory;

// Fails with PLEACH_EUSAGE when `path` holds a run already: text says how to go on with it.
pleach_status plc_directory_check_free(pleach_ctx *ctx, const char *path);

// Fails with PLEACH_EUSAGE when `path` holds a page of several runs, as a series makes, which a run's would replace.
pleach_status plc_directory_check_page(pleach_ctx *ctx, const char *path);

// What stands at `path`: nothing, or a run with the options of `config` that was begun or is done. Fails with
// PLEACH_EUSAGE when its options are others (text names the first that differs).
typedef enum plc_directory_state {
    PLC_DIRECTORY_FREE,
    PLC_DIRECTORY_BEGUN,
    PLC_DIRECTORY_DONE,
} plc_directory_state;
pleach_status plc_directory_examine(pleach_ctx *ctx, const char *path, const json_t *config,
                                    plc_directory_state *state);

// Makes a new directory, after the same check.
pleach_status plc_directory_create(pleach_ctx *ctx, const char *path, const json_t *config,
                                   plc_directory *directory);

// Opens one to resume: *config is read from config.json (the caller owns it).
pleach_status plc_directory_open(pleach_ctx *ctx, const char *path, json_t **config,
                                 plc_directory *directory);
void plc_directory_close(plc_directory *directory);

// Path of a file in the directory; the caller frees it.
pleach_status plc_directory_file(pleach_ctx *ctx, const plc_directory *directory, const char *name,
                                 char **path);

// Appends one line, flushed. Takes `line`.
pleach_status plc_directory_log(pleach_ctx *ctx, plc_directory *directory, json_t *line);

// Bytes of the log now; and back to that size: what a killed run wrote after its checkpoint goes.
long plc_directory_log_bytes(const plc_directory *directory);
pleach_status plc_directory_truncate_log(pleach_ctx *ctx, plc_directory *directory, long bytes);

#endif
