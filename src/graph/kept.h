// What a mask over classes leaves of a graph: channels of values, attributes of compacted nodes.
// A mask is one byte per class (plc_channels_n_classes): 1 kept, 0 pruned. Frozen classes are 1.
#ifndef PLC_GRAPH_KEPT_H
#define PLC_GRAPH_KEPT_H

#include <graph/channels.h>

// How many channels of the node's value stay.
int plc_kept_count(const plc_channels *channels, const pleach_graph *graph,
                   const unsigned char *mask, int node);

// Attributes of the node in the compacted graph: filters and, if depthwise, groups.
plc_attrs plc_kept_attrs(const plc_channels *channels, const pleach_graph *graph,
                         const unsigned char *mask, int node);

// The graph as compacted to `mask`, for its shapes alone: *shadow borrows names and inputs of `graph`; the
// caller frees shadow->nodes and nothing else. `channels` NULL: everything is kept. Fails with PLEACH_EGRAPH
// when the mask leaves a value no channels.
pleach_status plc_kept_shadow(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              pleach_graph *shadow);

// The kept indices along axis 0 or 1 of a parameter of `node`, in order, into a new list that the
// caller owns; *kept is NULL and *n_kept the axis's size when all stay.
pleach_status plc_kept_indices(pleach_ctx *ctx, const plc_channels *channels,
                               const pleach_graph *graph, const unsigned char *mask, int node,
                               int param, int axis, int **kept, int *n_kept);

#endif
