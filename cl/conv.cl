// conv.cl: convolution on batch lanes, forward and data gradient.
//
// One program holds one kernel, chosen by a macro, so that a variant compiles quickly:
//   (none)             conv_forward, the data gradient of stride 1 too
//   GRAD_DATA_STRIDED  conv_grad_data_strided  any stride
// Compiled in: LANES, LANES_IN_VECTOR (lanes.h); the tile OT x PT, ONE_TILE (tile.h); KERNEL_S, STRIDE, TAP_STEP.
// KERNEL_S = STRIDE = 0 is the variant for anything, 0 to 10 % slower. Otherwise they must equal S
// and stride_w, and dilation_w must be 1; conv_grad_data_strided knows only 0. TAP_STEP, with KERNEL_S: 1, or -1 where
// filters are flipped; kernels of KERNEL_S rows are then unrolled as a whole, so that a GPU's work-item has all their
// loads under way at once. Everything else is an argument, so that no layer is compiled anew after channels were removed: channels and pixels
// are cut into tiles whose sizes differ by at most one (5 = 3 + 2).
//
// Bits: an output is a chain of fma() that starts at +0 and runs over c, r, s (or s, c, r where
// KERNEL_S is 0). A tap in the padding is left out or adds +0, which is the same. So a result
// depends neither on tiles nor on the number of output channels, and an input channel of zeros can
// be removed without changing a bit.
#include "lanes.h"
#include "conv_epilogue.h"
#include "tile.h"

#pragma OPENCL FP_CONTRACT OFF

#ifndef OT
#define OT 8 // output channels of a tile, 1..8
#endif
#ifndef PT
#define PT 2 // pixels of a tile, all in one row, 1..8
#endif
#ifndef KERNEL_S
#define KERNEL_S 0
#endif
#ifndef STRIDE
#define STRIDE 0
#endif

// Bodies get their sizes as constant arguments, so they must be inlined before loops are unrolled.
#define INLINE static inline __attribute__((always_inline))

#if KERNEL_S && !defined(GRAD_DATA_STRIDED)
#define FIXED_TAPS
#endif

// Taps along one axis: tap i reads source position first + i*step with the weight at w + i*w_step.
typedef struct {
    int n, first, step, w_step;
} taps_t;

// Drops the taps that read outside [0, size). Returns the number dropped in front.
static inline int drop_taps(taps_t *taps, int size)
{
    int dropped = 0;
    while (taps->n > 0 && (uint)taps->first >= (uint)size) {
        taps->first += taps->step;
        taps->n--;
        dropped++;
    }
    while (taps->n > 0 && (uint)(taps->first + (taps->n - 1) * taps->step) >= (uint)size)
        taps->n--;
    return dropped;
}

// The layer as a tile sees it: `n_channels` source planes of height x width are summed over.
typedef struct {
    int n_channels, height, width;
    int w_channel, w_out; // distances in the weights between source and between output channels
    int w_tap;            // and between taps of a row: 1, or -1 where filters are flipped
    int pixel_step;       // distance in the source between neighbouring pixels of a tile
    int out_plane;        // pixels in an output plane
    int out_step;         // distance in the output between neighbouring pixels of a tile
} layer_t;

#ifdef TAP_STEP
#define W_TAP TAP_STEP
#else
#define W_TAP layer->w_tap
#endif

// A pixel of the row x, or +0 in the padding. In vectors without a branch, which would cost more than
// the selection: measured, separate bodies for tiles inside the plane are no faster and double the
// compile time. A work-item's branch becomes a predicate of the load, and addresses need no clamp.
static inline real_t column_of(__global const stored_t *restrict x, int column, int width,
                               bool row_inside)
{
#ifdef LANES_IN_VECTOR
    const real_t v = load(x + clamp(column, 0, width - 1) * STEP);
    return (uint)column < (uint)width ? v : (real_t)(0.0f);
#else
    real_t v = 0.0f;
    if (row_inside && (uint)column < (uint)width)
        v = load(x + column * STEP);
    return v;
#endif
}

// acc[n_out][n_pixels] += KERNEL_S taps of one kernel row, or one tap. n_out and n_pixels are
// constants wherever this is called, except with ONE_TILE. The first tap of the first pixel is column `across.first` of
// the row x. A row that is not inside the plane is +0; only work-items ask for such.
INLINE void add_row(const int n_out, const int n_pixels, real_t acc[OT][PT],
                    __global const stored_t *restrict x, __global const float *restrict w,
                    const layer_t *layer, taps_t across, bool row_inside)
{
#ifdef FIXED_TAPS
// Column by column, so that each is loaded once and used by all taps.
#pragma unroll
    for (int j = 0; j < (TILE_END(n_pixels, PT) - 1) * STRIDE + KERNEL_S; j++) {
        const int column = across.first + j;
        const real_t v = column_of(x, column, layer->width, row_inside);
#pragma unroll
        for (int i = 0; i < TILE_END(n_pixels, PT); i++) {
            const int s = j - i * STRIDE;
            if (s >= 0 && s < KERNEL_S)
#pragma unroll
                for (int o = 0; o < TILE_END(n_out, OT); o++)
                    acc[o][i] = fma((real_t)(w[TILE_AT(o, n_out) * layer->w_out + s * W_TAP]),
                                    v, acc[o][i]);
        }
    }
#else
// One tap: tile() walks along the row outside its loop over channels.
#pragma unroll
    for (int i = 0; i < TILE_END(n_pixels, PT); i++) {
        const real_t v = column_of(x, across.first + i * layer->pixel_step, layer->width, row_inside);
#pragma unroll
        for (int o = 0; o < TILE_END(n_out, OT); o++)
            acc[o][i] = fma((real_t)(w[TILE_AT(o, n_out) * layer->w_out]), v, acc[o][i]);
    }
#endif
}

// One tile: n_out output channels x n_pixels pixels. x stands at the planes summed over, w at the
// tile's weights.
INLINE void tile(const int n_out, const int n_pixels, __global const stored_t *restrict x,
                 __global const float *restrict w, const layer_t *layer, taps_t down, taps_t across,
                 target_t target)
{
    real_t acc[OT][PT];
#pragma unroll
    for (int o = 0; o < TILE_END(n_out, OT); o++)
#pragma unroll
        for (int i = 0; i < TILE_END(n_pixels, PT); i++)
            acc[o][i] = (real_t)(0.0f);

    x += down.first * layer->width * STEP;
    const int row_step = down.step * layer->width * STEP, plane = layer->height * layer->width * STEP;
#ifdef TAP_STEP
    if (down.n == KERNEL_S)
        for (int c = 0; c < layer->n_channels; c++, x += plane, w += layer->w_channel)
#pragma unroll
            for (int r = 0; r < KERNEL_S; r++)
                add_row(n_out, n_pixels, acc, x + r * row_step, w + r * KERNEL_S * TAP_STEP, layer,
                        across, (uint)(down.first + r * down.step) < (uint)layer->height);
    else
#endif
#ifndef FIXED_TAPS
    for (int s = 0; s < across.n; s++, across.first += across.step, w += across.w_step)
#endif
        for (int c = 0; c < layer->n_channels; c++)
            for (int r = 0; r < down.n; r++)
                add_row(n_out, n_pixels, acc, x + c * plane + r * row_step,
                        w + c * layer->w_channel + r * down.w_step, layer, across, true);

// Once per tile: a board need not have the epilogue OT x PT times.
#ifdef ONE_TILE
#pragma unroll 1
#else
#pragma unroll
#endif
    for (int o = 0; o < TILE_END(n_out, OT); o++)
#ifdef ONE_TILE
#pragma unroll 1
#else
#pragma unroll
#endif
        for (int i = 0; i < TILE_END(n_pixels, PT); i++) {
            const int at = (o * layer->out_plane + i * layer->out_step) * STEP;
            if (IN_TILE(o, n_out) && IN_TILE(i, n_pixels))
                store(target.y + at, finish(acc[o][i], &target, o, at));
        }
}

#define TILE(n_pixels)                                                                             \
    case n_pixels:                                                                                 \
        tile(n_out, n_pixels, x, w, layer, down, across, target);                                  \
        break;

// n_row pixels of an output row, for n_out output channels.
INLINE void row(const int n_out, int n_row, __global const stored_t *restrict x,
                __global const float *restrict w, const layer_t *layer, taps_t down, taps_t across,
                target_t target)
{
    const int n_tiles = parts_of(n_row, PT);

    for (int t = 0; t < n_tiles; t++) {
        const int n_pixels = run_of(n_row, n_tiles, t).y;
#ifdef ONE_TILE
        tile(n_out, n_pixels, x, w, layer, down, across, target);
#else
        switch (n_pixels) {
            TILE(1)
#if PT >= 2
            TILE(2)
#endif
#if PT >= 3
            TILE(3)
#endif
#if PT >= 4
            TILE(4)
#endif
#if PT >= 5
            TILE(5)
#endif
#if PT >= 6
            TILE(6)
#endif
#if PT >= 7
            TILE(7)
#endif
#if PT >= 8
            TILE(8)
#endif
        }
#endif
        across.first += n_pixels * layer->pixel_step;
        target.y += n_pixels * layer->out_step * STEP;
        target.add += n_pixels * layer->out_step * STEP;
    }
}

#define ROW(n_out)                                                                                 \
    case n_out:                                                                                    \
        row(n_out, n_row, x, w, layer, down, across, target);                                      \
        break;

// row() for a number of output channels that is known at run time.
static inline void row_of_any(int n_out, int n_row, __global const stored_t *restrict x,
                              __global const float *restrict w, const layer_t *layer, taps_t down,
                              taps_t across, target_t target)
{
#ifdef ONE_TILE
    row(n_out, n_row, x, w, layer, down, across, target);
#else
    switch (n_out) {
        ROW(1)
#if OT >= 2
        ROW(2)
#endif
#if OT >= 3
        ROW(3)
#endif
#if OT >= 4
        ROW(4)
#endif
#if OT >= 5
        ROW(5)
#endif
#if OT >= 6
        ROW(6)
#endif
#if OT >= 7
        ROW(7)
#endif
#if OT >= 8
        ROW(8)
#endif
    }
#endif
}

#ifndef GRAD_DATA_STRIDED

// conv_forward: y = clip(mask[k] (scale[k] (conv + bias[k]) + shift[k]) + add), each part only if
// its flag is set
//     conv = sum_crs w[k][c][r][s] x[c][p*stride - pad + r*dilation][q*stride - pad + s*dilation]
// With CONV_FLIP it is the data gradient of a convolution of stride 1: x is dy, y is dx, sizes are
// those of this convolution, and w the forward filters [groups*C][K][R][S], read flipped and with
// their channel axes exchanged.
// w    [groups*K][C][R][S] at w_offset               bias [groups*K] at bias_offset, in w
// x    [N/L][x_planes][H][W][L], view at x_first
// y    [N/L][y_planes][P][Q][L], view at y_first       add as y, at add_first; it may be y itself
// scale, shift [groups*K] at scale_offset and shift_offset. With CONV_MASK, scale holds masks
// (0: the channel is +0).
// Grid: (groups * ceil(K/OT), ceil(P/rows) * strips, n_blocks) work-groups; see lanes.h for global and
// local size. A work-group computes `rows` rows, or its strip of them, of OT channels. FLOPs 2*N*P*Q*groups*K*C*R*S; bytes: x is
// read ceil(K/OT) times (from cache when a block's planes fit), y written once.
GROUP __kernel void conv_forward(__global const stored_t *restrict x,
                                 __global const float *restrict w, __global stored_t *y,
                                 __global const stored_t *add, __global const float *scale,
                                 __global const float *shift, const conv_params p)
{
    const int n_tiles = parts_of(p.K, OT), g = GRID(0) / n_tiles, nb = GRID(2);
    const int2 run = run_of(p.K, n_tiles, GRID(0) % n_tiles);
    const int k = g * p.K + run.x, taps = p.R * p.S;
    const bool flip = p.flags & CONV_FLIP;
    const layer_t layer = {
        .n_channels = p.C,
        .height = p.H,
        .width = p.W,
        .w_channel = flip ? p.K * taps : taps,
        .w_out = flip ? taps : p.C * taps,
        .w_tap = flip ? -1 : 1,
        .pixel_step = p.stride_w,
        .out_plane = p.P * p.Q,
        .out_step = 1,
    };
    const int2 strip = run_of(p.Q, p.strips, GRID(1) % p.strips);
    const taps_t across = {p.S, strip.x * p.stride_w - p.pad_w, p.dilation_w, layer.w_tap};
    target_t target = {y + AT(VIEW(nb, p.y_planes, p.y_first, k, p.P * p.Q)),
                       add + AT(VIEW(nb, p.add_planes, p.add_first, k, p.P * p.Q)),
                       w + p.bias_offset + k,
                       scale + p.scale_offset + k,
                       shift + p.shift_offset + k,
                       p.flags,
                       p.low,
                       p.high};

    x += AT(VIEW(nb, p.x_planes, p.x_first, g * p.C, p.H * p.W));
    w += p.w_offset + (flip ? (g * p.C * p.K + run.x + 1) * taps - 1 : k * p.C * taps);
    const int first = GRID(1) / p.strips * p.rows, end = min(p.P, first + p.rows);
    target.y += (first * p.Q + strip.x) * STEP;
    target.add += (first * p.Q + strip.x) * STEP;
    for (int row = first; row < end; row++, target.y += p.Q * STEP, target.add += p.Q * STEP) {
        taps_t down = {p.R, row * p.stride_h - p.pad_h, p.dilation_h, p.S * layer.w_tap};
#ifdef TAP_STEP
        const int dropped = p.R == KERNEL_S ? 0 : drop_taps(&down, p.H);
#else
        const int dropped = drop_taps(&down, p.H);
#endif
        row_of_any(run.y, strip.y, x, w + dropped * down.w_step, &layer, down, across, target);
    }
}

#endif

#ifdef GRAD_DATA_STRIDED

// The taps of dx position `at`: those r for which at + pad - r*dilation is a multiple of the
// stride, in descending order (source positions then ascend). *first_tap receives the first of
// them, or -1 when there is none.
static inline taps_t taps_of_phase(int at, int n_taps, int stride, int pad, int dilation,
                                   int w_step, int *first_tap)
{
    taps_t taps = {0, 0, 0, 0};
    int r = n_taps - 1, apart = 1;

    while (r >= 0 && (at + pad - r * dilation) % stride != 0)
        r--;
    *first_tap = r;
    while (apart * dilation % stride != 0)
        apart++;
    if (r >= 0) {
        taps.n = r / apart + 1;
        taps.first = (at + pad - r * dilation) / stride;
        taps.step = apart * dilation / stride;
        taps.w_step = -apart * w_step;
    }
    return taps;
}

// conv_grad_data_strided: dx[c][h][w] (+)= sum over k and the taps (r, s) whose output is a whole
// pixel of w[k][c][r][s] dy[k][(h + pad - r*dilation) / stride][..], for any stride; dx += with
// CONV_ADD. The pixels of a tile are `stride`
// apart, so that all of them use the same taps and no product with an inserted zero is computed.
// Grid: (groups * ceil(C/OT), ceil(H/rows) * strips, n_blocks) work-groups.
GROUP __kernel void conv_grad_data_strided(__global const stored_t *restrict dy,
                                           __global const float *restrict w, __global stored_t *dx,
                                           const conv_params p)
{
    const int n_tiles = parts_of(p.C, OT), g = GRID(0) / n_tiles, nb = GRID(2);
    const int2 run = run_of(p.C, n_tiles, GRID(0) % n_tiles);
    const int taps = p.R * p.S;
    const layer_t layer = {
        .n_channels = p.K,
        .height = p.P,
        .width = p.Q,
        .w_channel = p.C * taps,
        .w_out = taps,
        .pixel_step = 1,
        .out_plane = p.H * p.W,
        .out_step = p.stride_w,
    };
    target_t target = {.flags = p.flags & CONV_ADD};

    dy += AT(VIEW(nb, p.y_planes, p.y_first, g * p.K, p.P * p.Q));
    dx += AT(VIEW(nb, p.x_planes, p.x_first, g * p.C + run.x, p.H * p.W));
    w += p.w_offset + (g * p.K * p.C + run.x) * taps;
    const int first = GRID(1) / p.strips * p.rows, end = min(p.H, first + p.rows);
    for (int row = first; row < end; row++) {
        int r, s;
        taps_t down = taps_of_phase(row, p.R, p.stride_h, p.pad_h, p.dilation_h, p.S, &r);
        const int dropped = drop_taps(&down, p.P);
        for (int phase = 0; phase < min(p.stride_w, p.W); phase++) {
            taps_t across =
                taps_of_phase(phase, p.S, p.stride_w, p.pad_w, p.dilation_w, 1, &s);
            const int2 strip = run_of((p.W - phase + p.stride_w - 1) / p.stride_w, p.strips,
                                      GRID(1) % p.strips);
            across.first += strip.x;
            target.add = target.y = dx + (row * p.W + phase + strip.x * p.stride_w) * STEP;
            row_of_any(run.y, strip.y, dy,
                       w + max(r, 0) * p.S + dropped * down.w_step + max(s, 0), &layer, down,
                       across, target);
        }
    }
}

#endif
