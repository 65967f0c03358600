// Parsing: the global options, which every command has, and an answer to what nobody knows.
#include <cli/cli.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

// Keys of options without a short form: no character, and no key of a command (those are below).
enum {
    KEY_DEVICE = 0x10000,
    KEY_LANES,
    KEY_MAPPING,
    KEY_PRECISION,
    KEY_TUNE,
    KEY_BINARY,
    KEY_MANIFEST,
    KEY_ALLOW_BROKEN,
    KEY_EXTERNAL_DATA,
    KEY_SEED,
    KEY_JSON,
    KEY_PROGRESS,
    KEY_DETERMINISTIC,
    MAX_OPTIONS = 96,
};

static const struct argp_option global_options[] = {
    {.doc = "Global options:", .group = 10},
    {"device", KEY_DEVICE, "CHOICE", 0,
     "PLATFORM:INDEX, gpu, cpu, fpga or part of a name (also PLEACH_DEVICE); see `pleach devices`",
     10},
    {"lanes", KEY_LANES, "N", 0,
     "images side by side in memory: 4, 8, 16, 32 or 64 (default: by device)", 10},
    {"mapping", KEY_MAPPING, "vector|work-item", 0,
     "lanes in a vector or in work-items (default: by device)", 10},
    {"precision", KEY_PRECISION, "float|half", 0,
     "how values and their gradients are stored; computed is in float (default float)", 10},
    {"tune", KEY_TUNE, "off|fast|full", 0,
     "measure which kernels are the fastest: never, what is not known yet, everything (also "
     "PLEACH_TUNE; default fast)",
     10},
    {"binary", KEY_BINARY, "FILE", 0,
     "kernels built ahead, for boards that compile none (see `pleach fpga --help`)", 10},
    {"manifest", KEY_MANIFEST, "FILE", 0,
     "what --binary holds (default: pleach.json in its folder)", 10},
    {"allow-broken", KEY_ALLOW_BROKEN, NULL, 0,
     "go on with a device that fails the self-test (see `pleach devices`)", 10},
    {"external-data", KEY_EXTERNAL_DATA, NULL, 0,
     "ONNX files may have parameters in another file of their folder", 10},
    {"seed", KEY_SEED, "N", 0, "seed of everything random (default 0)", 10},
    {"json", KEY_JSON, NULL, 0, "one JSON document on standard output", 10},
    {"progress", KEY_PROGRESS, "auto|bar|plain|none", 0, "how progress is shown on standard error",
     10},
    {"deterministic", KEY_DETERMINISTIC, NULL, 0, "same seed, same bits: always so", 10},
    {"help", 'h', NULL, 0, "print this and exit", 10},
    {0},
};

pleach_status plc_cli_unknown(plc_cli *cli, const char *what, const char *name,
                              const char *const *names, int n)
{
    const char *nearest = plc_nearest_name(name, names, n);

    if (nearest)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "unknown %s '%s'; did you mean '%s'?", what, name,
                        nearest);
    return plc_fail(cli->ctx, PLEACH_EUSAGE, "unknown %s '%s'; see --help", what, name);
}

pleach_status plc_cli_int(plc_cli *cli, const char *option, const char *value, int low, int high,
                          int *number)
{
    char *end = NULL;

    errno = 0;
    const long parsed = strtol(value, &end, 10);
    if (end == value || *end || errno || parsed < low || parsed > high) {
        if (low == INT_MIN)
            return plc_fail(cli->ctx, PLEACH_EUSAGE, "--%s '%s': a whole number is expected",
                            option, value);
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "--%s '%s': a whole number from %d to %d is expected", option, value, low,
                        high);
    }
    *number = (int)parsed;
    return PLEACH_OK;
}

pleach_status plc_cli_real(plc_cli *cli, const char *option, const char *value, double *number)
{
    char *end = NULL;

    *number = strtod(value, &end);
    if (end == value || *end || !isfinite(*number))
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "--%s '%s': a number is expected", option, value);
    return PLEACH_OK;
}

pleach_status plc_cli_seed(plc_cli *cli, const char *option, const char *value,
                           unsigned long long *seed)
{
    char *end = NULL;

    errno = 0;
    *seed = strtoull(value, &end, 10);
    if (end == value || *end || errno || strchr(value, '-'))
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "--%s '%s': a whole number from 0 on is expected",
                        option, value);
    return PLEACH_OK;
}

pleach_status plc_cli_shape(plc_cli *cli, const char *option, const char *value, int shape[3])
{
    int used = 0;

    if (sscanf(value, "%5dx%5dx%5d%n", &shape[0], &shape[1], &shape[2], &used) != 3 ||
        value[used] || shape[0] < 1 || shape[1] < 1 || shape[2] < 1)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "--%s '%s': channels x height x width is expected, as in 3x32x32", option,
                        value);
    return PLEACH_OK;
}

static pleach_status set_progress(plc_cli *cli, const char *value)
{
    static const char *const names[] = {"auto", "bar", "plain", "none"};

    for (int i = 0; i < 4; i++)
        if (strcmp(value, names[i]) == 0) {
            plc_progress_init(&cli->progress, (plc_progress_mode)i);
            return PLEACH_OK;
        }
    return plc_cli_unknown(cli, "value of --progress", value, names, 4);
}

static pleach_status set_mapping(plc_cli *cli, const char *value)
{
    static const char *const names[] = {"vector", "work-item"};

    for (int i = 0; i < 2; i++)
        if (strcmp(value, names[i]) == 0) {
            cli->mapping = i ? PLEACH_MAPPING_WORK_ITEM : PLEACH_MAPPING_VECTOR;
            return PLEACH_OK;
        }
    return plc_cli_unknown(cli, "value of --mapping", value, names, 2);
}

static pleach_status set_precision(plc_cli *cli, const char *value)
{
    static const char *const names[] = {"float", "half"};

    for (int i = 0; i < 2; i++)
        if (strcmp(value, names[i]) == 0) {
            cli->precision = i ? PLEACH_PRECISION_HALF : PLEACH_PRECISION_FLOAT;
            return PLEACH_OK;
        }
    return plc_cli_unknown(cli, "value of --precision", value, names, 2);
}

static pleach_status set_lanes(plc_cli *cli, const char *value)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_cli_int(cli, "lanes", value, 4, 64, &cli->lanes));
    if (cli->lanes & (cli->lanes - 1))
        FAIL(cli->ctx, PLEACH_EUSAGE, "--lanes %d: 4, 8, 16, 32 or 64 is expected", cli->lanes);
done:
    return status;
}

// One parse: what argp's callbacks need.
typedef struct parse {
    plc_cli *cli;
    const plc_cli_args *args;
    pleach_status status;
} parse;

static error_t parse_global(int key, char *value, struct argp_state *state)
{
    parse *p = state->input;
    plc_cli *cli = p->cli;

    switch (key) {
    case KEY_DEVICE:
        cli->device = value;
        break;
    case KEY_LANES:
        p->status = set_lanes(cli, value);
        break;
    case KEY_MAPPING:
        p->status = set_mapping(cli, value);
        break;
    case KEY_PRECISION:
        p->status = set_precision(cli, value);
        break;
    case KEY_TUNE:
        cli->tune = value;
        break;
    case KEY_BINARY:
        cli->binary = value;
        break;
    case KEY_MANIFEST:
        cli->manifest = value;
        break;
    case KEY_EXTERNAL_DATA:
        cli->external_data = true;
        pleach_ctx_allow_external_data(cli->ctx, 1);
        break;
    case KEY_ALLOW_BROKEN:
        cli->allow_broken = true;
        break;
    case KEY_SEED:
        p->status = plc_cli_seed(cli, "seed", value, &cli->seed);
        cli->seed_given = true;
        break;
    case KEY_JSON:
        cli->json = true;
        break;
    case KEY_PROGRESS:
        p->status = set_progress(cli, value);
        break;
    case KEY_DETERMINISTIC:
        break;
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        exit(0);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return p->status == PLEACH_OK ? 0 : EINVAL;
}

static error_t parse_command(int key, char *value, struct argp_state *state)
{
    parse *p = state->input;

    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = p;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        p->status = p->args->argument
                        ? p->args->argument(p->cli, p->args->user, value)
                        : plc_fail(p->cli->ctx, PLEACH_EUSAGE,
                                   "unexpected argument '%s'; see `%s --help`", value, state->name);
        return p->status == PLEACH_OK ? 0 : EINVAL;
    }
    for (const struct argp_option *o = p->args->options; o && (o->name || o->doc); o++)
        if (o->name && o->key == key) {
            p->status = p->args->option(p->cli, p->args->user, key, value);
            return p->status == PLEACH_OK ? 0 : EINVAL;
        }
    return ARGP_ERR_UNKNOWN;
}

static void collect(const struct argp_option *options, const struct argp_option **found, int *n)
{
    for (const struct argp_option *o = options; o && (o->name || o->doc); o++)
        if (o->name && *n < MAX_OPTIONS)
            found[(*n)++] = o;
}

// The option that a word "--name" or "--name=value" means: exact, or the only one it abbreviates.
static pleach_status find_long(plc_cli *cli, const char *word, const struct argp_option **options,
                               int n, const struct argp_option **option)
{
    pleach_status status = PLEACH_OK;
    const char *names[MAX_OPTIONS], *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    char *name = NULL;
    int n_abbreviated = 0;

    *option = NULL;
    TRY(plc_strdup(cli->ctx, word + 2, &name));
    name[length] = '\0';
    for (int i = 0; i < n; i++) {
        names[i] = options[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *option = options[i];
            goto done;
        }
        if (strncmp(name, names[i], length) == 0) {
            *option = options[i];
            n_abbreviated++;
        }
    }
    if (n_abbreviated > 1)
        FAIL(cli->ctx, PLEACH_EUSAGE, "option '--%s' may mean several; write it out", name);
    if (n_abbreviated == 0) {
        const char *nearest = plc_nearest_name(name, names, n);

        if (nearest)
            FAIL(cli->ctx, PLEACH_EUSAGE, "unknown option '--%s'; did you mean '--%s'?", name,
                 nearest);
        FAIL(cli->ctx, PLEACH_EUSAGE, "unknown option '--%s'; see --help", name);
    }
done:
    free(name);
    return status;
}

// getopt's own messages know no nearest name, so words are looked up before argp sees them. With
// `first_word`, stops at the first word that is no option and tells where.
static pleach_status check_words(plc_cli *cli, const struct argp_option **options, int n, int argc,
                                 char **argv, int *first_word)
{
    pleach_status status = PLEACH_OK;
    const struct argp_option *option = NULL;
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            if (first_word)
                break;
            continue;
        }
        if (strcmp(argv[i], "-h") == 0)
            continue;
        if (argv[i][1] != '-')
            FAIL(cli->ctx, PLEACH_EUSAGE, "unknown option '%s'; see --help", argv[i]);
        TRY(find_long(cli, argv[i], options, n, &option));
        if (!option->arg && strchr(argv[i], '='))
            FAIL(cli->ctx, PLEACH_EUSAGE, "option '--%s' takes no value", option->name);
        if (option->arg && !strchr(argv[i], '=') && ++i == argc)
            FAIL(cli->ctx, PLEACH_EUSAGE, "option '--%s' needs a value: %s", option->name,
                 option->arg);
    }
    if (first_word)
        *first_word = i;
done:
    return status;
}

pleach_status plc_cli_skip_global(plc_cli *cli, int argc, char **argv, int *next)
{
    const struct argp_option version = {.name = "version"}, *known[MAX_OPTIONS];
    int n = 0;

    collect(global_options, known, &n);
    known[n++] = &version;
    return check_words(cli, known, n, argc, argv, next);
}

pleach_status plc_cli_parse(plc_cli *cli, const plc_cli_args *args, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const struct argp_option *known[MAX_OPTIONS];
    const struct argp global = {.options = global_options, .parser = parse_global};
    const struct argp_child children[] = {{.argp = &global}, {0}};
    const struct argp command = {.options = args->options,
                                 .parser = parse_command,
                                 .args_doc = args->args_doc,
                                 .doc = args->doc,
                                 .children = children};
    parse p = {.cli = cli, .args = args};
    int n = 0;

    collect(args->options, known, &n);
    collect(global_options, known, &n);
    TRY(check_words(cli, known, n, argc, argv, NULL));
    if (argp_parse(&command, argc, argv, ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &p) != 0 &&
        p.status == PLEACH_OK)
        FAIL(cli->ctx, PLEACH_EUSAGE, "wrong options; see `%s --help`", argv[0]);
    status = p.status;
done:
    return status;
}
