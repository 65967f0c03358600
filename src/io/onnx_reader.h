// An ONNX graph being read: values by name, and what the readers of single operators are built from.
//
// A value is one of three: what a node of our graph computes, floats that the file holds, or integers that are
// known when the file is read (shapes and what is computed of them).
#ifndef PLC_IO_ONNX_READER_H
#define PLC_IO_ONNX_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <onnx.pb-c.h>
#include <graph/op.h>
#include <io/onnx.h>
#include <io/onnx_arena.h>

typedef enum plc_onnx_kind {
    PLC_ONNX_UNKNOWN, // not computed yet, or by a part of the graph that the output does not need
    PLC_ONNX_NODE,
    PLC_ONNX_FLOATS,
    PLC_ONNX_INTS,
} plc_onnx_kind;

// An integer that is the number of images, whatever that will be.
#define PLC_ONNX_BATCH INT64_MIN

enum { PLC_ONNX_MAX_DIMS = 8 };

typedef struct plc_onnx_value {
    const char *name;      // borrowed from the file
    int producer;          // index of the ONNX node; -1: an input or parameter
    int n_readers, reader; // nodes that read it, and the last of them
    plc_onnx_kind kind;
    int node, rank;                  // NODE: of our graph; dimensions in ONNX: 4 (NCHW) or 2 (NC)
    int64_t dims[PLC_ONNX_MAX_DIMS]; // constants
    int n_dims;
    size_t count;
    const float *floats; // FLOATS [count], borrowed from the file or the arena
    const int64_t *ints; // INTS [count]
} plc_onnx_value;

// Where a parameter of our graph comes from.
typedef struct plc_onnx_source {
    int node, param;
    const float *data; // borrowed from the file or the arena
} plc_onnx_source;

typedef struct plc_onnx_reader {
    pleach_ctx *ctx;
    const Onnx__ModelProto *model;
    const Onnx__GraphProto *file;
    int opset;
    plc_onnx_arena arena;   // owned
    plc_onnx_value *values; // in the arena, by name
    size_t n_values;
    bool *live, *done;        // per ONNX node: the output needs it; another one has taken it in
    pleach_graph *graph;      // owned
    plc_onnx_source *sources; // owned
    size_t n_sources, sources_capacity;
} plc_onnx_reader;

// One operator of ONNX. `attrs` are those that are read, with spaces; others are refused.
typedef struct plc_onnx_rule {
    plc_onnx_operator shown;
    int min_inputs, max_inputs; // -1: any number
    const char *attrs;
    pleach_status (*read)(plc_onnx_reader *r, const Onnx__NodeProto *n);
    bool many_outputs; // else readers of any but the first are refused
} plc_onnx_rule;

const plc_onnx_rule *plc_onnx_rules(int *n_rules); // onnx_ops.c: the table
// Checks an ONNX node against its rule and reads it. Fails with PLEACH_EINPUT, PLEACH_EGRAPH, PLEACH_ENOMEM.
pleach_status plc_onnx_read_node(plc_onnx_reader *r, const Onnx__NodeProto *n);

// PLEACH_EINPUT with "Conv 'name': " in front.
pleach_status plc_onnx_fail(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *plc_onnx_text(const char *text); // "" for a text that the file does not have

// Values (onnx_values.c). Inputs are counted from 0; an absent one has no name.
plc_onnx_value *plc_onnx_find(const plc_onnx_reader *r, const char *name); // NULL: no such name
bool plc_onnx_has_input(const Onnx__NodeProto *n, int i);
plc_onnx_kind plc_onnx_input_kind(const plc_onnx_reader *r, const Onnx__NodeProto *n, int i);
// The input as this kind of value; `rank` (0: any) is what a NODE needs.
pleach_status plc_onnx_input_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int i, int rank,
                                  const plc_onnx_value **value);
pleach_status plc_onnx_input_floats(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                    const plc_onnx_value **value);
pleach_status plc_onnx_input_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                  const plc_onnx_value **value);
// What the first output is. Data of constants is borrowed; dims may be NULL where n_dims is 0 (a scalar) or 1.
void plc_onnx_set_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int node, int rank);
void plc_onnx_set_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, const int64_t *ints,
                       size_t count, int n_dims);
void plc_onnx_set_same(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *value);
const plc_shape *plc_onnx_shape(const plc_onnx_reader *r, const plc_onnx_value *value);
// The contents of a tensor of the file as floats or integers, checked and converted.
pleach_status plc_onnx_read_tensor(plc_onnx_reader *r, const Onnx__TensorProto *tensor,
                                   plc_onnx_value *value);

// Attributes (onnx_attrs.c): the default where it is absent; PLEACH_EINPUT when it has another type.
pleach_status plc_onnx_int(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                           int64_t missing, int64_t *value);
pleach_status plc_onnx_float(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                             float missing, float *value);
pleach_status plc_onnx_string(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                              const char *missing, char *value, size_t size);
// Exactly `count` integers from 0 to INT_MAX (all `missing` where it is absent).
pleach_status plc_onnx_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                             int count, int missing, int *values);
const Onnx__AttributeProto *plc_onnx_attr(const Onnx__NodeProto *n, const char *name);
// Axes, an attribute or (since some opset) input number `input`: from 0 to rank - 1. *n_axes is 0 without any.
pleach_status plc_onnx_axes(plc_onnx_reader *r, const Onnx__NodeProto *n, int input, int rank,
                            int axes[PLC_ONNX_MAX_DIMS], int *n_axes);

// Our graph (onnx_read.c).
// Appends a node of operator `op`, called as the ONNX node is (or, where that is no name for us, by its output
// or number), with `suffix` behind ("": the only one).
pleach_status plc_onnx_add(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op,
                           const char *suffix, const int *inputs, int n_inputs,
                           const plc_attrs *attrs, int *node);
// Parameter `param` of `node` is `data` (borrowed), of `count` floats; another count is refused.
pleach_status plc_onnx_set_param(plc_onnx_reader *r, const Onnx__NodeProto *n, int node, int param,
                                 const float *data, size_t count);

// Readers of operators.
typedef pleach_status plc_onnx_read_fn(plc_onnx_reader *r, const Onnx__NodeProto *n);
// onnx_read_layers.c
plc_onnx_read_fn plc_onnx_conv, plc_onnx_batch_norm, plc_onnx_gemm, plc_onnx_matmul;
// onnx_read_pools.c
plc_onnx_read_fn plc_onnx_max_pool, plc_onnx_avg_pool, plc_onnx_global_avg_pool,
    plc_onnx_reduce_mean, plc_onnx_pad;
// onnx_read_activations.c
plc_onnx_read_fn plc_onnx_relu, plc_onnx_clip, plc_onnx_leaky_relu, plc_onnx_prelu,
    plc_onnx_sigmoid, plc_onnx_hard_sigmoid, plc_onnx_hard_swish;
// onnx_read_maps.c
plc_onnx_read_fn plc_onnx_arithmetic, plc_onnx_concat, plc_onnx_identity, plc_onnx_softmax;
// onnx_read_shapes.c
plc_onnx_read_fn plc_onnx_flatten, plc_onnx_reshape, plc_onnx_squeeze, plc_onnx_unsqueeze;
// onnx_read_ints.c
plc_onnx_read_fn plc_onnx_constant, plc_onnx_shape_of, plc_onnx_gather, plc_onnx_slice,
    plc_onnx_cast;
pleach_status plc_onnx_concat_ints(plc_onnx_reader *r, const Onnx__NodeProto *n);
pleach_status plc_onnx_arithmetic_ints(plc_onnx_reader *r, const Onnx__NodeProto *n);

// Window attributes of a convolution or pool (onnx_read_layers.c): kernel (given by the weights where `kernel`
// has values), strides, dilations; pads above, left, below, right, of which attrs->pad has the first two.
pleach_status plc_onnx_window(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                              plc_attrs *attrs, int pads[4]);
bool plc_onnx_is_even(const int pads[4]); // the same on opposite sides
// Pads the value of *node in front of a window: *node becomes the padded value, attrs->pad 0.
pleach_status plc_onnx_pad_before(plc_onnx_reader *r, const Onnx__NodeProto *n, const int pads[4],
                                  plc_attrs *attrs, int *node);

#endif
