// Unfolding, described.
#include <rewrite/unfold.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

static bool feeds_batch_norm(const pleach_graph *graph, int node)
{
    for (int i = node + 1; i < graph->n_nodes; i++)
        if (plc_graph_is(graph, i, "batch_norm") && graph->nodes[i].inputs[0] == node)
            return true;
    return false;
}

static bool is_per_channel(const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];
    const plc_attrs *a = &n->attrs;

    return a->kernel[0] == 1 && a->kernel[1] == 1 && a->groups > 1 && a->groups == n->shape.c &&
           n->shape.c == graph->nodes[n->inputs[0]].shape.c;
}

static bool gets_batch_norm(const pleach_graph *graph, int node)
{
    const plc_shape *shape = &graph->nodes[node].shape;

    return plc_graph_is(graph, node, "conv") && node < graph->n_nodes - 1 &&
           shape->h * shape->w > 1 && !is_per_channel(graph, node) &&
           !feeds_batch_norm(graph, node);
}

int plc_unfold_count(const pleach_graph *graph)
{
    int n = 0;

    for (int i = 1; i < graph->n_nodes; i++)
        n += gets_batch_norm(graph, i);
    return n;
}

// A graph that grows out of another one, and where its nodes come from.
typedef struct growth {
    pleach_graph *graph;
    int *from_nodes; // per new node; PLC_NO_NODE: a new batch norm
    int *value_of;   // per old node: the new node that its readers read
} growth;

static void growth_finish(growth *g)
{
    pleach_graph_destroy(&g->graph);
    free(g->from_nodes);
    free(g->value_of);
}

// "conv1.bn", or with a number behind it where the graph has that name.
static void name_norm(const pleach_graph *graph, const pleach_graph *grown, const char *host,
                      char name[PLC_NODE_NAME_MAX + 1])
{
    enum { MOST = PLC_NODE_NAME_MAX - 16 }; // of the host's name: room for what comes behind

    snprintf(name, PLC_NODE_NAME_MAX + 1, "%.*s.bn", MOST, host);
    for (int i = 2;
         plc_graph_find(graph, name) != PLC_NO_NODE || plc_graph_find(grown, name) != PLC_NO_NODE;
         i++)
        snprintf(name, PLC_NODE_NAME_MAX + 1, "%.*s.bn%d", MOST, host, i);
}

static pleach_status add_norm(pleach_ctx *ctx, const pleach_graph *graph, int node, growth *g,
                              int *norm)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs usual = {0};
    char name[PLC_NODE_NAME_MAX + 1];

    name_norm(graph, g->graph, graph->nodes[node].name, name);
    TRY(plc_graph_add(ctx, g->graph, "batch_norm", name, &g->value_of[node], 1, &usual, norm));
    g->from_nodes[*norm] = PLC_NO_NODE;
done:
    return status;
}

// Copies `graph` with the new batch norms right behind their convolutions; `read`: instead of them.
static pleach_status grow(pleach_ctx *ctx, const pleach_graph *graph, bool read, growth *g)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)graph->n_nodes;
    int *inputs = NULL, norm = PLC_NO_NODE;
    size_t capacity = 0;

    TRY(plc_alloc(ctx, 2 * n, sizeof *g->from_nodes, &g->from_nodes));
    TRY(plc_alloc(ctx, n, sizeof *g->value_of, &g->value_of));
    TRY(plc_graph_create(ctx, graph->name, graph->nodes[0].shape, &g->graph));
    for (int i = 1; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        const bool grows = gets_batch_norm(graph, i);
        plc_attrs attrs = node->attrs;

        attrs.bias = attrs.bias && !(grows && read);
        TRY(plc_grow(ctx, &inputs, &capacity, (size_t)node->n_inputs));
        for (int j = 0; j < node->n_inputs; j++)
            inputs[j] = g->value_of[node->inputs[j]];
        TRY(plc_graph_add(ctx, g->graph, node->op->name, node->name, inputs, node->n_inputs, &attrs,
                          &g->value_of[i]));
        g->from_nodes[g->value_of[i]] = i;
        if (grows)
            TRY(add_norm(ctx, graph, i, g, &norm));
        if (grows && read)
            g->value_of[i] = norm;
    }
done:
    free(inputs);
    return status;
}

pleach_status plc_unfold_watch(pleach_ctx *ctx, const pleach_graph *graph, pleach_graph **watching,
                               plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    growth g = {0};

    *watching = NULL;
    *edits = NULL;
    TRY(grow(ctx, graph, false, &g));
    TRY(plc_edits_gather(ctx, graph, g.graph, g.from_nodes, edits));
    *watching = g.graph;
    g.graph = NULL;
done:
    growth_finish(&g);
    return status;
}

static void unfold_edit(plc_edit *edit, const pleach_graph *watching)
{
    const plc_node *norm = &watching->nodes[edit->from_node];
    const char *param = norm->params[edit->from_param].name;

    if (strcmp(param, "gamma") == 0)
        edit->kind = PLC_EDIT_UNFOLD_GAMMA;
    else if (strcmp(param, "beta") == 0)
        edit->kind = PLC_EDIT_UNFOLD_BETA;
    else if (strcmp(param, "running_mean") == 0)
        edit->kind = PLC_EDIT_UNFOLD_MEAN;
    if (edit->kind == PLC_EDIT_GATHER)
        return;
    edit->norm = edit->from_node;
    edit->first = norm->inputs[0];
}

pleach_status plc_unfold_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                  const pleach_graph *watching, pleach_graph **unfolded,
                                  plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    growth g = {0};
    int *same = NULL;

    *unfolded = NULL;
    *edits = NULL;
    TRY(grow(ctx, graph, true, &g));
    TRY(plc_alloc(ctx, (size_t)g.graph->n_nodes, sizeof *same, &same));
    for (int i = 0; i < g.graph->n_nodes; i++)
        same[i] = i;
    TRY(plc_edits_gather(ctx, watching, g.graph, same, edits));
    for (int i = 0; i < (*edits)->n_items; i++)
        if (g.from_nodes[(*edits)->items[i].from_node] == PLC_NO_NODE)
            unfold_edit(&(*edits)->items[i], watching);
    *unfolded = g.graph;
    g.graph = NULL;
done:
    free(same);
    growth_finish(&g);
    return status;
}
