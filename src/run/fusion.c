// Fusion in a run: what the plan drops or merges fades and is rewritten away.
//
// What fades is seen from the state alone: blocks to drop are named in run->dropping, merges are the
// fading_relu nodes of the graph.
#include <run/run.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <fuse/candidates.h>
#include <rewrite/drop.h>
#include <rewrite/merge.h>

// A rewrite's time begins when the steps that were enqueued before it are done.
static pleach_status begin_rewrite(const plc_run *run, double *begin)
{
    const pleach_status status = plc_device_finish(run->session->device);

    *begin = plc_clock_seconds();
    return status;
}

// How far `after` is from `before`: the length of the difference as a share of that of `before`.
static double relative_change(const float *before, const float *after, size_t n)
{
    double change = 0, length = 0;

    for (size_t i = 0; i < n; i++) {
        change += ((double)after[i] - (double)before[i]) * ((double)after[i] - (double)before[i]);
        length += (double)before[i] * (double)before[i];
    }
    return length > 0 ? sqrt(change / length) : 0;
}

// Makes the block ready to fade. `logits` [2][n] are those of the calibration images: the first half before,
// then after, which is the first half of the next block.
static pleach_status prepare_merge(plc_run *run, const plc_block *block, float *logits, size_t n,
                                   double *border_error)
{
    pleach_status status = PLEACH_OK;
    bool *seconds = NULL;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    plc_metrics metrics;

    TRY(plc_alloc(run->ctx, (size_t)run->session->graph->n_nodes, sizeof *seconds, &seconds));
    plc_block_mark_merge(run->session->graph, block, seconds);
    TRY(plc_fade_describe(run->ctx, run->session->graph, seconds, true, &graph, &edits));
    TRY(plc_run_rewrite(run, graph, edits));
    TRY(plc_evaluate_logits(run->session, &run->dataset->calibration, &metrics, logits + n));
    *border_error = relative_change(logits, logits + n, n);
    memcpy(logits, logits + n, n * sizeof *logits);
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    free(seconds);
    return status;
}

// Nodes keep their numbers, so the blocks stay those of the session's graph. The report's last blocks are
// the plan's.
static pleach_status prepare_merges(plc_run *run, const plc_blocks *blocks, const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    const plc_split *calibration = &run->dataset->calibration;
    const size_t n = (size_t)calibration->n_images *
                     (size_t)run->session->graph->nodes[run->session->graph->n_nodes - 1].shape.c;
    const size_t first = run->report.n_blocks - (size_t)plan->n_blocks; // of those in the report
    float *logits = NULL;
    plc_metrics metrics;

    for (int i = 0; i < plan->n_blocks; i++) {
        if (plan->blocks[i].action != PLC_ACTION_MERGE)
            continue;
        if (logits == NULL) {
            TRY(plc_alloc(run->ctx, 2 * n, sizeof *logits, &logits));
            TRY(plc_evaluate_logits(run->session, calibration, &metrics, logits));
        }
        double border_error;
        TRY(prepare_merge(run, &blocks->items[i], logits, n, &border_error));
        if (plc_run_is_main(run))
            run->report.blocks[first + (size_t)i].border_error = border_error;
    }
done:
    free(logits);
    return status;
}

pleach_status plc_run_plan_fusion(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    plc_plan plan = {0};
    double begin = 0;

    TRY(begin_rewrite(run, &begin));
    TRY(plc_run_make_plan(run, &blocks, &plan));
    TRY(prepare_merges(run, blocks, &plan));
    plc_run_spend(run, &run->report.method_cost.fuse_ms, plc_clock_seconds() - begin);
done:
    plc_plan_finish(&plan);
    plc_blocks_destroy(&blocks);
    return status;
}

static bool is_dropping(const plc_run *run, const char *name)
{
    const size_t length = strlen(name);

    for (const char *at = run->dropping; at && *at;) {
        const size_t n = strcspn(at, "\n");
        if (n == length && strncmp(at, name, n) == 0)
            return true;
        at += n + (at[n] == '\n');
    }
    return false;
}

pleach_status plc_run_start_fading(plc_run *run)
{
    return plc_blocks_find(run->ctx, run->session->graph, &run->fading);
}

// Share of the phase that is over after the steps so far, 1 at its end.
static double fade_progress(const plc_run *run)
{
    const plc_position *position = plc_trainer_position(run->trainer);
    const int per_epoch = plc_trainer_steps_per_epoch(run->trainer);
    const int begin = run->phase_ends[PLC_PHASE_PRUNE], end = run->phase_ends[PLC_PHASE_FADE];
    const int n_steps = (end - begin) * per_epoch;
    const int step = (position->epoch - begin) * per_epoch + position->epoch_step;

    return n_steps > 0 ? (double)step / n_steps : 1.0;
}

pleach_status plc_run_fade(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *graph = run->session->graph;
    const double progress = fade_progress(run);
    // A cosine from 1 to exactly 0, so that dropping and merging change nothing.
    const float gate = progress >= 1.0 ? 0.0f : (float)(0.5 + 0.5 * cos(acos(-1.0) * progress));

    for (int i = 0; i < run->fading->n_items; i++)
        if (is_dropping(run, graph->nodes[run->fading->items[i].add].name))
            TRY(plc_gate_set(run->session, run->fading->items[i].gate, gate));
    for (int i = 0; i < graph->n_nodes; i++)
        if (plc_graph_is(graph, i, "fading_relu"))
            TRY(plc_gate_set(run->session, i, gate));
done:
    return status;
}

// Describes the next rewrite: a block of run->dropping, then a pair that has faded; *found is false when none
// is left.
static pleach_status describe_next(plc_run *run, pleach_graph **graph, plc_edits **edits,
                                   bool *found)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *now = run->session->graph;
    plc_blocks *blocks = NULL;
    plc_pair pair;

    // From the outermost on: which side of an add is the branch depends on what lies in both, as it did when it faded.
    *found = false;
    TRY(plc_blocks_find(run->ctx, now, &blocks));
    for (int i = blocks->n_items - 1; i >= 0 && !*found; i--) {
        const plc_block *block = &blocks->items[i];
        *found = is_dropping(run, now->nodes[block->add].name);
        if (*found)
            TRY(plc_drop_describe(run->ctx, now, block->add, block->shortcut, graph, edits));
    }
    for (int i = 0; i < now->n_nodes && !*found; i++) {
        *found = plc_pair_find(now, i, &pair) && pair.activation != PLC_NO_NODE &&
                 plc_graph_is(now, pair.activation, "fading_relu");
        if (*found)
            TRY(plc_merge_describe(run->ctx, now, i, graph, edits));
    }
done:
    plc_blocks_destroy(&blocks);
    return status;
}

static pleach_status rewrite_one(plc_run *run, bool *found)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;

    TRY(describe_next(run, &graph, &edits, found));
    if (!*found)
        goto done;
    TRY(plc_run_rewrite(run, graph, edits));
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

pleach_status plc_run_fuse(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    double begin = 0;
    bool found = true;

    TRY(begin_rewrite(run, &begin));
    plc_blocks_destroy(&run->fading);
    while (found)
        TRY(rewrite_one(run, &found));
    free(run->dropping);
    run->dropping = NULL;
    plc_run_spend(run, &run->report.method_cost.fuse_ms, plc_clock_seconds() - begin);
done:
    return status;
}
