// `pleach export`: a model file in another format.
#include <cli/model.h>

#include <io/onnx.h>
#include <rewrite/on_host.h>

enum { KEY_ONNX = 1, KEY_OPSET, KEY_BATCH_NORMS };

typedef struct export_args {
    const char *model, *onnx;
    int opset;
    bool batch_norms;
} export_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    export_args *args = user;

    switch (key) {
    case KEY_OPSET:
        return plc_cli_int(cli, "opset", value, PLC_ONNX_OLDEST_OPSET, PLC_ONNX_NEWEST_WRITTEN,
                           &args->opset);
    case KEY_BATCH_NORMS:
        args->batch_norms = true;
        return PLEACH_OK;
    default:
        args->onnx = value;
        return PLEACH_OK;
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    export_args *args = user;

    if (args->model)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "one MODEL is expected, found '%s' and '%s'",
                        args->model, word);
    args->model = word;
    return PLEACH_OK;
}

static pleach_status check_words(plc_cli *cli, const export_args *args)
{
    if (!args->model)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "no MODEL is given: a model file, as runs/NAME/model.safetensors");
    if (!args->onnx)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "--onnx FILE is missing: the file that is to be written");
    return PLEACH_OK;
}

static pleach_status tell(plc_cli *cli, const export_args *args, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    const int opset = args->opset ? args->opset : PLC_ONNX_OPSET;
    const long long macs = pleach_graph_macs(graph), params = pleach_graph_params(graph);
    plc_text text = {0};

    if (cli->json)
        return plc_cli_print_json(
            cli, json_pack("{s: s, s: o, s: i, s: I, s: I}", "schema", "pleach.onnx/1", "file",
                           plc_cli_json_name(args->onnx), "opset", opset, "macs", (json_int_t)macs,
                           "params", (json_int_t)params));
    TRY(plc_text_printf(cli->ctx, &text, "%s: opset %d, %lld MACs, %lld parameters\n", args->onnx,
                        opset, macs, params));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

pleach_status plc_cli_export(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"onnx", KEY_ONNX, "FILE", 0, "the ONNX file to write", 1},
        {"opset", KEY_OPSET, "N", 0, "ONNX operator set, 7 to 22 (default 13)", 1},
        {"batch-norms", KEY_BATCH_NORMS, NULL, 0,
         "keep batch norms; without it they join the layers before them", 1},
        {0},
    };
    export_args args = {0};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "MODEL",
        .doc =
            "Writes the model file MODEL for other programs: as ONNX, with any number of images. "
            "The input is what the network sees, (x / 255 - mean) / std. Needs no device.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    plc_model_file model = {0}, folded = {0};
    const plc_model_file *written = &model;

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    TRY(check_words(cli, &args));
    TRY(plc_model_file_read(cli->ctx, args.model, &model));
    if (!args.batch_norms) {
        TRY(plc_fold_on_host(cli->ctx, &model, &folded));
        written = &folded;
    }
    TRY(plc_onnx_write(cli->ctx, args.onnx, written->graph, written->layout, written->weights,
                       &(plc_onnx_write_opts){
                           .opset = args.opset, .version = PLEACH_VERSION, .extra = &model.extra}));
    TRY(tell(cli, &args, written->graph));
done:
    plc_model_file_finish(&folded);
    plc_model_file_finish(&model);
    return status;
}
