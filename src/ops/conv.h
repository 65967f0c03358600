// Launches of cl/conv.cl and cl/conv_grad_weight.cl, for conv and for linear, which is a 1x1
// convolution of one pixel.
#ifndef PLC_OPS_CONV_H
#define PLC_OPS_CONV_H

#include <ops/lower.h>

// Channels, kernel, stride, groups where there are several, input: "16->16 3x3 s1 32x32"; of a linear
// layer "64->10".
void plc_conv_describe(const pleach_graph *graph, const plc_node *node, char *text, size_t size);

// y = [relu](mask * (conv(x) + bias) [+ add]), or in inference with an absorbed batch norm
// y = [relu](scale * (conv(x) + bias) + shift [+ add]).
pleach_status plc_conv_forward(plc_lower *lower, const plc_step *step);

// dw += , db += , dx = or += . With lower->mask_gradients the gradient of masked channels is
// dropped first.
pleach_status plc_conv_backward(plc_lower *lower, const plc_step *step);

#endif
