// A job's sessions without its data.
#include <run/programs.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/self_test_file.h>
#include <fuse/candidates.h>
#include <graph/channels.h>
#include <prune/pruner.h>
#include <prune/scores.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <rewrite/drop.h>
#include <rewrite/fold.h>
#include <rewrite/merge.h>
#include <rewrite/unfold.h>
#include <train/optimizer.h>

static pleach_status visit_optimizers(pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    plc_optimizer *optimizer = NULL;

    for (int kind = PLC_OPTIMIZER_SGD; kind <= PLC_OPTIMIZER_ADAMW; kind++) {
        const plc_optimizer_opts opts = {.kind = (plc_optimizer_kind)kind};
        TRY(plc_optimizer_create(session, &opts, &optimizer));
        plc_optimizer_destroy(&optimizer);
    }
done:
    plc_optimizer_destroy(&optimizer);
    return status;
}

// A score that does not suit the network (bn without batch norms) is left out: a run refuses it as well.
static pleach_status visit_pruner(pleach_session *session, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    plc_scorer *scorer = NULL;
    plc_pruner *pruner = NULL;

    for (int score = PLC_SCORE_L1; score <= PLC_SCORE_RANDOM; score++) {
        const pleach_status made =
            plc_scorer_create(session, channels, (plc_score)score, 0, &scorer);
        plc_scorer_destroy(&scorer);
        if (made != PLEACH_EUSAGE)
            TRY(made);
    }
    TRY(plc_pruner_create(session, channels, &pruner));
done:
    plc_pruner_destroy(&pruner);
    return status;
}

// A compacted network has the launches of the whole one: a mask that keeps everything shows them.
static pleach_status visit_compaction(pleach_session *session, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)plc_channels_n_classes(channels);
    unsigned char *mask = NULL;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *compacted = NULL;

    TRY(plc_alloc(session->ctx, n + 1, 1, &mask));
    memset(mask, 1, n);
    TRY(plc_compact_describe(session->ctx, session->graph, channels, mask, &graph, &edits));
    TRY(plc_rewrite_session(session, graph, edits, false, &compacted));
done:
    pleach_session_destroy(&compacted);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    free(mask);
    return status;
}

// Each block dropped alone: what stands around it may be computed by another kernel then.
static pleach_status visit_drops(pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *fused = NULL;

    TRY(plc_blocks_find(session->ctx, session->graph, &blocks));
    for (int i = 0; i < blocks->n_items; i++) {
        const plc_block *block = &blocks->items[i];
        TRY(plc_drop_describe(session->ctx, session->graph, block->add, block->shortcut, &graph,
                              &edits));
        TRY(plc_rewrite_session(session, graph, edits, false, &fused));
        pleach_session_destroy(&fused);
        plc_edits_destroy(&edits);
        pleach_graph_destroy(&graph);
    }
done:
    pleach_session_destroy(&fused);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    plc_blocks_destroy(&blocks);
    return status;
}

// The next session of a chain: *at becomes the rewritten one. Takes graph and edits.
static pleach_status visit_rewritten(pleach_session **at, pleach_graph **graph, plc_edits **edits,
                                     bool inference_only)
{
    pleach_status status = PLEACH_OK;
    pleach_session *next = NULL;

    TRY(plc_rewrite_session(*at, *graph, *edits, inference_only, &next));
    pleach_session_destroy(at);
    *at = next;
done:
    plc_edits_destroy(edits);
    pleach_graph_destroy(graph);
    return status;
}

// Folded, and then with shortcuts that join.
static pleach_status visit_fold(pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *folded = NULL;
    int n_joined = 0;

    TRY(plc_fold_describe(session->ctx, session->graph, &graph, &edits, NULL));
    TRY(plc_rewrite_session(session, graph, edits, true, &folded));
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    TRY(plc_join_describe(session->ctx, folded->graph, &graph, &edits, &n_joined));
    if (n_joined > 0)
        TRY(visit_rewritten(&folded, &graph, &edits, true));
done:
    pleach_session_destroy(&folded);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

// Marks what ends a pair in any block that can be merged; false when there is none.
static pleach_status mark_merges(pleach_session *session, bool *all, bool *any)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)session->graph->n_nodes;
    plc_blocks *blocks = NULL;
    bool *seconds = NULL;

    TRY(plc_alloc(session->ctx, n, sizeof *seconds, &seconds));
    TRY(plc_blocks_find(session->ctx, session->graph, &blocks));
    for (int i = 0; i < blocks->n_items; i++) {
        *any = plc_block_mark_merge(session->graph, &blocks->items[i], seconds) || *any;
        for (size_t j = 0; j < n; j++)
            all[j] = all[j] || seconds[j];
    }
done:
    plc_blocks_destroy(&blocks);
    free(seconds);
    return status;
}

// All blocks fading, as importances are measured and as they are trained; then merged one after another.
static pleach_status visit_merges(pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session *at = NULL;
    bool *all = NULL, any = false;
    plc_pair pair;

    TRY(plc_alloc(session->ctx, (size_t)session->graph->n_nodes, sizeof *all, &all));
    TRY(mark_merges(session, all, &any));
    if (!any)
        goto done;
    TRY(plc_fade_describe(session->ctx, session->graph, all, false, &graph, &edits));
    TRY(plc_rewrite_session(session, graph, edits, true, &at));
    pleach_session_destroy(&at);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    TRY(plc_fade_describe(session->ctx, session->graph, all, true, &graph, &edits));
    TRY(plc_rewrite_session(session, graph, edits, false, &at));
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    for (int i = 0; i < at->graph->n_nodes; i++) {
        if (!plc_pair_find(at->graph, i, &pair) || pair.activation == PLC_NO_NODE ||
            !plc_graph_is(at->graph, pair.activation, "fading_relu"))
            continue;
        TRY(plc_merge_describe(session->ctx, at->graph, i, &graph, &edits));
        TRY(visit_rewritten(&at, &graph, &edits, false));
        i = 0;
    }
    TRY(visit_fold(at));
done:
    pleach_session_destroy(&at);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    free(all);
    return status;
}

static pleach_status visit_training(pleach_device *device, const pleach_graph *graph, int batch,
                                    bool mask_gradients)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts opts = {
        .crop = 4, .flip = true, .mask_gradients = mask_gradients, .distillation = 1.0f};
    plc_channels *channels = NULL;
    pleach_session *session = NULL;

    TRY(pleach_session_create(device->ctx, graph, device, batch, &opts, &session));
    TRY(plc_channels_create(device->ctx, graph, &channels));
    TRY(visit_optimizers(session));
    TRY(visit_pruner(session, channels));
    TRY(visit_compaction(session, channels));
    TRY(visit_drops(session));
    TRY(visit_merges(session));
    TRY(visit_fold(session));
done:
    plc_channels_destroy(&channels);
    pleach_session_destroy(&session);
    return status;
}

// With and without gradients that end at masks (--recover).
static pleach_status visit_trainings(pleach_device *device, const pleach_graph *graph, int batch)
{
    pleach_status status = PLEACH_OK;

    TRY(visit_training(device, graph, batch, false));
    TRY(visit_training(device, graph, batch, true));
done:
    return status;
}

// As --unfold trains it: convolutions are watched first, then have batch norms.
static pleach_status visit_unfolded(pleach_device *device, const pleach_graph *graph, int batch)
{
    pleach_status status = PLEACH_OK;
    pleach_session *session = NULL;
    pleach_graph *watching = NULL, *unfolded = NULL;
    plc_edits *edits = NULL;

    TRY(pleach_session_create(device->ctx, graph, device, batch, NULL, &session));
    TRY(plc_unfold_watch(device->ctx, graph, &watching, &edits));
    TRY(visit_rewritten(&session, &watching, &edits, false));
    TRY(plc_unfold_describe(device->ctx, graph, session->graph, &unfolded, &edits));
    TRY(visit_rewritten(&session, &unfolded, &edits, false));
    TRY(visit_trainings(device, session->graph, batch));
done:
    pleach_session_destroy(&session);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&watching);
    pleach_graph_destroy(&unfolded);
    return status;
}

pleach_status plc_programs_visit(pleach_device *device, const pleach_graph *graph, int batch,
                                 bool training)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts opts = {.inference_only = true};
    pleach_session *session = NULL;

    device->tested = (1u << PLC_SELF_TEST_N_PARTS) - 1;
    TRY(pleach_session_create(device->ctx, graph, device, batch, &opts, &session));
    pleach_session_destroy(&session);
    if (training) {
        TRY(visit_trainings(device, graph, batch));
        if (plc_unfold_count(graph) > 0)
            TRY(visit_unfolded(device, graph, batch));
    }
done:
    pleach_session_destroy(&session);
    return status;
}
