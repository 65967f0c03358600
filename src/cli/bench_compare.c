// `pleach bench compare`: files of results side by side.
#include <cli/bench.h>

#include <math.h>
#include <stdlib.h>
#include <base/memory.h>

typedef struct compare_args {
    const char *paths[PLC_BENCH_MAX_FILES]; // borrowed words
    size_t n;
    const char *html;
} compare_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    compare_args *args = user;

    (void)cli, (void)key;
    args->html = value;
    return PLEACH_OK;
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    compare_args *args = user;

    if (args->n == PLC_BENCH_MAX_FILES)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "'%s': at most %d files stand side by side", word,
                        PLC_BENCH_MAX_FILES);
    args->paths[args->n++] = word;
    return PLEACH_OK;
}

// NULL without memory.
static json_t *values_to_json(const double *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, isfinite(values[i]) ? json_real(values[i]) : json_null())) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static pleach_status print_json(plc_cli *cli, const plc_bench *files, size_t n,
                                const plc_bench_rows *rows)
{
    json_t *paths = json_array(), *list = json_array();
    bool complete = true;

    for (size_t i = 0; i < n; i++)
        complete &= json_array_append_new(paths, json_string(files[i].path)) == 0;
    for (size_t i = 0; i < rows->n_items; i++) {
        const plc_bench_row *row = &rows->items[i];

        complete &= json_array_append_new(list, json_pack("{s: s, s: s, s: o}", "group", row->group,
                                                          "measure", row->measure, "values",
                                                          values_to_json(row->values, n))) == 0;
    }
    json_t *root = json_pack("{s: s, s: o, s: o}", "schema", "pleach.bench-compare/1", "files",
                             paths, "rows", list);
    if (!complete) {
        json_decref(root);
        root = NULL;
    }
    return plc_cli_print_json(cli, root);
}

static pleach_status print_text(plc_cli *cli, const compare_args *args, const plc_bench *files,
                                const plc_bench_rows *rows)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    TRY(plc_bench_tabulate(cli->ctx, files, args->n, rows, &table));
    TRY(plc_table_print(cli->ctx, &table, &text));
    if (args->html)
        TRY(plc_text_printf(cli->ctx, &text, "\npage: %s\n", args->html));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    plc_table_finish(&table);
    return status;
}

pleach_status plc_bench_sides(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"html", 1, "FILE", 0, "also write a page with bars and rooflines", 1},
        {0},
    };
    compare_args args = {0};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "FILE...",
        .doc =
            "Results of `pleach bench ... --json` side by side: of devices, of versions. A file "
            "may "
            "hold several documents of one device, as `>>` appends them. Ratios are to the first "
            "file. Needs no device.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    plc_bench files[PLC_BENCH_MAX_FILES] = {0};
    plc_bench_rows rows = {0};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (args.n == 0)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "no FILE is given: what `pleach bench train --json` and the like have printed");
    for (size_t i = 0; i < args.n; i++)
        TRY(plc_bench_read(cli->ctx, args.paths[i], &files[i]));
    TRY(plc_bench_compare(cli->ctx, files, args.n, &rows));
    if (args.html)
        TRY(plc_bench_write_html(cli->ctx, files, args.n, &rows, args.html));
    TRY(cli->json ? print_json(cli, files, args.n, &rows) : print_text(cli, &args, files, &rows));
done:
    plc_bench_rows_finish(&rows);
    for (size_t i = 0; i < PLC_BENCH_MAX_FILES; i++)
        plc_bench_finish(&files[i]);
    return status;
}
