// `pleach compress`.
#include <cli/job.h>

pleach_status plc_cli_compress(plc_cli *cli, int argc, char **argv)
{
    return plc_cli_run_job(
        cli, "compress", 'C',
        "Trains a network and makes it smaller: pruning, compaction, fusion.\v"
        "Example: pleach compress --model resnet20 --data fashion-mnist --macs 0.2 --out runs/b",
        pleach_compress, argc, argv);
}
