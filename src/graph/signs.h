// The signs of values, as far as the graph tells them.
#ifndef PLC_GRAPH_SIGNS_H
#define PLC_GRAPH_SIGNS_H

#include <graph/graph.h>

// Which values can be seen from the graph to be zero or more everywhere: a ReLU, or pooling,
// flatten, concat or sums of such values. Into a new array [n_nodes] that the caller owns.
pleach_status plc_mark_non_negative(pleach_ctx *ctx, const pleach_graph *graph, bool **marks);

#endif
