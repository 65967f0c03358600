// `pleach bench`: finds the sub-command; what those that run a network have in common.
#include <cli/bench.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <cli/model.h>

static const plc_command kinds[] = {
    {"train", "images per second and latency of training steps", plc_bench_train},
    {"infer", "images per second and latency of inference", plc_bench_infer},
    {"ops", "each kernel and layer shape of a training step beside the device's peaks",
     plc_bench_ops},
    {"device", "peaks of the device: multiply-adds, memory, launches", plc_bench_device},
    {"tune", "every candidate of every kernel that a network uses; the fastest are kept",
     plc_bench_tune},
    {"compare", "results side by side, of files or of every device here, as a table and as a page",
     plc_bench_sides},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const plc_bench_args plc_bench_defaults = {
    .model = "resnet20", .input = {3, 32, 32}, .n_classes = 10, .batch = 128, .n_repeats = 5};

pleach_status plc_bench_take_option(plc_cli *cli, void *user, int key, const char *value)
{
    plc_bench_args *args = user;
    enum { MAX_CLASSES = 1000000, MAX_REPEATS = 1000 };

    switch (key) {
    case PLC_BENCH_KEY_INPUT:
        return plc_cli_shape(cli, "input", value, args->input);
    case PLC_BENCH_KEY_CLASSES:
        return plc_cli_int(cli, "classes", value, 2, MAX_CLASSES, &args->n_classes);
    case PLC_BENCH_KEY_BATCH:
        return plc_cli_int(cli, "batch", value, 1, PLC_MAX_BATCH, &args->batch);
    case PLC_BENCH_KEY_REPEATS:
        return plc_cli_int(cli, "repeats", value, 1, MAX_REPEATS, &args->n_repeats);
    case PLC_BENCH_KEY_PROFILE:
        args->profile = true;
        return PLEACH_OK;
    case PLC_BENCH_KEY_ROOFLINE:
        args->roofline = true;
        return PLEACH_OK;
    case PLC_BENCH_KEY_BESIDE:
        args->beside = value;
        return PLEACH_OK;
    default:
        args->model = value;
        return PLEACH_OK;
    }
}

pleach_status plc_bench_open(plc_cli *cli, const plc_bench_args *args, const char *kind,
                             bool profiles, pleach_device **device, plc_workload *workload,
                             plc_bench_result *result)
{
    pleach_status status = PLEACH_OK;
    plc_model_file model = {0};

    TRY(plc_cli_open_model(cli, args->model, args->input, args->n_classes, &model));
    const plc_shape in = model.graph->nodes[0].shape;
    TRY(plc_strdup(cli->ctx, kind, &result->kind));
    TRY(plc_cli_copy_name(cli->ctx, args->model, &result->model));
    memcpy(result->input, (int[]){in.c, in.h, in.w}, sizeof result->input);
    result->batch = args->batch;
    TRY(plc_cli_open_device(cli, profiles, device));
    (*device)->profile =
        false; // the queue can profile; each kernel is waited for only while it does
    TRY(plc_workload_create(*device, model.graph, model.weights, args->batch,
                            strcmp(kind, "infer") != 0, cli->seed, workload));
done:
    plc_model_file_finish(&model);
    return status;
}

pleach_status plc_bench_print_json(plc_cli *cli, const pleach_device *device,
                                   const plc_bench_result *result)
{
    json_t *root =
        json_pack("{s: s, s: o, s: [o]}", "schema", PLC_BENCH_SCHEMA, "device",
                  plc_cli_device_json(device), "results", plc_bench_result_to_json(result));

    return plc_cli_print_json(cli, root);
}

static void print_help(void)
{
    printf("Usage: pleach bench KIND [OPTION...]\nMeasures speed.\n\n");
    for (int i = 0; i < N_KINDS; i++)
        printf("  %-10s %s\n", kinds[i].name, kinds[i].summary);
    printf("\n`pleach bench KIND --help` lists the options of each.\n");
}

// The place of the first word that names a kind; global options may stand in front of it.
static pleach_status find_kind(plc_cli *cli, int argc, char **argv, int *at,
                               const plc_command **kind)
{
    pleach_status status = PLEACH_OK;
    const char *names[N_KINDS];

    for (int i = 0; i < N_KINDS; i++)
        names[i] = kinds[i].name;
    *kind = NULL;
    TRY(plc_cli_skip_global(cli, argc, argv, at));
    for (int i = 1; i < *at; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return PLEACH_OK;
        }
    if (*at >= argc)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "what is to be measured? `pleach bench train`, infer, ops, device, tune, or compare");
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(argv[*at], names[i]) == 0)
            *kind = &kinds[i];
    if (!*kind)
        status = plc_cli_unknown(cli, "benchmark", argv[*at], names, N_KINDS);
done:
    return status;
}

pleach_status plc_cli_bench(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const plc_command *kind = NULL;
    char **words = NULL, title[32];
    int at = 1, n = 0;

    TRY(find_kind(cli, argc, argv, &at, &kind));
    if (!kind)
        return status;
    snprintf(title, sizeof title, "%s %s", argv[0], kind->name);
    TRY(plc_alloc(cli->ctx, (size_t)argc + 1, sizeof *words, &words));
    words[n++] = title;
    for (int i = 1; i < argc; i++)
        if (i != at)
            words[n++] = argv[i];
    TRY(kind->run(cli, n, words));
done:
    free(words);
    return status;
}
