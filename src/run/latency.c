// The target of --latency: what the table of latencies predicts, put right by measuring whole networks.
//
// Measured times are no function of the seed, so what they decide is state: the dense network's latency and the
// scale, measured over predicted, with which the table is read. Both stand in the checkpoint and in the log.
#include <run/run.h>

#include <math.h>
#include <stdlib.h>
#include <base/memory.h>
#include <rewrite/compact.h>

// From this share of the ramp on, each update measures the network that it has chosen: seven eighths of the way to
// the target then lie behind.
static const double MEASURE_FROM = 0.5;

// At the ramp's end the choice is measured and made anew until it is this near the target, or so many times.
static const double NEAR = 0.02;
enum { MOST_ROUNDS = 6 };

// Until then the ramp aims this much above: a network that was measured slower than it is would be pruned too far, and
// what has settled cannot come back.
static const double SLACK = 0.03;

bool plc_run_has_latency(const plc_run *run)
{
    return run->compress && run->opts.latency > 0;
}

static pleach_status open_table(plc_run *run)
{
    return run->latency ? PLEACH_OK
                        : plc_latency_open(run->device, run->opts.latency_batch, &run->latency);
}

pleach_status plc_run_price(void *user, const pleach_graph *graph, const plc_channels *channels,
                            const unsigned char *mask, double *ms)
{
    pleach_status status = PLEACH_OK;
    plc_run *run = user;

    TRY(open_table(run));
    TRY(plc_latency_of_graph(run->latency, graph, channels, mask, ms));
    *ms *= run->latency_scale > 0 ? run->latency_scale : 1;
done:
    return status;
}

pleach_status plc_run_measure_latency(plc_run *run, const pleach_graph *graph, bool roughly,
                                      double *ms)
{
    pleach_status status = PLEACH_OK;

    TRY(open_table(run));
    TRY(plc_latency_measure(run->latency, graph, roughly, ms));
done:
    return status;
}

// Measures the graph compacted to `mask`; the table is read with its scale from then on. Smaller networks fit
// into caches where the table cannot know it, so their scale is smaller: the geometric mean with the scale so far keeps the
// choices from swinging about the target.
static pleach_status measure_masked(plc_run *run, const pleach_graph *graph,
                                    const plc_channels *channels, const unsigned char *mask,
                                    bool roughly, double *ms)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *compacted = NULL;
    plc_edits *edits = NULL;
    double predicted = 0;

    TRY(plc_compact_describe(run->ctx, graph, channels, mask, &compacted, &edits));
    TRY(plc_run_measure_latency(run, compacted, roughly, ms));
    TRY(plc_run_price(run, graph, channels, mask, &predicted));
    run->latency_scale *= sqrt(*ms / predicted);
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&compacted);
    return status;
}

pleach_status plc_run_measure_dense(plc_run *run, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    double predicted = 0;

    if (!plc_run_has_latency(run))
        return status;
    TRY(plc_run_measure_latency(run, graph, true, &run->dense_latency_ms));
    run->latency_scale = 0;
    TRY(plc_run_price(run, graph, NULL, NULL, &predicted));
    run->latency_scale = run->dense_latency_ms / predicted;
done:
    return status;
}

// The network of which pruning leaves the least, as the options allow it.
static pleach_status measure_least(plc_run *run, const pleach_graph *graph, double *ms)
{
    pleach_status status = PLEACH_OK;
    plc_channels *channels = NULL;
    plc_selection selection = {0};

    TRY(plc_channels_create(run->ctx, graph, &channels));
    TRY(plc_run_select_least(run, graph, channels, &selection));
    TRY(measure_masked(run, graph, channels, selection.mask, true, ms));
done:
    plc_selection_finish(&selection);
    plc_channels_destroy(&channels);
    return status;
}

pleach_status plc_run_check_latency(plc_run *run, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    const pleach_run_opts *o = &run->opts;
    double least = 0;

    if (!plc_run_has_latency(run))
        return status;
    TRY(plc_run_measure_dense(run, graph));
    const double scale = run->latency_scale;
    if (o->latency >= run->dense_latency_ms) {
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--latency %g: '%s' takes %.4g ms at batch %d before anything is pruned; for its "
                "sake nothing will be",
                o->latency, graph->name, run->dense_latency_ms, o->latency_batch);
        return status;
    }
    TRY(measure_least(run, graph, &least));
    run->latency_scale = scale;
    if (least > o->latency)
        FAIL(run->ctx, PLEACH_EUSAGE,
             "--latency %g cannot be reached: '%s' takes %.4g ms at batch %d, and with all pruned "
             "that --min-channels %d, --round-to %d, --max-ratio %g and --keep allow %.4g ms; give "
             "more than that, or a smaller network",
             o->latency, graph->name, run->dense_latency_ms, o->latency_batch, o->min_channels,
             o->round_to, o->max_ratio, least);
done:
    return status;
}

// Share of the dense latency that --latency leaves; 1 or more: nothing is asked.
static double target_share(const plc_run *run)
{
    return run->opts.latency / run->dense_latency_ms;
}

// The share that the ramp leaves at an update.
static double ramp_share(const plc_run *run, double progress)
{
    const double share = plc_run_ramp(target_share(run), progress);

    return progress < 1 ? fmin(share * (1 + SLACK), 1) : share;
}

static pleach_status log_latency(plc_run *run, double predicted, double measured, double allowed)
{
    return plc_run_log_event(run, "latency",
                             json_pack("{s:i,s:f,s:f,s:f,s:f}", "update", (int)run->n_updates,
                                       "predicted_ms", predicted, "measured_ms", measured,
                                       "allowed_ms", allowed, "scale", run->latency_scale));
}

// Whether a network of which `predicted` was expected and `measured` found is near enough to what is allowed.
// Another budget may want less than this one: then there is nothing to come nearer to.
static bool is_near(double predicted, double measured, double allowed)
{
    const bool bound = predicted > allowed * (1 - NEAR);

    return measured <= allowed * (1 + NEAR) && (measured >= allowed * (1 - NEAR) || !bound);
}

// Of two choices that are not near the better one: within the target rather than above it, then the nearer.
static bool is_better(double measured, double than, double allowed)
{
    const bool fits = measured <= allowed * (1 + NEAR), that_fits = than <= allowed * (1 + NEAR);

    return fits != that_fits ? fits : fits ? measured > than : measured < than;
}

// Chooses and measures until the choice is near the target; keeps the best one.
static pleach_status approach(plc_run *run, float *scores, double progress, double allowed,
                              plc_selection *best, double *best_ms)
{
    pleach_status status = PLEACH_OK;
    const int most = progress < 1 ? 1 : MOST_ROUNDS;
    plc_selection trial = {0};
    double ms = 0;
    bool near = false;

    for (int round = 0; round < most && !near; round++) {
        TRY(plc_run_choose(run, scores, progress, &trial));
        const double predicted = trial.latency_ms;
        TRY(measure_masked(run, run->session->graph, run->channels, trial.mask, progress < 1, &ms));
        TRY(log_latency(run, predicted, ms, allowed));
        near = is_near(predicted, ms, allowed);
        if (round == 0 || near || is_better(ms, *best_ms, allowed)) {
            plc_selection_finish(best);
            *best = trial;
            *best_ms = ms;
            trial = (plc_selection){0};
        }
        plc_selection_finish(&trial);
    }
done:
    plc_selection_finish(&trial);
    return status;
}

pleach_status plc_run_choose_by_latency(plc_run *run, float *scores, double progress,
                                        plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    double ms = 0;

    if (!plc_run_has_latency(run) || progress < MEASURE_FROM || target_share(run) >= 1)
        return plc_run_choose(run, scores, progress, selection);
    const double allowed = ramp_share(run, progress) * run->dense_latency_ms;
    TRY(approach(run, scores, progress, allowed, selection, &ms));
    if (progress >= 1 && ms > allowed * (1 + NEAR))
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--latency %g: the pruned network takes %.4g ms at batch %d", run->opts.latency, ms,
                run->opts.latency_batch);
done:
    return status;
}

int plc_run_budgets(const plc_run *run, double progress, plc_budget budgets[PLC_RUN_MAX_BUDGETS])
{
    const pleach_run_opts *o = &run->opts;
    int n = 0;

    if (o->macs > 0)
        budgets[n++] =
            (plc_budget){PLC_BUDGET_MACS, plc_run_ramp(o->macs, progress), (double)run->dense_macs};
    if (o->params > 0)
        budgets[n++] = (plc_budget){PLC_BUDGET_PARAMS, plc_run_ramp(o->params, progress),
                                    (double)run->dense_params};
    if (o->latency > 0 && target_share(run) < 1)
        budgets[n++] =
            (plc_budget){PLC_BUDGET_LATENCY, ramp_share(run, progress), run->dense_latency_ms};
    return n;
}

pleach_status plc_run_report_targets(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const pleach_run_opts *o = &run->opts;
    plc_report *report = &run->report;

    if (o->macs > 0)
        TRY(plc_report_add_target(run->ctx, report, "macs", o->macs, (double)run->dense_macs, 0));
    if (o->params > 0)
        TRY(plc_report_add_target(run->ctx, report, "params", o->params, (double)run->dense_params,
                                  0));
    if (o->latency > 0)
        TRY(plc_report_add_target(run->ctx, report, "latency", o->latency, run->dense_latency_ms,
                                  o->latency_batch));
done:
    return status;
}
