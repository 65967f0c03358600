// A row of the report: accuracy on the test images, size, and measured inference.
#include <run/run.h>

#include <math.h>
#include <base/clock.h>
#include <price/macs.h>
#include <price/workload.h>

enum { WARM_UPS = 2, REPEATS = 9 };

// Median seconds of one batch of inference.
static pleach_status time_inference(pleach_session *session, double *seconds)
{
    pleach_status status = PLEACH_OK;
    double times[REPEATS];

    for (int i = -WARM_UPS; i < REPEATS; i++) {
        TRY(plc_device_finish(session->device));
        const double begin = plc_clock_seconds();
        TRY(plc_session_infer_only(session));
        TRY(plc_device_finish(session->device));
        if (i >= 0)
            times[i] = plc_clock_seconds() - begin;
    }
    *seconds = plc_quantile(times, REPEATS, 0.5);
done:
    return status;
}

pleach_status plc_run_measure(plc_run *run, const char *name, pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics;
    double seconds = 0;
    plc_report_network *row = NULL;

    TRY(plc_evaluate_split(session, &run->dataset->test, &metrics));
    if (!isfinite(metrics.loss_sum))
        FAIL(run->ctx, PLEACH_EDIVERGED, "the loss of the %s network on test images is %g", name,
             metrics.loss_sum);
    TRY(time_inference(session, &seconds));
    TRY(plc_report_add_network(run->ctx, &run->report, name, &row));
    const plc_cost cost = plc_graph_cost(session->graph);
    row->accuracy = metrics.n_correct / metrics.n_images;
    row->loss = metrics.loss_sum / metrics.n_images;
    plc_wilson_interval(metrics.n_correct, metrics.n_images, row->interval);
    row->macs = cost.macs;
    row->params = cost.params;
    row->conv_layers = plc_graph_count_op(session->graph, "conv");
    row->latency_ms = seconds * 1e3;
    row->latency_batch = session->batch;
    row->images_per_second = session->batch / seconds;
    if (plc_run_has_latency(run)) {
        row->inference_batch = run->opts.latency_batch;
        TRY(plc_run_measure_latency(run, session->graph, false, &row->inference_ms));
    }
    row->train_seconds = run->train_seconds;
    row->epochs = plc_trainer_position(run->trainer)->epoch;
    TRY(plc_run_log_event(run, "network",
                          json_pack("{s:s,s:f,s:f,s:I,s:I}", "name", name, "accuracy",
                                    row->accuracy, "loss", row->loss, "macs", (json_int_t)row->macs,
                                    "params", (json_int_t)row->params)));
done:
    return status;
}
