// Masks of convolutions and linear layers that no batch norm follows.
#ifndef PLC_OPS_MASK_H
#define PLC_OPS_MASK_H

#include <ops/lower.h>

// Appends y *= mask[c] in place on the value of `node` (kept channels are not touched, pruned ones become +0);
// nothing when no mask acts at the node. (In eltwise.c.)
pleach_status plc_mask_apply_lower(plc_lower *lower, int node);

// The same on the gradient of the node's value, for the start of its backward; nothing unless lower->mask_gradients.
pleach_status plc_mask_gradient_lower(plc_lower *lower, int node);

#endif
