// `pleach train`.
#include <cli/job.h>

pleach_status plc_cli_train(plc_cli *cli, int argc, char **argv)
{
    return plc_cli_run_job(
        cli,
        &(plc_job_command){.name = "train",
                           .letter = 'T',
                           .run = pleach_train,
                           .doc = "Trains a network.\v"
                                  "Example: pleach train --model resnet20 --data fashion-mnist "
                                  "--epochs 8 --out runs/a"},
        argc, argv);
}
