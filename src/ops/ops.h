// The operators of the table, one file per family, and what their shape and cost rules share.
#ifndef PLC_OPS_OPS_H
#define PLC_OPS_OPS_H

#include <graph/channels.h>
#include <graph/op.h>

extern const struct op op_input;           // input.c
extern const struct op op_conv;            // conv.c
extern const struct op op_linear;          // linear.c
extern const struct op op_batch_norm;      // batch_norm.c
extern const struct op op_relu;            // clip.c
extern const struct op op_fading_relu;     // fading_relu.c: on its way from a ReLU to the identity
extern const struct op op_clip;            // clip.c
extern const struct op op_leaky_relu;      // activation.c
extern const struct op op_sigmoid;         // activation.c
extern const struct op op_hard_sigmoid;    // activation.c
extern const struct op op_hard_swish;      // activation.c
extern const struct op op_tanh;            // activation.c
extern const struct op op_elu;             // activation.c
extern const struct op op_softplus;        // activation.c
extern const struct op op_softsign;        // activation.c
extern const struct op op_add;             // add.c
extern const struct op op_mul;             // mul.c
extern const struct op op_pad;             // pad.c
extern const struct op op_concat;          // concat.c
extern const struct op op_max_pool;        // pool.c
extern const struct op op_avg_pool;        // pool.c: the count leaves padding out
extern const struct op op_global_avg_pool; // pool.c
extern const struct op op_flatten;         // flatten.c
extern const struct op op_slice;           // slice.c
extern const struct op op_as_strided;      // as_strided.c
extern const struct op op_softmax;         // softmax.c
extern const struct op op_log_softmax;     // softmax.c
extern const struct op op_prelu;           // prelu.c
extern const struct op op_affine;          // affine.c: a scale and a shift of each value
extern const struct op op_resize;          // resize.c
extern const struct op op_conv_transpose;  // conv_transpose.c

// Shape of the node's input number `i`.
const plc_shape *plc_op_input_shape(const pleach_graph *graph, const plc_node *node, int i);

// Sets node->shape. Fails with PLEACH_EGRAPH unless every size is positive and the value and all
// bookkeeping over it fit an int; the sizes come as long long so that callers need not check first.
pleach_status plc_op_set_shape(pleach_ctx *ctx, plc_node *node, long long c, long long h,
                               long long w);

// The shape rule of an operator whose output has its first input's shape.
pleach_status plc_op_shape_pass(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node);

// Largest kernel, stride, padding or dilation: beyond any image, small enough for 64-bit products.
enum { PLC_WINDOW_MAX = 1 << 16 };

// Fails with PLEACH_EGRAPH where `value`, which is the node's `what`, is below `least` or above PLC_WINDOW_MAX.
pleach_status plc_op_check_window(pleach_ctx *ctx, const plc_node *node, const char *what,
                                  int value, int least);

// Output size of a window along axis 0 (height) or 1 (width) over `size` pixels:
// floor((size + 2 pad + pad_more - dilation (kernel - 1) - 1) / stride) + 1.
// Fails with PLEACH_EGRAPH when an attribute is out of bounds or the kernel larger than the padded input.
pleach_status plc_op_window(pleach_ctx *ctx, const plc_node *node, int axis, int size, int *out);

// Appends a parameter to node->params. `dims` beyond n_dims are ignored. Fails with PLEACH_EGRAPH
// when it holds more elements than an int counts.
pleach_status plc_op_add_param(pleach_ctx *ctx, plc_node *node, const char *name, const int *dims,
                               int n_dims, plc_axis axis0, plc_axis axis1, bool trainable);

// Trainable parameters and least memory traffic of any node: inputs, parameters, output once each.
// Sets cost->macs to 0.
void plc_op_cost_of_pass(const pleach_graph *graph, const plc_node *node, plc_cost *cost);

// Description of a layer with weights: channels, kernel, stride, groups where there are several, input:
// "16->16 3x3 s1 32x32"; of a linear layer "64->10".
void plc_op_describe_weights(const pleach_graph *graph, const plc_node *node, char *text,
                             size_t size);

// Channel rule of everything that works on each channel alone: ties channel i of each input to channel i.
void plc_op_channels_pass(plc_channels *channels, const pleach_graph *graph, int node);

// Channel rule of what mixes channels or does not map 0 to 0: those of input 0 and the output stay.
void plc_op_channels_freeze(plc_channels *channels, const pleach_graph *graph, int node);

#endif
