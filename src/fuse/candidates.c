// Effects of actions: counted by rewriting graphs, measured with gates.
#include <fuse/candidates.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <fuse/importance.h>
#include <graph/op.h>
#include <price/macs.h>
#include <rewrite/apply.h>
#include <rewrite/drop.h>
#include <rewrite/merge.h>

static pleach_status count_macs(void *user, const pleach_graph *graph, double *cost)
{
    (void)user;
    *cost = (double)pleach_graph_macs(graph);
    return PLEACH_OK;
}

static pleach_status count_layers(void *user, const pleach_graph *graph, double *cost)
{
    (void)user;
    *cost = plc_graph_count_op(graph, "conv");
    return PLEACH_OK;
}

pleach_status plc_fuse_cost_named(pleach_ctx *ctx, const char *name, plc_fuse_cost *cost)
{
    static const plc_fuse_cost costs[] = {
        {"macs", count_macs, NULL}, {"layers", count_layers, NULL}, {"latency", NULL, NULL}};
    enum { N_COSTS = sizeof costs / sizeof *costs };
    const char *names[N_COSTS];

    for (int i = 0; i < N_COSTS; i++) {
        names[i] = costs[i].name;
        *cost = costs[i];
        if (strcmp(name, names[i]) == 0)
            return PLEACH_OK;
    }
    const char *nearest = plc_nearest_name(name, names, N_COSTS);
    return plc_fail(ctx, PLEACH_EUSAGE, "--fuse-cost '%s': no such cost%s%s%s; `--help` lists them",
                    name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

static bool is_inside(const plc_block *block, int node)
{
    for (int i = 0; i < block->n_branch_nodes; i++)
        if (block->branch_nodes[i] == node)
            return true;
    return false;
}

// From the branch's end to its beginning; every node of the branch must be met on the way.
bool plc_block_mark_merge(const pleach_graph *graph, const plc_block *block, bool *seconds)
{
    int at = block->branch, n_met = 1, n_pairs = 0;
    plc_pair pair;

    memset(seconds, 0, (size_t)graph->n_nodes * sizeof *seconds);
    if (plc_graph_is(graph, at, "batch_norm") &&
        plc_graph_count_consumers(graph, graph->nodes[at].inputs[0]) == 1) {
        at = graph->nodes[at].inputs[0];
        n_met++;
    }
    while (is_inside(block, at) && plc_pair_find(graph, at, &pair) &&
           is_inside(block, pair.first) && pair.activation != PLC_NO_NODE) {
        seconds[at] = true;
        at = pair.first;
        n_met += 2 + (pair.norm != PLC_NO_NODE);
        n_pairs++;
    }
    if (n_pairs > 0 && n_met == block->n_branch_nodes)
        return true;
    memset(seconds, 0, (size_t)graph->n_nodes * sizeof *seconds);
    return false;
}

// Merges every pair of which a fading_relu is between.
static pleach_status merge_all(pleach_ctx *ctx, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *merged = NULL;
    plc_edits *edits = NULL;
    plc_pair pair;

    for (int i = 0; i < (*graph)->n_nodes; i++) {
        if (!plc_pair_find(*graph, i, &pair) || pair.activation == PLC_NO_NODE ||
            !plc_graph_is(*graph, pair.activation, "fading_relu"))
            continue;
        TRY(plc_merge_describe(ctx, *graph, i, &merged, &edits));
        plc_edits_destroy(&edits);
        pleach_graph_destroy(graph);
        *graph = merged;
        i = 0;
    }
done:
    return status;
}

static pleach_status rewrite_merged(pleach_ctx *ctx, const pleach_graph *graph,
                                    const plc_block *block, pleach_graph **rewritten)
{
    pleach_status status = PLEACH_OK;
    plc_edits *edits = NULL;
    bool *seconds = NULL;

    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *seconds, &seconds));
    if (!plc_block_mark_merge(graph, block, seconds))
        FAIL(ctx, PLEACH_EGRAPH, "block '%s' has no chain of convolutions to merge",
             graph->nodes[block->add].name);
    TRY(plc_fade_describe(ctx, graph, seconds, true, rewritten, &edits));
    TRY(merge_all(ctx, rewritten));
done:
    free(seconds);
    plc_edits_destroy(&edits);
    return status;
}

pleach_status plc_block_rewritten(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_block *block, plc_action action,
                                  pleach_graph **rewritten)
{
    pleach_status status = PLEACH_OK;
    plc_edits *edits = NULL;

    *rewritten = NULL;
    if (action == PLC_ACTION_MERGE)
        TRY(rewrite_merged(ctx, graph, block, rewritten));
    else if (action == PLC_ACTION_DROP)
        TRY(plc_drop_describe(ctx, graph, block->add, block->shortcut, rewritten, &edits));
    else
        TRY(plc_graph_copy(ctx, graph, rewritten));
done:
    plc_edits_destroy(&edits);
    if (status != PLEACH_OK)
        pleach_graph_destroy(rewritten);
    return status;
}

static pleach_status count_saving(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_block *block, const plc_fuse_cost *cost, plc_plan *plan,
                                  plc_action action, plc_effect *effect)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *rewritten = NULL;
    double after = 0;

    TRY(plc_block_rewritten(ctx, graph, block, action, &rewritten));
    TRY(cost->of(cost->user, rewritten, &after));
    *effect = (plc_effect){.possible = true, .importance = NAN, .saving = plan->total - after};
done:
    pleach_graph_destroy(&rewritten);
    return status;
}

pleach_status plc_plan_create(pleach_ctx *ctx, const pleach_graph *graph, const plc_blocks *blocks,
                              const plc_fuse_cost *cost, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    bool *seconds = NULL;

    *plan = (plc_plan){0};
    TRY(plc_strdup(ctx, graph->name, &plan->model));
    TRY(plc_strdup(ctx, cost->name, &plan->cost));
    TRY(cost->of(cost->user, graph, &plan->total));
    plan->budget = plan->total;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *seconds, &seconds));
    TRY(plc_alloc(ctx, (size_t)blocks->n_items + 1, sizeof *plan->blocks, &plan->blocks));
    for (int i = 0; i < blocks->n_items; i++) {
        const plc_block *block = &blocks->items[i];
        plc_plan_block *planned = &plan->blocks[plan->n_blocks++];
        *planned = (plc_plan_block){.action = PLC_ACTION_KEEP, .kept = block->kept};
        TRY(plc_strdup(ctx, graph->nodes[block->add].name, &planned->name));
        planned->effects[PLC_ACTION_KEEP].possible = true;
        if (plc_block_may_drop(block))
            TRY(count_saving(ctx, graph, block, cost, plan, PLC_ACTION_DROP,
                             &planned->effects[PLC_ACTION_DROP]));
        if (!block->kept && plc_block_mark_merge(graph, block, seconds))
            TRY(count_saving(ctx, graph, block, cost, plan, PLC_ACTION_MERGE,
                             &planned->effects[PLC_ACTION_MERGE]));
    }
done:
    free(seconds);
    if (status != PLEACH_OK)
        plc_plan_finish(plan);
    return status;
}

static bool is_worth_measuring(const plc_effect *effect)
{
    return effect->possible && effect->saving > 0;
}

static pleach_status measure_drops(pleach_session *session, const plc_blocks *blocks,
                                   const plc_split *images, double base, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < blocks->n_items; i++) {
        plc_effect *effect = &plan->blocks[i].effects[PLC_ACTION_DROP];
        double loss = 0;
        if (!is_worth_measuring(effect))
            continue;
        TRY(plc_importance_loss_without(session, &blocks->items[i], images, &loss));
        effect->importance = loss - base;
    }
done:
    return status;
}

// Gates of the activations between the marked convolutions and the ones before them.
static pleach_status set_activations(pleach_session *session, const bool *seconds, float gate)
{
    pleach_status status = PLEACH_OK;
    plc_pair pair;

    for (int i = 0; i < session->graph->n_nodes; i++)
        if (seconds[i] && plc_pair_find(session->graph, i, &pair))
            TRY(plc_gate_set(session, pair.activation, gate));
done:
    return status;
}

// In a session in which every ReLU that a merge would need to fade is a fading_relu, padding as it is.
static pleach_status measure_merges(pleach_session *session, const plc_blocks *blocks,
                                    const plc_split *images, double base, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)session->graph->n_nodes;
    bool *seconds = NULL, *all = NULL, any = false;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *trial = NULL;

    TRY(plc_alloc(session->ctx, n, sizeof *seconds, &seconds));
    TRY(plc_alloc(session->ctx, n, sizeof *all, &all));
    for (int i = 0; i < blocks->n_items; i++) {
        if (!is_worth_measuring(&plan->blocks[i].effects[PLC_ACTION_MERGE]))
            continue;
        any = plc_block_mark_merge(session->graph, &blocks->items[i], seconds) || any;
        for (size_t j = 0; j < n; j++)
            all[j] = all[j] || seconds[j];
    }
    if (!any)
        goto done;
    TRY(plc_fade_describe(session->ctx, session->graph, all, false, &graph, &edits));
    TRY(plc_rewrite_session(session, graph, edits, true, &trial));
    for (int i = 0; i < blocks->n_items; i++) {
        plc_effect *effect = &plan->blocks[i].effects[PLC_ACTION_MERGE];
        double loss = 0;
        if (!is_worth_measuring(effect))
            continue;
        plc_block_mark_merge(session->graph, &blocks->items[i], seconds);
        TRY(set_activations(trial, seconds, 0.0f));
        TRY(plc_importance_loss(trial, images, &loss));
        TRY(set_activations(trial, seconds, 1.0f));
        effect->importance = loss - base;
    }
done:
    pleach_session_destroy(&trial);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    free(seconds);
    free(all);
    return status;
}

pleach_status plc_plan_measure(pleach_session *session, const plc_blocks *blocks,
                               const plc_split *calibration, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    const plc_split images = plc_importance_images(calibration);
    double base = 0;

    TRY(plc_importance_loss(session, &images, &base));
    TRY(measure_drops(session, blocks, &images, base, plan));
    TRY(measure_merges(session, blocks, &images, base, plan));
done:
    return status;
}
