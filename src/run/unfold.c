// --unfold: batch norms for convolutions of a model file that have none, before anything is trained.
#include <run/run.h>

#include <rewrite/apply.h>
#include <rewrite/unfold.h>

// Watches the session's network for some batches; *watched has the statistics of all convolutions' outputs.
static pleach_status watch(plc_run *run, pleach_session **watched)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;

    TRY(plc_unfold_watch(run->ctx, run->session->graph, &graph, &edits));
    plc_session_strip(run->session);
    TRY(plc_rewrite_session(run->session, graph, edits, false, watched));
    TRY(plc_run_fresh_statistics(run, *watched));
    // Batch norms that were there take part in it; they have their own statistics back.
    TRY(plc_rewrite_apply(run->session, *watched, edits));
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

static pleach_status put_in(plc_run *run, pleach_session *watched)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL;

    TRY(plc_unfold_describe(run->ctx, run->session->graph, watched->graph, &graph, &edits));
    plc_session_strip(watched);
    TRY(plc_rewrite_session(watched, graph, edits, false, &session));
    pleach_session_destroy(&run->session);
    run->session = session;
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

pleach_status plc_run_unfold(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const int n = plc_unfold_count(run->session->graph);
    pleach_session *watched = NULL;

    if (n == 0) {
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--unfold: '%s' has no convolution without a batch norm; nothing to do",
                run->opts.model);
        return PLEACH_OK;
    }
    TRY(watch(run, &watched));
    TRY(put_in(run, watched));
    plc_log(run->ctx, PLEACH_LOG_INFO, "unfolded: %d batch norms", n);
done:
    pleach_session_destroy(&watched);
    return status;
}
