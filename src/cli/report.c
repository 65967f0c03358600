// `pleach report`: one table and one page from one or several runs.
#include <cli/report.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/report.h>

enum { KEY_HTML = 1 };

typedef struct report_args {
    const char **runs; // owned list of borrowed words
    size_t n_runs, capacity;
    const char *html;
} report_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    report_args *args = user;

    (void)cli, (void)key;
    args->html = value;
    return PLEACH_OK;
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    pleach_status status = PLEACH_OK;
    report_args *args = user;

    TRY(plc_grow(cli->ctx, &args->runs, &args->capacity, args->n_runs + 1));
    args->runs[args->n_runs++] = word;
done:
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// A run is its folder, or a report.json alone, which has no curves.
static pleach_status read_run(plc_cli *cli, const char *run, plc_report *report,
                              plc_history *history)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL, *log = NULL;

    if (!is_folder(run))
        return plc_report_read_json(cli->ctx, run, report);
    TRY(plc_path_join(cli->ctx, run, "report.json", &path));
    TRY(plc_report_read_json(cli->ctx, path, report));
    TRY(plc_path_join(cli->ctx, run, "log.jsonl", &log));
    if (plc_file_exists(log))
        TRY(plc_history_read(cli->ctx, log, history));
done:
    free(path);
    free(log);
    return status;
}

static pleach_status print_json(plc_cli *cli, const plc_report_run *runs, size_t n_runs)
{
    pleach_status status = PLEACH_OK;
    json_t *list = json_array();

    for (size_t i = 0; i < n_runs; i++) {
        char *text = NULL;

        TRY(plc_report_to_json(cli->ctx, runs[i].report, &text));
        plc_cli_json_append(&list,
                            json_pack("{s: o, s: o}", "run", plc_cli_json_name(runs[i].title),
                                      "report", json_loads(text, 0, NULL)));
        free(text);
    }
    status = plc_cli_print_json(
        cli, json_pack("{s: s, s: O}", "schema", "pleach.report/1", "runs", list));
done:
    json_decref(list);
    return status;
}

// Default: beside the only run, else in the present folder.
static pleach_status html_path(plc_cli *cli, const report_args *args, char **path)
{
    if (args->html)
        return plc_strdup(cli->ctx, args->html, path);
    if (args->n_runs == 1 && is_folder(args->runs[0]))
        return plc_path_join(cli->ctx, args->runs[0], "report.html", path);
    return plc_strdup(cli->ctx, "report.html", path);
}

static pleach_status show(plc_cli *cli, const plc_report_run *runs, size_t n, const char *page)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};

    TRY(plc_report_write_html(cli->ctx, runs, n, page));
    if (cli->json) {
        TRY(print_json(cli, runs, n));
    } else {
        TRY(plc_report_print(cli->ctx, runs, n, &text));
        TRY(plc_text_printf(cli->ctx, &text, "\npage: %s\n", page));
        TRY(plc_cli_print(cli, &text));
    }
done:
    plc_text_finish(&text);
    return status;
}

pleach_status plc_cli_show_runs(plc_cli *cli, const char *const *folders, size_t n,
                                const char *page)
{
    pleach_status status = PLEACH_OK;
    plc_report *reports = NULL;
    plc_history *histories = NULL;
    plc_report_run *runs = NULL;

    TRY(plc_alloc(cli->ctx, n, sizeof *reports, &reports));
    TRY(plc_alloc(cli->ctx, n, sizeof *histories, &histories));
    TRY(plc_alloc(cli->ctx, n, sizeof *runs, &runs));
    for (size_t i = 0; i < n; i++) {
        TRY(read_run(cli, folders[i], &reports[i], &histories[i]));
        runs[i] = (plc_report_run){folders[i], &reports[i], &histories[i]};
    }
    TRY(show(cli, runs, n, page));
done:
    for (size_t i = 0; i < n && reports && histories; i++) {
        plc_report_finish(&reports[i]);
        plc_history_finish(&histories[i]);
    }
    free(reports);
    free(histories);
    free(runs);
    return status;
}

pleach_status plc_cli_report(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"html", KEY_HTML, "FILE", 0,
         "page to write (default: RUN/report.html, for several runs ./report.html)", 1},
        {0},
    };
    report_args args = {0};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "RUN...",
        .doc =
            "One table and one page from run directories (or report.json files). Needs no device.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    char *page = NULL;

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (args.n_runs == 0)
        FAIL(cli->ctx, PLEACH_EUSAGE, "no RUN is given: a run directory, as runs/demo");
    TRY(html_path(cli, &args, &page));
    TRY(plc_cli_show_runs(cli, args.runs, args.n_runs, page));
done:
    free(page);
    free(args.runs);
    return status;
}
