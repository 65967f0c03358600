// What the ways to compute a convolution share, between conv.c and them.
#ifndef PLC_OPS_CONV_LAUNCH_H
#define PLC_OPS_CONV_LAUNCH_H

#include <conv_params.h>
#include <ops/lower.h>

// Buffers of one launch; scale holds masks where CONV_MASK is set. One that is not read is any other.
typedef struct plc_conv_buffers {
    plc_buffer *x, *y, *add, *scale, *shift, *sums;
} plc_conv_buffers;

// Sizes and parameters of a conv or linear node; no views, no epilogue.
conv_params plc_conv_make_params(const plc_lower *lower, int node);

// Sets the flags of bias, ReLU, and batch norm or mask, and the buffers of scales (or masks) and shifts;
// one that is not read is that of the weights. Appends to lower->prepare what computes them.
pleach_status plc_conv_set_epilogue(plc_lower *lower, const plc_step *step, conv_params *p,
                                    plc_buffer **scale, plc_buffer **shift);

// Views of x (or dx) and y (or dy) in the parameters of a forward convolution.
void plc_conv_set_x(conv_params *p, plc_tensor x);
void plc_conv_set_y(conv_params *p, plc_tensor y);

// dx of a convolution of stride 1 is the convolution of dy with flipped filters whose channel axes are
// exchanged: the parameters of that convolution.
conv_params plc_conv_of_gradient(const conv_params *p);

double plc_conv_flops(const conv_params *p);
double plc_conv_weight_bytes(const conv_params *p);

// The fewest parts of n that are no larger than `largest`; n kept within [low, high].
int plc_conv_parts(int n, int largest);
int plc_conv_within(int n, int low, int high);

// Whether vectors lie in 16 registers instead of 32, as below AVX-512: larger tiles would spill their sums.
bool plc_conv_few_registers(const plc_lower *lower);

// The direct kernels: any convolution. `bytes`: what the launch reads and writes at least.
pleach_status plc_direct_forward(plc_lower *lower, conv_params p, const plc_conv_buffers *buffers,
                                 double bytes);
pleach_status plc_direct_grad_data(plc_lower *lower, conv_params p, plc_buffer *dy, plc_buffer *dx,
                                   double bytes);
// dw += sums over partials in the workspace, one per split.
pleach_status plc_direct_grad_weight(plc_lower *lower, conv_params p, plc_tensor x, plc_tensor dy);
pleach_status plc_direct_grad_bias(plc_lower *lower, conv_params p, plc_tensor dy);

// Appends dw += the sum of p.splits partials (of all rows) that lie in the workspace.
pleach_status plc_conv_reduce_append(plc_lower *lower, const conv_params *p);

// Winograd's F(4x4, 3x3), for 3x3 convolutions of stride 1. Bits differ from those of the direct
// kernels, so whether it can and whether it should be used follow from what no pruning changes: the
// device, kernel, planes and that the layer does not read the images.
bool plc_winograd_suits(const plc_lower *lower, int node);
bool plc_winograd_preferred(const plc_lower *lower, const conv_params *p);
// Workspace of the transformed filters.
size_t plc_winograd_filter_floats(const plc_lower *lower, const conv_params *p);

// Whether Winograd's algorithm computes the layer, in all directions: as the tuner knows, else by rule.
pleach_status plc_conv_choose(plc_lower *lower, int node, conv_params p, bool *winograd);

pleach_status plc_winograd_forward(plc_lower *lower, int node, conv_params p,
                                   const plc_conv_buffers *buffers, double bytes);
// Parts in which conv_winograd sums each channel of y for a batch norm's statistics.
int plc_winograd_sums(const conv_params *p);
pleach_status plc_winograd_grad_data(plc_lower *lower, int node, conv_params p, plc_buffer *dy,
                                     plc_buffer *dx, double bytes);
pleach_status plc_winograd_grad_weight(plc_lower *lower, conv_params p, plc_tensor x,
                                       plc_tensor dy);

#endif
