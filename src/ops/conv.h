// Launches of cl/conv.cl and cl/conv_grad_weight.cl, for conv and for linear, which is a 1x1
// convolution of one pixel.
#ifndef PLC_OPS_CONV_H
#define PLC_OPS_CONV_H

#include <ops/lower.h>

// y = [clip](mask * (conv(x) + bias) [+ add]), or in inference with an absorbed batch norm
// y = [clip](scale * (conv(x) + bias) + shift [+ add]).
pleach_status plc_conv_forward(plc_lower *lower, const plc_step *step);

// dw += , db += , dx = or += . With lower->mask_gradients the gradient of masked channels is
// dropped first.
pleach_status plc_conv_backward(plc_lower *lower, const plc_step *step);

#endif
