// What a job says while it runs: lines of log.jsonl, and the progress callback.
#include <run/run.h>

#include <math.h>
#include <base/clock.h>
#include <price/macs.h>

// Reading the loss drains the queue, so it is read only now and then.
static const double SECONDS_BETWEEN_TELLS = 0.5;

const char *plc_phase_name(plc_phase phase)
{
    static const char *const names[] = {"dense", "prune", "fade", "tune", "done"};

    return names[phase];
}

pleach_status plc_run_log_event(plc_run *run, const char *event, json_t *fields)
{
    if (fields == NULL || json_object_set_new(fields, "event", json_string(event)) != 0 ||
        json_object_set_new(fields, "network", json_string(plc_run_network_name(run))) != 0) {
        json_decref(fields);
        return plc_fail(run->ctx, PLEACH_ENOMEM, "out of host memory for a line of log.jsonl");
    }
    return plc_directory_log(run->ctx, &run->directory, fields);
}

// Shares of the dense network that the present one costs; masks count as if compacted.
static void kept_shares(const plc_run *run, double *macs, double *params)
{
    plc_cost cost = plc_graph_cost(run->session->graph);

    if (run->mask && run->channels)
        plc_masked_cost(run->ctx, run->session->graph, run->channels, run->mask, &cost);
    *macs = (double)cost.macs / (double)run->dense_macs;
    *params = (double)cost.params / (double)run->dense_params;
}

static void fill_rates(const plc_run *run, const plc_position *position, double seconds,
                       pleach_progress *progress)
{
    const int n_steps = progress->n_steps;
    const double left =
        (double)(run->opts.epochs - position->epoch) * n_steps - position->epoch_step;
    const int n_done = position->epoch_step - run->epoch_first_step;
    const double step_seconds = n_done > 0 ? seconds / n_done : run->step_seconds;

    progress->images_per_second = step_seconds > 0 ? run->opts.batch / step_seconds : 0;
    progress->seconds_left = left * step_seconds;
}

pleach_status plc_run_tell(plc_run *run, const plc_metrics *epoch_metrics)
{
    pleach_status status = PLEACH_OK;
    const double now = plc_clock_seconds();

    if (run->job->progress == NULL || (!epoch_metrics && now - run->told < SECONDS_BETWEEN_TELLS))
        return PLEACH_OK;
    run->told = now;
    if (!epoch_metrics)
        TRY(plc_trainer_sync(run->trainer));
    const plc_position *position = plc_trainer_position(run->trainer);
    const plc_metrics *metrics = epoch_metrics ? epoch_metrics : &position->metrics;
    pleach_progress progress = {
        .device = run->device->info->name,
        .network = plc_run_network_name(run),
        .phase = plc_phase_name(run->phase),
        .epoch = position->epoch + (epoch_metrics ? 0 : 1),
        .n_epochs = run->opts.epochs,
        .step = epoch_metrics ? plc_trainer_steps_per_epoch(run->trainer) : position->epoch_step,
        .n_steps = plc_trainer_steps_per_epoch(run->trainer),
        .loss = metrics->n_images > 0 ? metrics->loss_sum / metrics->n_images : 0,
        .accuracy = metrics->n_images > 0 ? metrics->n_correct / metrics->n_images : 0,
        .epoch_done = epoch_metrics != NULL,
    };
    fill_rates(run, position, now - run->epoch_started, &progress);
    kept_shares(run, &progress.macs_kept, &progress.params_kept);
    run->job->progress(run->job->user, &progress);
done:
    return status;
}

pleach_status plc_run_log_epoch(plc_run *run, const plc_metrics *metrics,
                                const plc_metrics *calibration)
{
    pleach_status status = PLEACH_OK;
    const plc_position *position = plc_trainer_position(run->trainer);
    const double seconds = plc_clock_seconds() - run->epoch_started;
    const plc_schedule schedule = *plc_trainer_schedule(run->trainer);
    // Of this process: a resumed one has not seen the epoch's first ones.
    const double n_images = metrics->n_images - (double)run->epoch_first_step * run->opts.batch;
    float rate, momentum;
    double macs, params;

    if (!isfinite(calibration->loss_sum))
        FAIL(run->ctx, PLEACH_EDIVERGED, "the loss on calibration images is %g",
             calibration->loss_sum);
    plc_schedule_at(&schedule, position->step - 1, &rate, &momentum);
    kept_shares(run, &macs, &params);
    TRY(plc_run_log_event(
        run, "epoch",
        json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "phase", plc_phase_name(run->phase),
                  "epoch", position->epoch, "loss", metrics->loss_sum / metrics->n_images,
                  "train_accuracy", metrics->n_correct / metrics->n_images, "calibration_accuracy",
                  calibration->n_correct / calibration->n_images, "images_per_second",
                  n_images / seconds, "learning_rate", (double)rate, "macs_kept", macs,
                  "params_kept", params, "seconds", seconds)));
done:
    return status;
}
