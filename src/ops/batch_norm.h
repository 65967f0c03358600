// Batch norm's coefficients, for convolutions that fuse an inference batch norm into their epilogue.
#ifndef PLC_OPS_BATCH_NORM_H
#define PLC_OPS_BATCH_NORM_H

#include <ops/lower.h>

// Appends to lower->prepare the launch that computes, from running statistics, mask and gate,
//   scale = mask gate gamma / sqrt(running_var + eps),  shift = mask gate (beta - running_mean gamma / sqrt(..))
// so that batch norm is scale * x + shift, and exactly 0 in a masked channel. *scale and *shift are the
// offsets of the node's C scales and C shifts in lower->scratch.
pleach_status plc_batch_norm_coefficients(plc_lower *lower, int node, int *scale, int *shift);

#endif
