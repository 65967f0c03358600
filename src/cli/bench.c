// `pleach bench`: how fast a network trains or infers, and which kernels take the time.
#include <cli/bench.h>

#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <base/random.h>
#include <cli/model.h>
#include <train/optimizer.h>

enum {
    KEY_MODEL = 1,
    KEY_INPUT,
    KEY_CLASSES,
    KEY_BATCH,
    KEY_REPEATS,
    KEY_PROFILE,
    MAX_REPEATS = 1000
};

// A repeat runs as many steps as fill this time: long against the clock and the queue's start.
static const double repeat_seconds = 0.5;

typedef struct bench_args {
    const char *kind, *model;
    int input[3], n_classes, batch, n_repeats;
    bool profile;
} bench_args;

// What is measured: steps of a session, with an optimizer when it trains.
typedef struct bench {
    pleach_session *session;
    plc_optimizer *optimizer; // NULL: inference
    unsigned step;
    double best, median; // images per second
} bench;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    bench_args *args = user;

    switch (key) {
    case KEY_INPUT:
        return plc_cli_shape(cli, "input", value, args->input);
    case KEY_CLASSES:
        return plc_cli_int(cli, "classes", value, 2, 1000000, &args->n_classes);
    case KEY_BATCH:
        return plc_cli_int(cli, "batch", value, 1, PLC_MAX_BATCH, &args->batch);
    case KEY_REPEATS:
        return plc_cli_int(cli, "repeats", value, 1, MAX_REPEATS, &args->n_repeats);
    case KEY_PROFILE:
        args->profile = true;
        return PLEACH_OK;
    default:
        args->model = value;
        return PLEACH_OK;
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    static const char *const kinds[] = {"train", "infer"};
    bench_args *args = user;

    if (args->kind)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "unexpected argument '%s'; the network is named by --model", word);
    for (int i = 0; i < 2; i++)
        if (strcmp(word, kinds[i]) == 0) {
            args->kind = kinds[i];
            return PLEACH_OK;
        }
    return plc_cli_unknown(cli, "benchmark", word, kinds, 2);
}

static pleach_status run_steps(bench *b, int n)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < n; i++) {
        if (!b->optimizer) {
            TRY(plc_session_infer_only(b->session));
            continue;
        }
        TRY(plc_session_train(b->session, b->step++));
        TRY(plc_optimizer_step(b->optimizer, 1e-4f,
                               0.9f)); // a rate at which noise does not diverge
    }
    TRY(plc_device_finish(b->session->device));
done:
    return status;
}

// Noise in place of images: speed does not depend on their content.
static pleach_status upload_noise(bench *b, unsigned long long seed, int n_classes)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = b->session;
    const plc_shape in = s->graph->nodes[0].shape;
    const size_t n_bytes = (size_t)s->batch * (size_t)in.c * (size_t)in.h * (size_t)in.w;
    unsigned char *images = NULL;
    int *labels = NULL;
    cl_event done_event = NULL;

    TRY(plc_alloc(s->ctx, n_bytes, 1, &images));
    TRY(plc_alloc(s->ctx, (size_t)s->batch, sizeof *labels, &labels));
    for (size_t i = 0; i < n_bytes; i++)
        images[i] = (unsigned char)plc_random_u32x4(seed, PLC_STREAM_TEST, 0, i).x;
    for (int i = 0; i < s->batch; i++)
        labels[i] = i % n_classes;
    TRY(plc_session_upload(s, images, labels, s->batch, &done_event));
    TRY(plc_device_wait(s->device, &done_event));
    TRY(plc_session_infer(s, 0, s->batch)); // fills the input's value for inference
    TRY(plc_device_finish(s->device));
done:
    free(images);
    free(labels);
    return status;
}

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static pleach_status measure(plc_cli *cli, bench *b, int n_repeats)
{
    pleach_status status = PLEACH_OK;
    double *speeds = NULL;

    TRY(plc_alloc(cli->ctx, (size_t)n_repeats, sizeof *speeds, &speeds));
    TRY(run_steps(b, 2)); // caches, clocks, lazily finished kernels
    double started = plc_clock_seconds();
    TRY(run_steps(b, 1));
    const double one = plc_clock_seconds() - started;
    const int n_steps =
        one < repeat_seconds ? (int)(repeat_seconds / (one > 1e-6 ? one : 1e-6)) + 1 : 1;

    for (int i = 0; i < n_repeats; i++) {
        started = plc_clock_seconds();
        TRY(run_steps(b, n_steps));
        speeds[i] = (double)n_steps * b->session->batch / (plc_clock_seconds() - started);
    }
    qsort(speeds, (size_t)n_repeats, sizeof *speeds, compare_reals);
    b->best = speeds[n_repeats - 1];
    b->median = (speeds[n_repeats / 2] + speeds[(n_repeats - 1) / 2]) / 2.0;
done:
    free(speeds);
    return status;
}

static pleach_status profile_steps(plc_cli *cli, bench *b, plc_profile *profile)
{
    pleach_status status = PLEACH_OK;
    enum { N_STEPS = 3 };

    b->session->device->profile = true;
    plc_profile_reset(b->session, b->optimizer);
    TRY(run_steps(b, N_STEPS));
    TRY(plc_profile_collect(cli->ctx, b->session, b->optimizer, profile));
done:
    b->session->device->profile = false;
    return status;
}

static pleach_status print_result(plc_cli *cli, const bench_args *args, const bench *b,
                                  const plc_profile *profile)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *graph = b->session->graph;
    const plc_shape in = graph->nodes[0].shape;
    const double latency_ms = 1e3 * args->batch / b->median,
                 macs = (double)pleach_graph_macs(graph);
    const double gflops =
        2.0 * macs * b->median * 1e-9 * (b->optimizer ? 3.0 : 1.0); // backward is two more products
    const size_t peak = pleach_device_peak_memory_bytes(b->session->device);
    char memory[PLC_FORMAT_MAX];
    plc_text text = {0};
    json_t *result = NULL;

    if (cli->json) {
        result = json_pack(
            "{s: s, s: s, s: [i, i, i], s: i, s: i, s: {s: f, s: f}, s: f, s: I, s: f, s: I}",
            "kind", args->kind, "model", args->model, "input", in.c, in.h, in.w, "batch",
            args->batch, "repeats", args->n_repeats, "images_per_second", "best", b->best, "median",
            b->median, "latency_ms", latency_ms, "macs", (json_int_t)macs, "gflops", gflops,
            "device_peak_bytes", (json_int_t)peak);
        if (result && profile->n_items)
            json_object_set_new(result, "profile", plc_profile_to_json(profile));
        return plc_cli_print_json(cli, json_pack("{s: s, s: o, s: [o]}", "schema", "pleach.bench/1",
                                                 "device", plc_cli_device_json(b->session->device),
                                                 "results", result));
    }
    plc_format_bytes(peak, memory, sizeof memory);
    TRY(plc_text_printf(
        cli->ctx, &text,
        "%s %s, %d x %d x %d, batch %d: %.0f images/s at best, %.0f median of %d; %.2f ms a batch, "
        "%.1f GFLOPS, %s on the device\n",
        args->kind, args->model, in.c, in.h, in.w, args->batch, b->best, b->median, args->n_repeats,
        latency_ms, gflops, memory));
    if (profile->n_items) {
        TRY(plc_text_append(cli->ctx, &text, "\n", 1));
        TRY(plc_profile_print(cli->ctx, profile, &text));
    }
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

static pleach_status run_bench(plc_cli *cli, const bench_args *args, const plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    const bool trains = strcmp(args->kind, "train") == 0;
    const pleach_session_opts opts = {.inference_only = !trains, .seed = cli->seed};
    const plc_optimizer_opts sgd = {.kind = PLC_OPTIMIZER_SGD, .nesterov = true};
    const pleach_graph *graph = model->graph;
    pleach_device *device = NULL;
    bench b = {0};
    plc_profile profile = {0};

    TRY(plc_cli_open_device(cli, args->profile, &device));
    device->profile = false; // the queue can profile; each kernel is waited for only while it does
    TRY(pleach_session_create(cli->ctx, graph, device, args->batch, &opts, &b.session));
    if (model->weights)
        TRY(plc_session_write_weights(b.session, model->weights));
    if (trains)
        TRY(plc_optimizer_create(b.session, &sgd, &b.optimizer));
    TRY(upload_noise(&b, cli->seed, graph->nodes[graph->n_nodes - 1].shape.c));
    TRY(measure(cli, &b, args->n_repeats));
    if (args->profile)
        TRY(profile_steps(cli, &b, &profile));
    TRY(print_result(cli, args, &b, &profile));
done:
    plc_profile_finish(&profile);
    plc_optimizer_destroy(&b.optimizer);
    pleach_session_destroy(&b.session);
    pleach_device_close(&device);
    return status;
}

pleach_status plc_cli_bench(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"model", KEY_MODEL, "NAME|FILE", 0, "network by name, or a model file (default resnet20)",
         1},
        {"input", KEY_INPUT, "CxHxW", 0, "image size of a network by name (default 3x32x32)", 1},
        {"classes", KEY_CLASSES, "N", 0, "classes of a network by name (default 10)", 1},
        {"batch", KEY_BATCH, "N", 0, "images per step (default 128)", 1},
        {"repeats", KEY_REPEATS, "N", 0, "measurements of about half a second (default 5)", 1},
        {"profile", KEY_PROFILE, NULL, 0, "also time each kernel, in steps of their own", 1},
        {0},
    };
    bench_args args = {
        .model = "resnet20", .input = {3, 32, 32}, .n_classes = 10, .batch = 128, .n_repeats = 5};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "train|infer",
        .doc =
            "Images per second of whole training steps, or of inference, on images that are on the "
            "device already.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    plc_model_file model = {0};

    if (argc > 1 && strcmp(argv[1], "tune") == 0)
        return plc_bench_tune(cli, argc - 1, argv + 1);
    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (!args.kind)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "what is to be measured? `pleach bench train` or `pleach bench infer`");
    TRY(plc_cli_open_model(cli, args.model, args.input, args.n_classes, &model));
    TRY(run_bench(cli, &args, &model));
done:
    plc_model_file_finish(&model);
    return status;
}
