// What the parts of `pleach ops` share.
#ifndef PLC_CLI_OPS_H
#define PLC_CLI_OPS_H

#include <cli/cli.h>

// Runs the ONNX project's cases in `folder` (NULL: where Debian has them) and prints what came of them. Fails with
// PLEACH_EFAILED where one gave another output.
pleach_status plc_cli_ops_coverage(plc_cli *cli, const char *folder);

#endif
