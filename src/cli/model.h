// The MODEL that a command names: a model file, or a network by name.
#ifndef PLC_CLI_MODEL_H
#define PLC_CLI_MODEL_H

#include <cli/cli.h>
#include <io/model_file.h>

// Reads the file `model` if there is one, else builds the network of that name for `input` and
// `n_classes`; model->weights is NULL then. The caller finishes *file.
pleach_status plc_cli_open_model(plc_cli *cli, const char *model, const int input[3], int n_classes,
                                 plc_model_file *file);

#endif
