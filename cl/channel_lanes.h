// channel_lanes.h: the channel lanes, for batches that would leave batch lanes empty (OpenCL C 1.2).
//
// A tensor [N][C][H][W] is stored as [N][H][W][planes]: the channels of a pixel lie side by side,
// and a vector real_t holds LANES channels of one pixel. A view begins at channel `first`, at any
// offset, so vectors are loaded unaligned. Neither C nor planes are padded:
//   - a load may read up to LANES - 1 floats beyond the view (buffers have room behind their end);
//     what those lanes hold is never stored, and never reaches another lane;
//   - stores write a view's own channels only (store_channels).
// Always the vector mapping: a work-group is one work-item.
#ifndef PLEACH_CHANNEL_LANES_H
#define PLEACH_CHANNEL_LANES_H

#ifndef LANES_IN_VECTOR // as when a compiler is fed with this source alone
#undef LANES
#define LANES 16
#define LANES_IN_VECTOR
#endif
#include "lanes.h"

#define INLINE static inline __attribute__((always_inline))

// LANES floats from any address, of the address space of `from`.
#define load_channels(from) VECTOR_OF(vload, LANES)(0, from)

// Vectors that hold n channels.
#define vectors_of(n) parts_of(n, LANES)

// Writes the first n lanes, at most LANES.
INLINE void store_channels(__global float *to, real_t v, int n)
{
    if (n >= LANES) {
        VECTOR_OF(vstore, LANES)(v, 0, to);
        return;
    }
#if LANES == 16
    float8 v8 = v.lo;
    if (n & 8) {
        vstore8(v8, 0, to);
        to += 8;
        v8 = v.hi;
    }
#elif LANES == 8
    const float8 v8 = v;
#endif
#if LANES >= 8
    float4 v4 = v8.lo;
    if (n & 4) {
        vstore4(v4, 0, to);
        to += 4;
        v4 = v8.hi;
    }
#else
    const float4 v4 = v;
#endif
    float2 v2 = v4.lo;
    if (n & 2) {
        vstore2(v2, 0, to);
        to += 2;
        v2 = v4.hi;
    }
    if (n & 1)
        *to = v2.x;
}

#endif
