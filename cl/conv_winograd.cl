// conv_winograd.cl: 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3) on batch lanes.
//
// 36 products stand for the 144 of a 4x4 tile of outputs. The three stages (transform of the input,
// 36 matrix products, transform of the output) run in one work-group on a chunk of tiles, so that
// what lies between them stays in cache. The data gradient is this same convolution of dy with the
// filters flipped and their two channel axes exchanged: sizes are then those of that convolution.
//
// Compiled in: LANES, LANES_IN_VECTOR (lanes.h); the tile OT x TT of the matrix products.
//
// Bits: a product is a chain of fma() that starts at +0 and runs over c; the transforms are fixed
// chains. So a result depends neither on tiles nor on the number of output channels, and an input
// channel of zeros can be removed without changing a bit.
#include "conv_epilogue.h"
#include "winograd_tiles.h"

#pragma OPENCL FP_CONTRACT OFF

#ifndef OT
#define OT 4 // output channels of a tile, 1..8
#endif
#ifndef TT
#define TT 4 // Winograd tiles of a tile, 1..4
#endif

#define INLINE static inline __attribute__((always_inline))

// Floats between the 36 matrices of n elements in u: whole cache lines, an odd number of them, because
// a power of two would put all 36 into the same few cache sets.
#define U_STEP(n) ((((n) + 15) / 16 | 1) * 16)

// Where a channel tile of a group begins in u: [groups][channel tile][36][C][<= OT].
#define U_AT(p, g, tile)                                                                           \
    (((g)*parts_of((p)->K, OT) + (tile)) * WINOGRAD_POINTS * U_STEP((p)->C * OT))

// winograd_filters: u = G w GT, the filters ready for conv_winograd.
// w  [groups*K][C][3][3] at w_offset; with CONV_FLIP the forward filters [groups*C][K][3][3], which
//    are read flipped and with their channel axes exchanged
// u  as U_AT says, at u_offset
// Work: a lane per (k, c) of a channel tile; grid (groups * ceil(K/OT), ceil(OT * C / LANES), 1).
GROUP __kernel void winograd_filters(__global const float *restrict w, __global float *restrict u,
                                     const conv_params p)
{
    const int n_tiles = parts_of(p.K, OT), g = GRID(0) / n_tiles;
    const int2 out = run_of(p.K, n_tiles, GRID(0) % n_tiles);
    const int n = out.y * p.C, first = GRID(1) * LANES;
    const bool flip = p.flags & CONV_FLIP;
    float taps[TAPS][HELD];
    real_t filter[TAPS], rows[WINOGRAD_IN * WINOGRAD_TAPS], points[WINOGRAD_POINTS];

    for (int l = 0; l < HELD; l++) {
        const int at = min(first + LANE + l, n - 1), k = out.x + at % out.y, c = at / out.y;
        __global const float *from =
            w + p.w_offset + (flip ? (g * p.C + c) * p.K + k : (g * p.K + k) * p.C + c) * TAPS;
        for (int i = 0; i < TAPS; i++)
            taps[i][l] = from[flip ? TAPS - 1 - i : i];
    }
    for (int i = 0; i < TAPS; i++)
        filter[i] = load_held(taps[i]);
#pragma unroll
    for (int s = 0; s < WINOGRAD_TAPS; s++)
        winograd_filter(filter + s, WINOGRAD_TAPS, rows + s, WINOGRAD_TAPS);
#pragma unroll
    for (int i = 0; i < WINOGRAD_IN; i++)
        winograd_filter(rows + i * WINOGRAD_TAPS, 1, points + i * WINOGRAD_IN, 1);
    u += p.u_offset + U_AT(&p, g, GRID(0) % n_tiles) + first;
    for (int f = 0; f < WINOGRAD_POINTS; f++)
        store_held(u + f * U_STEP(p.C * OT), points[f], n - first);
}

// Statements for each output o and tile t of a tile of the product, written out: an array whose
// indices are constants before any loop is unrolled stays in registers with every compiler.
#define EACH_TILE(DO, o) DO(o, 0) DO(o, 1) DO(o, 2) DO(o, 3)
#if OT <= 4
#define EACH_OUT(DO) DO(0) DO(1) DO(2) DO(3)
#else
#define EACH_OUT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#endif
#define CLEAR(o, t) acc[o][t] = (real_t)(0.0f);
#define RESUME(o, t)                                                                               \
    if (o < n_out && t < n_tiles)                                                                  \
        acc[o][t] = m[(o * tiles + t) * STEP];
#define LOAD(o, t)                                                                                 \
    if (t < n_tiles)                                                                               \
        values[t] = v[t * STEP];
#define ADD(o, t)                                                                                  \
    if (o < n_out && t < n_tiles)                                                                  \
        acc[o][t] = fma(factor, values[t], acc[o][t]);
#define ADD_OUT(o)                                                                                 \
    if (o < n_out) {                                                                               \
        const real_t factor = (real_t)(u[o]);                                                      \
        EACH_TILE(ADD, o)                                                                          \
    }
#define STORE(o, t)                                                                                \
    if (o < n_out && t < n_tiles)                                                                  \
        m[(o * tiles + t) * STEP] = acc[o][t];
#define CLEAR_OUT(o) EACH_TILE(CLEAR, o)
#define RESUME_OUT(o) EACH_TILE(RESUME, o)
#define STORE_OUT(o) EACH_TILE(STORE, o)

// The channels that one pass over scratch sums, and whether sums go on from what m holds.
typedef struct {
    int n_channels, tiles; // v is [36][n_channels][tiles]
    bool resume;
    int u_step, v_step, m_step;
} pass_t;

// m[o][t] (+)= sum over c of u[c][o] * v[c][t], for n_out outputs and n_tiles tiles.
INLINE void product(const int n_out, const int n_tiles, const __local scratch_t *v,
                    __global const float *restrict u, __local scratch_t *m, const pass_t *pass)
{
    const int n_channels = pass->n_channels, tiles = pass->tiles;
    real_t acc[8][4], values[4];

    if (pass->resume) {
        EACH_OUT(RESUME_OUT)
    } else {
        EACH_OUT(CLEAR_OUT)
    }
    for (int c = 0; c < n_channels; c++, u += n_out, v += tiles * STEP) {
        EACH_TILE(LOAD, 0)
        EACH_OUT(ADD_OUT)
    }
    EACH_OUT(STORE_OUT)
}

#define PRODUCT(n_tiles)                                                                           \
    case n_tiles:                                                                                  \
        product(n_out, n_tiles, v, u, m, pass);                                                    \
        break;

// The 36 products of n_out outputs with all tiles of the chunk.
INLINE void products(const int n_out, const __local scratch_t *v, __global const float *restrict u,
                     __local scratch_t *m, const pass_t *pass)
{
    const int tiles = pass->tiles;
    const int n_runs = parts_of(tiles, TT);

    for (int f = 0; f < WINOGRAD_POINTS; f++) {
        for (int i = 0; i < n_runs; i++) {
            const int n = run_of(tiles, n_runs, i).y;
            switch (n) {
                PRODUCT(1)
#if TT >= 2
                PRODUCT(2)
#endif
#if TT >= 3
                PRODUCT(3)
#endif
#if TT >= 4
                PRODUCT(4)
#endif
            }
            v += n * STEP;
            m += n * STEP;
        }
        v += pass->v_step - tiles * STEP;
        m += pass->m_step - tiles * STEP;
        u += pass->u_step;
    }
}

#define PRODUCTS(n_out)                                                                            \
    case n_out:                                                                                    \
        products(n_out, v, u, m, pass);                                                            \
        break;

static inline void products_of_any(int n_out, const __local scratch_t *v,
                                   __global const float *restrict u, __local scratch_t *m,
                                   const pass_t *pass)
{
    switch (n_out) {
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
#if OT >= 5
        PRODUCTS(5)
#endif
#if OT >= 6
        PRODUCTS(6)
#endif
#if OT >= 7
        PRODUCTS(7)
#endif
#if OT >= 8
        PRODUCTS(8)
#endif
    }
}

// Sums over the outputs of one tile and channel of (y - shift) and its square.
typedef struct {
    float shift;
    real_t sum, squares;
} sums_t;

// y = finish(AT m A) of one tile and channel, `rows` x `columns` of its 4x4 outputs.
INLINE void output_tile(const bool whole, const __local scratch_t *m, int m_step,
                        const target_t *target, int k, int width, int rows, int columns,
                        sums_t *sums)
{
    real_t columns_done[WINOGRAD_OUT * WINOGRAD_IN];

#pragma unroll
    for (int j = 0; j < WINOGRAD_IN; j++) {
        real_t t[WINOGRAD_IN];
#pragma unroll
        for (int i = 0; i < WINOGRAD_IN; i++)
            t[i] = m[(i * WINOGRAD_IN + j) * m_step];
        winograd_output(t, 1, columns_done + j, WINOGRAD_IN);
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_OUT; i++) {
        real_t y[WINOGRAD_OUT];
        winograd_output(columns_done + i * WINOGRAD_IN, 1, y, 1);
#pragma unroll
        for (int j = 0; j < WINOGRAD_OUT; j++)
            if (whole || (i < rows && j < columns)) {
                const int to = (i * width + j) * STEP;
                const real_t v = finish(y[j], target, k, to), d = v - sums->shift;
                store(target->y + to, v);
                sums->sum += d;
                sums->squares = fma(d, d, sums->squares);
            }
    }
}

// Outputs of n_out channels from m[36][n_out][tiles]. target, means and partials stand at the first of
// the channels, target in block 0.
INLINE void transform_output(int n_out, const __local scratch_t *m, int m_step, int first,
                             int tiles, target_t target, __global const float *means,
                             __global real_t *partials, const conv_params *p)
{
    const place_t start = place_of(first, p);
    const int plane = p->P * p->Q, n_tiles = n_tiles_of(p);
    const bool wants_sums = p->flags & CONV_SUMS;

    for (int o = 0; o < n_out; o++) {
        place_t place = start;
        for (int t = 0; t < tiles; t++, m += STEP, place = next_place(place, p)) {
            const int rows = p->P - place.row, columns = p->Q - place.column;
            const int at = o * plane + place.row * p->Q + place.column;
            target_t here = target;
            sums_t sums = {wants_sums ? means[o] : 0.0f, (real_t)(0.0f), (real_t)(0.0f)};

            here.y += (place.nb * p->y_planes * plane + at) * STEP;
            here.add += (place.nb * p->add_planes * plane + at) * STEP;
            if (rows >= WINOGRAD_OUT && columns >= WINOGRAD_OUT)
                output_tile(true, m, m_step, &here, o, p->Q, rows, columns, &sums);
            else
                output_tile(false, m, m_step, &here, o, p->Q, rows, columns, &sums);
            if (wants_sums) {
                const mask_t mask = lane_mask(place.nb, p->n_images);
                partials[AT((o * 2 + 0) * n_tiles + first + t)] = keep(mask, sums.sum);
                partials[AT((o * 2 + 1) * n_tiles + first + t)] = keep(mask, sums.squares);
            }
        }
    }
}

// conv_winograd: y = clip(mask[k] (scale[k] (conv + bias[k]) + shift[k]) + add), each part only if
// its flag is set; conv as in conv_forward with R = S = 3, stride and dilation 1.
// u    as winograd_filters left it, with the same OT
// x    [N/L][x_planes][H][W][L], view at x_first
// y    [N/L][y_planes][P][Q][L], view at y_first       add as y, at add_first; it may be y itself
// bias [groups*K] at bias_offset of w; scale, shift at scale_offset and shift_offset
// partials [groups*K][2][tiles of the batch][L], with CONV_SUMS: for bn_finalize, sums over each tile of
//    (y - mean) and its square, mean [groups*K] at mean_offset of w: the running mean, which keeps the
//    squares small
// scratch: 36 * (POINT_STEP(channels * tiles) + POINT_STEP(OT * tiles)) of scratch_t; where all C
//    channels do not fit, `channels` at a time are summed, and transformed anew for each channel tile
// Grid: (groups * k_runs, ceil(n_blocks ceil(P/4) ceil(Q/4) / tiles), 1). A group computes a run of
// its group's channel tiles for a chunk of at most `tiles` tiles; each of k_runs transforms the
// input anew.
// FLOPs: 36 * 2 C K a tile, and some 150 C + 130 K in the transforms. Reads x 2.25 times, u once
// per work-group; writes y once.
GROUP __kernel void
conv_winograd(__global const stored_t *restrict x, __global const float *restrict u,
              __global stored_t *y, __global const stored_t *add, __global const float *restrict w,
              __global const float *restrict scale, __global const float *restrict shift,
              __global real_t *restrict partials, __local scratch_t *scratch, const conv_params p)
{
    const int g = GRID(0) / p.k_runs, n_outs = parts_of(p.K, OT);
    const int2 outs = run_of(n_outs, p.k_runs, GRID(0) % p.k_runs);
    const int n_tiles = n_tiles_of(&p);
    const int2 chunk = run_of(n_tiles, parts_of(n_tiles, p.tiles), GRID(1));
    const int m_step = POINT_STEP(OT * chunk.y), v_step = POINT_STEP(p.channels * chunk.y);
    __local scratch_t *v = scratch + LANE, *m = v + WINOGRAD_POINTS * v_step;

    x += AT(VIEW(0, p.x_planes, p.x_first, g * p.C, p.H * p.W));
    for (int tile = outs.x; tile < outs.x + outs.y; tile++) {
        const int2 out = run_of(p.K, n_outs, tile);
        const int k = g * p.K + out.x;
        const target_t target = {
            .y = y + AT(VIEW(0, p.y_planes, p.y_first, k, p.P * p.Q)),
            .add = add + AT(VIEW(0, p.add_planes, p.add_first, k, p.P * p.Q)),
            .bias = w + p.bias_offset + k,
            .scale = scale + p.scale_offset + k,
            .shift = shift + p.shift_offset + k,
            .flags = p.flags,
            .low = p.low,
            .high = p.high,
        };
        for (int c = 0; c < p.C; c += p.channels) {
            const pass_t pass = {min(p.channels, p.C - c), chunk.y, c > 0,
                                 U_STEP(p.C * OT),         v_step,  m_step};
            if (tile == outs.x || p.channels < p.C)
                transform_input(x + c * p.H * p.W * STEP, v, v_step, pass.n_channels, chunk.x,
                                chunk.y, &p);
            products_of_any(out.y, v, u + p.u_offset + U_AT(&p, g, tile) + c * out.y, m, &pass);
        }
        transform_output(out.y, m, m_step, chunk.x, chunk.y, target, w + p.mean_offset + k,
                         partials + k * 2 * n_tiles * STEP, &p);
    }
}
