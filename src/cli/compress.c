// `pleach compress`.
#include <cli/job.h>

pleach_status plc_cli_compress(plc_cli *cli, int argc, char **argv)
{
    return plc_cli_run_job(
        cli,
        &(plc_job_command){.name = "compress",
                           .letter = 'C',
                           .run = pleach_compress,
                           .doc = "Trains a network and makes it smaller: pruning, compaction, "
                                  "fusion.\v"
                                  "Example: pleach compress --model resnet20 --data fashion-mnist "
                                  "--macs 0.2 --out runs/b"},
        argc, argv);
}
