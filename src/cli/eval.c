// `pleach eval`: a model's accuracy and loss on the test images of a data set.
#include <cli/model.h>

#include <stdlib.h>
#include <base/clock.h>
#include <base/memory.h>
#include <report/report.h>
#include <run/input.h>
#include <train/trainer.h>

enum { KEY_DATA = 1, KEY_BATCH, KEY_LIMIT, KEY_LOGITS, KEY_MEAN, KEY_STD };

typedef struct eval_args {
    const char *model, *data;
    const char *logits;     // file for them, NULL: none
    const char *mean, *std; // "": as the file or the data set has them
    int batch, limit;
} eval_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    eval_args *args = user;

    switch (key) {
    case KEY_BATCH:
        return plc_cli_int(cli, "batch", value, 1, PLC_MAX_BATCH, &args->batch);
    case KEY_LIMIT:
        return plc_cli_int(cli, "limit", value, 0, 1000000000, &args->limit);
    case KEY_LOGITS:
        args->logits = value;
        return PLEACH_OK;
    case KEY_MEAN:
        args->mean = value;
        return PLEACH_OK;
    case KEY_STD:
        args->std = value;
        return PLEACH_OK;
    default:
        args->data = value;
        return PLEACH_OK;
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    eval_args *args = user;

    if (args->model)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "one MODEL is expected, found '%s' and '%s'",
                        args->model, word);
    args->model = word;
    return PLEACH_OK;
}

static pleach_status print_result(plc_cli *cli, const eval_args *args, const pleach_device *device,
                                  const pleach_graph *graph, const plc_metrics *metrics,
                                  double seconds)
{
    pleach_status status = PLEACH_OK;
    const double accuracy = metrics->n_correct / metrics->n_images,
                 loss = metrics->loss_sum / metrics->n_images;
    double interval[2];
    plc_text text = {0};
    char macs[PLC_FORMAT_MAX], params[PLC_FORMAT_MAX];

    plc_wilson_interval(metrics->n_correct, metrics->n_images, interval);
    if (cli->json)
        return plc_cli_print_json(
            cli,
            json_pack("{s: s, s: o, s: o, s: o, s: I, s: f, s: [f, f], s: f, s: f, s: I, s: I}",
                      "schema", "pleach.eval/1", "device", plc_cli_device_json(device), "model",
                      plc_cli_json_name(args->model), "data", plc_cli_json_name(args->data),
                      "images", (json_int_t)metrics->n_images, "accuracy", accuracy, "interval",
                      interval[0], interval[1], "loss", loss, "images_per_second",
                      metrics->n_images / seconds, "macs", (json_int_t)pleach_graph_macs(graph),
                      "params", (json_int_t)pleach_graph_params(graph)));
    plc_format_count((unsigned long long)pleach_graph_macs(graph), macs, sizeof macs);
    plc_format_count((unsigned long long)pleach_graph_params(graph), params, sizeof params);
    TRY(plc_text_printf(
        cli->ctx, &text,
        "%s on %s: accuracy %.2f %% (95 %% interval %.2f..%.2f, %.0f images), loss %.4f\n"
        "%s MACs, %s parameters, %.0f images/s with reading\n",
        args->model, args->data, 100.0 * accuracy, 100.0 * interval[0], 100.0 * interval[1],
        metrics->n_images, loss, macs, params, metrics->n_images / seconds));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

static pleach_status write_logits(plc_cli *cli, const char *path, const float *logits,
                                  const size_t dims[2])
{
    pleach_status status = PLEACH_OK;
    plc_tensors tensors = {0};

    TRY(plc_tensors_add(cli->ctx, &tensors, "logits", dims, 2, logits));
    TRY(plc_tensor_file_write(cli->ctx, path, &tensors));
done:
    plc_tensors_finish(&tensors);
    return status;
}

static pleach_status evaluate(plc_cli *cli, const eval_args *args, const plc_model_file *model,
                              const pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    plc_normalisation normalisation;
    const pleach_session_opts opts = {.inference_only = true,
                                      .seed = cli->seed,
                                      .mean = normalisation.mean,
                                      .std = normalisation.std};
    pleach_device *device = NULL;
    pleach_session *session = NULL;
    plc_metrics metrics = {0};
    const size_t dims[] = {(size_t)dataset->test.n_images, (size_t)dataset->n_classes};
    float *logits = NULL;

    TRY(plc_normalisation_choose(cli->ctx, args->mean, args->std, &model->extra, dataset,
                                 &normalisation));
    TRY(plc_cli_open_device(cli, false, &device));
    TRY(plc_session_create_unset(cli->ctx, model->graph, device, args->batch, &opts, &session));
    TRY(plc_session_write_weights(session, model->weights));
    if (args->logits)
        TRY(plc_alloc(cli->ctx, dims[0] * dims[1], sizeof *logits, &logits));
    const double started = plc_clock_seconds();
    TRY(plc_evaluate_logits(session, &dataset->test, &metrics, logits));
    if (logits)
        TRY(write_logits(cli, args->logits, logits, dims));
    TRY(print_result(cli, args, device, model->graph, &metrics, plc_clock_seconds() - started));
done:
    free(logits);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
    return status;
}

pleach_status plc_cli_eval(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"data", KEY_DATA, "SET[:DIR]", 0,
         "fashion-mnist, mnist:DIR, cifar10:DIR, cifar100:DIR, folder:DIR[,OPTION...] or pack:FILE "
         "(default fashion-mnist; see `pleach data --help`)",
         1},
        {"batch", KEY_BATCH, "N", 0, "images at once (default 128)", 1},
        {"limit", KEY_LIMIT, "N", 0, "use only the first N test images (0: all)", 1},
        {"logits", KEY_LOGITS, "FILE", 0, "write the logits of every image (safetensors)", 1},
        {"mean", KEY_MEAN, "X,...", 0,
         "mean per channel of pixels from 0 to 1 (default: the model file's, else the data set's)",
         1},
        {"std", KEY_STD, "X,...", 0, "standard deviation per channel, the same", 1},
        {0},
    };
    eval_args args = {.data = "fashion-mnist", .mean = "", .std = "", .batch = 128};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "MODEL",
        .doc = "Accuracy with its 95 % interval, loss and speed of the model file MODEL on the "
               "test images of a data set.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    plc_model_file model = {0};
    pleach_dataset *dataset = NULL;

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (!args.model)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "no MODEL is given: a model file, as runs/NAME/model.safetensors");
    TRY(plc_model_file_read(cli->ctx, args.model, &model));
    TRY(pleach_dataset_open(cli->ctx, args.data, &(pleach_dataset_opts){.limit_test = args.limit},
                            &dataset));
    TRY(plc_input_check(cli->ctx, args.model, model.graph, dataset));
    TRY(evaluate(cli, &args, &model, dataset));
done:
    pleach_dataset_destroy(&dataset);
    plc_model_file_finish(&model);
    return status;
}
