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

// Vectors at any address, where a float may stand. PoCL turns vload and vstore into one access for
// loads only; a store would become four.
#define UNALIGNED __attribute__((aligned(4)))
typedef real_t UNALIGNED real_any_t;
typedef float8 UNALIGNED float8_any_t;
typedef float4 UNALIGNED float4_any_t;
typedef float2 UNALIGNED float2_any_t;

// LANES floats from any address, of the address space of `from`.
#define load_channels(from) VECTOR_OF(vload, LANES)(0, from)

// Vectors that hold n channels.
#define vectors_of(n) parts_of(n, LANES)

// Writes the first n lanes, at most LANES.
INLINE void store_channels(__global float *to, real_t v, int n)
{
    if (n >= LANES) {
        *(__global real_any_t *)to = v;
        return;
    }
#if LANES == 16
    float8 v8 = v.lo;
    if (n & 8) {
        *(__global float8_any_t *)to = v8;
        to += 8;
        // Not v.hi: Oclgrind takes element 11 of a vector that is shuffled for uninitialised.
        v8 = (float8)(v.s8, v.s9, v.sa, v.sb, v.sc, v.sd, v.se, v.sf);
    }
#elif LANES == 8
    const float8 v8 = v;
#endif
#if LANES >= 8
    float4 v4 = v8.lo;
    if (n & 4) {
        *(__global float4_any_t *)to = v4;
        to += 4;
        v4 = v8.hi;
    }
#else
    const float4 v4 = v;
#endif
    float2 v2 = v4.lo;
    if (n & 2) {
        *(__global float2_any_t *)to = v2;
        to += 2;
        v2 = v4.hi;
    }
    if (n & 1)
        *to = v2.x;
}

#endif
