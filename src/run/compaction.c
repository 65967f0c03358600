// Compaction in a run: the session on the smaller network takes the place of the one before it; and
// --settle, which does that while pruning goes on.
#include <run/run.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <rewrite/compact.h>

static pleach_status report_channels(plc_run *run, const pleach_graph *before,
                                     const pleach_graph *after)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < before->n_nodes; i++)
        if (plc_graph_is(before, i, "conv")) {
            const int node = plc_graph_find(after, before->nodes[i].name);
            TRY(plc_report_set_channels(run->ctx, &run->report, before->nodes[i].name,
                                        before->nodes[i].shape.c,
                                        node == PLC_NO_NODE ? 0 : after->nodes[node].shape.c));
        }
done:
    return status;
}

// Blocks that are gone because their branch was empty.
static pleach_status report_emptied(plc_run *run, const pleach_graph *before,
                                    const pleach_graph *after)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < before->n_nodes; i++)
        if (plc_graph_is(before, i, "add") &&
            plc_graph_find(after, before->nodes[i].name) == PLC_NO_NODE)
            TRY(plc_report_add_block(run->ctx, &run->report, before->nodes[i].name, "empty", NAN));
done:
    return status;
}

pleach_status plc_run_compact(plc_run *run, const unsigned char *kept)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;

    TRY(plc_device_finish(run->device)); // the steps before are not the rewrite's time
    const double begin = plc_clock_seconds();
    TRY(plc_compact_describe(run->ctx, run->session->graph, run->channels, kept, &graph, &edits));
    if (plc_run_is_main(run)) {
        TRY(report_channels(run, run->session->graph, graph));
        TRY(report_emptied(run, run->session->graph, graph));
    }
    plc_scorer_destroy(&run->scorer);
    plc_pruner_destroy(&run->pruner);
    TRY(plc_run_rewrite(run, graph, edits));
    plc_run_spend(run, &run->report.method_cost.compact_ms, plc_clock_seconds() - begin);
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

// What pruning knows of each class and group, on its way from one network's to the next one's.
typedef struct class_state {
    unsigned char *mask, *pruned_for; // owned
    plc_settled *settled;             // owned, per group
    float *means;                     // owned; NULL: the score has none
} class_state;

static void finish_state(class_state *state)
{
    free(state->mask);
    free(state->pruned_for);
    free(state->settled);
    free(state->means);
}

static pleach_status make_state(plc_run *run, const plc_channels *channels, bool means,
                                class_state *state)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)plc_channels_n_classes(channels);
    const size_t n_groups = (size_t)plc_channels_n_groups(channels);

    TRY(plc_alloc(run->ctx, n, 1, &state->mask));
    TRY(plc_alloc(run->ctx, n, 1, &state->pruned_for));
    TRY(plc_alloc(run->ctx, n_groups, sizeof *state->settled, &state->settled));
    if (means)
        TRY(plc_alloc(run->ctx, n, sizeof *state->means, &state->means));
done:
    return status;
}

// Takes the run's state, with the classes that are not `kept` settled; means wait for the device.
static pleach_status take_state(plc_run *run, const float *scores, const unsigned char *kept,
                                class_state *state)
{
    pleach_status status = PLEACH_OK;

    TRY(make_state(run, run->channels, plc_scorer_observes(run->scorer), state));
    memcpy(state->mask, run->mask, (size_t)plc_channels_n_classes(run->channels));
    memcpy(state->pruned_for, run->pruned_for, (size_t)plc_channels_n_classes(run->channels));
    memcpy(state->settled, run->settled,
           (size_t)plc_channels_n_groups(run->channels) * sizeof *run->settled);
    for (int k = 0; k < plc_channels_n_classes(run->channels); k++)
        if (!kept[k]) {
            plc_settled *group = &state->settled[plc_channels_group_of(run->channels, k)];
            group->n_classes++;
            group->scores += (double)scores[k];
        }
    if (state->means)
        TRY(plc_scorer_read_means(run->scorer, state->means));
done:
    return status;
}

// Channels that stay keep their order and nodes their names, so the i-th kept channel of a value is the
// i-th of the value of that name.
static void move_state(const pleach_graph *from, const plc_channels *old_classes,
                       const class_state *old, const unsigned char *kept, const pleach_graph *to,
                       const plc_channels *new_classes, class_state *new)
{
    for (int node = 0; node < from->n_nodes; node++) {
        const int at = plc_graph_find(to, from->nodes[node].name);
        for (int c = 0, channel = 0; at != PLC_NO_NODE && c < from->nodes[node].shape.c; c++) {
            const int k = plc_channels_class(old_classes, node, c);
            if (!kept[k])
                continue;
            const int j = plc_channels_class(new_classes, at, channel++);
            new->mask[j] = old->mask[k];
            new->pruned_for[j] = old->pruned_for[k];
            new->settled[plc_channels_group_of(new_classes, j)] =
                old->settled[plc_channels_group_of(old_classes, k)];
            if (new->means)
                new->means[j] = old->means[k];
        }
    }
}

static pleach_status restart_pruning(plc_run *run, const pleach_graph *before,
                                     const plc_channels *old_classes, const class_state *old,
                                     const unsigned char *kept)
{
    pleach_status status = PLEACH_OK;
    class_state new = {0};

    TRY(plc_run_start_pruning(run));
    TRY(make_state(run, run->channels, old->means != NULL, &new));
    move_state(before, old_classes, old, kept, run->session->graph, run->channels, &new);
    memcpy(run->mask, new.mask, (size_t)plc_channels_n_classes(run->channels));
    memcpy(run->pruned_for, new.pruned_for, (size_t)plc_channels_n_classes(run->channels));
    memcpy(run->settled, new.settled,
           (size_t)plc_channels_n_groups(run->channels) * sizeof *run->settled);
    if (strcmp(run->opts.recover, "soft") != 0)
        TRY(plc_run_set_masks(run));
    if (new.means)
        TRY(plc_scorer_write_means(run->scorer, new.means));
done:
    finish_state(&new);
    return status;
}

// Classes that may stay: all that were not pruned for --settle updates. Returns how many may not.
static int find_settled(const plc_run *run, unsigned char *kept)
{
    int n_settled = 0;

    for (int k = 0; k < plc_channels_n_classes(run->channels); k++) {
        kept[k] = run->pruned_for[k] < run->opts.settle;
        n_settled += !kept[k];
    }
    return n_settled;
}

// Classes that could be pruned and are not in the session's graph any more: those that settled, and those that went with
// an emptied branch, pruned or not.
static pleach_status count_gone(const plc_run *run, const pleach_graph *before,
                                const plc_channels *old_classes, const unsigned char *kept,
                                int *n_gone)
{
    pleach_status status = PLEACH_OK;
    const int n = plc_channels_n_classes(old_classes);
    bool *survives = NULL;

    *n_gone = 0;
    TRY(plc_alloc(run->ctx, (size_t)n, sizeof *survives, &survives));
    for (int node = 0; node < before->n_nodes; node++) {
        const bool is_there =
            plc_graph_find(run->session->graph, before->nodes[node].name) != PLC_NO_NODE;
        for (int c = 0; is_there && c < before->nodes[node].shape.c; c++) {
            const int k = plc_channels_class(old_classes, node, c);
            survives[k] = survives[k] || kept[k];
        }
    }
    for (int k = 0; k < n; k++)
        *n_gone += !survives[k] &&
                   !plc_channels_group(old_classes, plc_channels_group_of(old_classes, k))->frozen;
done:
    free(survives);
    return status;
}

pleach_status plc_run_settle(plc_run *run, const float *scores)
{
    pleach_status status = PLEACH_OK;
    const int n = plc_channels_n_classes(run->channels);
    unsigned char *kept = NULL;
    pleach_graph *before = NULL;
    plc_channels *old_classes = NULL;
    class_state old = {0};
    int n_gone;

    for (int k = 0; k < n; k++)
        run->pruned_for[k] = run->mask[k]                              ? 0
                             : run->pruned_for[k] < PLC_RUN_MAX_SETTLE ? run->pruned_for[k] + 1
                                                                       : PLC_RUN_MAX_SETTLE;
    if (run->opts.settle == 0)
        return PLEACH_OK;
    TRY(plc_alloc(run->ctx, (size_t)n, 1, &kept));
    if (find_settled(run, kept) == 0)
        goto done;
    TRY(take_state(run, scores, kept, &old));
    TRY(plc_graph_copy(run->ctx, run->session->graph, &before));
    TRY(plc_run_compact(run, kept));
    old_classes = run->channels;
    run->channels = NULL;
    plc_run_finish_pruning(run);
    TRY(restart_pruning(run, before, old_classes, &old, kept));
    TRY(count_gone(run, before, old_classes, kept, &n_gone));
    run->n_settled += n_gone;
    TRY(plc_run_log_event(run, "settle",
                          json_pack("{s:i,s:i}", "compacted", n_gone, "left",
                                    plc_channels_n_classes(run->channels))));
done:
    finish_state(&old);
    plc_channels_destroy(&old_classes);
    pleach_graph_destroy(&before);
    free(kept);
    return status;
}
