// Runs of one command that differ in seeds or options.
#include <cli/series.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <cli/report.h>
#include <run/directory.h>
#include <run/options.h>

enum { MAX_RUNS = 10000 };

bool plc_series_is_wanted(const plc_job_args *args)
{
    return args->n_seeds > 1 || args->n_lists > 0;
}

static int count_runs(const plc_job_args *args)
{
    long long n = args->n_seeds;

    for (int i = 0; i < args->n_lists && n <= MAX_RUNS; i++)
        n *= args->lists[i].n_values;
    return n <= MAX_RUNS ? (int)n : -1;
}

// Options and folder of the i-th run: seeds change first, then the last list's values.
static pleach_status describe_run(plc_cli *cli, const plc_job_args *args, int i,
                                  pleach_run_opts *opts, char **folder)
{
    pleach_status status = PLEACH_OK;
    plc_text name = {0};
    int combination = i / args->n_seeds, n_after = 1;

    *opts = args->job.opts;
    opts->precision = cli->precision == PLEACH_PRECISION_HALF ? "half" : "float";
    opts->seed += (unsigned long long)(i % args->n_seeds);
    for (int l = 0; l < args->n_lists; l++)
        n_after *= args->lists[l].n_values;
    for (int l = 0; l < args->n_lists; l++) {
        const plc_job_list *list = &args->lists[l];
        n_after /= list->n_values;
        const char *value = list->values[combination / n_after % list->n_values];
        TRY(plc_job_set_option(cli, opts, list->row, value));
        TRY(plc_text_printf(cli->ctx, &name, "%s-%s-", list->name, value));
    }
    TRY(plc_text_printf(cli->ctx, &name, "seed-%llu", opts->seed));
    for (char *c = name.data; *c; c++)
        if (*c == '/')
            *c = '-';
    TRY(plc_path_join(cli->ctx, args->job.opts.out, name.data, folder));
    opts->out = *folder;
done:
    plc_text_finish(&name);
    return status;
}

static pleach_status run_one(plc_cli *cli, pleach_device *device, plc_job_fn *run,
                             const plc_job_args *args, const pleach_run_opts *opts)
{
    pleach_status status = PLEACH_OK;
    pleach_job job = args->job;
    json_t *config = NULL;
    plc_directory_state state;

    TRY(plc_options_to_json(cli->ctx, opts, &config));
    TRY(plc_directory_examine(cli->ctx, opts->out, config, &state));
    if (state == PLC_DIRECTORY_DONE)
        goto done;
    job.opts = *opts;
    job.resume = state == PLC_DIRECTORY_BEGUN ? opts->out : NULL;
    status = run(cli->ctx, device, &job);
    plc_progress_clear(&cli->progress);
    if (status == PLEACH_EINTERRUPTED)
        plc_fail(cli->ctx, status, "interrupted in '%s'; the same command goes on", opts->out);
done:
    json_decref(config);
    return status;
}

pleach_status plc_series_check(plc_cli *cli, const plc_job_args *args)
{
    pleach_status status = PLEACH_OK;
    const int n = count_runs(args);
    pleach_run_opts opts;
    char *folder = NULL;

    if (n < 0)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "more than %d runs; name fewer values", MAX_RUNS);
    TRY(plc_directory_check_free(cli->ctx, args->job.opts.out));
    for (int i = 0; i < n; i++) {
        free(folder);
        folder = NULL;
        TRY(describe_run(cli, args, i, &opts, &folder));
        TRY(plc_options_check(cli->ctx, &opts, args->letter == 'C'));
    }
done:
    free(folder);
    return status;
}

// Folders of the runs that are done into folders[0..*n_done). *failed: of the last that diverged, or whose target is out of
// reach.
static pleach_status run_all(plc_cli *cli, pleach_device *device, plc_job_fn *run,
                             const plc_job_args *args, char **folders, int *n_done,
                             pleach_status *failed)
{
    pleach_status status = PLEACH_OK;
    const int n = count_runs(args);
    pleach_run_opts opts;

    *n_done = 0;
    for (int i = 0; i < n; i++) {
        char **folder = &folders[*n_done];

        TRY(describe_run(cli, args, i, &opts, folder));
        plc_progress_clear(&cli->progress);
        fprintf(stderr, "run %d of %d: %s\n", i + 1, n, *folder);
        status = run_one(cli, device, run, args, &opts);
        // The others are worth their time all the same.
        if (status == PLEACH_EDIVERGED || status == PLEACH_EUSAGE) {
            *failed = status;
            plc_log(cli->ctx, PLEACH_LOG_WARNING, "%s: %s", *folder, pleach_error(cli->ctx));
            free(*folder);
            *folder = NULL;
            status = PLEACH_OK;
            continue;
        }
        TRY(status);
        ++*n_done;
    }
done:
    return status;
}

static pleach_status show_done(plc_cli *cli, const plc_job_args *args, char *const *folders,
                               int n_done)
{
    pleach_status status = PLEACH_OK;
    char *page = NULL;

    if (n_done == 0)
        return PLEACH_OK;
    TRY(plc_path_join(cli->ctx, args->job.opts.out, "report.html", &page));
    TRY(plc_cli_show_runs(cli, (const char *const *)folders, (size_t)n_done, page));
done:
    free(page);
    return status;
}

// The same where the next run has failed, which stays the error.
static pleach_status show_and_fail(plc_cli *cli, const plc_job_args *args, char *const *folders,
                                   int n_done, pleach_status failed)
{
    pleach_status status = PLEACH_OK;
    char *why = NULL;

    TRY(plc_strdup(cli->ctx, pleach_error(cli->ctx), &why));
    if (show_done(cli, args, folders, n_done) != PLEACH_OK)
        plc_log(cli->ctx, PLEACH_LOG_WARNING, "%s", pleach_error(cli->ctx));
    FAIL(cli->ctx, failed, "%s", why);
done:
    free(why);
    return status;
}

pleach_status plc_series_run(plc_cli *cli, pleach_device *device, plc_job_fn *run,
                             const plc_job_args *args)
{
    pleach_status status = PLEACH_OK;
    const int n = count_runs(args);
    char **folders = NULL;
    int n_done = 0;
    pleach_status failed = PLEACH_OK;

    TRY(plc_alloc(cli->ctx, (size_t)n, sizeof *folders, &folders));
    status = run_all(cli, device, run, args, folders, &n_done, &failed);
    if (status != PLEACH_OK)
        TRY(show_and_fail(cli, args, folders, n_done, status));
    TRY(show_done(cli, args, folders, n_done));
    if (n_done < n)
        FAIL(cli->ctx, failed,
             "%d of %d runs have failed, as said above; the others are in the table", n - n_done,
             n);
done:
    for (int i = 0; folders && i < n; i++)
        free(folders[i]);
    free(folders);
    return status;
}
