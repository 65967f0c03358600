// Checkpoints: a model file that also holds the optimizer's moments and the run's state as JSON.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/model_file.h>

static const char *const moment_names[PLC_MAX_OPTIMIZER_ARENAS] = {"moment0", "moment1"};

static json_t *mask_text(const plc_run *run)
{
    if (run->mask == NULL)
        return json_null();
    const int n = plc_channels_n_classes(run->channels);
    char *text = malloc((size_t)n + 1);
    if (text == NULL)
        return NULL;
    for (int k = 0; k < n; k++)
        text[k] = run->mask[k] ? '1' : '0';
    json_t *json = json_stringn(text, (size_t)n);
    free(text);
    return json;
}

static pleach_status state_to_text(plc_run *run, char **text)
{
    pleach_status status = PLEACH_OK;
    const plc_position *at = plc_trainer_position(run->trainer);
    json_t *state = json_pack(
        "{s:i,s:i,s:I,s:i,s:i,s:f,s:f,s:f,s:I,s:I,s:f,s:I,s:I,s:I,s:o,s:s?}", "network", run->network, "phase",
        (int)run->phase, "step", (json_int_t)at->step, "epoch", at->epoch, "epoch_step", at->epoch_step,
        "loss_sum", at->metrics.loss_sum, "n_correct", at->metrics.n_correct, "n_images", at->metrics.n_images,
        "optimizer_steps", (json_int_t)plc_optimizer_n_steps(run->optimizer), "n_updates",
        (json_int_t)run->n_updates, "train_seconds", run->train_seconds, "dense_macs",
        (json_int_t)run->dense_macs, "dense_params", (json_int_t)run->dense_params, "log_bytes",
        (json_int_t)plc_directory_log_bytes(&run->directory), "mask", mask_text(run), "dropping", run->dropping);

    *text = state ? json_dumps(state, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(state);
    if (*text == NULL)
        status = plc_fail(run->ctx, PLEACH_ENOMEM, "out of host memory for the checkpoint's state");
    return status;
}

static pleach_status add_moments(plc_run *run, plc_tensors *extra, float **moments)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)run->session->layout->n_trainable;

    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++) {
        if (run->session->moments[i] == NULL)
            continue;
        TRY(plc_alloc(run->ctx, n, sizeof **moments, &moments[i]));
        TRY(plc_buffer_read(run->device, run->session->moments[i], 0, n * sizeof **moments, moments[i]));
        TRY(plc_tensors_add(run->ctx, extra, moment_names[i], &n, 1, moments[i]));
    }
done:
    return status;
}

static pleach_status write_session(plc_run *run, pleach_session *session, const char *name,
                                   const plc_tensors *extra)
{
    pleach_status status = PLEACH_OK;
    float *weights = NULL;
    char *path = NULL;

    TRY(plc_alloc(run->ctx, (size_t)session->layout->n_floats, sizeof *weights, &weights));
    TRY(plc_session_read_weights(session, weights));
    TRY(plc_directory_file(run->ctx, &run->directory, name, &path));
    TRY(plc_model_file_write(run->ctx, path, session->graph, session->layout, weights, extra));
done:
    free(path);
    free(weights);
    return status;
}

// The data set and its normalisation travel with a model: who uses it needs them.
static pleach_status add_data(plc_run *run, plc_tensors *extra)
{
    pleach_status status = PLEACH_OK;
    const pleach_dataset *data = run->dataset;
    plc_text text = {0};

    TRY(plc_tensors_set_metadata(run->ctx, extra, "data", data->name));
    for (int i = 0; i < 2; i++) {
        const float *values = i == 0 ? data->mean : data->deviation;
        for (int c = 0; c < data->channels; c++)
            TRY(plc_text_printf(run->ctx, &text, "%s%.9g", c ? "," : "", (double)values[c]));
        TRY(plc_tensors_set_metadata(run->ctx, extra, i == 0 ? "mean" : "std", text.data));
        plc_text_finish(&text);
    }
done:
    plc_text_finish(&text);
    return status;
}

pleach_status plc_run_write_model(plc_run *run, pleach_session *session, const char *name)
{
    pleach_status status = PLEACH_OK;
    plc_tensors extra = {0};

    TRY(add_data(run, &extra));
    TRY(write_session(run, session, name, &extra));
done:
    plc_tensors_finish(&extra);
    return status;
}

pleach_status plc_run_save(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_tensors extra = {0};
    float *moments[PLC_MAX_OPTIMIZER_ARENAS] = {NULL};
    char *state = NULL, *report = NULL;

    TRY(plc_trainer_sync(run->trainer));
    TRY(add_data(run, &extra));
    TRY(add_moments(run, &extra, moments));
    TRY(state_to_text(run, &state));
    TRY(plc_tensors_set_metadata(run->ctx, &extra, "state", state));
    TRY(plc_report_to_json(run->ctx, &run->report, &report));
    TRY(plc_tensors_set_metadata(run->ctx, &extra, "report", report));
    TRY(write_session(run, run->session, "checkpoint.safetensors", &extra));
done:
    free(report);
    free(state);
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++)
        free(moments[i]);
    plc_tensors_finish(&extra);
    return status;
}

// Numbers of the state; *at receives the trainer's position, *optimizer_steps and *log_bytes the rest.
static pleach_status read_state(plc_run *run, const json_t *state, plc_position *at, long long *optimizer_steps,
                                long long *log_bytes, const char **mask)
{
    json_error_t error;
    json_int_t step, steps, updates, macs, params, bytes;
    int phase;
    const char *dropping = NULL;

    if (json_unpack_ex((json_t *)state, &error, 0,
                       "{s:i,s:i,s:I,s:i,s:i,s:F,s:F,s:F,s:I,s:I,s:F,s:I,s:I,s:I}", "network",
                       &run->network, "phase", &phase, "step", &step, "epoch", &at->epoch, "epoch_step",
                       &at->epoch_step, "loss_sum", &at->metrics.loss_sum, "n_correct", &at->metrics.n_correct,
                       "n_images", &at->metrics.n_images, "optimizer_steps", &steps, "n_updates", &updates,
                       "train_seconds", &run->train_seconds, "dense_macs", &macs, "dense_params", &params,
                       "log_bytes", &bytes) != 0)
        return plc_fail(run->ctx, PLEACH_EINPUT, "checkpoint state: %s", error.text);
    if (phase < 0 || phase > PLC_PHASE_DONE || at->epoch < 0 || at->epoch > run->opts.epochs || at->epoch_step < 0)
        return plc_fail(run->ctx, PLEACH_EINPUT, "checkpoint state: phase %d, epoch %d, step %d are no position of this job",
                        phase, at->epoch, at->epoch_step);
    run->phase = (plc_phase)phase;
    at->step = (unsigned)step;
    run->n_updates = (unsigned)updates;
    run->dense_macs = macs;
    run->dense_params = params;
    *optimizer_steps = steps;
    *log_bytes = bytes;
    *mask = json_string_value(json_object_get(state, "mask"));
    dropping = json_string_value(json_object_get(state, "dropping"));
    return dropping ? plc_strdup(run->ctx, dropping, &run->dropping) : PLEACH_OK;
}

static pleach_status restore_mask(plc_run *run, const char *text)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)plc_channels_n_classes(run->channels);

    if (text == NULL || strlen(text) != n)
        FAIL(run->ctx, PLEACH_EINPUT, "checkpoint state: a mask of %zu classes, the network has %zu",
             text ? strlen(text) : 0, n);
    for (size_t k = 0; k < n; k++)
        run->mask[k] = text[k] == '1';
    if (strcmp(run->opts.recover, "soft") != 0)
        TRY(plc_pruner_set_masks(run->pruner, run->mask));
done:
    return status;
}

static pleach_status restore_moments(plc_run *run, const plc_tensors *extra)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++) {
        const plc_named_tensor *moment = plc_tensors_find(extra, moment_names[i]);
        if (run->session->moments[i] == NULL)
            continue;
        if (moment == NULL || moment->count != (size_t)run->session->layout->n_trainable)
            FAIL(run->ctx, PLEACH_EINPUT, "checkpoint: no optimizer state '%s' of %d floats", moment_names[i],
                 run->session->layout->n_trainable);
        TRY(plc_buffer_write(run->device, run->session->moments[i], 0, moment->count * sizeof(float), moment->data));
    }
done:
    return status;
}

// Session, trainer and the phase's own objects, from a file that has been read.
static pleach_status restore(plc_run *run, plc_model_file *file, const json_t *state)
{
    pleach_status status = PLEACH_OK;
    plc_position at = {0};
    long long optimizer_steps = 0, log_bytes = 0;
    const char *mask = NULL;
    pleach_graph *graph = file->graph;

    TRY(read_state(run, state, &at, &optimizer_steps, &log_bytes, &mask));
    file->graph = NULL; // taken
    TRY(plc_run_start_network(run, graph, file->weights));
    TRY(restore_moments(run, &file->extra));
    plc_optimizer_set_n_steps(run->optimizer, (unsigned)optimizer_steps);
    TRY(plc_run_start_trainer(run, &at));
    if (run->phase == PLC_PHASE_PRUNE) {
        TRY(plc_run_start_pruning(run));
        TRY(restore_mask(run, mask));
    }
    if (run->phase == PLC_PHASE_FADE) {
        TRY(plc_run_start_fading(run));
        TRY(plc_run_fade(run));
    }
    TRY(plc_directory_truncate_log(run->ctx, &run->directory, (long)log_bytes));
done:
    return status;
}

pleach_status plc_run_load(plc_run *run, bool *found)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;
    plc_model_file file = {0};
    json_t *state = NULL;
    json_error_t error;

    TRY(plc_directory_file(run->ctx, &run->directory, "checkpoint.safetensors", &path));
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
