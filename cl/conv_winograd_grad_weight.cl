// conv_winograd_grad_weight.cl: weight gradient of a 3x3 convolution of stride 1 by Winograd's
// F(3x3, 4x4) on batch lanes: 36 products stand for the 144 of a 4x4 tile of dy.
//
// Compiled in: LANES, LANES_IN_VECTOR (lanes.h); the tile OT x CT of the matrix products.
//
// Bits: for each weight and point a lane sums tiles in ascending order, a chain of fma() from +0;
// then lanes are added (lanes.h), then splits. It depends on the plane and the batch and how they
// are split, not on channels, blocks of channels or chunks.
#include "conv_params.h"
#include "winograd_tiles.h"

#pragma OPENCL FP_CONTRACT OFF

#ifndef OT
#define OT 4 // output channels of a tile, 1..4
#endif
#ifndef CT
#define CT 4 // input channels of a tile, 1..4
#endif

#define INLINE static inline __attribute__((always_inline))

// z[36 matrices] = the transformed 4x4 tile of the plane dy at (row, column).
INLINE void gradient_tile(const bool inside, __global const stored_t *restrict dy, int row,
                          int column, const conv_params *p, __local scratch_t *z, int z_step)
{
    real_t columns[WINOGRAD_IN * WINOGRAD_OUT];

#pragma unroll
    for (int j = 0; j < WINOGRAD_OUT; j++) {
        real_t d[WINOGRAD_OUT];
#pragma unroll
        for (int i = 0; i < WINOGRAD_OUT; i++)
            if (inside || (row + i < p->P && column + j < p->Q))
                d[i] = load(dy + ((row + i) * p->Q + column + j) * STEP);
            else
                d[i] = (real_t)(0.0f);
        winograd_gradient(d, 1, columns + j, WINOGRAD_OUT);
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_IN; i++) {
        real_t t[WINOGRAD_IN];
        winograd_gradient(columns + i * WINOGRAD_OUT, 1, t, 1);
#pragma unroll
        for (int j = 0; j < WINOGRAD_IN; j++)
            z[(i * WINOGRAD_IN + j) * z_step] = t[j];
    }
}

// z[36][n_channels][tiles] of the tiles from `first` on. dy stands at the first channel of block 0.
INLINE void transform_gradient(__global const stored_t *restrict dy, __local scratch_t *z,
                               int z_step, int n_channels, int first, int tiles,
                               const conv_params *p)
{
    const place_t start = place_of(first, p);
    const int plane = p->P * p->Q * STEP;

    for (int k = 0; k < n_channels; k++, dy += plane) {
        place_t place = start;
        for (int t = 0; t < tiles; t++, z += STEP, place = next_place(place, p)) {
            __global const stored_t *from = dy + place.nb * p->y_planes * plane;

            if (place.row + WINOGRAD_OUT <= p->P && place.column + WINOGRAD_OUT <= p->Q)
                gradient_tile(true, from, place.row, place.column, p, z, z_step);
            else
                gradient_tile(false, from, place.row, place.column, p, z, z_step);
        }
    }
}

// Empty lanes of the last block become 0 in v: they hold anything.
static inline void drop_empty_lanes(__local scratch_t *v, int v_step, int n_channels, int first,
                                    int tiles, const conv_params *p)
{
    const int last = p->n_blocks - 1;
    const mask_t mask = lane_mask(last, p->n_images);

    if (p->n_images == p->n_blocks * LANES)
        return;
    for (int t = 0; t < tiles; t++)
        for (int i = 0; place_of(first + t, p).nb == last && i < WINOGRAD_POINTS * n_channels;
             i++) {
            __local scratch_t *at =
                v + i / n_channels * v_step + (i % n_channels * tiles + t) * STEP;
            *at = keep(mask, *at);
        }
}

// Statements for each (o, c) of a tile of the product, written out (conv_winograd.cl says why).
#define EACH(DO, o) DO(o, 0) DO(o, 1) DO(o, 2) DO(o, 3)
#define EACH_PAIR(DO) EACH(DO, 0) EACH(DO, 1) EACH(DO, 2) EACH(DO, 3)
#define CLEAR(o, c) acc[o][c] = (real_t)(0.0f);
#define RESUME(o, c)                                                                               \
    if (o < n_out && c < n_in)                                                                     \
        acc[o][c] = m[(o * n_channels + c) * STEP];
#define STORE(o, c)                                                                                \
    if (o < n_out && c < n_in)                                                                     \
        m[(o * n_channels + c) * STEP] = acc[o][c];
#define ADD(o, c)                                                                                  \
    if (o < n_out && c < n_in)                                                                     \
        acc[o][c] = fma(gradient[o], value[c], acc[o][c]);
#define LOAD_GRADIENT(unused, o)                                                                   \
    if (o < n_out)                                                                                 \
        gradient[o] = z[o * tiles * STEP];
#define LOAD_VALUE(unused, c)                                                                      \
    if (c < n_in)                                                                                  \
        value[c] = v[c * tiles * STEP];

// m[o][c] (+)= sum over tiles of z[o][t] * v[c][t]; rows of m are n_channels apart.
INLINE void product(const int n_out, const int n_in, const __local scratch_t *z,
                    const __local scratch_t *v, __local scratch_t *m, int n_channels, int tiles,
                    bool resume)
{
    real_t acc[4][4], gradient[4], value[4];

    if (resume) {
        EACH_PAIR(RESUME)
    } else {
        EACH_PAIR(CLEAR)
    }
    for (int t = 0; t < tiles; t++, z += STEP, v += STEP) {
        EACH(LOAD_GRADIENT, 0)
        EACH(LOAD_VALUE, 0)
        EACH_PAIR(ADD)
    }
    EACH_PAIR(STORE)
}

#define PRODUCT(n_out, n_in)                                                                       \
    case n_out * 8 + n_in:                                                                         \
        product(n_out, n_in, z, v_tile, m_tile, n_in_block, tiles, resume);                        \
        break;
#if CT >= 4
#define PRODUCTS(n_out) PRODUCT(n_out, 1) PRODUCT(n_out, 2) PRODUCT(n_out, 3) PRODUCT(n_out, 4)
#elif CT >= 3
#define PRODUCTS(n_out) PRODUCT(n_out, 1) PRODUCT(n_out, 2) PRODUCT(n_out, 3)
#elif CT >= 2
#define PRODUCTS(n_out) PRODUCT(n_out, 1) PRODUCT(n_out, 2)
#else
#define PRODUCTS(n_out) PRODUCT(n_out, 1)
#endif

// The products of one point for a block of n_out_block x n_in_block channels.
static inline void products(const __local scratch_t *z, const __local scratch_t *v,
                            __local scratch_t *m, int n_out_block, int n_in_block, int tiles,
                            bool resume)
{
    const int n_out_tiles = parts_of(n_out_block, OT), n_in_tiles = parts_of(n_in_block, CT);
    const int2 outs = (int2)(n_out_block / n_out_tiles, n_out_block % n_out_tiles);
    const int2 ins = (int2)(n_in_block / n_in_tiles, n_in_block % n_in_tiles);

    for (int i = 0; i < n_out_tiles; i++) {
        const int n_out = outs.x + (i < outs.y);
        const __local scratch_t *v_tile = v;
        __local scratch_t *m_tile = m;
        for (int j = 0; j < n_in_tiles; j++) {
            const int n_in = ins.x + (j < ins.y);
            switch (n_out * 8 + n_in) {
                PRODUCTS(1)
#if OT >= 2
                PRODUCTS(2)
#endif
#if OT >= 3
                PRODUCTS(3)
#endif
#if OT >= 4
                PRODUCTS(4)
#endif
            }
            v_tile += n_in * tiles * STEP;
            m_tile += n_in * STEP;
        }
        z += n_out * tiles * STEP;
        m += n_out * n_in_block * STEP;
    }
}

// Parks the nine gradients of one weight pair (k, c), whose 36 sums stand at m.
INLINE void park_taps(SCRATCH_SPACE scratch_t *parked, const __local scratch_t *m, int m_step)
{
    real_t rows[WINOGRAD_TAPS * WINOGRAD_IN];

#pragma unroll
    for (int j = 0; j < WINOGRAD_IN; j++) {
        real_t t[WINOGRAD_IN];
#pragma unroll
        for (int i = 0; i < WINOGRAD_IN; i++)
            t[i] = m[(i * WINOGRAD_IN + j) * m_step];
        winograd_taps(t, 1, rows + j, WINOGRAD_IN);
    }
#pragma unroll
    for (int r = 0; r < WINOGRAD_TAPS; r++) {
        real_t w[WINOGRAD_TAPS];
        winograd_taps(rows + r * WINOGRAD_IN, 1, w, 1);
#pragma unroll
        for (int s = 0; s < WINOGRAD_TAPS; s++)
            park(parked, r * WINOGRAD_TAPS + s, w[s]);
    }
}

// conv_winograd_grad_weight: partial[split][k][c][r][s] = sum over a part of the batch's tiles of
// dy[k][p][q] x[c][p - pad + r][q - pad + s], as conv_grad_weight_reduce takes it.
// x  [N/L][x_planes][H][W][L], view at x_first       dy [N/L][y_planes][P][Q][L], view at y_first
// scratch: 36 * (POINT_STEP(k_block * tiles) + POINT_STEP(channels * tiles) +
// POINT_STEP(k_block * channels)) of scratch_t.
// Grid: (ceil(K/k_block) * ceil(C/channels), splits, 1). A group computes a block of weights from a
// run of the n_blocks * ceil(P/4) * ceil(Q/4) tiles, `tiles` at a time. Choose splits from N, P and Q
// only: then the bits do not depend on the number of channels.
// FLOPs: 36 * 2 K C a tile, and some 150 + 100 a tile and channel of the block in the transforms.
GROUP __kernel void conv_winograd_grad_weight(__global const stored_t *restrict x,
                                              __global const stored_t *restrict dy,
                                              __global float *restrict partial,
                                              __local scratch_t *scratch, const conv_params p)
{
    LANE_SCRATCH(parked, TAPS);
    const int n_in_blocks = parts_of(p.C, p.channels), n_out_blocks = parts_of(p.K, p.k_block);
    const int2 out = run_of(p.K, n_out_blocks, GRID(0) / n_in_blocks);
    const int2 in = run_of(p.C, n_in_blocks, GRID(0) % n_in_blocks);
    const int2 part = run_of(n_tiles_of(&p), p.splits, GRID(1));
    const int z_step = POINT_STEP(p.k_block * p.tiles), v_step = POINT_STEP(p.channels * p.tiles),
              m_step = POINT_STEP(p.k_block * p.channels);
    __local scratch_t *z = scratch + LANE, *v = z + WINOGRAD_POINTS * z_step,
                      *m = v + WINOGRAD_POINTS * v_step;

    x += AT(VIEW(0, p.x_planes, p.x_first, in.x, p.H * p.W));
    dy += AT(VIEW(0, p.y_planes, p.y_first, out.x, p.P * p.Q));
    for (int t = 0; t < part.y; t += p.tiles) {
        const int tiles = min(p.tiles, part.y - t);
        transform_gradient(dy, z, z_step, out.y, part.x + t, tiles, &p);
        transform_input(x, v, v_step, in.y, part.x + t, tiles, &p);
        drop_empty_lanes(v, v_step, in.y, part.x + t, tiles, &p);
        for (int f = 0; f < WINOGRAD_POINTS; f++)
            products(z + f * z_step, v + f * v_step, m + f * m_step, out.y, in.y, tiles, t > 0);
    }
    partial += ((GRID(1) * p.K + out.x) * p.C + in.x) * TAPS;
    for (int o = 0; o < out.y; o++)
        for (int c = 0; c < in.y; c++) {
            LANE_BARRIER();
            park_taps(parked, m + (o * in.y + c) * STEP, m_step);
            LANE_BARRIER();
            for (int i = LANE; i < TAPS; i += STEP)
                partial[(o * p.C + c) * TAPS + i] = parked_sum(parked, i);
        }
}
