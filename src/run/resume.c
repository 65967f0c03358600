// Reading checkpoints: a run goes on with what run/checkpoint.c has written.
#include <run/checkpoint.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/model_file.h>

// Far below what an int holds, so that sums of two still are ints.
static bool is_count(double number)
{
    return number >= 0 && number <= INT_MAX / 4;
}

static pleach_status read_numbers(plc_run *run, const json_t *state, saved_numbers *numbers)
{
    const char *missing = NULL;

#define X(name)                                                                                    \
    numbers->name = json_number_value(json_object_get(state, #name));                              \
    if (!json_is_number(json_object_get(state, #name)))                                            \
        missing = #name;
    STATE_NUMBERS(X)
#undef X
    if (missing)
        return plc_fail(run->ctx, PLEACH_EINPUT, "checkpoint state: no number '%s'", missing);
    const bool fits = numbers->network >= 0 && numbers->network <= plc_run_n_controls(run) &&
                      numbers->phase >= 0 && numbers->phase <= PLC_PHASE_DONE &&
                      numbers->step >= 0 && numbers->step <= INT_MAX && numbers->epoch >= 0 &&
                      numbers->epoch <= run->opts.epochs && numbers->epoch_step >= 0 &&
                      numbers->epoch_step <= INT_MAX && is_count(numbers->optimizer_steps) &&
                      is_count(numbers->n_updates) && is_count(numbers->n_settled) &&
                      numbers->dense_macs >= 1 && numbers->dense_macs < 1e18 &&
                      numbers->dense_params >= 1 && numbers->dense_params < 1e18;
    if (!fits)
        return plc_fail(run->ctx, PLEACH_EINPUT,
                        "checkpoint state: network %g, phase %g, epoch %g, step %g are no position "
                        "of this job",
                        numbers->network, numbers->phase, numbers->epoch, numbers->epoch_step);
    return PLEACH_OK;
}

static pleach_status restore_numbers(plc_run *run, const json_t *state,
                                     const saved_numbers *numbers)
{
    const char *dropping = json_string_value(json_object_get(state, "dropping"));

    run->network = (int)numbers->network;
    run->phase = (plc_phase)numbers->phase;
    run->n_updates = (unsigned)numbers->n_updates;
    run->n_settled = (int)numbers->n_settled;
    run->train_seconds = numbers->train_seconds;
    run->dense_macs = (long long)numbers->dense_macs;
    run->dense_params = (long long)numbers->dense_params;
    run->dense_latency_ms = numbers->dense_latency_ms;
    run->latency_scale = numbers->latency_scale;
    return dropping ? plc_strdup(run->ctx, dropping, &run->dropping) : PLEACH_OK;
}

static pleach_status restore_digits(plc_run *run, const json_t *state, const char *name, char most,
                                    unsigned char *values)
{
    const char *text = json_string_value(json_object_get(state, name));
    const size_t n = (size_t)plc_channels_n_classes(run->channels);

    if (text == NULL || strlen(text) != n)
        return plc_fail(run->ctx, PLEACH_EINPUT,
                        "checkpoint state: '%s' of %zu classes, the network has %zu", name,
                        text ? strlen(text) : 0, n);
    for (size_t k = 0; k < n; k++) {
        if (text[k] < '0' || text[k] > most)
            return plc_fail(run->ctx, PLEACH_EINPUT,
                            "checkpoint state: '%s' has a '%c' for class %zu", name, text[k], k);
        values[k] = (unsigned char)(text[k] - '0');
    }
    return PLEACH_OK;
}

static pleach_status restore_settled(plc_run *run, const json_t *state)
{
    const json_t *groups = json_object_get(state, "settled");
    const size_t n = (size_t)plc_channels_n_groups(run->channels);

    if (json_array_size(groups) != n)
        return plc_fail(run->ctx, PLEACH_EINPUT,
                        "checkpoint state: 'settled' of %zu groups, the network has %zu",
                        json_array_size(groups), n);
    for (size_t g = 0; g < n; g++) {
        const json_t *group = json_array_get(groups, g);
        const json_int_t count = json_integer_value(json_array_get(group, 0));
        const double scores = json_number_value(json_array_get(group, 1));
        if (count < 0 || count > run->n_settled || !(scores >= 0) || isinf(scores))
            return plc_fail(run->ctx, PLEACH_EINPUT,
                            "checkpoint state: 'settled' has %" JSON_INTEGER_FORMAT
                            " classes with a score of %g for group %zu; %d are settled in all",
                            count, scores, g, run->n_settled);
        run->settled[g] = (plc_settled){(int)count, scores};
    }
    return PLEACH_OK;
}

static pleach_status restore_mask(plc_run *run, const json_t *state)
{
    pleach_status status = PLEACH_OK;

    TRY(restore_digits(run, state, "mask", '1', run->mask));
    TRY(restore_digits(run, state, "pruned_for", '0' + PLC_RUN_MAX_SETTLE, run->pruned_for));
    TRY(restore_settled(run, state));
    if (strcmp(run->opts.recover, "soft") != 0)
        TRY(plc_run_set_masks(run));
done:
    return status;
}

static pleach_status restore_moments(plc_run *run, const plc_tensors *extra)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++) {
        const plc_named_tensor *moment = plc_tensors_find(extra, plc_moment_names[i]);
        if (run->session->moments[i] == NULL)
            continue;
        if (moment == NULL || moment->count != (size_t)run->session->layout->n_trainable)
            FAIL(run->ctx, PLEACH_EINPUT, "checkpoint: no optimizer state '%s' of %d floats",
                 plc_moment_names[i], run->session->layout->n_trainable);
        TRY(plc_buffer_write(run->device, run->session->moments[i], 0,
                             moment->count * sizeof(float), moment->data));
    }
done:
    return status;
}

static pleach_status restore_means(plc_run *run, const plc_tensors *extra)
{
    const plc_named_tensor *means = plc_tensors_find(extra, MEANS_NAME);
    const int n = plc_channels_n_classes(run->channels);

    if (!plc_scorer_observes(run->scorer))
        return PLEACH_OK;
    if (means == NULL || means->count != (size_t)n)
        return plc_fail(run->ctx, PLEACH_EINPUT, "checkpoint: no '%s' of %d floats", MEANS_NAME, n);
    return plc_scorer_write_means(run->scorer, means->data);
}

// Session, trainer and the phase's own objects, from a file that has been read.
static pleach_status restore(plc_run *run, plc_model_file *file, const json_t *state)
{
    pleach_status status = PLEACH_OK;
    saved_numbers numbers;
    pleach_graph *graph = file->graph;

    TRY(read_numbers(run, state, &numbers));
    TRY(restore_numbers(run, state, &numbers));
    const plc_position at = {
        .step = (unsigned)numbers.step,
        .epoch = (int)numbers.epoch,
        .epoch_step = (int)numbers.epoch_step,
        .metrics = {numbers.loss_sum, numbers.n_correct, numbers.n_images},
    };
    TRY(plc_input_check(run->ctx, CHECKPOINT_FILE, graph, run->dataset));
    TRY(plc_run_normalise(run, &file->extra));
    file->graph = NULL; // taken
    TRY(plc_run_start_network(run, graph, file->weights, false));
    TRY(restore_moments(run, &file->extra));
    plc_optimizer_set_n_steps(run->optimizer, (unsigned)numbers.optimizer_steps);
    TRY(plc_run_restore_teacher(run));
    TRY(plc_run_start_trainer(run, &at));
    if (run->phase == PLC_PHASE_PRUNE) {
        TRY(plc_run_start_pruning(run));
        TRY(restore_mask(run, state));
        TRY(restore_means(run, &file->extra));
    }
    if (run->phase == PLC_PHASE_FADE) {
        TRY(plc_run_start_fading(run));
        TRY(plc_run_fade(run));
    }
    TRY(plc_directory_truncate_log(run->ctx, &run->directory, (long)numbers.log_bytes));
done:
    return status;
}

// Another device, of other compute units (by which sums are split), or other lanes: the run goes on, but not to the bits that it would have come to.
static pleach_status check_device(plc_run *run)
{
    const plc_report *report = &run->report;
    const char *layout = plc_device_layout_name(run->device);
    const bool same = report->device.name && report->device.mapping &&
                      strcmp(report->device.name, run->device->info->name) == 0 &&
                      strcmp(report->device.mapping, layout) == 0 &&
                      (report->device.compute_units == 0 ||
                       report->device.compute_units == run->device->info->compute_units) &&
                      report->device.lanes == run->device->lanes;

    if (same)
        return plc_run_describe_device(run);
    plc_log(
        run->ctx, PLEACH_LOG_WARNING,
        "'%s' was begun on %s (%d compute units, %d lanes, %s) and goes on on %s (%d, %d, %s): its "
        "last bits will not be those of an uninterrupted run",
        run->directory.path, report->device.name ? report->device.name : "?",
        report->device.compute_units, report->device.lanes,
        report->device.mapping ? report->device.mapping : "?", run->device->info->name,
        run->device->info->compute_units, run->device->lanes, layout);
    return plc_run_describe_device(run);
}

pleach_status plc_run_load(plc_run *run, bool *found)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;
    plc_model_file file = {0};
    json_t *state = NULL;
    json_error_t error;

    TRY(plc_directory_file(run->ctx, &run->directory, CHECKPOINT_FILE, &path));
    *found = plc_file_exists(path);
    if (!*found) {
        TRY(plc_directory_truncate_log(run->ctx, &run->directory, 0));
        goto done;
    }
    TRY(plc_model_file_read(run->ctx, path, &file));
    const char *text = plc_tensors_metadata(&file.extra, "state");
    const char *report = plc_tensors_metadata(&file.extra, "report");
    if (text == NULL || report == NULL)
        FAIL(run->ctx, PLEACH_EINPUT, "%s is a model, not a checkpoint: it has no state", path);
    TRY(plc_report_from_json(run->ctx, report, strlen(report), path, &run->report));
    TRY(plc_run_check_command(run, run->report.command ? run->report.command : "?"));
    TRY(check_device(run));
    state = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (state == NULL)
        FAIL(run->ctx, PLEACH_EINPUT, "%s: state: %s", path, error.text);
    TRY(restore(run, &file, state));
done:
    json_decref(state);
    plc_model_file_finish(&file);
    free(path);
    return status;
}
