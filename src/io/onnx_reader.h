// An ONNX graph being read: values by name, and what the readers of single operators are built from.
//
// A value is one of three: what a node of our graph computes, floats that the file holds, or integers that are
// known when the file is read (shapes and what is computed of them).
//
// ONNX sees what a node computes in any number of dimensions, our graph as C x H x W values of an image. Both lie in
// the same order, so a reshape is nothing at all, and an operator that needs other C x H x W asks for them
// (onnx_views.c). Networks keep images apart: the first dimension is their number, whatever it is. A graph that
// mixes it with others is read as a whole: its input is one image with all dimensions that it has.
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
    int n_readers, reader; // nodes that read it, and the first of them
    plc_onnx_kind kind;
    int node; // NODE: of our graph, whose C*H*W values lie in the order of the dimensions
    int64_t dims
        [PLC_ONNX_MAX_DIMS]; // those of ONNX; where images are kept apart the first of a NODE is PLC_ONNX_BATCH
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
    bool whole;             // all dimensions are those of one image
    bool to_logits;         // a softmax at the end is left out
    int64_t n_file_images;  // the number of images that the file fixes; 0: open
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

// Names, order, and the input (onnx_names.c). Names must be printable, unique and given before they are used.
pleach_status plc_onnx_check_name(plc_onnx_reader *r, const char *name);
pleach_status plc_onnx_check_names(plc_onnx_reader *r);
// The table of names, with room for all and the parameters in it; then the input and the outputs of nodes too.
pleach_status plc_onnx_name_parameters(plc_onnx_reader *r);
pleach_status plc_onnx_name_values(plc_onnx_reader *r, const char *input);
pleach_status plc_onnx_mark_live(plc_onnx_reader *r, const char *output);
// The one input that is no parameter, and the dimensions that the file gives it.
pleach_status plc_onnx_find_input(plc_onnx_reader *r, const Onnx__ValueInfoProto **input);
pleach_status plc_onnx_read_shape(plc_onnx_reader *r, const Onnx__ValueInfoProto *input,
                                  int64_t dims[PLC_ONNX_MAX_DIMS], int *n_dims);

// Values (onnx_values.c). Inputs are counted from 0; an absent one has no name.
plc_onnx_value *plc_onnx_find(const plc_onnx_reader *r, const char *name); // NULL: no such name
bool plc_onnx_has_input(const Onnx__NodeProto *n, int i);
plc_onnx_kind plc_onnx_input_kind(const plc_onnx_reader *r, const Onnx__NodeProto *n, int i);
// The input as this kind of value; a NODE must have `rank` dimensions (0: any).
pleach_status plc_onnx_input_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int i, int rank,
                                  const plc_onnx_value **value);
pleach_status plc_onnx_input_floats(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                    const plc_onnx_value **value);
pleach_status plc_onnx_input_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                  const plc_onnx_value **value);
// What the first output is (set_output: number `i`). Data of constants and dims are copied, data is borrowed.
void plc_onnx_set_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int node, const int64_t *dims,
                       int n_dims);
void plc_onnx_set_output(plc_onnx_reader *r, const Onnx__NodeProto *n, int i, int node,
                         const int64_t *dims, int n_dims);
void plc_onnx_set_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, const int64_t *ints,
                       size_t count, int n_dims);
void plc_onnx_set_same(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *value);
const plc_shape *plc_onnx_shape(const plc_onnx_reader *r, const plc_onnx_value *value);
// A list of integers: an attribute in old opsets, else an input; empty where neither is there. Borrowed.
pleach_status plc_onnx_int_list(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                                int input, const int64_t **list, size_t *count);
// Integers of an attribute, in the arena, none of which is taken for PLC_ONNX_BATCH.
pleach_status plc_onnx_take_ints(plc_onnx_reader *r, const int64_t *given, size_t n,
                                 const int64_t **ints);
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

// Dimensions and orders of what nodes compute (onnx_views.c).
// The first dimension that is of an image: 1, or 0 where all are.
int plc_onnx_first_dim(const plc_onnx_reader *r);
// Product of dimensions [begin, end), which are of an image.
int64_t plc_onnx_product(const int64_t *dims, int begin, int end);
// *node as values of c x h x w: itself, or a view of it behind it.
pleach_status plc_onnx_regroup(plc_onnx_reader *r, const Onnx__NodeProto *n, plc_shape shape,
                               int *node);
// The value's node with its first n_channels dimensions of an image as channels, the next n_rows as rows, the
// others as columns.
pleach_status plc_onnx_group(plc_onnx_reader *r, const Onnx__NodeProto *n,
                             const plc_onnx_value *value, int n_channels, int n_rows, int *node);
// The value's node with the channels of ONNX, dimension 1, as its channels; as a plane whatever is behind them.
pleach_status plc_onnx_channels(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *value, int *node);
// As images of one or two dimensions behind the channels; else refused.
pleach_status plc_onnx_images(plc_onnx_reader *r, const Onnx__NodeProto *n,
                              const plc_onnx_value *value, int *node);
// *node's values along a nest of loops, outermost first, from value `offset` on, as c x h x w; nothing is added
// where they are its own in order.
typedef struct plc_onnx_loops {
    plc_view_dim items[2 * PLC_ONNX_MAX_DIMS];
    int n, offset;
} plc_onnx_loops;
pleach_status plc_onnx_view(plc_onnx_reader *r, const Onnx__NodeProto *n,
                            const plc_onnx_loops *loops, plc_shape shape, int *node);
// Loops over all values of an image in their order, one for each dimension of an image.
void plc_onnx_loops_over(const plc_onnx_reader *r, const plc_onnx_value *value,
                         plc_onnx_loops *loops);
// C H W for dimensions of an image that no operator has asked for yet: the last two as rows and columns.
plc_shape plc_onnx_usual_shape(const plc_onnx_reader *r, const int64_t *dims, int n_dims);
// The dimensions of two values together (numpy's rule) into dims; fails where they do not fit.
pleach_status plc_onnx_broadcast(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *a, const plc_onnx_value *b,
                                 int64_t dims[PLC_ONNX_MAX_DIMS], int *n_dims);
// The value's node repeated along dimensions of 1, up to `dims`.
pleach_status plc_onnx_expand_to(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *value, const int64_t *dims, int n_dims,
                                 int *node);
// Floats of a constant repeated to the dimensions of an image, in the arena; *count of them.
pleach_status plc_onnx_repeat_floats(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                     const plc_onnx_value *constant, const int64_t *dims,
                                     int n_dims, const float **floats, size_t *count);
// The axis of a node: `missing` where it is absent; from 0 to rank - 1.
pleach_status plc_onnx_axis(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank, int missing,
                            int *axis);
// As plc_onnx_axis, of a NODE: refused where it is the number of images.
pleach_status plc_onnx_image_axis(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *value, int missing, int *axis);

// Readers of operators.
typedef pleach_status plc_onnx_read_fn(plc_onnx_reader *r, const Onnx__NodeProto *n);
// onnx_read_layers.c
plc_onnx_read_fn plc_onnx_conv, plc_onnx_conv_transpose, plc_onnx_batch_norm;
// onnx_read_products.c
plc_onnx_read_fn plc_onnx_gemm, plc_onnx_matmul;
// onnx_read_pools.c
plc_onnx_read_fn plc_onnx_max_pool, plc_onnx_avg_pool, plc_onnx_global_avg_pool,
    plc_onnx_global_max_pool, plc_onnx_reduce_mean;
// onnx_read_sizes.c
plc_onnx_read_fn plc_onnx_pad, plc_onnx_resize, plc_onnx_upsample;
// onnx_read_activations.c
plc_onnx_read_fn plc_onnx_relu, plc_onnx_clip, plc_onnx_leaky_relu, plc_onnx_prelu,
    plc_onnx_sigmoid, plc_onnx_hard_sigmoid, plc_onnx_hard_swish, plc_onnx_tanh, plc_onnx_elu,
    plc_onnx_selu, plc_onnx_softplus, plc_onnx_softsign, plc_onnx_softmax, plc_onnx_identity,
    plc_onnx_dropout;
// onnx_read_arithmetic.c
plc_onnx_read_fn plc_onnx_arithmetic, plc_onnx_sum, plc_onnx_negate;
// onnx_read_parts.c
plc_onnx_read_fn plc_onnx_split, plc_onnx_slice, plc_onnx_gather;
// onnx_read_joins.c
plc_onnx_read_fn plc_onnx_concat;
// onnx_read_views.c
plc_onnx_read_fn plc_onnx_flatten, plc_onnx_reshape, plc_onnx_squeeze, plc_onnx_unsqueeze,
    plc_onnx_transpose, plc_onnx_expand, plc_onnx_depth_to_space, plc_onnx_space_to_depth;
// onnx_read_ints.c
plc_onnx_read_fn plc_onnx_constant, plc_onnx_shape_of, plc_onnx_cast, plc_onnx_gather_ints,
    plc_onnx_slice_ints;
// Start or end of a Slice (onnx_read_parts.c) within n values.
int64_t plc_onnx_within(int64_t value, int64_t n);
pleach_status plc_onnx_concat_ints(plc_onnx_reader *r, const Onnx__NodeProto *n);
pleach_status plc_onnx_arithmetic_ints(plc_onnx_reader *r, const Onnx__NodeProto *n);

// y[c] = scale[c] x[c] + shift[c] of a node's channels behind it, as a convolution of each channel with one weight
// (onnx_read_arithmetic.c); scale or shift may be NULL. *node becomes it.
pleach_status plc_onnx_affine(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *suffix,
                              const float *scale, const float *shift, int *node);

// Whether a constant has one value, or one for each of so many channels of x (onnx_read_arithmetic.c); these values.
bool plc_onnx_is_per_channel(const plc_onnx_reader *r, const plc_onnx_value *x, int64_t channels,
                             const plc_onnx_value *constant);
pleach_status plc_onnx_channel_values(plc_onnx_reader *r, const plc_onnx_value *constant,
                                      size_t channels, const float **values);

// Window attributes of a convolution or pool (onnx_window.c) over images of n_spatial (1 or 2) dimensions: kernel
// (given by the weights where `kernel` has values), strides, dilations; pads above, left, below, right, of which
// attrs->pad has the first two. What has one dimension has one row.
pleach_status plc_onnx_window(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                              int n_spatial, plc_attrs *attrs, int pads[4]);
// n_spatial integers of an attribute, with `missing` in front where there is one.
pleach_status plc_onnx_spatial_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                                     int n_spatial, int missing, int values[2]);
// Dimensions of an output of `channels` channels, from its node's rows and columns.
void plc_onnx_image_dims(const plc_onnx_reader *r, const plc_onnx_value *input, int node,
                         int channels, int64_t dims[PLC_ONNX_MAX_DIMS]);
bool plc_onnx_is_even(const int pads[4]); // the same on opposite sides
// Pads the value of *node in front of a window: *node becomes the padded value, attrs->pad 0.
pleach_status plc_onnx_pad_before(plc_onnx_reader *r, const Onnx__NodeProto *n, const int pads[4],
                                  plc_attrs *attrs, int *node);

#endif
