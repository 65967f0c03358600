// An ONNX graph being made: what the forms of single operators (onnx_write_nodes.c) are built from.
#ifndef PLC_IO_ONNX_WRITER_H
#define PLC_IO_ONNX_WRITER_H

#include <onnx.pb-c.h>
#include <graph/op.h>
#include <io/onnx_arena.h>

enum { PLC_ONNX_WRITE_ATTRS = 8 }; // the most attributes that one node gets

typedef struct plc_onnx_writer {
    pleach_ctx *ctx;
    const pleach_graph *graph;
    const plc_params_layout *layout;
    const float *weights;
    int opset;
    plc_onnx_arena arena; // owned: everything below
    char **values;        // per node of the graph: the ONNX value that holds it
    int *ranks;           // and how many dimensions it has: 4 (NCHW) or 2 (NC)
    Onnx__NodeProto **nodes;
    Onnx__TensorProto **initializers;
    size_t n_nodes, nodes_capacity, n_initializers, initializers_capacity;
} plc_onnx_writer;

// Writes node `node` of the graph: ONNX nodes, parameters; fills values and ranks.
pleach_status plc_onnx_write_node(plc_onnx_writer *w, int node);

// The value of node number `input`, with `rank` dimensions: flattened, or with H and W of 1, where it has others.
// What is made for it is called after `node`.
pleach_status plc_onnx_value_of_rank(plc_onnx_writer *w, int node, int input, int rank,
                                     char **value);

// The failure of a node whose form came with a newer opset than is written.
pleach_status plc_onnx_needs(const plc_onnx_writer *w, int node, const char *why, int opset);

// Forms of single operators (onnx_write_images.c, onnx_write_resize.c, onnx_write_pools.c).
typedef pleach_status plc_onnx_write_fn(plc_onnx_writer *w, int node);
plc_onnx_write_fn plc_onnx_write_slice, plc_onnx_write_as_strided, plc_onnx_write_softmax,
    plc_onnx_write_prelu, plc_onnx_write_affine, plc_onnx_write_resize,
    plc_onnx_write_conv_transpose, plc_onnx_write_pad, plc_onnx_write_max_pool,
    plc_onnx_write_avg_pool, plc_onnx_write_global_avg_pool;

// Appends an ONNX node of type `op` with one output, named `name` like the node itself.
pleach_status plc_onnx_add_node(plc_onnx_writer *w, const char *op, const char *name,
                                char *const *inputs, int n_inputs, Onnx__NodeProto **node);

pleach_status plc_onnx_attr_int(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                int64_t value);
pleach_status plc_onnx_attr_ints(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                 const int *values, int n);
// Kernel, strides and pads.
pleach_status plc_onnx_attr_window(plc_onnx_writer *w, Onnx__NodeProto *node, const plc_attrs *a);
pleach_status plc_onnx_attr_float(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                  float value);
pleach_status plc_onnx_attr_string(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                   const char *value);

// Appends parameter `param` of a node; *name is how ONNX nodes call it. Data is borrowed from the weights.
pleach_status plc_onnx_add_param(plc_onnx_writer *w, int node, int param, char **name);
// "<of>.<what>" for a value or constant that the graph itself does not have, with ~ behind while a node is called so.
// No parameter is: their names end otherwise.
pleach_status plc_onnx_name(plc_onnx_writer *w, const char *of, const char *what, char **name);
// Appends a constant of n integers, n floats (copied) or one, called `name`.
pleach_status plc_onnx_add_ints(plc_onnx_writer *w, const char *name, const int64_t *values, int n);
pleach_status plc_onnx_add_floats(plc_onnx_writer *w, const char *name, const float *values, int n);
pleach_status plc_onnx_add_scalar(plc_onnx_writer *w, const char *name, float value);

#endif
