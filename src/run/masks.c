// The pruning phase: when a mask update is due, what it decides, and what it cost.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <price/macs.h>
#include <rewrite/compact.h>

// So much less than anything costs that a selection takes all it may.
static const double NEXT_TO_NOTHING = 1e-9;

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

static pleach_status check_share(plc_run *run, const char *option, double asked, long long least,
                                 long long dense)
{
    const pleach_run_opts *o = &run->opts;

    if (asked == 0 || (double)least <= asked * (double)dense)
        return PLEACH_OK;
    return plc_fail(
        run->ctx, PLEACH_EUSAGE,
        "--%s %g cannot be reached: of '%s' a share of %.3g is left with all pruned that "
        "--min-channels %d, --round-to %d, --max-ratio %g and --keep allow; give more "
        "than that, or allow more",
        option, asked, run->session->graph->name, (double)least / (double)dense, o->min_channels,
        o->round_to, o->max_ratio);
}

// What is left at least of *graph, which is replaced by that network.
static pleach_status take_least(plc_run *run, pleach_graph **graph, plc_cost *cost)
{
    pleach_status status = PLEACH_OK;
    plc_channels *channels = NULL;
    plc_selection least = {0};
    pleach_graph *small = NULL;
    plc_edits *edits = NULL;

    TRY(plc_channels_create(run->ctx, *graph, &channels));
    TRY(plc_run_select_least(run, *graph, channels, &least));
    *cost = (plc_cost){.macs = least.macs, .params = least.params};
    TRY(plc_compact_describe(run->ctx, *graph, channels, least.mask, &small, &edits));
    pleach_graph_destroy(graph);
    *graph = small;
done:
    plc_edits_destroy(&edits);
    plc_selection_finish(&least);
    plc_channels_destroy(&channels);
    return status;
}

// As --latency is a matter of measuring it is checked elsewhere (run/latency.c).
static pleach_status check_targets(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const plc_cost dense = plc_graph_cost(run->session->graph);
    plc_cost least;
    pleach_graph *graph = NULL;
    int n_nodes;

    TRY(plc_graph_copy(run->ctx, run->session->graph, &graph));
    do { // where blocks go while pruning is on, channels may be free that they held
        n_nodes = graph->n_nodes;
        TRY(take_least(run, &graph, &least));
    } while (run->opts.settle > 0 && graph->n_nodes < n_nodes);
    TRY(check_share(run, "macs", run->opts.macs, least.macs, dense.macs));
    TRY(check_share(run, "params", run->opts.params, least.params, dense.params));
done:
    pleach_graph_destroy(&graph);
    return status;
}

// A group of no more than N channels keeps all of them or, inside a branch, none.
static pleach_status check_round_to(const plc_run *run, const plc_channels *channels)
{
    int largest = 0;

    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        if (!group->frozen && group->n_classes > largest)
            largest = group->n_classes;
    }
    if (run->opts.round_to == 1 || run->opts.round_to < largest)
        return PLEACH_OK;
    return plc_fail(run->ctx, PLEACH_EUSAGE,
                    "--round-to %d: the largest group of '%s' has %d channels, so none can lose a "
                    "part of them; give less",
                    run->opts.round_to, run->session->graph->name, largest);
}

pleach_status plc_run_check_pruning(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_channels *channels = NULL;
    plc_scorer *scorer = NULL;
    plc_score score;

    TRY(plc_run_check_keep(run));
    TRY(plc_score_parse(run->ctx, run->opts.score, &score));
    TRY(plc_channels_create(run->ctx, run->session->graph, &channels));
    TRY(check_round_to(run, channels));
    TRY(plc_scorer_create(run->session, channels, score, run->opts.seed, &scorer));
    TRY(check_targets(run));
done:
    plc_scorer_destroy(&scorer);
    plc_channels_destroy(&channels);
    return status;
}

static plc_rank rank_of(const char *name)
{
    return strcmp(name, "macs") == 0      ? PLC_RANK_MACS
           : strcmp(name, "latency") == 0 ? PLC_RANK_LATENCY
                                          : PLC_RANK_SCORE;
}

// Which groups may lose all their channels: [n_groups]. A branch that empties goes whole, so none that is to be kept.
static pleach_status mark_may_empty(plc_run *run, const pleach_graph *graph,
                                    const plc_channels *channels, bool *may_empty)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    int *block_of = NULL;
    bool *kept = NULL;

    TRY(plc_blocks_find(run->ctx, graph, &blocks));
    TRY(plc_blocks_of_groups(run->ctx, graph, channels, blocks, &block_of));
    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *kept, &kept));
    TRY(plc_run_mark_kept_blocks(run, graph, blocks, kept));
    for (int g = 0; g < plc_channels_n_groups(channels); g++)
        may_empty[g] = block_of[g] >= 0 && !kept[block_of[g]];
done:
    free(kept);
    free(block_of);
    plc_blocks_destroy(&blocks);
    return status;
}

pleach_status plc_run_select(plc_run *run, const pleach_graph *graph, const plc_channels *channels,
                             const float *scores, const unsigned char *mask,
                             const plc_budget *budgets, int n_budgets, plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    const int n_groups = plc_channels_n_groups(channels);
    char *names = NULL;
    const char **list = NULL;
    int n_names;
    bool *may_empty = NULL;
    plc_select_opts opts = {
        .rank = rank_of(run->opts.rank),
        .budgets = budgets,
        .n_budgets = n_budgets,
        .latency = plc_run_price,
        .latency_user = run,
        .band = run->opts.band,
        .for_good = strcmp(run->opts.recover, "none") == 0,
        .min_channels = run->opts.min_channels,
        .round_to = run->opts.round_to,
        .max_ratio = run->opts.max_ratio,
        .settled = run->settled,
        .n_settled = run->n_settled,
    };

    TRY(plc_run_keep_names(run, &names, &list, &n_names));
    for (int i = 0; i < n_names;
         i++) // a node that dissolved with what was dropped around it has no channels
        if (plc_graph_find(graph, list[i]) != PLC_NO_NODE)
            list[opts.n_keep++] = list[i];
    opts.keep = list;
    TRY(plc_alloc(run->ctx, (size_t)n_groups, sizeof *may_empty, &may_empty));
    TRY(mark_may_empty(run, graph, channels, may_empty));
    opts.may_empty = may_empty;
    TRY(plc_select(run->ctx, graph, channels, scores, mask, &opts, selection));
done:
    free(may_empty);
    free(list);
    free(names);
    return status;
}

pleach_status plc_run_select_least(plc_run *run, const pleach_graph *graph,
                                   const plc_channels *channels, plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    const plc_budget nothing = {.kind = PLC_BUDGET_PARAMS, .target = NEXT_TO_NOTHING};
    float *scores = NULL;

    TRY(plc_alloc(run->ctx, (size_t)plc_channels_n_classes(channels), sizeof *scores, &scores));
    TRY(plc_run_select(run, graph, channels, scores, NULL, &nothing, 1, selection));
done:
    free(scores);
    return status;
}

pleach_status plc_run_choose(plc_run *run, float *scores, double progress, plc_selection *selection)
{
    plc_budget budgets[PLC_RUN_MAX_BUDGETS];
    const int n_budgets = plc_run_budgets(run, progress, budgets);

    if (run->session->opts.mask_gradients) // pruned is pruned: nothing pruned may rank high again
        for (int k = 0; k < plc_channels_n_classes(run->channels); k++)
            if (!run->mask[k])
                scores[k] = 0.0f;
    return plc_run_select(run, run->session->graph, run->channels, scores, run->mask, budgets,
                          n_budgets, selection);
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
