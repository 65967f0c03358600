// Several jobs one after another: seeds, and the values of options that are swept.
#ifndef PLC_CLI_SERIES_H
#define PLC_CLI_SERIES_H

#include <cli/job.h>
#include <cli/job_options.h>

// Whether the arguments describe more than one run.
bool plc_series_is_wanted(const plc_job_args *args);

// Whether every run's options are in range, and opts.out is free for their folders and their page. Needs no device.
// Fails with PLEACH_EUSAGE.
pleach_status plc_series_check(plc_cli *cli, const plc_job_args *args);

// For arguments that plc_series_check has passed. Runs every combination of the lists' values with every
// seed, each in a folder of opts.out that is named after both; one that is done is kept, one that was begun
// goes on, so the same command continues what was interrupted. Prints the means over seeds and writes
// report.html into opts.out, of what is done also when a run fails. Fails with PLEACH_EUSAGE where a folder
// holds a run with other options, and as `run` does; runs that diverge are passed over, and are
// PLEACH_EDIVERGED at the end.
pleach_status plc_series_run(plc_cli *cli, pleach_device *device, plc_job_fn *run,
                             const plc_job_args *args);

#endif
