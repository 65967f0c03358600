// A job from the command line: its folder, signals while it runs, its result.
#include <cli/job.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <cli/series.h>
#include <cli/signals.h>
#include <report/report.h>
#include <run/directory.h>
#include <run/options.h>

static volatile int stop;

// The second signal finds the default action and ends the program.
static void ask_to_stop(int number)
{
    static const char text[] = "\npleach: saving; once more ends it at once\n";

    (void)number;
    stop = 1;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return;
}

// The folder's default, as the option's help promises it; slashes of a model file become dashes.
static pleach_status name_folder(plc_cli *cli, const char *command, pleach_run_opts *opts,
                                 char **folder)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};

    TRY(plc_text_printf(cli->ctx, &text, "%s-%s-%.*s", command, opts->model,
                        (int)strcspn(opts->data, ":"), opts->data));
    for (char *c = text.data; *c; c++)
        if (*c == '/')
            *c = '-';
    TRY(plc_path_join(cli->ctx, "runs", text.data, folder));
    opts->out = *folder;
done:
    plc_text_finish(&text);
    return status;
}

static pleach_status print_result(plc_cli *cli, const char *folder)
{
    pleach_status status = PLEACH_OK;
    plc_report report = {0};
    plc_text text = {0};
    char *path = NULL, *json = NULL;
    const plc_report_run run = {.title = folder, .report = &report};

    TRY(plc_path_join(cli->ctx, folder, "report.json", &path));
    TRY(plc_report_read_json(cli->ctx, path, &report));
    if (cli->json) {
        TRY(plc_report_to_json(cli->ctx, &report, &json));
        TRY(plc_text_printf(cli->ctx, &text, "%s\n", json));
    } else {
        TRY(plc_report_print(cli->ctx, &run, 1, &text));
        TRY(plc_text_printf(cli->ctx, &text, "\nrun: %s, page: %s/report.html\n", folder, folder));
    }
    TRY(plc_cli_print(cli, &text));
done:
    plc_report_finish(&report);
    plc_text_finish(&text);
    free(path);
    free(json);
    return status;
}

// A series without --resume; one run otherwise.
static pleach_status run_args(plc_cli *cli, const plc_job_command *command, pleach_device *device,
                              const plc_job_args *args)
{
    pleach_status status = PLEACH_OK;

    if (plc_series_is_wanted(args))
        return plc_series_run(cli, device, command->run, args);
    TRY(command->run(cli->ctx, device, &args->job));
    plc_progress_clear(&cli->progress);
    TRY(print_result(cli, args->job.resume ? args->job.resume : args->job.opts.out));
done:
    return status;
}

// Before a device is opened for nothing.
static pleach_status check_args(plc_cli *cli, const plc_job_args *args)
{
    pleach_status status = PLEACH_OK;
    const pleach_run_opts *opts = &args->job.opts;

    if (args->job.resume)
        return PLEACH_OK;
    if (plc_series_is_wanted(args))
        return plc_series_check(cli, args);
    TRY(plc_options_check(cli->ctx, opts, args->letter == 'C'));
    TRY(plc_directory_check_free(cli->ctx, opts->out));
    TRY(plc_directory_check_page(cli->ctx, opts->out));
done:
    return status;
}

pleach_status plc_cli_run_job(plc_cli *cli, const plc_job_command *command, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    plc_job_args args = {.letter = command->letter, .sweeps = command->sweeps};
    pleach_device *device = NULL;
    char *folder = NULL;

    TRY(plc_job_args_parse(cli, command->doc, &args, argc, argv));
    if (command->sweeps && !plc_series_is_wanted(&args))
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "nothing varies: give an option several values, as --band 0,0.03, or --seeds 3");
    args.job.progress = plc_progress_show;
    args.job.user = &cli->progress;
    args.job.stop = &stop;
    if (!args.job.resume && !*args.job.opts.out)
        TRY(name_folder(cli, command->name, &args.job.opts, &folder));
    TRY(check_args(cli, &args));
    TRY(plc_cli_open_device(cli, false, &device));
    plc_cli_watch_signals(cli, ask_to_stop, (int)SA_RESETHAND);
    TRY(run_args(cli, command, device, &args));
done:
    plc_job_args_finish(&args);
    pleach_device_close(&device);
    free(folder);
    return status;
}
