// Dropping a residual branch, described.
#include <rewrite/drop.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

// Operators that give zero or more when all their inputs are.
static bool keeps_sign(const pleach_graph *graph, int node)
{
    static const char *const names[] = {"max_pool", "avg_pool", "global_avg_pool",
                                        "flatten",  "concat",   "add"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (plc_graph_is(graph, node, names[i]))
            return true;
    return false;
}

pleach_status plc_mark_non_negative(pleach_ctx *ctx, const pleach_graph *graph, bool **marks)
{
    pleach_status status = plc_alloc(ctx, (size_t)graph->n_nodes, sizeof **marks, marks);

    for (int i = 1; status == PLEACH_OK && i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        bool inputs = keeps_sign(graph, i);
        for (int j = 0; inputs && j < node->n_inputs; j++)
            inputs = (*marks)[node->inputs[j]];
        (*marks)[i] = inputs || plc_graph_is(graph, i, "relu");
    }
    return status;
}

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
    plc_draft_keep_live(&draft, graph);
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
done:
    free(non_negative);
    plc_draft_finish(&draft);
    return status;
}
