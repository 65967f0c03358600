// Between epochs: what ends one phase and begins the next.
#include <run/run.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <fuse/blocks.h>
#include <rewrite/apply.h>
#include <rewrite/drop.h>
#include <rewrite/fold.h>

// With --drop -1 all dropped blocks together may cost this share of right answers on the calibration
// images, before the others have learnt to stand in for them.
static const double ACCEPTED_FALL = 0.005;

// Batches from which running statistics are estimated anew after a rewrite.
enum { STATISTICS_BATCHES = 50 };

static pleach_status fresh_statistics(plc_run *run)
{
    const int per_epoch = plc_trainer_steps_per_epoch(run->trainer);

    return plc_estimate_statistics(run->session, &run->dataset->train,
                                   per_epoch < STATISTICS_BATCHES ? per_epoch : STATISTICS_BATCHES,
                                   run->opts.seed + 1);
}

static pleach_status end_dense(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_run_measure(run, "dense", run->session));
    TRY(plc_run_write_model(run, run->session, "dense.safetensors"));
    TRY(plc_run_make_teacher(run, run->session));
    TRY(plc_run_measure_dense(run, run->session->graph));
    TRY(plc_run_report_targets(run));
    TRY(plc_run_start_pruning(run));
done:
    return status;
}

// A rewrite's time begins when the steps that were enqueued before it are done.
static pleach_status begin_rewrite(const plc_run *run, double *begin)
{
    const pleach_status status = plc_device_finish(run->session->device);

    *begin = plc_clock_seconds();
    return status;
}

static pleach_status compact(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_run_set_masks(run)); // in soft pruning they were open
    TRY(plc_run_compact(run, run->mask));
    plc_run_finish_pruning(run);
done:
    return status;
}

static pleach_status remember_choice(plc_run *run, const plc_blocks *blocks,
                                     const plc_block_choice *choices)
{
    pleach_status status = PLEACH_OK;
    plc_text names = {0};
    const pleach_graph *graph = run->session->graph;

    for (int i = 0; i < blocks->n_items; i++) {
        const char *name = graph->nodes[blocks->items[i].add].name;
        TRY(plc_report_add_block(run->ctx, &run->report, name, choices[i].importance,
                                 choices[i].round >= 0));
        if (choices[i].round >= 0)
            TRY(plc_text_printf(run->ctx, &names, "%s%s", names.length ? "," : "", name));
    }
    TRY(plc_text_take(run->ctx, &names, &run->dropping));
done:
    plc_text_finish(&names);
    return status;
}

static pleach_status choose_blocks(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    plc_block_choice *choices = NULL;
    double begin = 0;
    const plc_drop_opts opts = {.n_drop = run->opts.drop, .tolerance = ACCEPTED_FALL};

    TRY(begin_rewrite(run, &begin));
    TRY(plc_blocks_find(run->ctx, run->session->graph, &blocks));
    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *choices, &choices));
    TRY(plc_blocks_choose(run->session, blocks, &run->dataset->calibration, &opts, choices));
    TRY(remember_choice(run, blocks, choices));
    run->report.method_cost.fuse_ms += (plc_clock_seconds() - begin) * 1e3;
done:
    free(choices);
    plc_blocks_destroy(&blocks);
    return status;
}

static pleach_status end_prune(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    TRY(compact(run));
    TRY(fresh_statistics(run));
    TRY(plc_run_measure(run, "pruned", run->session));
    TRY(plc_run_write_model(run, run->session, "pruned.safetensors"));
    TRY(choose_blocks(run));
    TRY(plc_run_start_fading(run));
done:
    return status;
}

static bool is_dropping(const plc_run *run, const char *name)
{
    const size_t length = strlen(name);

    for (const char *at = run->dropping; at && *at;) {
        const size_t n = strcspn(at, ",");
        if (n == length && strncmp(at, name, n) == 0)
            return true;
        at += n + (at[n] == ',');
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
    const double progress = fade_progress(run);
    // A cosine from 1 to exactly 0, so that dropping changes nothing.
    const float gate = progress >= 1.0 ? 0.0f : (float)(0.5 + 0.5 * cos(acos(-1.0) * progress));

    for (int i = 0; i < run->fading->n_items; i++)
        if (is_dropping(run, run->session->graph->nodes[run->fading->items[i].add].name))
            TRY(plc_gate_set(run->session, run->fading->items[i].gate, gate));
done:
    return status;
}

// Drops one block of run->dropping; *found is false when none is left.
static pleach_status drop_one(plc_run *run, bool *found)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL;

    *found = false;
    TRY(plc_blocks_find(run->ctx, run->session->graph, &blocks));
    for (int i = 0; i < blocks->n_items && !*found; i++) {
        const plc_block *block = &blocks->items[i];
        if (!is_dropping(run, run->session->graph->nodes[block->add].name))
            continue;
        *found = true;
        TRY(plc_drop_describe(run->ctx, run->session->graph, block->add, block->shortcut, &graph,
                              &edits));
        TRY(plc_rewrite_session(run->session, graph, edits, false, &session));
        status = plc_run_replace_session(run, session);
        session = NULL;
        TRY(status);
    }
done:
    pleach_session_destroy(&session);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    plc_blocks_destroy(&blocks);
    return status;
}

static pleach_status end_fade(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    double begin = 0;
    bool found = run->dropping && run->dropping[0];

    TRY(begin_rewrite(run, &begin));
    plc_blocks_destroy(&run->fading);
    while (found)
        TRY(drop_one(run, &found));
    free(run->dropping);
    run->dropping = NULL;
    run->report.method_cost.fuse_ms += (plc_clock_seconds() - begin) * 1e3;
    TRY(fresh_statistics(run));
done:
    return status;
}

// The final network without batch norms, for runtimes that only infer.
static pleach_status write_folded(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL;

    TRY(plc_fold_describe(run->ctx, run->session->graph, &graph, &edits, NULL));
    TRY(plc_rewrite_session(run->session, graph, edits, true, &session));
    TRY(plc_run_write_model(run, session, "model-folded.safetensors"));
done:
    pleach_session_destroy(&session);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

static pleach_status end_job(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const char *control = plc_run_network_name(run);

    TRY(fresh_statistics(run));
    TRY(plc_run_measure(run,
                        control[0]      ? control
                        : run->compress ? "fused"
                                        : "dense",
                        run->session));
    if (control[0])
        goto done;
    TRY(plc_run_write_model(run, run->session, "model.safetensors"));
    TRY(write_folded(run));
done:
    return status;
}

pleach_status plc_run_enter_phase(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const bool whole = run->compress && run->network == 0;
    const plc_phase from = run->phase;
    const plc_phase to = whole ? (plc_phase)(from + 1) : PLC_PHASE_DONE;

    if (to == PLC_PHASE_PRUNE)
        TRY(end_dense(run));
    else if (to == PLC_PHASE_FADE)
        TRY(end_prune(run));
    else if (to == PLC_PHASE_TUNE)
        TRY(end_fade(run));
    else
        TRY(end_job(run));
    run->phase = to;
    TRY(plc_run_log_event(
        run, "phase",
        json_pack("{s:s,s:s}", "from", plc_phase_name(from), "to", plc_phase_name(to))));
done:
    return status;
}
