// The MODEL that a command names.
#include <cli/model.h>

#include <string.h>
#include <base/file.h>
#include <graph/op.h>

pleach_status plc_cli_open_model(plc_cli *cli, const char *model, const int input[3], int n_classes,
                                 plc_model_file *file)
{
    pleach_status status = PLEACH_OK;

    *file = (plc_model_file){0};
    // A word with a dot or a slash is meant as a file, even when it is not there.
    if (plc_model_is_file(model))
        return plc_model_file_read(cli->ctx, model, file);
    TRY(pleach_graph_create(cli->ctx, model, input[0], input[1], input[2], n_classes,
                            &file->graph));
    TRY(plc_params_layout_create(cli->ctx, file->graph, &file->layout));
done:
    return status;
}
