// `pleach sweep`: what an option changes.
#include <cli/job.h>

pleach_status plc_cli_sweep(plc_cli *cli, int argc, char **argv)
{
    return plc_cli_run_job(
        cli,
        &(plc_job_command){.name = "sweep",
                           .letter = 'C',
                           .run = pleach_compress,
                           .sweeps = true,
                           .doc =
                               "Compresses with every value of options that are given several, "
                               "separated by commas, and compares the results: a table, and a page "
                               "with curves.\v"
                               "Example: pleach sweep --model resnet20 --macs 0.2 "
                               "--band 0,0.01,0.03,0.1 --seeds 3 --out runs/band"},
        argc, argv);
}
