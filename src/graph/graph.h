// A network as plain data: nodes in topological order, one output each. Knows no device.
#ifndef PLC_GRAPH_GRAPH_H
#define PLC_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <pleach/graph.h>
#include <base/status.h>

enum { PLC_MAX_PARAMS = 4, PLC_NO_NODE = -1, PLC_MAX_VIEW_DIMS = 6 };

// Limits that keep a graph from an untrusted file within reasonable memory and time, far above any
// network's need, and a parameter's name within PLC_PARAM_NAME_MAX.
enum { PLC_MAX_NODES = 8192, PLC_NODE_NAME_MAX = 200 };

// Per-image shape of a value. A vector of n features is {n, 1, 1}.
typedef struct plc_shape {
    int c, h, w;
} plc_shape;

// A loop over an output: `size` steps, of which each moves `stride` values in the input.
typedef struct plc_view_dim {
    int size, stride;
} plc_view_dim;

// One attribute set for all operators; op->attrs says which of them an operator reads.
typedef struct plc_attrs {
    int kernel[2]; // R S
    int stride[2];
    int pad[2];
    int dilation[2];
    int groups;
    int out_channels; // filters of a convolution, features of a linear layer
    bool bias;
    float eps;        // batch norm
    float momentum;   // batch norm: running = (1 - momentum) * running + momentum * batch
    int pad_after[2]; // pad: below and to the right
    int pad_more[2]; // pools: how many more pixels below and to the right than pad; may be negative
    int mode;        // pad: PLC_PAD_*; resize: PLC_RESIZE_*
    int axis;        // softmax: 0 channels, 1 rows, 2 columns
    int offset;      // slice: the first channel; as_strided: the first value
    int size[3];     // as_strided: C H W of the output; resize: 0 H W
    plc_view_dim view[PLC_MAX_VIEW_DIMS]; // as_strided: outermost first, size 0 behind the last
    float scale[2], shift[2]; // resize: output row p lies over input row scale[0] p + shift[0]
    float alpha,
        beta; // activations: a and b of cl/activation_params.h; pad: the value; resize: of cubic
} plc_attrs;

// Of plc_attrs.mode.
enum { PLC_PAD_VALUE, PLC_PAD_EDGE, PLC_PAD_REFLECT };
enum {
    PLC_RESIZE_FLOOR,
    PLC_RESIZE_CEIL,
    PLC_RESIZE_LINEAR,
    PLC_RESIZE_CUBIC,
    PLC_RESIZE_CUBIC_INSIDE // of the image's pixels alone
};

// What an index along an axis of a parameter stands for, so that a compaction knows what leaves it.
typedef enum plc_axis {
    PLC_AXIS_NONE, // nothing that leaves
    PLC_AXIS_OUT,  // channel i of the node's output
    PLC_AXIS_IN,   // channel i of its first input (grouped convolution: of each group)
} plc_axis;

// A named parameter tensor of a node. Its place in the arenas is its order: see plc_params_layout.
typedef struct plc_param {
    const char *name; // static: "weight" "bias" "gamma" "beta" "running_mean" "running_var"
    int dims[4];      // OIHW for convolutions, {O, I} for linear, {C} for vectors
    int n_dims;
    plc_axis axis[2]; // of dims 0 and 1
    bool trainable;   // false for running statistics
} plc_param;

typedef struct plc_node {
    const struct op *op;
    char *name;  // owned, unique: "layer1.0.conv1"
    int *inputs; // owned: indices of earlier nodes
    int n_inputs;
    plc_attrs attrs;                  // those that op->attrs names; the others are zero
    plc_shape shape;                  // of the output, filled by op->shape
    plc_param params[PLC_MAX_PARAMS]; // filled by op->shape
    int n_params;
} plc_node;

// Node 0 is the input; the last node gives the logits.
struct pleach_graph {
    char *name;      // owned: "resnet20"
    plc_node *nodes; // owned
    int n_nodes;
    size_t capacity;
};

// An empty graph with its input node. The caller owns *graph.
pleach_status plc_graph_create(pleach_ctx *ctx, const char *name, plc_shape input,
                               pleach_graph **graph);

// Appends a node, runs its shape rule, returns its index. Copies name, inputs, attrs.
// Zero attributes mean the usual default (stride 1, dilation 1, groups 1, eps 1e-5, momentum 0.1).
// Fails with PLEACH_EGRAPH: text names the node, what it got and what it expects.
pleach_status plc_graph_add(pleach_ctx *ctx, pleach_graph *graph, const char *op, const char *name,
                            const int *inputs, int n_inputs, const plc_attrs *attrs, int *node);

// Checks order, names, arity; runs every shape rule again.
pleach_status plc_graph_check(pleach_ctx *ctx, pleach_graph *graph);
pleach_status plc_graph_copy(pleach_ctx *ctx, const pleach_graph *graph, pleach_graph **copy);
int plc_graph_find(const pleach_graph *graph, const char *name); // PLC_NO_NODE if there is none
bool plc_graph_is(const pleach_graph *graph, int node, const char *op); // "conv", "batch_norm" ...
int plc_view_n_dims(const plc_attrs *attrs);                            // loops of attrs->view
int plc_graph_count_op(const pleach_graph *graph, const char *op);
int plc_graph_count_consumers(const pleach_graph *graph, int node);

// Whether the node is a convolution that sees each channel alone.
bool plc_graph_is_depthwise(const pleach_graph *graph, const plc_node *node);

// JSON as kept in a model file's metadata. The text is malloc'ed; the caller frees it.
pleach_status plc_graph_to_json(pleach_ctx *ctx, const pleach_graph *graph, char **text);
pleach_status plc_graph_from_json(pleach_ctx *ctx, const char *text, size_t length,
                                  pleach_graph **graph);

// Where each parameter lies in the arenas (weights, gradients, optimizer state): the same offsets in
// all. Trainable parameters come first, so an optimizer runs over [0, n_trainable). Units: floats.
typedef struct plc_param_place {
    int node, param; // graph->nodes[node].params[param]
    int offset, count;
} plc_param_place;

typedef struct plc_params_layout {
    plc_param_place *places; // owned, ordered by offset
    int n_places;
    int n_trainable;                // floats
    int n_floats;                   // trainable and running statistics
    int (*offsets)[PLC_MAX_PARAMS]; // owned: offsets[node][param]
} plc_params_layout;

pleach_status plc_params_layout_create(pleach_ctx *ctx, const pleach_graph *graph,
                                       plc_params_layout **layout);
void plc_params_layout_destroy(plc_params_layout **layout);
size_t plc_param_count(const plc_param *param);

// "layer1.0.conv1.weight" into `text` of `size` bytes.
void plc_param_name(const plc_node *node, int param, char *text, size_t size);
#define PLC_PARAM_NAME_MAX 256

#endif
