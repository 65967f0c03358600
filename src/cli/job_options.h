// The options of a job on the command line: every row of PLEACH_RUN_OPTIONS is one, by the same table.
#ifndef PLC_CLI_JOB_OPTIONS_H
#define PLC_CLI_JOB_OPTIONS_H

#include <cli/cli.h>
#include <pleach/run.h>

enum { PLC_JOB_MAX_LISTS = 8, PLC_JOB_MAX_SEEDS = 1000 };

// An option that was given several values, as `pleach sweep` takes them.
typedef struct plc_job_list {
    int row;          // of PLEACH_RUN_OPTIONS
    const char *name; // static
    char **values;    // owned, texts within one allocation
    int n_values;
} plc_job_list;

typedef struct plc_job_args {
    pleach_job job; // texts are borrowed from argv
    char letter;    // the command's in PLEACH_RUN_OPTIONS: its options are offered
    bool sweeps;    // options with several values, "0,0.03", are lists
    int n_given;    // job options on the command line
    int n_seeds;    // --seeds
    plc_job_list lists[PLC_JOB_MAX_LISTS];
    int n_lists;
} plc_job_args;

// Parses a job's command line; letter and sweeps are the caller's. Fails with PLEACH_EUSAGE.
pleach_status plc_job_args_parse(plc_cli *cli, const char *doc, plc_job_args *args, int argc,
                                 char **argv);
void plc_job_args_finish(plc_job_args *args);

// Sets the option of a row from its text.
pleach_status plc_job_set_option(plc_cli *cli, pleach_run_opts *opts, int row, const char *value);

#endif
