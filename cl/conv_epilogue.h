// conv_epilogue.h: what happens to a convolution's sums before they are stored (OpenCL C 1.2).
#ifndef PLEACH_CONV_EPILOGUE_H
#define PLEACH_CONV_EPILOGUE_H

#include "lanes.h"
#include "conv_params.h"

// Where a tile's results go and what is done to them. Pointers stand at the tile's first channel, y
// and add at its first pixel too. bias, scale, shift and mask are per channel; mask lies where
// scale would.
typedef struct {
    __global stored_t *y;
    __global const stored_t *add;
    __global const float *bias, *scale, *shift;
    int flags;
    float low, high;
} target_t;

static inline real_t finish(real_t v, const target_t *target, int k, int at)
{
    if (target->flags & CONV_BIAS)
        v = v + target->bias[k];
    // Rounded once, as in bn_apply: where a branch before a batch norm empties, the one takes the other's place.
    if (target->flags & CONV_SCALE)
        v = fma(v, (real_t)(target->scale[k]), (real_t)(target->shift[k]));
    if ((target->flags & CONV_MASK) && target->scale[k] == 0.0f)
        v = (real_t)(0.0f);
    if (target->flags & CONV_ADD)
        v = v + load(target->add + at);
    return target->flags & CONV_CLIP ? limit(v, target->low, target->high) : v;
}

#endif
