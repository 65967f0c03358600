// Values that are never negative.
#include <graph/signs.h>

#include <base/memory.h>

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
        (*marks)[i] = inputs || plc_graph_is(graph, i, "relu") ||
                      (plc_graph_is(graph, i, "clip") && node->attrs.alpha >= 0);
    }
    return status;
}
