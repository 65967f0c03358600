// Fusion in a run: which residual blocks are dropped or merged, their fade, their rewrites.
//
// What fades is seen from the state alone: blocks to drop are named in run->dropping, merges are the
// fading_relu nodes of the graph.
#include <run/run.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/file.h>
#include <base/memory.h>
#include <fuse/candidates.h>
#include <fuse/plan_json.h>
#include <rewrite/apply.h>
#include <rewrite/drop.h>
#include <rewrite/merge.h>

// With --drop -1 all dropped blocks together may cost this share of right answers on the calibration
// images, before the others have learnt to stand in for them.
static const double ACCEPTED_FALL = 0.005;

#define GIVEN_PLAN "plan-given.json" // the run's own copy of the file of --plan

// A rewrite's time begins when the steps that were enqueued before it are done.
static pleach_status begin_rewrite(const plc_run *run, double *begin)
{
    const pleach_status status = plc_device_finish(run->session->device);

    *begin = plc_clock_seconds();
    return status;
}

// A plc_fuse_cost_fn of the device's table of latencies.
static pleach_status price_latency(void *user, const pleach_graph *graph, double *ms)
{
    return plc_run_price(user, graph, NULL, NULL, ms);
}

static pleach_status mark_kept(plc_run *run, const pleach_graph *graph, plc_blocks *blocks)
{
    pleach_status status = PLEACH_OK;
    bool *kept = NULL;

    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *kept, &kept));
    TRY(plc_run_mark_kept_blocks(run, graph, blocks, kept));
    for (int i = 0; i < blocks->n_items; i++)
        blocks->items[i].kept = kept[i];
done:
    free(kept);
    return status;
}

// A plan that keeps all blocks of the graph.
static pleach_status start_plan(plc_run *run, const pleach_graph *graph, plc_blocks **blocks,
                                plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_fuse_cost cost;

    TRY(plc_blocks_find(run->ctx, graph, blocks));
    TRY(mark_kept(run, graph, *blocks));
    TRY(plc_fuse_cost_named(run->ctx, run->opts.fuse_cost, &cost));
    if (cost.of == NULL) {
        cost.of = price_latency;
        cost.user = run;
    }
    TRY(plc_plan_create(run->ctx, graph, *blocks, &cost, plan));
done:
    return status;
}

static pleach_status take_file(plc_run *run, const char *path, bool may_be_gone, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_plan given = {0};

    TRY(plc_plan_read(run->ctx, path, &given));
    TRY(plc_plan_take_actions(run->ctx, &given, path, may_be_gone, plan));
done:
    plc_plan_finish(&given);
    return status;
}

// The plan of --plan as the run began with it: a copy in its directory, once that is made.
static pleach_status given_plan(plc_run *run, char **path)
{
    pleach_status status = PLEACH_OK;
    char *copy = NULL;

    if (run->directory.path)
        TRY(plc_directory_file(run->ctx, &run->directory, GIVEN_PLAN, &copy));
    TRY(plc_strdup(run->ctx, copy && plc_file_exists(copy) ? copy : run->opts.plan, path));
done:
    free(copy);
    return status;
}

pleach_status plc_run_keep_given_plan(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL, *text = NULL;
    size_t size = 0;

    if (run->opts.plan[0] == '\0')
        return PLEACH_OK;
    TRY(plc_file_read(run->ctx, run->opts.plan, PLC_PLAN_MAX_BYTES, &text, &size));
    TRY(plc_directory_file(run->ctx, &run->directory, GIVEN_PLAN, &path));
    TRY(plc_file_write_all(run->ctx, path, text, size));
done:
    free(text);
    free(path);
    return status;
}

static pleach_status take_given_plan(plc_run *run, bool may_be_gone, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    TRY(given_plan(run, &path));
    TRY(take_file(run, path, may_be_gone, plan));
done:
    free(path);
    return status;
}

pleach_status plc_run_check_plan(plc_run *run, const pleach_graph *dense)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    plc_plan plan = {0};

    if (run->opts.plan[0] == '\0')
        return PLEACH_OK;
    TRY(start_plan(run, dense, &blocks, &plan));
    TRY(take_given_plan(run, false, &plan));
done:
    plc_plan_finish(&plan);
    plc_blocks_destroy(&blocks);
    return status;
}

static int count_droppable(const plc_blocks *blocks)
{
    int n = 0;

    for (int i = 0; i < blocks->n_items; i++)
        n += plc_block_may_drop(&blocks->items[i]);
    return n;
}

// Greedy, with importances measured again after each block.
static pleach_status choose_drops(plc_run *run, const plc_blocks *blocks, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_block_choice *choices = NULL;
    const plc_drop_opts opts = {.n_drop = run->opts.drop, .tolerance = ACCEPTED_FALL};

    const int n_droppable = count_droppable(blocks);

    if (run->opts.drop > n_droppable)
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--drop %d: '%s' has %d residual blocks left that may be dropped", run->opts.drop,
                run->session->graph->name, n_droppable);
    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *choices, &choices));
    TRY(plc_blocks_choose(run->session, blocks, &run->dataset->calibration, &opts, choices));
    for (int i = 0; i < blocks->n_items; i++) {
        plan->blocks[i].effects[PLC_ACTION_DROP].importance = choices[i].importance;
        if (choices[i].round >= 0)
            plan->blocks[i].action = PLC_ACTION_DROP;
    }
done:
    free(choices);
    return status;
}

static pleach_status choose_for_budget(plc_run *run, const plc_blocks *blocks, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;

    plan->budget = run->opts.fuse * plan->total;
    TRY(plc_plan_measure(run->session, blocks, &run->dataset->calibration, plan));
    TRY(plc_plan_choose(run->ctx, plan));
    if (plc_plan_cost(plan) > plan->budget)
        plc_log(
            run->ctx, PLEACH_LOG_WARNING,
            "--fuse %g cannot be reached: %s of %g are left of %g with all blocks gone that may go",
            run->opts.fuse, plan->cost, plc_plan_cost(plan), plan->total);
done:
    return status;
}

static pleach_status keep_plan(plc_run *run, const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_text table = {0};
    char *path = NULL;

    TRY(plc_directory_file(run->ctx, &run->directory, "plan.json", &path));
    TRY(plc_plan_write(run->ctx, plan, path));
    TRY(plc_plan_print(run->ctx, plan, &table));
    plc_log(run->ctx, PLEACH_LOG_INFO, "the plan, in %s:\n%.*s", path, (int)table.length - 1,
            table.data);
done:
    plc_text_finish(&table);
    free(path);
    return status;
}

// Into the report, and the names of what is dropped into the run's state.
static pleach_status remember_plan(plc_run *run, const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_text names = {0};

    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_plan_block *block = &plan->blocks[i];
        const bool merge = block->action == PLC_ACTION_MERGE;
        const plc_effect *effect = &block->effects[merge ? PLC_ACTION_MERGE : PLC_ACTION_DROP];
        if (plc_run_is_main(run))
            TRY(plc_report_add_block(run->ctx, &run->report, block->name,
                                     plc_action_names[block->action], effect->importance));
        if (block->action == PLC_ACTION_DROP)
            TRY(plc_text_printf(run->ctx, &names, "%s\n", block->name));
    }
    TRY(plc_text_take(run->ctx, &names, &run->dropping));
done:
    plc_text_finish(&names);
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
    pleach_session *session = NULL;
    plc_metrics metrics;

    TRY(plc_alloc(run->ctx, (size_t)run->session->graph->n_nodes, sizeof *seconds, &seconds));
    plc_block_mark_merge(run->session->graph, block, seconds);
    TRY(plc_fade_describe(run->ctx, run->session->graph, seconds, true, &graph, &edits));
    TRY(plc_rewrite_session(run->session, graph, edits, false, &session));
    status = plc_run_replace_session(run, session);
    session = NULL;
    TRY(status);
    TRY(plc_evaluate_logits(run->session, &run->dataset->calibration, &metrics, logits + n));
    *border_error = relative_change(logits, logits + n, n);
    memcpy(logits, logits + n, n * sizeof *logits);
done:
    pleach_session_destroy(&session);
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

// A control drops and merges what the main network did.
static pleach_status take_own_plan(plc_run *run, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    TRY(plc_directory_file(run->ctx, &run->directory, "plan.json", &path));
    TRY(take_file(run, path, true, plan));
done:
    free(path);
    return status;
}

pleach_status plc_run_plan_fusion(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    plc_plan plan = {0};
    double begin = 0;

    TRY(begin_rewrite(run, &begin));
    TRY(start_plan(run, run->session->graph, &blocks, &plan));
    if (!plc_run_is_main(run))
        TRY(take_own_plan(run, &plan));
    else if (run->opts.plan[0])
        TRY(take_given_plan(run, true, &plan));
    else if (run->opts.fuse > 0)
        TRY(choose_for_budget(run, blocks, &plan));
    else
        TRY(choose_drops(run, blocks, &plan));
    if (plc_run_is_main(run))
        TRY(keep_plan(run, &plan));
    TRY(remember_plan(run, &plan));
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
    pleach_session *session = NULL;

    TRY(describe_next(run, &graph, &edits, found));
    if (!*found)
        goto done;
    TRY(plc_rewrite_session(run->session, graph, edits, false, &session));
    status = plc_run_replace_session(run, session);
    session = NULL;
    TRY(status);
done:
    pleach_session_destroy(&session);
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
