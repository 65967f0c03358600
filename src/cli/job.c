// A job from the command line: every option of PLEACH_RUN_OPTIONS is one here, by the same table.
#include <cli/job.h>

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/report.h>

enum {
    KEY_JOB = 1000,
    KEY_RESUME = 2000
}; // a job option's key is KEY_JOB + its place in the table

typedef struct job_args {
    pleach_job job;
    char letter;
    int n_given; // job options on the command line
} job_args;

static const struct {
    const char *name, *value, *argument, *commands, *help;
} rows[] = {
#define X(kind, field, option, value, argument, commands, help)                                    \
    {option, #value, argument, commands, help},
    PLEACH_RUN_OPTIONS(X)
#undef X
};
enum { N_ROWS = sizeof rows / sizeof *rows };

// The seed and the precision are global options.
static bool is_offered(int row, char letter)
{
    return strchr(rows[row].commands, letter) && strcmp(rows[row].name, "seed") != 0 &&
           strcmp(rows[row].name, "precision") != 0;
}

// "help (default 12)"; a default of nothing, or one that the help explains, is not repeated.
static pleach_status describe(pleach_ctx *ctx, int row, plc_text *text)
{
    const char *value = rows[row].value, *help = rows[row].help;
    const size_t length = strlen(value);

    const bool is_text = value[0] == '"';

    if (help[strlen(help) - 1] == ')' || (is_text ? length == 2 : strtod(value, NULL) == 0.0))
        return plc_text_printf(ctx, text, "%s", help);
    if (is_text)
        return plc_text_printf(ctx, text, "%s (default %.*s)", help, (int)length - 2, value + 1);
    return plc_text_printf(ctx, text, "%s (default %s)", help, value);
}

static void free_options(struct argp_option *options)
{
    for (int i = 0; options && i < N_ROWS; i++)
        free((char *)options[i].doc);
    free(options);
}

static pleach_status make_options(pleach_ctx *ctx, char letter, struct argp_option **made)
{
    pleach_status status = PLEACH_OK;
    struct argp_option *options = NULL;
    plc_text text = {0};
    int n = 0;

    TRY(plc_alloc(ctx, N_ROWS + 2, sizeof *options, &options));
    for (int i = 0; i < N_ROWS; i++) {
        char *doc = NULL;

        if (!is_offered(i, letter))
            continue;
        TRY(describe(ctx, i, &text));
        TRY(plc_text_take(ctx, &text, &doc));
        options[n++] = (struct argp_option){rows[i].name, KEY_JOB + i, rows[i].argument, 0, doc, 1};
    }
    TRY(plc_strdup(ctx, "go on with the run in DIR from its checkpoint, with its options",
                   (char **)&options[n].doc));
    options[n].name = "resume";
    options[n].key = KEY_RESUME;
    options[n].arg = "DIR";
    options[n].group = 1;
    *made = options;
    options = NULL;
done:
    free_options(options);
    plc_text_finish(&text);
    return status;
}

static pleach_status set_TEXT(plc_cli *cli, const char *option, const char *value,
                              const char **field)
{
    (void)cli, (void)option;
    *field = value;
    return PLEACH_OK;
}

static pleach_status set_INT(plc_cli *cli, const char *option, const char *value, int *field)
{
    return plc_cli_int(cli, option, value, INT_MIN, INT_MAX, field);
}

static pleach_status set_FLOAT(plc_cli *cli, const char *option, const char *value, double *field)
{
    return plc_cli_real(cli, option, value, field);
}

static pleach_status set_FLAG(plc_cli *cli, const char *option, const char *value, bool *field)
{
    (void)cli, (void)option, (void)value;
    *field = true;
    return PLEACH_OK;
}

static pleach_status set_SEED(plc_cli *cli, const char *option, const char *value,
                              unsigned long long *field)
{
    return plc_cli_seed(cli, option, value, field);
}

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    job_args *args = user;
    pleach_run_opts *opts = &args->job.opts;
    const char *name = key == KEY_RESUME ? "resume" : rows[key - KEY_JOB].name;

    if (key == KEY_RESUME) {
        args->job.resume = value;
        return PLEACH_OK;
    }
    args->n_given++;
#define X(kind, field, option, value_, argument, commands, help)                                   \
    if (strcmp(name, option) == 0)                                                                 \
        return set_##kind(cli, option, value, &opts->field);
    PLEACH_RUN_OPTIONS(X)
#undef X
    return PLEACH_OK;
}

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

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
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

static pleach_status parse_job(plc_cli *cli, const char *doc, job_args *args, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    struct argp_option *options = NULL;

    pleach_run_opts_init(&args->job.opts);
    TRY(make_options(cli->ctx, args->letter, &options));
    const plc_cli_args accepted = {
        .options = options, .doc = doc, .option = take_option, .user = args};
    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (cli->seed_given)
        args->job.opts.seed = cli->seed;
    if (args->job.resume && (args->n_given || cli->seed_given))
        FAIL(cli->ctx, PLEACH_EUSAGE, "--resume goes on with the options of '%s'; give no others",
             args->job.resume);
    if (!args->job.resume && !*args->job.opts.model)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--model is missing: a network's name, as resnet20, or a model file");
done:
    free_options(options);
    return status;
}

pleach_status plc_cli_run_job(plc_cli *cli, const char *name, char letter, const char *doc,
                              plc_job_fn *run, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    job_args args = {.letter = letter};
    pleach_device *device = NULL;
    char *folder = NULL;

    TRY(parse_job(cli, doc, &args, argc, argv));
    args.job.progress = plc_progress_show;
    args.job.user = &cli->progress;
    args.job.stop = &stop;
    if (!args.job.resume && !*args.job.opts.out)
        TRY(name_folder(cli, name, &args.job.opts, &folder));
    TRY(plc_cli_open_device(cli, false, &device));
    watch_signals();
    TRY(run(cli->ctx, device, &args.job));
    plc_progress_clear(&cli->progress);
    TRY(print_result(cli, args.job.resume ? args.job.resume : args.job.opts.out));
done:
    pleach_device_close(&device);
    free(folder);
    return status;
}
