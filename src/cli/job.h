// What `pleach train` and `pleach compress` share: options from the table, signals, the result.
#ifndef PLC_CLI_JOB_H
#define PLC_CLI_JOB_H

#include <cli/cli.h>
#include <pleach/run.h>

typedef pleach_status plc_job_fn(pleach_ctx *ctx, pleach_device *device, const pleach_job *job);

// Runs the job that argv describes. `letter` is the command's in PLEACH_RUN_OPTIONS.
pleach_status plc_cli_run_job(plc_cli *cli, const char *name, char letter, const char *doc,
                              plc_job_fn *run, int argc, char **argv);

#endif
