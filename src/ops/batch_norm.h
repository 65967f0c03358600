// What convolutions take over from a batch norm that follows: its coefficients in inference, its sums in
// training.
#ifndef PLC_OPS_BATCH_NORM_H
#define PLC_OPS_BATCH_NORM_H

#include <ops/lower.h>

// Appends to lower->prepare the launch that computes, from running statistics, mask and gate,
//   scale = mask gate gamma / sqrt(running_var + eps),  shift = mask gate (beta - running_mean gamma / sqrt(..))
// so that batch norm is scale * x + shift, and exactly 0 in a masked channel. *scale and *shift are the
// offsets of the node's C scales and C shifts in lower->scratch.
pleach_status plc_batch_norm_coefficients(plc_lower *lower, int node, int *scale, int *shift);

// The first batch norm that reads the value of `node`, PLC_NO_NODE when there is none; and the offset of
// a batch norm's C running means in the weight arena.
int plc_batch_norm_after(const plc_lower *lower, int node);
int plc_batch_norm_mean(const plc_lower *lower, int node);

#endif
