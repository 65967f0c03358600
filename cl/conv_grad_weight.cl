// conv_grad_weight.cl: gradients of a convolution's weights and bias on batch lanes.
//
// Compiled in: LANES, LANES_IN_VECTOR (lanes.h); the tile OT x CT, ONE_TILE (tile.h); KERNEL_R,
// KERNEL_S, STRIDE.
// KERNEL_S = STRIDE = 0 is the variant for anything. Otherwise they must equal S and stride_w, and
// dilation_w must be 1. KERNEL_R = R makes a work-group compute whole kernels, whose rows then share
// what the cache holds of x and dy; KERNEL_R = 1 one row of them.
//
// Bits: a lane's sum is a chain of fma() over image blocks in descending order, then rows, then
// columns; then lanes are added (lanes.h), then splits. It depends on the plane and the batch and
// how they are split, not on channels or tiles.
#include "lanes.h"
#include "conv_params.h"
#include "tile.h"

#pragma OPENCL FP_CONTRACT OFF

#ifndef OT
#define OT 4 // output channels of a tile, 1..8
#endif
#ifndef CT
#define CT 2 // input channels of a tile, 1..4
#endif
#ifndef KERNEL_R
#define KERNEL_R 1
#endif
#ifndef KERNEL_S
#define KERNEL_S 0
#endif
#ifndef STRIDE
#define STRIDE 0
#endif

// Bodies get their sizes as constant arguments, so they must be inlined before loops are unrolled.
#define INLINE static inline __attribute__((always_inline))

#if KERNEL_S
#define ROW_TAPS KERNEL_S
#define COLUMN_STRIDE STRIDE
#else
#define ROW_TAPS 1 // a work-group computes one tap
#define COLUMN_STRIDE p->stride_w
#endif
#define TAPS (KERNEL_R * ROW_TAPS) // of a work-group

// Input that meets a pixel of dy: tap (0, 0) reads position (row, column) of the plane at `plane`.
typedef struct {
    __global const stored_t *plane;
    int row, column;
} source_t;

// Written out, so that the array stays in registers with every compiler.
#define LOAD_GRADIENT(o)                                                                           \
    if (o < TILE_END(n_out, OT))                                                                   \
        d[o] = load(dy + TILE_AT(o, n_out) * plane_y);
#define LOAD_GRADIENTS                                                                             \
    LOAD_GRADIENT(0)                                                                               \
    LOAD_GRADIENT(1)                                                                               \
    LOAD_GRADIENT(2)                                                                               \
    LOAD_GRADIENT(3) LOAD_GRADIENT(4) LOAD_GRADIENT(5) LOAD_GRADIENT(6) LOAD_GRADIENT(7)

// acc[n_out][n_in][TAPS] += dy[..][one pixel] * x[..][what its taps read].
INLINE void add_pixel(const int n_out, const int n_in, const bool edge, real_t acc[OT][CT][TAPS],
                      __global const stored_t *restrict dy, source_t x, int plane_y, int plane_x,
                      const conv_params *p)
{
    real_t d[8];

    LOAD_GRADIENTS
#pragma unroll
    for (int t = 0; t < TAPS; t++) {
        const int row = x.row + t / ROW_TAPS * p->dilation_h, column = x.column + t % ROW_TAPS;
        if (!edge || ((uint)row < (uint)p->H && (uint)column < (uint)p->W))
#pragma unroll
            for (int c = 0; c < TILE_END(n_in, CT); c++) {
                const real_t v = load(x.plane + (TILE_AT(c, n_in) * plane_x + (row * p->W + column) * STEP));
#pragma unroll
                for (int o = 0; o < TILE_END(n_out, OT); o++)
                    acc[o][c][t] = fma(d[o], v, acc[o][c][t]);
            }
    }
}

// Parks the sums of one tile over image blocks [block_first, block_end) and y rows [row_first,
// row_end), for the taps from (r, s) on.
INLINE void grad_tile(const int n_out, const int n_in, SCRATCH_SPACE scratch_t *scratch,
                      __global const stored_t *restrict dy, __global const stored_t *restrict x,
                      const conv_params *p, int block_first, int block_end, int row_first,
                      int row_end, int r, int s)
{
    real_t acc[OT][CT][TAPS];
#pragma unroll
    for (int o = 0; o < TILE_END(n_out, OT); o++)
#pragma unroll
        for (int c = 0; c < TILE_END(n_in, CT); c++)
#pragma unroll
            for (int t = 0; t < TAPS; t++)
                acc[o][c][t] = (real_t)(0.0f);

    const int plane_y = p->P * p->Q * STEP, plane_x = p->H * p->W * STEP;
    const int shift = s * p->dilation_w - p->pad_w; // column of the first tap is q*stride + shift
#ifndef ONE_TILE
    const int inner_first = clamp((COLUMN_STRIDE - 1 - shift) / COLUMN_STRIDE, 0, p->Q);
    const int last = p->W - ROW_TAPS - shift;
    const int inner_end =
        last < 0 ? inner_first : clamp(last / COLUMN_STRIDE + 1, inner_first, p->Q);
#endif

    for (int nb = block_end - 1; nb >= block_first; nb--) {
        for (int row = row_first; row < row_end; row++) {
            __global const stored_t *dy_row = dy + nb * p->y_planes * plane_y + row * p->Q * STEP;
            source_t source = {x + nb * p->x_planes * plane_x,
                               row * p->stride_h - p->pad_h + r * p->dilation_h, shift};
            const bool rows_inside =
                source.row >= 0 && source.row + (KERNEL_R - 1) * p->dilation_h < p->H;
            if (KERNEL_R == 1 && !rows_inside)
                continue;
            int q = 0;
#ifdef ONE_TILE
            for (; q < p->Q; q++, source.column += COLUMN_STRIDE)
                add_pixel(n_out, n_in, true, acc, dy_row + q * STEP, source, plane_y, plane_x, p);
#else
            const int first = rows_inside ? inner_first : p->Q;
            for (; q < first; q++, source.column += COLUMN_STRIDE)
                add_pixel(n_out, n_in, true, acc, dy_row + q * STEP, source, plane_y, plane_x, p);
            for (; q < inner_end; q++, source.column += COLUMN_STRIDE)
                add_pixel(n_out, n_in, false, acc, dy_row + q * STEP, source, plane_y, plane_x, p);
            for (; q < p->Q; q++, source.column += COLUMN_STRIDE)
                add_pixel(n_out, n_in, true, acc, dy_row + q * STEP, source, plane_y, plane_x, p);
#endif
        }
        // Only the last block of the batch has empty lanes, and it comes first: what they added is
        // dropped here.
        if (nb == block_end - 1) {
            const mask_t mask = lane_mask(nb, p->n_images);
#pragma unroll
            for (int o = 0; o < TILE_END(n_out, OT); o++)
#pragma unroll
                for (int c = 0; c < TILE_END(n_in, CT); c++)
#pragma unroll
                    for (int t = 0; t < TAPS; t++)
                        acc[o][c][t] = keep(mask, acc[o][c][t]);
        }
    }

#pragma unroll
    for (int o = 0; o < TILE_END(n_out, OT); o++)
#pragma unroll
        for (int c = 0; c < TILE_END(n_in, CT); c++)
#pragma unroll
            for (int t = 0; t < TAPS; t++)
                park(scratch, (o * CT + c) * TAPS + t, acc[o][c][t]);
}

#define GRAD_TILE(n_out, n_in)                                                                     \
    case n_out * 8 + n_in:                                                                         \
        grad_tile(n_out, n_in, scratch, dy, x, &p, block_first, block_end, row_first, row_end, r,  \
                  s);                                                                              \
        break;
#if CT >= 4
#define GRAD_TILES(n_out)                                                                          \
    GRAD_TILE(n_out, 1) GRAD_TILE(n_out, 2) GRAD_TILE(n_out, 3) GRAD_TILE(n_out, 4)
#elif CT >= 3
#define GRAD_TILES(n_out) GRAD_TILE(n_out, 1) GRAD_TILE(n_out, 2) GRAD_TILE(n_out, 3)
#elif CT >= 2
#define GRAD_TILES(n_out) GRAD_TILE(n_out, 1) GRAD_TILE(n_out, 2)
#else
#define GRAD_TILES(n_out) GRAD_TILE(n_out, 1)
#endif

// conv_grad_weight: partial[split][k][c][r][s] = sum over a part of the batch of dy[k][p][q]
// x[c][p*stride + ...]
// x  [N/L][x_planes][H][W][L], view at x_first       dy [N/L][y_planes][P][Q][L], view at y_first
// partial [splits * ceil(P/rows)][groups*K][C][R][S]: split i sums the blocks of run i /
// ceil(P/rows) of the n_blocks blocks cut into `splits` runs, and of their y rows those of run i %
// ceil(P/rows). Choose rows and splits from N, P and Q only: then the bits do not depend on the
// number of channels.
// Grid: (groups * ceil(K/OT) * ceil(C/CT) * R', ceil(P/rows), splits) work-groups, R' = R*S/TAPS. A lane sums its own images; lanes are added at the end. FLOPs
// 2*N*P*Q*groups*K*C*R*S; bytes: dy is read R'*ceil(C/CT) times, x R'*ceil(K/OT) times, from cache
// when a split's planes fit.
GROUP __kernel void conv_grad_weight(__global const stored_t *restrict x,
                                     __global const stored_t *restrict dy,
                                     __global float *restrict partial, const conv_params p)
{
    LANE_SCRATCH(scratch, OT * CT * TAPS);
    const int n_taps = p.R * p.S / TAPS, n_out_tiles = parts_of(p.K, OT),
              n_in_tiles = parts_of(p.C, CT);
    const int tap = GRID(0) % n_taps, rest = GRID(0) / n_taps, g = rest / n_in_tiles / n_out_tiles;
    const int r = tap * TAPS / p.S, s = tap * TAPS % p.S; // the first of the group's taps
    const int2 in = run_of(p.C, n_in_tiles, rest / n_out_tiles % n_in_tiles);
    const int2 out =
        run_of(p.K, n_out_tiles, rest % n_out_tiles); // in turn: dy is often the smaller
    const int2 blocks = run_of(p.n_blocks, p.splits, GRID(2));
    const int block_first = blocks.x, block_end = blocks.x + blocks.y;
    const int row_first = GRID(1) * p.rows, row_end = min(p.P, row_first + p.rows);
    const int k = g * p.K + out.x;

    x += AT(VIEW(0, p.x_planes, p.x_first, g * p.C + in.x, p.H * p.W));
    dy += AT(VIEW(0, p.y_planes, p.y_first, k, p.P * p.Q));
    partial += (((GRID(2) * parts_of(p.P, p.rows) + GRID(1)) * p.groups * p.K + k) * p.C + in.x) *
                   p.R * p.S +
               r * p.S + s;
#ifdef ONE_TILE
    grad_tile(out.y, in.y, scratch, dy, x, &p, block_first, block_end, row_first, row_end, r, s);
#else
    switch (out.y * 8 + in.y) {
        GRAD_TILES(1)
#if OT >= 2
        GRAD_TILES(2)
#endif
#if OT >= 3
        GRAD_TILES(3)
#endif
#if OT >= 4
        GRAD_TILES(4)
#endif
#if OT >= 5
        GRAD_TILES(5)
#endif
#if OT >= 6
        GRAD_TILES(6)
#endif
#if OT >= 7
        GRAD_TILES(7)
#endif
#if OT >= 8
        GRAD_TILES(8)
#endif
    }
#endif
    LANE_BARRIER();
    for (int o = 0; o < out.y; o++, partial += p.C * p.R * p.S)
        for (int i = LANE; i < in.y * TAPS; i += STEP)
            partial[i / TAPS * p.R * p.S + i % TAPS / ROW_TAPS * p.S + i % ROW_TAPS] =
                parked_sum(scratch, o * CT * TAPS + i);
}

// conv_grad_bias: db[k] += sum over n, p, q of dy[n][k][p][q].
// dy as in conv_grad_weight; db [groups*K] at bias_offset of the gradient arena.
// Grid: (groups * K, 1, 1) work-groups. Reads dy once.
GROUP __kernel void conv_grad_bias(__global const stored_t *restrict dy,
                                   __global float *restrict db, const conv_params p)
{
    LANE_SCRATCH(scratch, 1);
    const int k = GRID(0), size = p.P * p.Q;
    real_t acc = (real_t)(0.0f);

    for (int nb = p.n_blocks - 1; nb >= 0; nb--) {
        __global const stored_t *plane = dy + AT(VIEW(nb, p.y_planes, p.y_first, k, size));
        for (int i = 0; i < size; i++)
            acc += load(plane + i * STEP);
        if (nb == p.n_blocks - 1)
            acc = keep(lane_mask(nb, p.n_images), acc);
    }
    const float sum = lane_sum(scratch, acc);
    if (LANE == 0)
        db[p.bias_offset + k] += sum;
}
