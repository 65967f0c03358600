// Where gradients of pruned channels end.
#ifndef PLC_OPS_MASK_H
#define PLC_OPS_MASK_H

#include <ops/lower.h>

// Appends dy *= mask[c] in place on the gradient of the node's value (kept channels are not touched, pruned ones become
// +0), for the start of its backward; nothing unless lower->mask_gradients, or when no mask acts at the node. (In eltwise.c.)
pleach_status plc_mask_gradient_lower(plc_lower *lower, int node);

// Ends at a convolution or linear layer what its pruned filters have taken of the loss: in the gradient of its value, for
// which its weights' gradients have been computed, channels become 0 that its own mask prunes or that of the first batch
// norm that they reach, through whatever hands channels on. A pruned filter learns, but what it reads must not learn for
// its sake. Not at a depthwise layer behind an unmasked batch norm, which is pruned with the layer before it (ops/conv.c).
// Nothing with lower->mask_gradients, as then there is nothing left.
pleach_status plc_mask_stop_lower(plc_lower *lower, int node);

#endif
