// Jobs from beginning to end: train and compress.
#include <run/run.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <base/clock.h>
#include <base/memory.h>
#include <io/model_file.h>
#include <price/macs.h>

static void plan_phases(plc_run *run)
{
    const plc_phase_epochs epochs = plc_options_phases(&run->opts);

    run->phase_ends[PLC_PHASE_DENSE] = epochs.dense;
    run->phase_ends[PLC_PHASE_PRUNE] = epochs.dense + epochs.prune;
    run->phase_ends[PLC_PHASE_FADE] = epochs.dense + epochs.prune + epochs.fade;
    run->phase_ends[PLC_PHASE_TUNE] = run->opts.epochs;
}

static int phase_end(const plc_run *run)
{
    return plc_run_compresses(run) ? run->phase_ends[run->phase] : run->opts.epochs;
}

void plc_run_count_training(plc_run *run)
{
    const double now = plc_clock_seconds();

    run->train_seconds += now - run->counted;
    run->counted = now;
}

static pleach_status run_epoch(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics, calibration;

    run->epoch_started = run->counted = run->told = plc_clock_seconds();
    run->epoch_first_step = plc_trainer_position(run->trainer)->epoch_step;
    TRY(plc_trainer_run_epoch(run->trainer, &metrics));
    plc_run_count_training(run);
    const int n_steps = plc_trainer_steps_per_epoch(run->trainer) - run->epoch_first_step;
    if (n_steps > 0) // 0: it was interrupted after its last one
        run->step_seconds = (plc_clock_seconds() - run->epoch_started) / n_steps;
    TRY(plc_run_tell(run, &metrics));
    TRY(plc_evaluate_split(run->session, &run->dataset->calibration, &calibration));
    TRY(plc_run_log_epoch(run, &metrics, &calibration));
    TRY(plc_run_save(run));
done:
    return status;
}

// Trains the present network through all its phases.
static pleach_status run_network(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    while (run->phase != PLC_PHASE_DONE) {
        while (plc_trainer_position(run->trainer)->epoch < phase_end(run))
            TRY(run_epoch(run));
        TRY(plc_run_enter_phase(run));
    }
done:
    return status;
}

static pleach_status start_main(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    float *weights = NULL;

    TRY(plc_run_first_graph(run, &graph, &weights));
    TRY(plc_run_check_latency(run, graph));
    status = plc_run_start_network(run, graph, weights, run->opts.unfold);
    graph = NULL; // taken
    TRY(status);
    if (run->compress) {
        TRY(plc_run_check_plan(run, run->session->graph));
        TRY(plc_run_check_pruning(run));
        TRY(plc_run_check_teacher(run));
    }
    const plc_cost cost = plc_graph_cost(run->session->graph);
    run->dense_macs = cost.macs;
    run->dense_params = cost.params;
    TRY(plc_run_start_trainer(run, NULL));
done:
    pleach_graph_destroy(&graph);
    free(weights);
    return status;
}

static pleach_status start_control(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    float *weights = NULL;

    plc_run_finish_network(run);
    run->network++;
    run->phase = PLC_PHASE_DENSE;
    run->train_seconds = 0;
    run->n_updates = 0;
    run->n_settled = 0;
    TRY(plc_run_control_graph(run, &graph, &weights));
    TRY(plc_run_start_network(run, graph, weights, run->opts.unfold));
    TRY(plc_run_start_trainer(run, NULL));
done:
    free(weights);
    return status;
}

static const char *command_of(const plc_run *run)
{
    return run->compress ? "compress" : "train";
}

pleach_status plc_run_check_command(const plc_run *run, const char *command)
{
    if (strcmp(command, command_of(run)) == 0)
        return PLEACH_OK;
    return plc_fail(run->ctx, PLEACH_EUSAGE,
                    "'%s' is a run of another command: pleach %s --resume %s", run->directory.path,
                    command, run->directory.path);
}

static pleach_status replace_text(plc_run *run, const char *from, char **text)
{
    free(*text);
    *text = NULL;
    return plc_strdup(run->ctx, from, text);
}

pleach_status plc_run_describe_device(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_report *report = &run->report;
    const pleach_device_info *info = run->device->info;

    TRY(replace_text(run, info->name, &report->device.name));
    TRY(replace_text(run, info->platform_name, &report->device.platform));
    TRY(replace_text(run, info->driver_version, &report->device.driver));
    TRY(replace_text(run, plc_device_layout_name(run->device), &report->device.mapping));
    report->device.compute_units = info->compute_units;
    report->device.lanes = run->device->lanes;
done:
    return status;
}

static pleach_status describe_run(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_report *report = &run->report;
    plc_text chosen = {0};

    TRY(plc_strdup(run->ctx, command_of(run), &report->command));
    TRY(plc_strdup(run->ctx, run->opts.model, &report->model));
    TRY(plc_strdup(run->ctx, run->opts.data, &report->data));
    TRY(plc_options_describe(run->ctx, &run->opts, &chosen));
    TRY(plc_strdup(run->ctx, chosen.data ? chosen.data : "", &report->options));
    report->input[0] = run->dataset->channels;
    report->input[1] = run->dataset->height;
    report->input[2] = run->dataset->width;
    report->n_classes = run->dataset->n_classes;
    report->seed = run->opts.seed;
    report->epochs = run->opts.epochs;
    report->batch = run->opts.batch;
    TRY(plc_run_describe_device(run));
done:
    plc_text_finish(&chosen);
    return status;
}

void plc_run_count_totals(plc_run *run)
{
    plc_report *report = &run->report;
    const double now = plc_clock_seconds();
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    const long long host = (long long)usage.ru_maxrss * 1024;
    const long long device = (long long)run->device->peak_memory_bytes;
    if (host > report->memory.host_peak_bytes)
        report->memory.host_peak_bytes = host;
    if (device > report->memory.device_peak_bytes)
        report->memory.device_peak_bytes = device;
    report->seconds += now - run->started;
    run->started = now;
}

static pleach_status write_report(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_report *report = &run->report;
    plc_history history = {0};
    char *json = NULL, *html = NULL, *log = NULL;
    double training = 0;

    for (size_t i = 0; i < report->n_networks; i++)
        if (strcmp(report->networks[i].name, run->compress ? "fused" : "dense") == 0)
            training = report->networks[i].train_seconds;
    report->method_cost.total_seconds =
        (report->method_cost.score_ms + report->method_cost.mask_ms +
         report->method_cost.compact_ms + report->method_cost.fuse_ms) /
        1e3;
    report->method_cost.share_of_training =
        training > 0 ? report->method_cost.total_seconds / training : 0;
    plc_run_count_totals(run);
    TRY(plc_directory_file(run->ctx, &run->directory, "report.json", &json));
    TRY(plc_directory_file(run->ctx, &run->directory, "report.html", &html));
    TRY(plc_directory_file(run->ctx, &run->directory, "log.jsonl", &log));
    TRY(plc_report_write_json(run->ctx, report, json));
    TRY(plc_history_read(run->ctx, log, &history));
    const plc_report_run page = {run->directory.path, report, &history};
    TRY(plc_report_write_html(run->ctx, &page, 1, html));
done:
    plc_history_finish(&history);
    free(json);
    free(html);
    free(log);
    return status;
}

// A run records how its device stores values, and goes on only on one that stores them so.
static pleach_status take_precision(plc_run *run)
{
    const char *precision = run->device->value_bytes < (int)sizeof(float) ? "half" : "float";

    if (!run->job->resume)
        run->opts.precision = precision;
    if (strcmp(run->opts.precision, precision) == 0)
        return PLEACH_OK;
    return plc_fail(run->ctx, PLEACH_EUSAGE,
                    "'%s' was run with --precision %s and the device is open with %s; resume it "
                    "with --precision %s",
                    run->job->resume, run->opts.precision, precision, run->opts.precision);
}

// A run goes on by the command that began it, whose options they are.
static pleach_status check_command(plc_run *run)
{
    const char *command = json_string_value(json_object_get(run->config, PLC_CONFIG_COMMAND));

    return command ? plc_run_check_command(run, command) : PLEACH_OK;
}

// Options from the job, or from the directory that it resumes.
static pleach_status take_options(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const pleach_job *job = run->job;

    run->opts = job->opts;
    if (job->resume) {
        TRY(plc_directory_open(run->ctx, job->resume, &run->config, &run->directory));
        TRY(check_command(run));
        TRY(plc_options_from_json(run->ctx, run->config, &run->opts));
    }
    TRY(take_precision(run));
    TRY(plc_options_check(run->ctx, &run->opts, run->compress));
    if (!job->resume) {
        TRY(plc_directory_check_free(run->ctx, run->opts.out));
        TRY(plc_directory_check_page(run->ctx, run->opts.out));
        TRY(plc_options_to_json(run->ctx, &run->opts, &run->config));
        if (json_object_set_new(run->config, PLC_CONFIG_COMMAND, json_string(command_of(run))) != 0)
            FAIL(run->ctx, PLEACH_ENOMEM, "out of host memory for the options");
    }
done:
    return status;
}

static pleach_status open_data(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const pleach_dataset_opts opts = {.n_calibration = run->opts.calibration,
                                      .limit_train = run->opts.limit,
                                      .limit_test = run->opts.limit};

    TRY(pleach_dataset_open(run->ctx, run->opts.data, &opts, &run->dataset));
    if (run->dataset->train.n_images < run->opts.batch)
        FAIL(run->ctx, PLEACH_EUSAGE, "--batch %d is more than the %d training images",
             run->opts.batch, run->dataset->train.n_images);
    if ((long long)(run->dataset->train.n_images / run->opts.batch) * run->opts.epochs >
        INT_MAX / 4)
        FAIL(run->ctx, PLEACH_EUSAGE, "--epochs %d of %d steps are too many; use fewer",
             run->opts.epochs, run->dataset->train.n_images / run->opts.batch);
done:
    return status;
}

// A new run makes its directory last, so that wrong input leaves nothing behind.
static pleach_status open_run(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    bool found = false;

    TRY(take_options(run));
    TRY(open_data(run));
    if (run->compress)
        plan_phases(run);
    if (run->job->resume)
        TRY(plc_run_load(run, &found));
    if (found)
        goto done;
    TRY(describe_run(run));
    TRY(start_main(run));
    if (!run->job->resume)
        TRY(plc_directory_create(run->ctx, run->opts.out, run->config, &run->directory));
    if (!run->job->resume)
        TRY(plc_run_keep_given_plan(run));
done:
    return status;
}

static void close_run(plc_run *run)
{
    plc_run_finish_network(run);
    plc_latency_close(&run->latency);
    plc_report_finish(&run->report);
    pleach_dataset_destroy(&run->dataset);
    plc_directory_close(&run->directory);
    json_decref(run->config);
}

// The network that is there to its end. A control that diverges would do so again: the report does without its row.
static pleach_status finish_network(plc_run *run)
{
    const pleach_status status = run_network(run);

    if (status != PLEACH_EDIVERGED || plc_run_is_main(run))
        return status;
    plc_log(run->ctx, PLEACH_LOG_WARNING, "the control '%s' is left out: %s",
            plc_run_network_name(run), pleach_error(run->ctx));
    return PLEACH_OK;
}

static pleach_status run_job(pleach_ctx *ctx, pleach_device *device, const pleach_job *job,
                             bool compress)
{
    pleach_status status = PLEACH_OK;
    plc_run run = {.ctx = ctx,
                   .device = device,
                   .job = job,
                   .compress = compress,
                   .started = plc_clock_seconds()};

    TRY(open_run(&run));
    TRY(finish_network(&run));
    while (run.network < plc_run_n_controls(&run)) {
        TRY(start_control(&run));
        TRY(finish_network(&run));
    }
    TRY(write_report(&run));
done:
    close_run(&run);
    return status;
}

pleach_status pleach_train(pleach_ctx *ctx, pleach_device *device, const pleach_job *job)
{
    return run_job(ctx, device, job, false);
}

pleach_status pleach_compress(pleach_ctx *ctx, pleach_device *device, const pleach_job *job)
{
    return run_job(ctx, device, job, true);
}
