// `pleach ops`: which operators of ONNX files are read, and what of them is not.
#include <cli/ops.h>

#include <io/onnx.h>
#include <report/table.h>
#include <run/onnx_cases.h>

static pleach_status print_json(plc_cli *cli)
{
    json_t *list = json_array();

    for (int i = 0; plc_onnx_operator_at(i); i++) {
        const plc_onnx_operator *op = plc_onnx_operator_at(i);

        plc_cli_json_append(&list, json_pack("{s: s, s: s, s: s}", "onnx", op->onnx, "becomes",
                                             op->becomes, "limits", op->limits));
    }
    return plc_cli_print_json(cli, json_pack("{s: s, s: i, s: i, s: o}", "schema", "pleach.ops/1",
                                             "oldest_opset", PLC_ONNX_OLDEST_KNOWN, "newest_opset",
                                             PLC_ONNX_NEWEST_KNOWN, "operators", list));
}

static pleach_status print_table(plc_cli *cli)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    plc_table_column(&table, 'l', "ONNX");
    plc_table_column(&table, 'l', "becomes");
    plc_table_column(&table, 'l', "what of it");
    for (int i = 0; plc_onnx_operator_at(i); i++) {
        const plc_onnx_operator *op = plc_onnx_operator_at(i);

        TRY(plc_table_cell(cli->ctx, &table, "%s", op->onnx));
        TRY(plc_table_cell(cli->ctx, &table, "%s", op->becomes));
        TRY(plc_table_cell(cli->ctx, &table, "%s", *op->limits ? op->limits : "all"));
    }
    TRY(plc_table_print(cli->ctx, &table, &text));
    TRY(plc_text_printf(
        cli->ctx, &text,
        "\nOpsets %d to %d, elements of float; one input of fixed size [N][C][H][W], "
        "one output.\n",
        PLC_ONNX_OLDEST_KNOWN, PLC_ONNX_NEWEST_KNOWN));
    TRY(plc_cli_print(cli, &text));
done:
    plc_table_finish(&table);
    plc_text_finish(&text);
    return status;
}

enum { KEY_COVERAGE = 1, KEY_CASES };

typedef struct ops_args {
    bool coverage;
    const char *cases;
} ops_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    ops_args *args = user;

    (void)cli;
    args->coverage = true;
    if (key == KEY_CASES)
        args->cases = value;
    return PLEACH_OK;
}

pleach_status plc_cli_ops(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    ops_args args = {0};
    static const struct argp_option options[] = {
        {"coverage", KEY_COVERAGE, 0, 0,
         "Run the ONNX project's own cases on the device, and list what came of them", 0},
        {"cases", KEY_CASES, "FOLDER", 0,
         "Where they are (default: " PLC_ONNX_CASES_FOLDER ", of Debian's libonnx-testdata)", 0},
        {0}};
    const plc_cli_args accepted = {.options = options,
                                   .doc = "The operators of ONNX files that are read, what each "
                                          "becomes, and what of it is not refused.",
                                   .option = take_option,
                                   .user = &args};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (args.coverage)
        return plc_cli_ops_coverage(cli, args.cases);
    TRY(cli->json ? print_json(cli) : print_table(cli));
done:
    return status;
}
