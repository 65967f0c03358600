// What classes cost: each layer's cost shared out among the channels that it makes and those that it reads.
#include <prune/budget.h>

#include <stdlib.h>
#include <base/memory.h>
#include <graph/kept.h>
#include <price/macs.h>

static void share_out(const plc_channels *channels, const pleach_graph *graph,
                      const unsigned char *mask, int value, double cost, double *costs)
{
    const double share = cost / plc_kept_count(channels, graph, mask, value);

    for (int c = 0; c < graph->nodes[value].shape.c; c++)
        costs[plc_channels_class(channels, value, c)] += share;
}

static void add_node(const pleach_graph *graph, const plc_channels *channels,
                     const unsigned char *mask, int node, double cost, double *costs)
{
    const plc_node *n = &graph->nodes[node];

    if (cost == 0)
        return;
    share_out(channels, graph, mask, node, cost, costs);
    // Where a class is on both sides (depthwise, pools) it is counted once.
    if (n->n_params > 0 && n->params[0].axis[1] == PLC_AXIS_IN)
        share_out(channels, graph, mask, n->inputs[0], cost, costs);
}

pleach_status plc_class_macs(pleach_ctx *ctx, const pleach_graph *graph,
                             const plc_channels *channels, const unsigned char *mask, double *costs)
{
    pleach_status status = PLEACH_OK;
    plc_cost *table = NULL, total = {0};

    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *table, &table));
    TRY(plc_masked_cost(ctx, graph, channels, mask, table, &total));
    for (int c = 0; c < plc_channels_n_classes(channels); c++)
        costs[c] = 0;
    for (int i = 0; i < graph->n_nodes; i++)
        add_node(graph, channels, mask, i, (double)table[i].macs, costs);
done:
    free(table);
    return status;
}

pleach_status plc_class_latency(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_channels *channels, const unsigned char *mask,
                                plc_latency_fn *latency, void *user, double *costs)
{
    pleach_status status = PLEACH_OK;
    double *node_ms = NULL, total = 0;

    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *node_ms, &node_ms));
    TRY(latency(user, graph, channels, mask, node_ms, &total));
    for (int c = 0; c < plc_channels_n_classes(channels); c++)
        costs[c] = 0;
    for (int i = 0; i < graph->n_nodes; i++)
        add_node(graph, channels, mask, i, node_ms[i], costs);
done:
    free(node_ms);
    return status;
}
