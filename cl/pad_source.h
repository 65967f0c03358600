// pad_source.h: which pixel stands where around an image (OpenCL C 1.2).
#ifndef PLEACH_PAD_SOURCE_H
#define PLEACH_PAD_SOURCE_H

#include "pad_params.h"

// The position along an axis of `size` pixels that position i, counted from the image's first, shows; -1: none.
static inline int pad_source(int i, int size, int mode)
{
    if (mode == PAD_EDGE)
        return clamp(i, 0, size - 1);
    if (mode == PAD_REFLECT)
        return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
    return i >= 0 && i < size ? i : -1;
}

#endif
