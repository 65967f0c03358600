// Dropping a residual branch, described.
#include <rewrite/drop.h>

#include <stdlib.h>
#include <graph/kept.h>
#include <graph/signs.h>

pleach_status plc_drop_describe(pleach_ctx *ctx, const pleach_graph *graph, int add, int shortcut,
                                pleach_graph **new_graph, plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    bool *non_negative = NULL;
    plc_draft draft = {0};

    *new_graph = NULL;
    *edits = NULL;
    if (add < 0 || add >= graph->n_nodes || !plc_graph_is(graph, add, "add") ||
        (graph->nodes[add].inputs[0] != shortcut && graph->nodes[add].inputs[1] != shortcut))
        FAIL(ctx, PLEACH_EGRAPH,
             "drop: node %d is not an add that reads node %d; take both from plc_blocks_find", add,
             shortcut);
    TRY(plc_mark_non_negative(ctx, graph, &non_negative));
    TRY(plc_draft_create(ctx, graph, &draft));
    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        bool redundant =
            plc_graph_is(graph, i, "relu") && node->inputs[0] == add && non_negative[shortcut];
        draft.stands_for[i] = i == add || redundant ? shortcut : i;
    }
    plc_mark_live(graph, draft.stands_for, draft.stays);
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
done:
    free(non_negative);
    plc_draft_finish(&draft);
    return status;
}
