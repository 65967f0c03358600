// Writing checkpoints: model files that also hold the optimizer's moments and the run's state as JSON.
#include <run/checkpoint.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/model_file.h>

const char *const plc_moment_names[PLC_MAX_OPTIMIZER_ARENAS] = {"moment0", "moment1"};

static saved_numbers collect_numbers(const plc_run *run)
{
    const plc_position *at = plc_trainer_position(run->trainer);

    return (saved_numbers){
        .network = run->network,
        .phase = run->phase,
        .step = at->step,
        .epoch = at->epoch,
        .epoch_step = at->epoch_step,
        .loss_sum = at->metrics.loss_sum,
        .n_correct = at->metrics.n_correct,
        .n_images = at->metrics.n_images,
        .optimizer_steps = plc_optimizer_n_steps(run->optimizer),
        .n_updates = run->n_updates,
        .n_settled = run->n_settled,
        .train_seconds = run->train_seconds,
        .dense_macs = (double)run->dense_macs,
        .dense_params = (double)run->dense_params,
        .dense_latency_ms = run->dense_latency_ms,
        .latency_scale = run->latency_scale,
        .log_bytes = (double)plc_directory_log_bytes(&run->directory),
    };
}

// [[classes, sum of their scores], ...] per group.
static json_t *settled_to_json(const plc_run *run)
{
    json_t *groups = json_array();

    for (int g = 0; run->settled && g < plc_channels_n_groups(run->channels); g++)
        if (json_array_append_new(groups, json_pack("[i,f]", run->settled[g].n_classes,
                                                    run->settled[g].scores)) != 0) {
            json_decref(groups);
            return NULL;
        }
    return groups;
}

static pleach_status state_to_text(plc_run *run, char **text)
{
    const saved_numbers numbers = collect_numbers(run);
    json_t *state = json_object();
    int failed = json_object_set_new(state, "mask", plc_run_class_digits(run, run->mask));

    failed |= json_object_set_new(state, "pruned_for", plc_run_class_digits(run, run->pruned_for));
    failed |= json_object_set_new(state, "settled", settled_to_json(run));
    if (run->dropping)
        failed |= json_object_set_new(state, "dropping", json_string(run->dropping));
#define X(name) failed |= json_object_set_new(state, #name, json_real(numbers.name));
    STATE_NUMBERS(X)
#undef X
    *text = failed ? NULL : json_dumps(state, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(state);
    if (*text == NULL)
        return plc_fail(run->ctx, PLEACH_ENOMEM, "out of host memory for the checkpoint's state");
    return PLEACH_OK;
}

static pleach_status add_moments(plc_run *run, plc_tensors *extra, float **moments)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)run->session->layout->n_trainable;

    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++) {
        if (run->session->moments[i] == NULL)
            continue;
        TRY(plc_alloc(run->ctx, n, sizeof **moments, &moments[i]));
        TRY(plc_buffer_read(run->device, run->session->moments[i], 0, n * sizeof **moments,
                            moments[i]));
        TRY(plc_tensors_add(run->ctx, extra, plc_moment_names[i], &n, 1, moments[i]));
    }
done:
    return status;
}

// Means over steps that the next mask update reads.
static pleach_status add_means(plc_run *run, plc_tensors *extra, float **means)
{
    pleach_status status = PLEACH_OK;

    if (run->scorer == NULL || !plc_scorer_observes(run->scorer))
        return PLEACH_OK;
    const size_t n = (size_t)plc_channels_n_classes(run->channels);
    TRY(plc_alloc(run->ctx, n, sizeof **means, means));
    TRY(plc_scorer_read_means(run->scorer, *means));
    TRY(plc_tensors_add(run->ctx, extra, MEANS_NAME, &n, 1, *means));
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
        const float *values = i == 0 ? run->normalisation.mean : run->normalisation.std;
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
    float *means = NULL;
    char *state = NULL, *report = NULL;

    TRY(plc_trainer_sync(run->trainer));
    plc_run_count_totals(run);
    TRY(add_data(run, &extra));
    TRY(add_moments(run, &extra, moments));
    TRY(add_means(run, &extra, &means));
    TRY(state_to_text(run, &state));
    TRY(plc_tensors_set_metadata(run->ctx, &extra, "state", state));
    TRY(plc_report_to_json(run->ctx, &run->report, &report));
    TRY(plc_tensors_set_metadata(run->ctx, &extra, "report", report));
    TRY(write_session(run, run->session, CHECKPOINT_FILE, &extra));
done:
    free(report);
    free(state);
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++)
        free(moments[i]);
    free(means);
    plc_tensors_finish(&extra);
    return status;
}
