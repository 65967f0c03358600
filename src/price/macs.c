// What a graph costs by count.
#include <price/macs.h>

#include <stdlib.h>
#include <base/memory.h>
#include <graph/kept.h>

plc_cost plc_node_cost(const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];
    plc_cost cost = {0};

    if (n->op->cost)
        n->op->cost(graph, n, &cost);
    return cost;
}

static void add_cost(plc_cost *total, plc_cost cost)
{
    total->macs += cost.macs;
    total->params += cost.params;
    total->bytes += cost.bytes;
}

plc_cost plc_graph_cost(const pleach_graph *graph)
{
    plc_cost total = {0};

    for (int i = 0; i < graph->n_nodes; i++)
        add_cost(&total, plc_node_cost(graph, i));
    return total;
}

long long pleach_graph_macs(const pleach_graph *graph)
{
    return plc_graph_cost(graph).macs;
}

long long pleach_graph_params(const pleach_graph *graph)
{
    return plc_graph_cost(graph).params;
}

double plc_least_step_bytes(const pleach_graph *graph, int batch, bool trains, int value_bytes)
{
    enum { UPDATE_PASSES = 5 }; // weights and moments read and written, gradients read
    double bytes = 0;

    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_cost cost = plc_node_cost(graph, i);
        const double weights = (double)cost.params * sizeof(float);
        const double values = ((double)cost.bytes - weights) / sizeof(float);
        const double pass = batch * values * value_bytes + weights;
        const bool has_data_gradient = graph->nodes[i].n_inputs && graph->nodes[i].inputs[0] != 0;

        if (cost.macs == 0)
            continue;
        bytes += pass;
        if (trains)
            bytes += pass + (has_data_gradient ? pass : 0) + UPDATE_PASSES * weights;
    }
    return bytes;
}

pleach_status plc_cost_table(pleach_ctx *ctx, const pleach_graph *graph, plc_cost **table)
{
    pleach_status status = plc_alloc(ctx, (size_t)graph->n_nodes, sizeof **table, table);

    for (int i = 0; status == PLEACH_OK && i < graph->n_nodes; i++)
        (*table)[i] = plc_node_cost(graph, i);
    return status;
}

pleach_status plc_masked_cost(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              plc_cost *total)
{
    pleach_status status = PLEACH_OK;
    pleach_graph shadow = {0};
    bool *stays = NULL;

    *total = (plc_cost){0};
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *stays, &stays));
    TRY(plc_kept_shadow(ctx, graph, channels, mask, &shadow, stays));
    for (int i = 0; i < graph->n_nodes; i++)
        if (stays[i])
            add_cost(total, plc_node_cost(&shadow, i));
done:
    free(shadow.nodes);
    free(stays);
    return status;
}
