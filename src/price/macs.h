// What a graph costs by count: MACs, parameters, bytes; per node and in total, masked or not.
#ifndef PLC_PRICE_MACS_H
#define PLC_PRICE_MACS_H

#include <stdbool.h>
#include <graph/channels.h>
#include <graph/op.h>

// Cost of one image through the node; all zero for a view.
plc_cost plc_node_cost(const pleach_graph *graph, int node);

// Sum over the nodes. pleach_graph_macs and pleach_graph_params are its parts.
plc_cost plc_graph_cost(const pleach_graph *graph);

// Bytes that one step over `batch` images must move even if nothing but convolutions and linear layers
// touched memory: each of their operands read and each result written once, forward and, in
// training, for the data gradient (but that of the images), the weight gradient, and the update
// with one moment. The kernels between (batch norm, ReLU, additions, pools) would have to be fused
// into these. value_bytes: of a tensor's value in memory.
double plc_least_step_bytes(const pleach_graph *graph, int batch, bool trains, int value_bytes);

// Cost of each node into a new array of graph->n_nodes that the caller owns.
pleach_status plc_cost_table(pleach_ctx *ctx, const pleach_graph *graph, plc_cost **table);

// Cost that the network would have if compacted to `mask` (graph/kept.h), exactly, without building
// it: some microseconds per node. Fails with PLEACH_EGRAPH when the mask leaves a value no
// channels, unless it goes whole as graph/kept.h says.
pleach_status plc_masked_cost(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              plc_cost *total);

#endif
