// channel_product.h: what the convolutions on channel lanes share: filters in blocks of vectors, the
// product of pixels with a block, and the epilogue (OpenCL C 1.2).
//
// Output channels of a group are cut into blocks of at most KT vectors whose sizes differ by at most
// one. Packed filters lie as [group][block][tap][C][vectors of the block][LANES], padded with zeros,
// so that a work-group reads them in one stream.
//
// Compiled in: LANES; the tile of KT vectors x up to 8 pixels.
#ifndef PLEACH_CHANNEL_PRODUCT_H
#define PLEACH_CHANNEL_PRODUCT_H

#include "channel_lanes.h"
#include "conv_params.h"

#ifndef KT
#define KT 2 // vectors of output channels of a tile, 1..4
#endif
enum { PT = 8, KT_MAX = 4 }; // most pixels of a tile, most vectors

// A block of vectors: its first one, and how many.
static inline int2 block_of(const conv_params *p, int block)
{
    const int n = vectors_of(p->K);
    return run_of(n, parts_of(n, KT), block);
}

#define n_blocks_of(p) parts_of(vectors_of((p)->K), KT)

// Where the filters of a block that begins at vector `first` stand, `taps` taps each.
#define FILTERS_AT(p, g, first, taps) (((g)*vectors_of((p)->K) + (first)) * (taps) * (p)->C * LANES)

// Statements for each vector v and pixel i of a tile, written out: an array whose indices are
// constants before any loop is unrolled stays in registers with every compiler.
#define EACH_PIXEL(DO, v) DO(v, 0) DO(v, 1) DO(v, 2) DO(v, 3) DO(v, 4) DO(v, 5) DO(v, 6) DO(v, 7)
#define EACH_VECTOR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(v, i) acc[v][i] = (real_t)(0.0f);
#define CLEAR_VECTOR(v) EACH_PIXEL(CLEAR, v)
#define LOAD_FACTOR(v)                                                                             \
    if (v < n_vectors)                                                                             \
        factors[v] = load_channels(u + (v)*LANES);
#define SPREAD(v, i)                                                                               \
    if (i < n_pixels)                                                                              \
        values[i] = (real_t)(x[i][c]);
#define ADD(v, i)                                                                                  \
    if (v < n_vectors && i < n_pixels)                                                             \
        acc[v][i] = fma(values[i], factors[v], acc[v][i]);
#define ADD_VECTOR(v) EACH_PIXEL(ADD, v)

// acc[v][i] += sum over c < n of x[i][c] * u[c][v], one fma() after the other; x lies in an address
// space that OpenCL C 1.2 wants named.
#define ADD_PRODUCT(name, SPACE)                                                                   \
    INLINE void name(const int n_pixels, const int n_vectors, real_t acc[KT_MAX][PT],              \
                     const SPACE float *const *x, __global const float *u, int n)                  \
    {                                                                                              \
        for (int c = 0; c < n; c++, u += n_vectors * LANES) {                                      \
            real_t factors[KT_MAX], values[PT];                                                    \
            EACH_VECTOR(LOAD_FACTOR)                                                               \
            EACH_PIXEL(SPREAD, 0)                                                                  \
            EACH_VECTOR(ADD_VECTOR)                                                                \
        }                                                                                          \
    }
ADD_PRODUCT(add_global_product, __global)
ADD_PRODUCT(add_local_product, __local)

// What happens to sums before they are stored: clip(scale * sum + shift + add), where scale and shift
// hold batch norm, bias and mask (channel_coefficients).
typedef struct {
    __global float *y; // at the first channel of the first vector, at pixel 0
    __global const float *add;
    __global const float *scale, *shift;
    int flags, n_channels; // channels from here on
    float low, high;
} channel_target_t;

// Stores one vector of a pixel; `vector` counts from the target's first.
INLINE void finish_channels(real_t sum, const channel_target_t *to, int vector, int y_at,
                            int add_at)
{
    const int c = vector * LANES;
    real_t v = fma(sum, load_channels(to->scale + c), load_channels(to->shift + c));

    if (to->flags & CONV_ADD)
        v = v + load_channels(to->add + add_at + c);
    if (to->flags & CONV_CLIP)
        v = limit(v, to->low, to->high);
    store_channels(to->y + y_at + c, v, to->n_channels - c);
}

// Sets the target of the block that begins at vector `first` of group g. scale and shift of a group are
// padded to whole vectors. Not returned: a struct that an inlined function returns leaves marks of
// LLVM that Oclgrind does not know.
INLINE void set_target(channel_target_t *to, const conv_params *p, int g, int first,
                       __global float *y, __global const float *add,
                       __global const float *prepared)
{
    const int k = g * p->K + first * LANES, padded = (g * vectors_of(p->K) + first) * LANES;

    to->y = y + p->y_first + k;
    to->add = add + p->add_first + k;
    to->scale = prepared + p->scale_offset + padded;
    to->shift = prepared + p->shift_offset + padded;
    to->flags = p->flags;
    to->n_channels = p->K - first * LANES;
    to->low = p->low;
    to->high = p->high;
}

#endif
