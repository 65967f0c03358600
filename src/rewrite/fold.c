// Folding of batch norms, described.
#include <rewrite/fold.h>

#include <stdlib.h>
#include <base/memory.h>
#include <graph/op.h>

// The layer that the batch norm `node` joins, or PLC_NO_NODE.
static int host_of(const pleach_graph *graph, int node)
{
    if (graph->nodes[node].op != plc_op_find("batch_norm"))
        return PLC_NO_NODE;
    int host = graph->nodes[node].inputs[0];
    const struct op *op = graph->nodes[host].op;
    // The layer becomes the graph's last node when the batch norm was.
    if (node == graph->n_nodes - 1 && host != node - 1)
        return PLC_NO_NODE;
    bool linear = op == plc_op_find("conv") || op == plc_op_find("linear");
    return linear && plc_graph_count_consumers(graph, host) == 1 ? host : PLC_NO_NODE;
}

static void fold_edit(plc_edit *edit, const int *norm_of)
{
    const int weight = 0; // the first parameter of a convolution or linear layer; the bias follows

    if (norm_of[edit->from_node] == PLC_NO_NODE)
        return;
    edit->kind = edit->param == weight ? PLC_EDIT_FOLD_WEIGHT : PLC_EDIT_FOLD_BIAS;
    edit->norm = norm_of[edit->from_node];
}

pleach_status plc_fold_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                pleach_graph **new_graph, plc_edits **edits, int *n_folded)
{
    pleach_status status = PLEACH_OK;
    size_t n = (size_t)graph->n_nodes;
    plc_draft draft = {0};
    int *norm_of = NULL, count = 0;

    *new_graph = NULL;
    *edits = NULL;
    TRY(plc_draft_create(ctx, graph, &draft));
    TRY(plc_alloc(ctx, n, sizeof *norm_of, &norm_of));
    for (int i = 0; i < graph->n_nodes; i++) {
        int host = host_of(graph, i);
        norm_of[i] = PLC_NO_NODE;
        if (host == PLC_NO_NODE)
            continue;
        draft.stays[i] = false;
        draft.stands_for[i] = host;
        draft.attrs[host].bias = true;
        norm_of[host] = i;
        count++;
    }
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
    for (int i = 0; i < (*edits)->n_items; i++)
        fold_edit(&(*edits)->items[i], norm_of);
    if (n_folded)
        *n_folded = count;
done:
    plc_draft_finish(&draft);
    free(norm_of);
    return status;
}
