// What an operator is: one table entry holds all there is to know about one.
#ifndef PLC_GRAPH_OP_H
#define PLC_GRAPH_OP_H

#include <graph/graph.h>

struct plc_lower;
struct plc_step;
struct plc_channels;

// Cost of one image through one node.
typedef struct plc_cost {
    long long macs;   // multiply-accumulates, counted as papers do: convolutions and linear layers
    long long params; // trainable parameters
    long long
        bytes; // least memory traffic of the forward pass: inputs, parameters, output once each
} plc_cost;

// Attributes that an operator reads (and that its JSON carries).
enum {
    PLC_ATTR_KERNEL = 1,
    PLC_ATTR_STRIDE = 2,
    PLC_ATTR_PAD = 4,
    PLC_ATTR_DILATION = 8,
    PLC_ATTR_GROUPS = 16,
    PLC_ATTR_OUT_CHANNELS = 32,
    PLC_ATTR_BIAS = 64,
    PLC_ATTR_EPS = 128,
    PLC_ATTR_MOMENTUM = 256,
    PLC_ATTR_ALPHA = 512,
    PLC_ATTR_BETA = 1024,
    PLC_ATTR_PAD_AFTER = 2048,
    PLC_ATTR_PAD_MORE = 4096,
    PLC_ATTR_MODE = 8192,
    PLC_ATTR_AXIS = 16384,
    PLC_ATTR_OFFSET = 32768,
    PLC_ATTR_SIZE = 65536,
    PLC_ATTR_VIEW = 131072,
    PLC_ATTR_SCALE = 262144,
    PLC_ATTR_SHIFT = 524288,
};

struct op {
    const char *name;
    int n_inputs; // -1: one or more
    int attrs;    // PLC_ATTR_ bits
    // Fills node->shape and node->params from inputs and attributes; PLEACH_EGRAPH when they disagree.
    pleach_status (*shape)(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node);
    // Says how channels pass (graph/channels.h). NULL: unknown, freezes what it touches.
    void (*channels)(struct plc_channels *channels, const pleach_graph *graph, int node);
    // NULL: costs nothing (a view).
    void (*cost)(const pleach_graph *graph, const plc_node *node, plc_cost *cost);
    // Words for what the layer works on, as "16->16 3x3 s1 32x32". NULL: the value's shape, "16x32x32".
    void (*describe)(const pleach_graph *graph, const plc_node *node, char *text, size_t size);
    // Append the launches of one step (ops/lower.h). NULL: a view, nothing to do.
    pleach_status (*forward)(struct plc_lower *lower, const struct plc_step *step);
    // As forward, in inference on channel lanes (ops/channel_lanes.h). NULL: unknown; sessions of graphs
    // that need it stay on batch lanes.
    pleach_status (*forward_channel_lanes)(struct plc_lower *lower, const struct plc_step *step);
    pleach_status (*backward)(struct plc_lower *lower, const struct plc_step *step);
};

// The table stands in src/ops/table.c. NULL for an unknown name.
const struct op *plc_op_find(const char *name);

// The entries of the table in order; `*n_ops` is how many.
const struct op *const *plc_op_table(int *n_ops);

#endif
