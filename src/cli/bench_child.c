// One device of `pleach bench compare`: its children, what they have printed, how they ended.
#include <cli/bench_child.h>

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/process.h>

enum {
    MAX_WORDS = 48,
    MAX_NUMBERS = 8,
    NUMBER_MAX = 48,
    WHY_MAX = 1024,
    MAX_DOCUMENT_BYTES = 64 << 20,
    LOG_TAIL_BYTES = 64 << 10,
};

static const char own_program[] = "/proc/self/exe";

// What is done with a device, in this order.
typedef struct step {
    const char *name, *command[2], *schema;
    bool tests; // rather than times
} step;
static const step steps[] = {
    {"self-test", {"devices", "--test"}, "pleach.devices/1", true},
    {"train", {"bench", "train"}, PLC_BENCH_SCHEMA, false},
    {"infer", {"bench", "infer"}, PLC_BENCH_SCHEMA, false},
};
enum { N_STEPS = sizeof steps / sizeof *steps };

typedef struct device_run {
    plc_cli *cli;
    const plc_bench_machine *machine;
    const volatile int *stop;
    plc_bench_outcome *outcome;
    char *base;       // owned: the path of its files without their ends
    json_t *document; // owned: all results so far, NULL: none
    plc_text failed;
} device_run;

// The command line of a child, and where its outputs go.
typedef struct child {
    const char *words[MAX_WORDS];
    char numbers[MAX_NUMBERS][NUMBER_MAX]; // words that were made here
    int n_words, n_numbers;
    plc_text out, log; // paths
    plc_process process;
    plc_process_result result;
} child;

static void add(child *c, const char *word)
{
    assert(c->n_words < MAX_WORDS - 1); // the last stays NULL
    c->words[c->n_words++] = word;
}

static char *next_number(child *c)
{
    assert(c->n_numbers < MAX_NUMBERS);
    return c->numbers[c->n_numbers++];
}

static void add_number(child *c, const char *option, unsigned long long number)
{
    char *text = next_number(c);

    snprintf(text, NUMBER_MAX, "%llu", number);
    add(c, option);
    add(c, text);
}

// An option with its value, where it has one.
static void add_text(child *c, const char *option, const char *value)
{
    if (value) {
        add(c, option);
        add(c, value);
    }
}

static void add_network(child *c, const plc_bench_args *args)
{
    char *input = next_number(c);

    snprintf(input, NUMBER_MAX, "%dx%dx%d", args->input[0], args->input[1], args->input[2]);
    add_text(c, "--input", input);
    add_text(c, "--model", args->model);
    add_number(c, "--classes", (unsigned long long)args->n_classes);
    add_number(c, "--batch", (unsigned long long)args->batch);
    add_number(c, "--repeats", (unsigned long long)args->n_repeats);
    if (args->profile)
        add(c, "--profile");
    if (args->roofline)
        add(c, "--roofline");
}

// The self-test knows answers of float storage alone, whatever is timed.
static void add_words(const device_run *run, const step *s, child *c)
{
    const plc_cli *cli = run->cli;

    add(c, "pleach");
    add(c, s->command[0]);
    add(c, s->command[1]);
    add_text(c, "--device", run->outcome->id);
    add(c, "--json");
    if (cli->lanes)
        add_number(c, "--lanes", (unsigned long long)cli->lanes);
    if (cli->mapping != PLEACH_MAPPING_AUTO)
        add_text(c, "--mapping", cli->mapping == PLEACH_MAPPING_VECTOR ? "vector" : "work-item");
    add_text(c, "--tune", cli->tune);
    add_text(c, "--binary", cli->binary);
    add_text(c, "--manifest", cli->manifest);
    if (cli->external_data)
        add(c, "--external-data");
    if (s->tests)
        return;
    if (cli->precision == PLEACH_PRECISION_HALF)
        add_text(c, "--precision", "half");
    if (cli->seed_given)
        add_number(c, "--seed", cli->seed);
    if (cli->allow_broken)
        add(c, "--allow-broken");
    add_network(c, &run->machine->network);
}

static pleach_status make_child(const device_run *run, const step *s, child *c)
{
    pleach_status status = PLEACH_OK;

    add_words(run, s, c);
    TRY(plc_text_printf(run->cli->ctx, &c->out, "%s.%s.part", run->base, s->name));
    TRY(plc_text_printf(run->cli->ctx, &c->log, "%s.%s.log", run->base, s->name));
    c->process = (plc_process){.path = own_program,
                               .argv = c->words,
                               .out = c->out.data,
                               .err = c->log.data,
                               .limit_seconds = run->machine->limit_seconds,
                               .stop = run->stop};
done:
    return status;
}

static void finish_child(child *c)
{
    plc_text_finish(&c->out);
    plc_text_finish(&c->log);
}

// The document that a child has printed; NULL when it is none of this schema.
static json_t *read_document(const child *c, const char *schema)
{
    pleach_ctx *quiet = NULL; // what a child has printed is no failure of this program
    char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;

    if (plc_file_read(quiet, c->out.data, MAX_DOCUMENT_BYTES, &text, &size) == PLEACH_OK)
        root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    const char *found = json_string_value(json_object_get(root, "schema"));
    if (found && strcmp(found, schema) == 0)
        return root;
    json_decref(root);
    return NULL;
}

// What the self-test has said of the device; NULL when it has said nothing.
static const char *verdict(const json_t *root, const char *id)
{
    const json_t *device = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(root, "devices"), i, device)
    {
        const char *listed = json_string_value(json_object_get(device, "id"));

        if (listed && strcmp(listed, id) == 0)
            return json_string_value(json_object_get(device, "self_test"));
    }
    return NULL;
}

// The last error that a child has named in its log, "" when it has named none.
static void find_error(const char *log, char why[WHY_MAX])
{
    static const char mark[] = "pleach: error: ";
    char tail[LOG_TAIL_BYTES + 1];
    FILE *file = fopen(log, "rbe");

    why[0] = '\0';
    if (!file)
        return;
    if (fseek(file, -LOG_TAIL_BYTES, SEEK_END) != 0)
        rewind(file); // it is shorter
    tail[fread(tail, 1, LOG_TAIL_BYTES, file)] = '\0';
    fclose(file);
    for (const char *at = tail; (at = strstr(at, mark)); at++)
        snprintf(why, WHY_MAX, "%.*s", (int)strcspn(at + strlen(mark), "\n"), at + strlen(mark));
    for (char *letter = why; *letter; letter++)
        if (*letter < ' ' || *letter > '~') // it may be a driver's
            *letter = '?';
}

static void explain(const child *c, char why[WHY_MAX])
{
    char ending[128];

    why[0] = '\0';
    if (c->result.end == PLC_PROCESS_EXITED)
        find_error(c->log.data, why);
    if (why[0])
        return;
    plc_process_describe(&c->process, &c->result, ending, sizeof ending);
    const bool silent = c->result.end == PLC_PROCESS_EXITED && c->result.code == 0;
    snprintf(why, WHY_MAX, "%s%s, see %s", ending, silent ? " without a result" : "", c->log.data);
}

// Whether a child has done its work; `why`: if not, what went wrong.
static bool has_succeeded(const device_run *run, const step *s, const child *c, const json_t *root,
                          char why[WHY_MAX])
{
    static const char failed[] = "failed: ",
                      passed[] = "passed"; // all parts, or those that could be tested
    const char *said = s->tests ? verdict(root, run->outcome->id) : NULL;
    const bool ended = c->result.end == PLC_PROCESS_EXITED && c->result.code == 0;

    if (ended && (s->tests ? said && strncmp(said, passed, strlen(passed)) == 0 : root != NULL))
        return true;
    if (said && strncmp(said, failed, strlen(failed)) == 0)
        snprintf(why, WHY_MAX, "%s", said + strlen(failed));
    else if (said && ended)
        snprintf(why, WHY_MAX, "%s", said);
    else
        explain(c, why);
    return false;
}

// Adds the results of a document, which is taken, to those before it.
static pleach_status keep_results(device_run *run, json_t *root)
{
    if (!run->document) {
        run->document = root;
        return PLEACH_OK;
    }
    const int failed = json_array_extend(json_object_get(run->document, "results"),
                                         json_object_get(root, "results"));
    json_decref(root);
    if (failed)
        return plc_fail(run->cli->ctx, PLEACH_ENOMEM, "no memory for the results of device %s",
                        run->outcome->id);
    return PLEACH_OK;
}

static void tell(const device_run *run, const step *s)
{
    if (run->cli->progress.mode != PLC_PROGRESS_NONE)
        fprintf(stderr, "device %s %s (%s): %s\n", run->outcome->id, run->outcome->name,
                run->outcome->platform, s->name);
}

static pleach_status run_step(device_run *run, const step *s, bool *succeeded)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = run->cli->ctx;
    child c = {0};
    json_t *root = NULL;
    char why[WHY_MAX];

    *succeeded = false;
    TRY(make_child(run, s, &c));
    tell(run, s);
    TRY(plc_process_run(ctx, &c.process, &c.result));
    if (c.result.end == PLC_PROCESS_STOPPED) {
        unlink(c.log.data);
        FAIL(ctx, PLEACH_EINTERRUPTED, "interrupted; what was measured before is in '%s'",
             run->machine->out);
    }
    root = read_document(&c, s->schema);
    *succeeded = has_succeeded(run, s, &c, root, why);
    if (!*succeeded) {
        TRY(plc_text_printf(ctx, &run->failed, "%s%s failed: %s", run->failed.length ? "; " : "",
                            s->name, why));
        goto done;
    }
    unlink(c.log.data);
    if (!s->tests) {
        TRY(keep_results(run, root));
        root = NULL;
    }
done:
    if (c.out.data)
        unlink(c.out.data);
    json_decref(root);
    finish_child(&c);
    return status;
}

// "out/0-1-radeon-rx-6600": the device's number, and of its name what every file system takes.
static pleach_status name_files(device_run *run)
{
    enum { MAX_NAME = 48 };
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = run->cli->ctx;
    plc_text name = {0};

    TRY(plc_text_printf(ctx, &name, "%s-", run->outcome->id));
    *strchr(name.data, ':') = '-';
    for (const char *c = run->outcome->name; *c && name.length < MAX_NAME; c++)
        if (isascii(*c) && isalnum(*c))
            TRY(plc_text_printf(ctx, &name, "%c", tolower(*c)));
        else if (name.data[name.length - 1] != '-')
            TRY(plc_text_printf(ctx, &name, "-"));
    while (name.data[name.length - 1] == '-')
        name.data[--name.length] = '\0';
    TRY(plc_path_join(ctx, run->machine->out, name.data, &run->base));
done:
    plc_text_finish(&name);
    return status;
}

static pleach_status write_document(device_run *run)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = run->cli->ctx;
    plc_text text = {0};
    char *dumped = json_dumps(run->document, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

    if (!dumped)
        FAIL(ctx, PLEACH_ENOMEM, "no memory for the results of device %s", run->outcome->id);
    TRY(plc_text_printf(ctx, &text, "%s\n", dumped));
    TRY(plc_file_write_all(ctx, run->outcome->path, text.data, text.length));
done:
    plc_text_finish(&text);
    free(dumped);
    return status;
}

// Names the file of the results, and takes away what an earlier call has left of this device.
static pleach_status prepare(device_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_text path = {0};

    TRY(name_files(run));
    TRY(plc_text_printf(run->cli->ctx, &path, "%s.json", run->base));
    TRY(plc_text_take(run->cli->ctx, &path, &run->outcome->path));
    unlink(run->outcome->path);
    for (int i = 0; i < N_STEPS; i++) {
        TRY(plc_text_printf(run->cli->ctx, &path, "%s.%s.log", run->base, steps[i].name));
        unlink(path.data);
        plc_text_finish(&path);
    }
done:
    plc_text_finish(&path);
    return status;
}

pleach_status plc_bench_run_children(plc_cli *cli, const plc_bench_machine *machine,
                                     const volatile int *stop, plc_bench_outcome *outcome)
{
    pleach_status status = PLEACH_OK;
    device_run run = {.cli = cli, .machine = machine, .stop = stop, .outcome = outcome};
    bool succeeded = true;

    TRY(prepare(&run));
    for (int i = 0; i < N_STEPS; i++) {
        TRY(run_step(&run, &steps[i], &succeeded));
        if (steps[i].tests && !succeeded && !cli->allow_broken)
            break;
    }
    if (run.failed.length)
        TRY(plc_text_take(cli->ctx, &run.failed, &outcome->failed));
done:
    // What was measured is kept, also when the next step was interrupted.
    if (run.document) {
        const pleach_status written = write_document(&run);
        status = status == PLEACH_OK ? written : status;
    } else {
        free(outcome->path);
        outcome->path = NULL;
    }
    json_decref(run.document);
    plc_text_finish(&run.failed);
    free(run.base);
    return status;
}
