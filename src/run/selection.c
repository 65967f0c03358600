// What a mask update selects; and before training, whether that can come down to the targets.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <price/macs.h>
#include <rewrite/compact.h>

// So much less than anything costs that a selection takes all it may.
static const double NEXT_TO_NOTHING = 1e-9;

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
static void warn_of_round_to(const plc_run *run, const plc_channels *channels)
{
    int largest = 0;

    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        if (!group->frozen && group->n_classes > largest)
            largest = group->n_classes;
    }
    if (run->opts.round_to > 1 && run->opts.round_to >= largest)
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--round-to %d: the largest group of '%s' has %d channels, so none can lose a part "
                "of them; only whole branches can go",
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
    warn_of_round_to(run, channels);
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
