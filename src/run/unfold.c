// --unfold: batch norms for convolutions of a model file that have none, before anything is trained.
#include <run/run.h>

#include <rewrite/apply.h>
#include <rewrite/unfold.h>

// One batch gives the first statistics, which the others then move: so nothing is left of what stood there before.
static const float first_momentum = 1.0f, momentum = 0.1f;
enum { MOST_BATCHES = 50 };

// Watches the session's network for some batches; *watched has the statistics of all convolutions' outputs.
static pleach_status watch(plc_run *run, float how_fast, int n_batches, pleach_session *from,
                           pleach_graph **graph, plc_edits **edits, pleach_session **watched)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_unfold_watch(run->ctx, run->session->graph, how_fast, graph, edits));
    TRY(plc_rewrite_session(run->session, *graph, *edits, false, watched));
    if (from)
        TRY(plc_session_copy_weights(from, *watched));
    TRY(plc_estimate_statistics(*watched, &run->dataset->train, n_batches, run->opts.seed + 1));
    // Batch norms that were there take part in it; they have their own statistics back.
    TRY(plc_rewrite_apply(run->session, *watched, *edits));
done:
    return status;
}

static pleach_status put_in(plc_run *run, pleach_session *watched)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL;

    TRY(plc_unfold_describe(run->ctx, run->session->graph, watched->graph, &graph, &edits));
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
    const int per_epoch = run->dataset->train.n_images / run->opts.batch;
    pleach_graph *graphs[2] = {NULL};
    plc_edits *edits[2] = {NULL};
    pleach_session *watched[2] = {NULL};

    if (n == 0) {
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--unfold: '%s' has no convolution without a batch norm; nothing to do",
                run->opts.model);
        return PLEACH_OK;
    }
    TRY(watch(run, first_momentum, 1, NULL, &graphs[0], &edits[0], &watched[0]));
    TRY(watch(run, momentum, per_epoch < MOST_BATCHES ? per_epoch : MOST_BATCHES, watched[0],
              &graphs[1], &edits[1], &watched[1]));
    pleach_session_destroy(&watched[0]);
    TRY(put_in(run, watched[1]));
    plc_log(run->ctx, PLEACH_LOG_INFO, "unfolded: %d batch norms", n);
done:
    for (int i = 0; i < 2; i++) {
        pleach_session_destroy(&watched[i]);
        plc_edits_destroy(&edits[i]);
        pleach_graph_destroy(&graphs[i]);
    }
    return status;
}
