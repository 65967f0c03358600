// channel_conv.cl: convolution on channel lanes, any kernel, stride, padding, dilation and groups;
// and what is prepared for all convolutions on channel lanes.
//
// Bits: an output is a chain of fma() that starts at +0 and runs over r, s, c; a tap in the padding
// adds +0. So a result depends neither on tiles nor on the number of output channels, and an input
// channel of zeros can be removed without changing a bit.
#define SOURCE __global
#include "channel_product.h"

#pragma OPENCL FP_CONTRACT OFF

// Places in `prepared` (floats): filters at u_offset, S*C zeros behind them, scales and shifts.
#define ZEROS_AT(p) \
    ((p)->u_offset + (p)->groups * vectors_of((p)->K) * (p)->R * (p)->S * (p)->C * LANES)

// Packs filters as channel_product.h says, zeros behind them.
// w [groups*K][C][R][S] at w_offset.
// Work: a group per (group and block, tap).
GROUP __kernel void channel_filters(__global const float *restrict w,
                                    __global float *restrict prepared, const conv_params p)
{
    const int n_blocks = n_blocks_of(&p), taps = p.R * p.S, tap = GRID(1);
    const int g = GRID(0) / n_blocks;
    const int2 block = block_of(&p, GRID(0) % n_blocks);
    const int width = block.y * LANES;
    __global float *u =
        prepared + p.u_offset + FILTERS_AT(&p, g, block.x, taps) + tap * p.C * width;

    for (int c = 0; c < p.C; c++)
        for (int i = 0; i < width; i++) {
            const int k = block.x * LANES + i;
            u[c * width + i] =
                k < p.K ? w[p.w_offset + ((g * p.K + k) * p.C + c) * taps + tap] : 0.0f;
        }
    if (GRID(0) == 0 && tap == 0)
        for (int i = 0; i < p.S * p.C; i++)
            prepared[ZEROS_AT(&p) + i] = 0.0f;
}

// One scale and one shift per output channel for what may follow a convolution, each part only if
// its flag is set: mask[k] (scale[k] (conv + bias[k]) + shift[k]) = new scale[k] conv + new shift[k].
// bias [groups*K] at bias_offset of w; scale (or with CONV_MASK masks), shift [groups*K] at
// from_scale and from_shift. Written to scale_offset and shift_offset of `prepared`, which may be
// where scale and shift come from, each group padded to whole vectors with zeros.
// Work: an item per padded channel.
__kernel void channel_coefficients(__global const float *w, __global const float *scale,
                                   __global const float *shift, __global float *prepared,
                                   const conv_params p, int from_scale, int from_shift)
{
    const int padded = vectors_of(p.K) * LANES, i = get_global_id(0);
    const int g = i / padded, k = i - g * padded, from = g * p.K + k;

    if (g >= p.groups)
        return;
    float a = 0.0f, b = 0.0f;
    if (k < p.K) {
        a = p.flags & (CONV_SCALE | CONV_MASK) ? scale[from_scale + from] : 1.0f;
        b = p.flags & CONV_BIAS ? a * w[p.bias_offset + from] : 0.0f;
        if (p.flags & CONV_SHIFT)
            b = b + shift[from_shift + from];
    }
    prepared[p.scale_offset + i] = a;
    prepared[p.shift_offset + i] = b;
}

// Where the input of an output pixel begins: its image (in pixels of x), row and column, which may
// lie in the padding.
typedef struct {
    int image, row, column;
} origin_t;

static inline origin_t origin_of(int pixel, const conv_params *p)
{
    const int n = pixel / (p->P * p->Q), in_image = pixel - n * p->P * p->Q;
    const int row = in_image / p->Q;

    return (origin_t){n * p->H * p->W, row * p->stride_h - p->pad_h,
                      (in_image - row * p->Q) * p->stride_w - p->pad_w};
}

#define FIND(v, i)                                                                                 \
    if (i < n_pixels) {                                                                            \
        origins[i] = origin_of(pixel + i, p);                                                      \
        whole = whole && origins[i].column >= 0 && origins[i].column + p->S <= p->W;               \
    }
#define AIM(v, i)                                                                                  \
    if (i < n_pixels) {                                                                            \
        const int h = origins[i].row + r * p->dilation_h;                                          \
        const int w = origins[i].column + s * p->dilation_w;                                       \
        const int inside = (uint)h < (uint)p->H && (uint)w < (uint)p->W;                           \
        at[i] = inside ? x + (origins[i].image + h * p->W + w) * p->x_planes : zeros;              \
    }
#define STORE(v, i)                                                                                \
    if (v < n_vectors && i < n_pixels)                                                             \
        finish_channels(acc[v][i], target, v, (pixel + i) * p->y_planes,                           \
                        (pixel + i) * p->add_planes);
#define STORE_VECTOR(v) EACH_PIXEL(STORE, v)

// n_pixels pixels from `pixel` on (they may lie in several rows and images), n_vectors vectors. x
// stands at the group's first channel.
INLINE void tile(const int n_pixels, const int n_vectors, int pixel,
                 __global const float *restrict x, __global const float *restrict u,
                 __global const float *restrict zeros, const channel_target_t *target,
                 const conv_params *p)
{
    real_t acc[KT_MAX][PT];
    origin_t origins[PT];
    __global const float *at[PT];
    // Where x has no other channels, the taps of a kernel row lie side by side.
    int whole = p->x_planes == p->C && p->dilation_w == 1;

    EACH_VECTOR(CLEAR_VECTOR)
    EACH_PIXEL(FIND, 0)
    const int run = whole ? p->S : 1;
    for (int r = 0; r < p->R; r++)
        for (int s = 0; s < p->S; s += run) {
            EACH_PIXEL(AIM, 0)
            add_product(n_pixels, n_vectors, acc, at, u, run * p->C);
            u += run * p->C * n_vectors * LANES;
        }
    EACH_VECTOR(STORE_VECTOR)
}

#define TILE(n_pixels)                                                                             \
    case n_pixels:                                                                                 \
        tile(n_pixels, n_vectors, pixel, x, u, zeros, target, p);                                  \
        break;

INLINE void tiles(const int n_vectors, int2 chunk, __global const float *restrict x,
                  __global const float *restrict u, __global const float *restrict zeros,
                  const channel_target_t *target, const conv_params *p)
{
    const int n_runs = parts_of(chunk.y, PT);

    for (int t = 0; t < n_runs; t++) {
        const int2 run = run_of(chunk.y, n_runs, t);
        const int pixel = chunk.x + run.x;
        switch (run.y) {
            TILE(1)
            TILE(2)
            TILE(3)
            TILE(4)
            TILE(5)
            TILE(6)
            TILE(7)
            TILE(8)
        }
    }
}

// channel_conv: y = relu(scale[k] conv + shift[k] + add), relu and add if their flags are set
//     conv = sum_rsc w[k][c][r][s] x[p*stride - pad + r*dilation][q*stride - pad + s*dilation][c]
// x        [N][H][W][x_planes], view at x_first
// y        [N][P][Q][y_planes], view at y_first       add as y, at add_first; it may be y itself
// prepared by channel_filters and channel_coefficients, with the same KT
// Grid: (groups * blocks of K, chunks of at most `tiles` of the N P Q pixels, 1).
// FLOPs: 2 N P Q groups K C R S, with K rounded up to whole vectors. Reads x R S times (from the
// cache), filters once per work-group and 8 pixels; writes y once.
GROUP __kernel void channel_conv(__global const float *restrict x, __global float *y,
                                 __global const float *add, __global const float *restrict prepared,
                                 const conv_params p)
{
    const int n_blocks = n_blocks_of(&p), n_pixels = p.n_images * p.P * p.Q;
    const int g = GRID(0) / n_blocks;
    const int2 block = block_of(&p, GRID(0) % n_blocks);
    const int2 chunk = run_of(n_pixels, parts_of(n_pixels, p.tiles), GRID(1));
    __global const float *u = prepared + p.u_offset + FILTERS_AT(&p, g, block.x, p.R * p.S);
    __global const float *zeros = prepared + ZEROS_AT(&p);
    const channel_target_t target = target_of(&p, g, block.x, y, add, prepared);

    x += p.x_first + g * p.C;
    switch (block.y) {
    case 1: tiles(1, chunk, x, u, zeros, &target, &p); break;
#if KT >= 2
    case 2: tiles(2, chunk, x, u, zeros, &target, &p); break;
#endif
#if KT >= 3
    case 3: tiles(3, chunk, x, u, zeros, &target, &p); break;
#endif
#if KT >= 4
    case 4: tiles(4, chunk, x, u, zeros, &target, &p); break;
#endif
    }
}

// channel_conv_depthwise: as channel_conv where output channel k sees input channel k only
//     conv = sum_rs w[k][r][s] x[p*stride - pad + r*dilation][q*stride - pad + s*dilation][k]
// Sizes are those of one group of K channels with C = 1 (so are the filters), KT = 1.
// Grid: (vectors of K, chunks of at most `tiles` of the N P Q pixels, 1).
GROUP __kernel void channel_conv_depthwise(__global const float *restrict x, __global float *y,
                                           __global const float *add,
                                           __global const float *restrict prepared,
                                           const conv_params p)
{
    const int n_pixels = p.n_images * p.P * p.Q, vector = GRID(0);
    const int2 chunk = run_of(n_pixels, parts_of(n_pixels, p.tiles), GRID(1));
    __global const float *u = prepared + p.u_offset + FILTERS_AT(&p, 0, vector, p.R * p.S);
    const channel_target_t target = target_of(&p, 0, vector, y, add, prepared);

    x += p.x_first + vector * LANES;
    for (int pixel = chunk.x; pixel < chunk.x + chunk.y; pixel++) {
        const origin_t origin = origin_of(pixel, &p);
        real_t sum = (real_t)(0.0f);

        for (int r = 0; r < p.R; r++) {
            const int h = origin.row + r * p.dilation_h;
            if ((uint)h >= (uint)p.H)
                continue;
            for (int s = 0; s < p.S; s++) {
                const int w = origin.column + s * p.dilation_w;
                if ((uint)w < (uint)p.W)
                    sum = fma(load_channels(x + (origin.image + h * p.W + w) * p.x_planes),
                              load_channels(u + (r * p.S + s) * LANES), sum);
            }
        }
        finish_channels(sum, &target, 0, pixel * p.y_planes, pixel * p.add_planes);
    }
}
