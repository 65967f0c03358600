// Between epochs: what ends one phase and begins the next.
#include <run/run.h>

#include <rewrite/apply.h>
#include <rewrite/fold.h>
#include <rewrite/merge.h>

// From which running statistics are estimated anew after a rewrite.
enum { STATISTICS_BATCHES = 50 };

pleach_status plc_run_fresh_statistics(plc_run *run, pleach_session *session)
{
    const int per_epoch = run->dataset->train.n_images / session->batch;

    return plc_estimate_statistics(session, &run->dataset->train,
                                   per_epoch < STATISTICS_BATCHES ? per_epoch : STATISTICS_BATCHES,
                                   run->opts.seed + 1);
}

static pleach_status end_dense(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    if (plc_run_is_main(run)) {
        TRY(plc_run_measure(run, "dense", run->session));
        TRY(plc_run_write_model(run, run->session, "dense.safetensors"));
    }
    TRY(plc_run_make_teacher(run, run->session));
    TRY(plc_run_measure_dense(run, run->session->graph));
    if (plc_run_is_main(run))
        TRY(plc_run_report_targets(run));
    TRY(plc_run_start_pruning(run));
done:
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

static pleach_status end_prune(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    TRY(compact(run));
    TRY(plc_run_fresh_statistics(run, run->session));
    if (plc_run_is_main(run)) {
        TRY(plc_run_measure(run, "pruned", run->session));
        TRY(plc_run_write_model(run, run->session, "pruned.safetensors"));
    }
    TRY(plc_run_plan_fusion(run));
    TRY(plc_run_start_fading(run));
done:
    return status;
}

// Running statistics at the end of the fade are those that merging folds away.
static pleach_status end_fade(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    if (plc_graph_count_op(run->session->graph, "fading_relu") > 0)
        TRY(plc_run_fresh_statistics(run, run->session));
    TRY(plc_run_fuse(run));
    TRY(plc_run_fresh_statistics(run, run->session));
done:
    return status;
}

// Sums of x and a convolution of x become one convolution; *session is replaced.
static pleach_status join_shortcuts(plc_run *run, pleach_session **session)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *joined = NULL;
    int n_joined = 0;

    TRY(plc_join_describe(run->ctx, (*session)->graph, &graph, &edits, &n_joined));
    if (n_joined == 0)
        goto done;
    plc_session_strip(*session);
    TRY(plc_rewrite_session(*session, graph, edits, true, &joined));
    pleach_session_destroy(session);
    *session = joined;
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

// The final network without batch norms, for runtimes that only infer. The session runs no more.
static pleach_status write_folded(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL;

    TRY(plc_fold_describe(run->ctx, run->session->graph, &graph, &edits, NULL));
    plc_session_strip(run->session);
    TRY(plc_rewrite_session(run->session, graph, edits, true, &session));
    TRY(join_shortcuts(run, &session));
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

    TRY(plc_run_fresh_statistics(run, run->session));
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
    const plc_phase from = run->phase;
    const plc_phase to = plc_run_compresses(run) ? (plc_phase)(from + 1) : PLC_PHASE_DONE;

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
