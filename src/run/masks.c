// The pruning phase: when a mask update is due, what it does to the device, and what it cost.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>

// An update every epoch by default, but at least this many on the way to the target.
enum { LEAST_UPDATES = 8 };

pleach_status plc_run_start_pruning(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_score score;

    TRY(plc_score_parse(run->ctx, plc_run_is_main(run) ? run->opts.score : "random", &score));
    TRY(plc_channels_create(run->ctx, run->session->graph, &run->channels));
    TRY(plc_scorer_create(run->session, run->channels, score, run->opts.seed, &run->scorer));
    TRY(plc_pruner_create(run->session, run->channels, &run->pruner));
    TRY(plc_blocks_find(run->ctx, run->session->graph, &run->blocks));
    TRY(plc_blocks_of_groups(run->ctx, run->session->graph, run->channels, run->blocks,
                             &run->block_of_group));
    if (run->mask == NULL) {
        const size_t n = (size_t)plc_channels_n_classes(run->channels);
        const size_t n_groups = (size_t)plc_channels_n_groups(run->channels);
        TRY(plc_alloc(run->ctx, n, 1, &run->mask));
        memset(run->mask, 1, n);
        TRY(plc_alloc(run->ctx, n, 1, &run->pruned_for));
        TRY(plc_alloc(run->ctx, n_groups, sizeof *run->settled, &run->settled));
    }
    plc_scorer_set_probe(run->scorer, &run->dataset->train, run->mask);
done:
    return status;
}

void plc_run_finish_pruning(plc_run *run)
{
    plc_scorer_destroy(&run->scorer);
    plc_pruner_destroy(&run->pruner);
    plc_channels_destroy(&run->channels);
    plc_blocks_destroy(&run->blocks);
    free(run->block_of_group);
    run->block_of_group = NULL;
    free(run->mask);
    free(run->pruned_for);
    run->mask = run->pruned_for = NULL;
    free(run->settled);
    run->settled = NULL;
}

static bool is_empty(const plc_run *run, const plc_group *group)
{
    for (int i = 0; i < group->n_classes; i++)
        if (run->mask[group->classes[i]])
            return false;
    return true;
}

pleach_status plc_run_set_masks(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const int n_groups = plc_channels_n_groups(run->channels);

    TRY(plc_pruner_set_masks(run->pruner, run->mask));
    for (int i = 0; i < run->blocks->n_items; i++) {
        bool closed = false;
        for (int g = 0; g < n_groups && !closed; g++)
            closed =
                run->block_of_group[g] == i && is_empty(run, plc_channels_group(run->channels, g));
        if (run->blocks->items[i].gate != PLC_NO_NODE)
            TRY(plc_gate_set(run->session, run->blocks->items[i].gate, closed ? 0.0f : 1.0f));
    }
done:
    return status;
}

// Cubic, as in Zhu and Gupta, "To prune, or not to prune" (2017).
double plc_run_ramp(double target, double progress)
{
    const double left = 1.0 - progress;

    return target + (1.0 - target) * left * left * left;
}

// Steps of the phase in which masks move; its last epoch (half of a phase of one epoch) keeps them still.
static void ramp_steps(const plc_run *run, int *n_ramp, int *interval)
{
    const int per_epoch = plc_trainer_steps_per_epoch(run->trainer);
    const int epochs = run->phase_ends[PLC_PHASE_PRUNE] - run->phase_ends[PLC_PHASE_DENSE];

    *n_ramp = epochs > 1 ? (epochs - 1) * per_epoch : per_epoch / 2;
    if (*n_ramp < 1)
        *n_ramp = 1;
    *interval = run->opts.update_steps;
    if (*interval == 0)
        *interval = per_epoch < *n_ramp / LEAST_UPDATES ? per_epoch : *n_ramp / LEAST_UPDATES;
    if (*interval == 0)
        *interval = 1;
}

// Writes the selection to the device. What returns starts with fresh optimizer state; in soft pruning
// filters are zeroed and go on training, and masks stay open.
static pleach_status apply(plc_run *run, const plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    const int n = plc_channels_n_classes(run->channels);
    unsigned char *chosen = NULL;
    const bool soft = strcmp(run->opts.recover, "soft") == 0;

    TRY(plc_alloc(run->ctx, (size_t)n, 1, &chosen));
    for (int k = 0; k < n; k++)
        chosen[k] = soft ? !selection->mask[k] : selection->mask[k] && !run->mask[k];
    memcpy(run->mask, selection->mask, (size_t)n);
    if (soft) {
        TRY(plc_pruner_zero_filters(run->pruner, chosen));
    } else {
        TRY(plc_pruner_zero_moments(run->pruner, chosen));
        TRY(plc_run_set_masks(run));
    }
done:
    free(chosen);
    return status;
}

json_t *plc_run_class_digits(const plc_run *run, const unsigned char *values)
{
    if (values == NULL)
        return json_null();
    const int n = plc_channels_n_classes(run->channels);
    char *text = malloc((size_t)n + 1);
    if (text == NULL)
        return NULL;
    for (int k = 0; k < n; k++)
        text[k] = (char)('0' + values[k]);
    json_t *json = json_stringn(text, (size_t)n);
    free(text);
    return json;
}

static pleach_status report_update(plc_run *run, const plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    const plc_position *position = plc_trainer_position(run->trainer);
    const plc_report_mask_update update = {.epoch = position->epoch + 1,
                                           .step = position->epoch_step,
                                           .pl = selection->pl,
                                           .macs = selection->macs,
                                           .params = selection->params,
                                           .latency_ms = selection->latency_ms,
                                           .n_pruned = selection->n_prunable - selection->n_kept +
                                                       run->n_settled,
                                           .flips = selection->flips,
                                           .returns = selection->returns};

    if (plc_run_is_main(run))
        TRY(plc_report_add_mask_update(run->ctx, &run->report, &update));
    TRY(plc_run_log_event(
        run, "mask",
        json_pack("{s:i,s:i,s:f,s:I,s:I,s:f,s:i,s:i,s:i,s:b,s:o}", "epoch", update.epoch, "step",
                  update.step, "pl", update.pl, "macs", (json_int_t)update.macs, "params",
                  (json_int_t)update.params, "latency_ms", update.latency_ms, "n_pruned",
                  update.n_pruned, "flips", update.flips, "returns", update.returns, "reached",
                  selection->reached, "kept", plc_run_class_digits(run, run->mask))));
done:
    return status;
}

static pleach_status update_masks(plc_run *run, double progress)
{
    pleach_status status = PLEACH_OK;
    plc_selection selection = {0};
    float *scores = NULL;

    TRY(plc_alloc(run->ctx, (size_t)plc_channels_n_classes(run->channels), sizeof *scores,
                  &scores));
    TRY(plc_device_finish(
        run->device)); // so that the steps before are not counted as the method's cost
    const double begin = plc_clock_seconds();
    TRY(plc_scorer_score(run->scorer, run->n_updates, scores));
    const double scored = plc_clock_seconds();
    TRY(plc_run_choose_by_latency(run, scores, progress, &selection));
    TRY(apply(run, &selection));
    TRY(plc_device_finish(run->device));
    plc_run_spend(run, &run->report.method_cost.score_ms, scored - begin);
    plc_run_spend(run, &run->report.method_cost.mask_ms, plc_clock_seconds() - scored);
    run->n_updates++;
    if (progress >= 1 && !selection.reached)
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "the targets are not reached: %lld MACs and %lld parameters are left",
                selection.macs, selection.params);
    TRY(report_update(run, &selection));
    TRY(plc_run_settle(run, scores));
done:
    plc_selection_finish(&selection);
    free(scores);
    return status;
}

pleach_status plc_run_update_masks(plc_run *run)
{
    const plc_position *position = plc_trainer_position(run->trainer);
    const int per_epoch = plc_trainer_steps_per_epoch(run->trainer);
    const int step =
        (position->epoch - run->phase_ends[PLC_PHASE_DENSE]) * per_epoch + position->epoch_step;
    int n_ramp, interval;

    ramp_steps(run, &n_ramp, &interval);
    if (step > n_ramp || (step % interval != 0 && step != n_ramp))
        return PLEACH_OK;
    return update_masks(run, (double)step / n_ramp);
}
