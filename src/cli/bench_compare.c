// `pleach bench compare`: files of results side by side, given or measured now.
#include <cli/bench_devices.h>

#include <math.h>
#include <stdlib.h>
#include <base/file.h>

enum {
    KEY_HTML = 1000, // no letter, and none of the network's
    KEY_DEVICES,
    KEY_EMULATORS,
    KEY_OUT,
    KEY_LIMIT,
};

// What stands side by side. All is borrowed.
typedef struct shown_files {
    const char *paths[PLC_BENCH_MAX_FILES];
    const char *titles[PLC_BENCH_MAX_FILES]; // NULL: the path
    size_t n;
    const char *html;                   // of the page, NULL: none
    const plc_bench_outcomes *outcomes; // of what was measured now, NULL: nothing was
} shown_files;

typedef struct compare_args {
    shown_files shown;
    plc_bench_machine machine; // without files
    bool measures;             // an option says what is to be measured
} compare_args;

static pleach_status take_limit(plc_cli *cli, const char *value, double *seconds)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_cli_real(cli, "limit", value, seconds));
    if (*seconds <= 0)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--limit '%s': more than 0 seconds are expected", value);
done:
    return status;
}

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    compare_args *args = user;

    args->measures |= key != KEY_HTML;
    switch (key) {
    case KEY_HTML:
        args->shown.html = value;
        return PLEACH_OK;
    case KEY_DEVICES:
        args->machine.devices = value;
        return PLEACH_OK;
    case KEY_EMULATORS:
        args->machine.emulators = true;
        return PLEACH_OK;
    case KEY_OUT:
        args->machine.out = value;
        return PLEACH_OK;
    case KEY_LIMIT:
        return take_limit(cli, value, &args->machine.limit_seconds);
    default:
        return plc_bench_take_option(cli, &args->machine.network, key, value);
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    shown_files *shown = &((compare_args *)user)->shown;

    if (shown->n == PLC_BENCH_MAX_FILES)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "'%s': at most %d files stand side by side", word,
                        PLC_BENCH_MAX_FILES);
    shown->paths[shown->n++] = word;
    return PLEACH_OK;
}

// NULL without memory.
static json_t *values_to_json(const double *values, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        plc_cli_json_append(&list, isfinite(values[i]) ? json_real(values[i]) : json_null());
    return list;
}

static pleach_status print_json(plc_cli *cli, const shown_files *shown, const plc_bench *files,
                                const plc_bench_rows *rows)
{
    json_t *paths = json_array(), *list = json_array();

    for (size_t i = 0; i < shown->n; i++)
        plc_cli_json_append(&paths, plc_cli_json_name(files[i].path));
    for (size_t i = 0; i < rows->n_items; i++) {
        const plc_bench_row *row = &rows->items[i];

        plc_cli_json_append(&list, json_pack("{s: s, s: s, s: o}", "group", row->group, "measure",
                                             row->measure, "values",
                                             values_to_json(row->values, shown->n)));
    }
    json_t *root = json_pack("{s: s, s: o, s: o}", "schema", "pleach.bench-compare/1", "files",
                             paths, "rows", list);
    if (shown->outcomes &&
        json_object_set_new(root, "devices", plc_bench_outcomes_to_json(shown->outcomes)) != 0) {
        json_decref(root);
        root = NULL;
    }
    return plc_cli_print_json(cli, root);
}

static pleach_status print_text(plc_cli *cli, const shown_files *shown, const plc_table *devices,
                                const plc_bench *files, const plc_bench_rows *rows)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    if (shown->outcomes)
        TRY(plc_table_print(cli->ctx, devices, &text));
    if (shown->n) {
        TRY(plc_text_printf(cli->ctx, &text, "%s", text.length ? "\n" : ""));
        TRY(plc_bench_tabulate(cli->ctx, files, shown->n, rows, &table));
        TRY(plc_table_print(cli->ctx, &table, &text));
    }
    if (shown->html)
        TRY(plc_text_printf(cli->ctx, &text, "\npage: %s\n", shown->html));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    plc_table_finish(&table);
    return status;
}

static pleach_status show(plc_cli *cli, const shown_files *shown)
{
    pleach_status status = PLEACH_OK;
    plc_bench files[PLC_BENCH_MAX_FILES] = {0};
    plc_bench_rows rows = {0};
    plc_table devices = {0};

    if (shown->outcomes)
        TRY(plc_bench_tabulate_outcomes(cli->ctx, shown->outcomes, &devices));
    for (size_t i = 0; i < shown->n; i++) {
        TRY(plc_bench_read(cli->ctx, shown->paths[i], &files[i]));
        if (shown->titles[i])
            files[i].title = shown->titles[i];
    }
    TRY(plc_bench_compare(cli->ctx, files, shown->n, &rows));
    if (shown->html)
        TRY(plc_bench_write_html(cli->ctx, shown->outcomes ? &devices : NULL, files, shown->n,
                                 &rows, shown->html));
    TRY(cli->json ? print_json(cli, shown, files, &rows)
                  : print_text(cli, shown, &devices, files, &rows));
done:
    plc_table_finish(&devices);
    plc_bench_rows_finish(&rows);
    for (size_t i = 0; i < PLC_BENCH_MAX_FILES; i++)
        plc_bench_finish(&files[i]);
    return status;
}

static pleach_status measure_and_show(plc_cli *cli, compare_args *args)
{
    pleach_status status = PLEACH_OK;
    plc_bench_outcomes outcomes = {0};
    shown_files *shown = &args->shown;
    char *page = NULL;

    TRY(plc_path_join(cli->ctx, args->machine.out, "compare.html", &page));
    if (!shown->html)
        shown->html = page;
    TRY(plc_bench_measure_devices(cli, &args->machine, &outcomes));
    shown->outcomes = &outcomes;
    for (size_t i = 0; i < outcomes.n_items; i++) {
        if (!outcomes.items[i].path)
            continue;
        if (shown->n == PLC_BENCH_MAX_FILES) {
            plc_log(cli->ctx, PLEACH_LOG_WARNING,
                    "only the first %d devices stand side by side; the others' files are there",
                    PLC_BENCH_MAX_FILES);
            break;
        }
        shown->titles[shown->n] = outcomes.items[i].id;
        shown->paths[shown->n++] = outcomes.items[i].path;
    }
    TRY(show(cli, shown));
    TRY(plc_bench_check_outcomes(cli->ctx, &outcomes));
done:
    plc_bench_outcomes_finish(&outcomes);
    free(page);
    return status;
}

static const struct argp_option compare_options[] = {
    {"html", KEY_HTML, "FILE", 0,
     "also write a page with bars and rooflines (default of devices: compare.html in --out)", 0},
    {.doc = "Without FILE, what is measured:", .group = 1},
    {"devices", KEY_DEVICES, "LIST", 0,
     "choices as --device has them, between commas (default: every device but emulators)", 1},
    {"emulators", KEY_EMULATORS, NULL, 0, "emulators and simulators too", 1},
    {"out", KEY_OUT, "DIR", 0,
     "folder of the results, a file for each device (default pleach-bench)", 1},
    {"limit", KEY_LIMIT, "SECONDS", 0,
     "of the self-test and of each measurement of a device; what takes longer is ended (default "
     "600)",
     1},
    PLC_BENCH_NETWORK_OPTIONS,
    PLC_BENCH_SPEED_OPTIONS,
    {0},
};

pleach_status plc_bench_sides(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const double default_limit = 600; // seconds: first builds take minutes with some drivers
    compare_args args = {.machine = {.out = "pleach-bench",
                                     .limit_seconds = default_limit,
                                     .network = plc_bench_defaults}};
    const plc_cli_args accepted = {
        .options = compare_options,
        .args_doc = "[FILE...]",
        .doc = "With files, results of `pleach bench ... --json` side by side: of devices, of "
               "versions. A file may hold several documents of one device, as `>>` appends them. "
               "Ratios are to the first file. Needs no device.\n\n"
               "Without, every device of the machine: its self-test, then, if it computes rightly, "
               "`bench train` and `bench infer`, each in a process of its own that may crash or "
               "hang. A device's results are one file, which can be set beside those of other "
               "machines. The exit code is 4 when a device has failed in any of it; the others are "
               "measured all the same.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (args.shown.n && args.measures)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "'%s': with files nothing is measured, so only --html and global options go with them",
             args.shown.paths[0]);
    TRY(args.shown.n ? show(cli, &args.shown) : measure_and_show(cli, &args));
done:
    return status;
}
