// What a mask over classes leaves of a graph: channels of values, attributes of compacted nodes.
// A mask is one byte per class (plc_channels_n_classes): 1 kept, 0 pruned. Frozen classes are 1.
#ifndef PLC_GRAPH_KEPT_H
#define PLC_GRAPH_KEPT_H

#include <graph/channels.h>

// How many channels of the node's value stay.
int plc_kept_count(const plc_channels *channels, const pleach_graph *graph,
                   const unsigned char *mask, int node);

// Marks in `stays` [n_nodes] what the logits need once readers of node i read stands_for[i] instead.
void plc_mark_live(const pleach_graph *graph, const int *stands_for, bool *stays);

// Which nodes stay, and which node's value their readers read instead of node i's (itself, where that
// stays), into `stays` and `stands_for` [n_nodes], the caller's. A value without channels is empty; what
// depends on nothing but empty values is a constant, taken as zero (the branch's gate is closed, see
// run/masks.c): a sum of a constant and another value is that other value, and what only constants need
// goes, as does a ReLU behind the sum where the other value cannot be negative. Without empty values
// everything stays. *nothing_left is a node that would stay and has no channels or constant inputs or
// the logits where they are constant; PLC_NO_NODE when there is none.
pleach_status plc_kept_nodes(pleach_ctx *ctx, const plc_channels *channels,
                             const pleach_graph *graph, const unsigned char *mask, bool *stays,
                             int *stands_for, int *nothing_left);

// Attributes of the node in the compacted graph: filters and, if depthwise, groups.
plc_attrs plc_kept_attrs(const plc_channels *channels, const pleach_graph *graph,
                         const unsigned char *mask, int node);

// The graph as compacted to `mask`, for its shapes alone: *shadow borrows names and inputs of `graph`; the
// caller frees shadow->nodes and nothing else. `channels` NULL: everything is kept. `stays` [n_nodes], the
// caller's, tells which nodes the compacted graph has (plc_kept_nodes); shapes of others mean nothing. Fails with
// PLEACH_EGRAPH when the mask leaves a value no channels that is needed.
pleach_status plc_kept_shadow(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              pleach_graph *shadow, bool *stays);

// The kept indices along axis 0 or 1 of a parameter of `node`, in order, into a new list that the
// caller owns; *kept is NULL and *n_kept the axis's size when all stay.
pleach_status plc_kept_indices(pleach_ctx *ctx, const plc_channels *channels,
                               const pleach_graph *graph, const unsigned char *mask, int node,
                               int param, int axis, int **kept, int *n_kept);

#endif
