// The edit list.
#include <rewrite/edits.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

void plc_edits_destroy(plc_edits **edits)
{
    plc_edits *e = *edits;

    if (!e)
        return;
    for (int i = 0; e->items && i < e->n_items; i++) {
        free(e->items[i].kept[0]);
        free(e->items[i].kept[1]);
    }
    free(e->items);
    free(e->from_nodes);
    free(e);
    *edits = NULL;
}

pleach_status plc_draft_create(pleach_ctx *ctx, const pleach_graph *graph, plc_draft *draft)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)graph->n_nodes;

    *draft = (plc_draft){0};
    TRY(plc_alloc(ctx, n, sizeof *draft->stays, &draft->stays));
    TRY(plc_alloc(ctx, n, sizeof *draft->stands_for, &draft->stands_for));
    TRY(plc_alloc(ctx, n, sizeof *draft->attrs, &draft->attrs));
    TRY(plc_alloc(ctx, n, sizeof *draft->ops, &draft->ops));
    for (int i = 0; i < graph->n_nodes; i++) {
        draft->stays[i] = true;
        draft->stands_for[i] = i;
        draft->attrs[i] = graph->nodes[i].attrs;
        draft->ops[i] = graph->nodes[i].op->name;
    }
done:
    return status;
}

void plc_draft_finish(plc_draft *draft)
{
    free(draft->stays);
    free(draft->stands_for);
    free(draft->attrs);
    free(draft->ops);
    *draft = (plc_draft){0};
}

// Copies what stays; new_of [n_nodes] receives each old node's place in the new graph.
static pleach_status copy_nodes(pleach_ctx *ctx, const pleach_graph *graph, const plc_draft *draft,
                                int *new_of, pleach_graph *new_graph)
{
    pleach_status status = PLEACH_OK;
    int *inputs = NULL;
    size_t capacity = 0;

    for (int i = 1; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        if (!draft->stays[i])
            continue;
        TRY(plc_grow(ctx, &inputs, &capacity, (size_t)node->n_inputs));
        for (int j = 0; j < node->n_inputs; j++)
            inputs[j] = new_of[draft->stands_for[node->inputs[j]]];
        TRY(plc_graph_add(ctx, new_graph, draft->ops[i], node->name, inputs, node->n_inputs,
                          &draft->attrs[i], &new_of[i]));
    }
done:
    free(inputs);
    return status;
}

static int find_param(const plc_node *node, const char *name)
{
    for (int i = 0; i < node->n_params; i++)
        if (strcmp(node->params[i].name, name) == 0)
            return i;
    return -1;
}

static pleach_status gather_all(pleach_ctx *ctx, const pleach_graph *graph,
                                const pleach_graph *new_graph, plc_edits *edits)
{
    pleach_status status = PLEACH_OK;
    plc_params_layout *layout = NULL;

    TRY(plc_params_layout_create(ctx, new_graph, &layout));
    TRY(plc_alloc(ctx, (size_t)layout->n_places, sizeof *edits->items, &edits->items));
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_param *param = &new_graph->nodes[place->node].params[place->param];
        int from = edits->from_nodes[place->node];
        if (from == PLC_NO_NODE)
            continue;
        edits->items[edits->n_items++] = (plc_edit){
            .kind = PLC_EDIT_GATHER,
            .node = place->node,
            .param = place->param,
            .from_node = from,
            .from_param = find_param(&graph->nodes[from], param->name),
            .norm = PLC_NO_NODE,
            .first = PLC_NO_NODE,
            .second = PLC_NO_NODE,
            .n_kept = {param->dims[0], param->n_dims > 1 ? param->dims[1] : 1},
        };
    }
done:
    plc_params_layout_destroy(&layout);
    return status;
}

pleach_status plc_edits_gather(pleach_ctx *ctx, const pleach_graph *graph,
                               const pleach_graph *new_graph, const int *from_nodes,
                               plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    plc_edits *e = NULL;

    *edits = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *e, &e));
    e->n_nodes = new_graph->n_nodes;
    TRY(plc_alloc(ctx, (size_t)e->n_nodes, sizeof *e->from_nodes, &e->from_nodes));
    memcpy(e->from_nodes, from_nodes, (size_t)e->n_nodes * sizeof *e->from_nodes);
    TRY(gather_all(ctx, graph, new_graph, e));
    *edits = e;
    e = NULL;
done:
    plc_edits_destroy(&e);
    return status;
}

pleach_status plc_edits_begin(pleach_ctx *ctx, const pleach_graph *graph, const plc_draft *draft,
                              pleach_graph **new_graph, plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    int *new_of = NULL, *from_nodes = NULL;

    *new_graph = NULL;
    *edits = NULL;
    TRY(plc_graph_create(ctx, graph->name, graph->nodes[0].shape, new_graph));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *new_of, &new_of));
    TRY(copy_nodes(ctx, graph, draft, new_of, *new_graph));
    TRY(plc_alloc(ctx, (size_t)(*new_graph)->n_nodes, sizeof *from_nodes, &from_nodes));
    for (int i = 1; i < graph->n_nodes; i++)
        if (draft->stays[i])
            from_nodes[new_of[i]] = i;
    TRY(plc_edits_gather(ctx, graph, *new_graph, from_nodes, edits));
done:
    free(new_of);
    free(from_nodes);
    if (status != PLEACH_OK)
        pleach_graph_destroy(new_graph);
    return status;
}
