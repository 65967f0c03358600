// Options of a job from the command line.
#include <cli/job_options.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>

// A job option's key is KEY_JOB + its place in the table.
enum { KEY_JOB = 1000, KEY_RESUME = 2000, KEY_SEEDS };

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
    for (int i = 0; options && i < N_ROWS + 2; i++)
        free((char *)options[i].doc);
    free(options);
}

// The text is owned, as those of the table are.
static pleach_status add_option(pleach_ctx *ctx, const char *name, int key, const char *argument,
                                const char *help, struct argp_option *option)
{
    *option = (struct argp_option){name, key, argument, 0, NULL, 1};
    return plc_strdup(ctx, help, (char **)&option->doc);
}

static pleach_status make_options(pleach_ctx *ctx, char letter, bool sweeps,
                                  struct argp_option **made)
{
    pleach_status status = PLEACH_OK;
    struct argp_option *options = NULL;
    plc_text text = {0};
    int n = 0;

    TRY(plc_alloc(ctx, N_ROWS + 3, sizeof *options, &options));
    for (int i = 0; i < N_ROWS; i++) {
        char *doc = NULL;

        if (!is_offered(i, letter))
            continue;
        TRY(describe(ctx, i, &text));
        TRY(plc_text_take(ctx, &text, &doc));
        options[n++] = (struct argp_option){rows[i].name, KEY_JOB + i, rows[i].argument, 0, doc, 1};
    }
    TRY(add_option(ctx, "seeds", KEY_SEEDS, "N",
                   "N runs, from --seed on, in folders of --out; their means are reported",
                   &options[n++]));
    if (!sweeps)
        TRY(add_option(ctx, "resume", KEY_RESUME, "DIR",
                       "go on with the run in DIR from its checkpoint, with its options",
                       &options[n]));
    *made = options;
    options = NULL;
done:
    free_options(options);
    plc_text_finish(&text);
    return status;
}

pleach_status plc_job_set_option(plc_cli *cli, pleach_run_opts *opts, int row, const char *value)
{
    return pleach_run_opts_set(cli->ctx, opts, rows[row].name, rows[row].argument ? value : "true");
}

static bool is_one_of(int row, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(rows[row].name, names[i]) == 0)
            return true;
    return false;
}

// Commas belong to the values of some options, to a data set with options (folder:DIR,size=64), and to a file's name.
static bool holds_commas(int row, const char *value)
{
    static const char *const always[] = {"out", "keep", "controls", "mean", "std"},
                             *const files[] = {"model", "plan"};

    return is_one_of(row, always, sizeof always / sizeof *always) ||
           (is_one_of(row, files, sizeof files / sizeof *files) && plc_file_exists(value)) ||
           (strcmp(rows[row].name, "data") == 0 && strchr(value, '='));
}

// Every value must be one that the option takes. The first stands in job.opts until a run has its own.
static pleach_status take_list(plc_cli *cli, plc_job_args *args, int row, const char *value)
{
    pleach_status status = PLEACH_OK;
    plc_job_list *list = &args->lists[args->n_lists];
    pleach_run_opts tried = args->job.opts;
    char *text = NULL;
    int n = 1;

    if (args->n_lists == PLC_JOB_MAX_LISTS)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--%s: at most %d options may have several values",
             rows[row].name, PLC_JOB_MAX_LISTS);
    for (const char *c = value; *c; c++)
        n += *c == ',';
    TRY(plc_alloc(cli->ctx, (size_t)n, sizeof *list->values, &list->values));
    args->n_lists++;
    list->row = row;
    list->name = rows[row].name;
    TRY(plc_strdup(cli->ctx, value, &text));
    list->values[0] = text; // owns the others' bytes
    for (char *at = text, *word = strsep(&at, ","); word; word = strsep(&at, ",")) {
        TRY(plc_job_set_option(cli, &tried, row, word));
        list->values[list->n_values++] = word;
    }
    TRY(plc_job_set_option(cli, &args->job.opts, row, list->values[0]));
done:
    return status;
}

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    plc_job_args *args = user;
    const int row = key - KEY_JOB;

    if (key == KEY_RESUME) {
        args->job.resume = value;
        return PLEACH_OK;
    }
    if (key == KEY_SEEDS)
        return plc_cli_int(cli, "seeds", value, 1, PLC_JOB_MAX_SEEDS, &args->n_seeds);
    args->n_given++;
    if (args->sweeps && value && strchr(value, ',') && !holds_commas(row, value))
        return take_list(cli, args, row, value);
    return plc_job_set_option(cli, &args->job.opts, row, value);
}

void plc_job_args_finish(plc_job_args *args)
{
    for (int i = 0; i < args->n_lists; i++) {
        free(args->lists[i].values[0]);
        free(args->lists[i].values);
    }
    args->n_lists = 0;
}

pleach_status plc_job_args_parse(plc_cli *cli, const char *doc, plc_job_args *args, int argc,
                                 char **argv)
{
    pleach_status status = PLEACH_OK;
    struct argp_option *options = NULL;

    pleach_run_opts_init(&args->job.opts);
    args->n_seeds = 1;
    TRY(make_options(cli->ctx, args->letter, args->sweeps, &options));
    const plc_cli_args accepted = {
        .options = options, .doc = doc, .option = take_option, .user = args};
    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (cli->seed_given)
        args->job.opts.seed = cli->seed;
    if (args->job.resume && (args->n_given || cli->seed_given || args->n_seeds > 1))
        FAIL(cli->ctx, PLEACH_EUSAGE, "--resume goes on with the options of '%s'; give no others",
             args->job.resume);
    if (!args->job.resume && !*args->job.opts.model)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--model is missing: a network's name, as resnet20, or a model file");
done:
    free_options(options);
    return status;
}
