// Where each parameter lies in the arenas: trainable ones first, then running statistics.
#include <graph/graph.h>

#include <limits.h>
#include <stdlib.h>
#include <base/memory.h>

static int count_params(const pleach_graph *graph)
{
    int n = 0;

    for (int i = 0; i < graph->n_nodes; i++)
        n += graph->nodes[i].n_params;
    return n;
}

// Gives every parameter that is trainable, or every one that is not, its place in node order.
static pleach_status place(pleach_ctx *ctx, const pleach_graph *graph, bool trainable,
                           plc_params_layout *layout)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_params; j++) {
            size_t count = plc_param_count(&node->params[j]);
            if (node->params[j].trainable != trainable)
                continue;
            if (count > (size_t)(INT_MAX - layout->n_floats))
                return plc_fail(
                    ctx, PLEACH_EGRAPH,
                    "graph '%s': its parameters pass %d floats at '%s'; use fewer channels",
                    graph->name, INT_MAX, node->name);
            layout->offsets[i][j] = layout->n_floats;
            layout->places[layout->n_places++] = (plc_param_place){
                .node = i, .param = j, .offset = layout->n_floats, .count = (int)count};
            layout->n_floats += (int)count;
        }
    }
    return PLEACH_OK;
}

pleach_status plc_params_layout_create(pleach_ctx *ctx, const pleach_graph *graph,
                                       plc_params_layout **layout)
{
    pleach_status status = PLEACH_OK;
    plc_params_layout *l = NULL;

    *layout = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *l, &l));
    TRY(plc_alloc(ctx, (size_t)count_params(graph), sizeof *l->places, &l->places));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *l->offsets, &l->offsets));
    TRY(place(ctx, graph, true, l));
    l->n_trainable = l->n_floats;
    TRY(place(ctx, graph, false, l));
    *layout = l;
    l = NULL;
done:
    plc_params_layout_destroy(&l);
    return status;
}

void plc_params_layout_destroy(plc_params_layout **layout)
{
    plc_params_layout *l = *layout;

    if (!l)
        return;
    free(l->places);
    free(l->offsets);
    free(l);
    *layout = NULL;
}
