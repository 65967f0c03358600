// What `pleach train`, `pleach compress` and `pleach sweep` share: options, folders, signals, the result.
#ifndef PLC_CLI_JOB_H
#define PLC_CLI_JOB_H

#include <cli/cli.h>
#include <pleach/run.h>

typedef pleach_status plc_job_fn(pleach_ctx *ctx, pleach_device *device, const pleach_job *job);

typedef struct plc_job_command {
    const char *name, *doc;
    char letter; // in PLEACH_RUN_OPTIONS: the options that it takes
    bool sweeps; // options may have several values
    plc_job_fn *run;
} plc_job_command;

// Runs the job, or the series of jobs, that argv describes.
pleach_status plc_cli_run_job(plc_cli *cli, const plc_job_command *command, int argc, char **argv);

#endif
