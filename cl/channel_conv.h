// channel_conv.h: what a work-group of channel_conv.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_CONV_H
#define PLEACH_CHANNEL_CONV_H

#include "channel_product.h"

// Places in `prepared` (floats): filters at u_offset, S*C zeros behind them, scales and shifts.
#define ZEROS_AT(p)                                                                                \
    ((p)->u_offset + (p)->groups * vectors_of((p)->K) * (p)->R * (p)->S * (p)->C * LANES)

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

// The same for the pixel after that of `origin`: divisions would cost as much as a tile of few taps.
static inline origin_t next_origin(origin_t origin, const conv_params *p)
{
    origin.column += p->stride_w;
    if (origin.column == p->Q * p->stride_w - p->pad_w) {
        origin.column = -p->pad_w;
        origin.row += p->stride_h;
    }
    if (origin.row == p->P * p->stride_h - p->pad_h) {
        origin.row = -p->pad_h;
        origin.image += p->H * p->W;
    }
    return origin;
}

#define FIND_ORIGIN(v, i)                                                                          \
    if (i < n_pixels) {                                                                            \
        origins[i] = next;                                                                         \
        next = next_origin(next, p);                                                               \
        whole = whole && origins[i].column >= 0 && origins[i].column + p->S <= p->W;               \
    }
#define AIM_TAP(v, i)                                                                              \
    if (i < n_pixels) {                                                                            \
        const int h = origins[i].row + r * p->dilation_h;                                          \
        const int w = origins[i].column + s * p->dilation_w;                                       \
        const int inside = (uint)h < (uint)p->H && (uint)w < (uint)p->W;                           \
        at[i] = inside ? x + (origins[i].image + h * p->W + w) * p->x_planes : zeros;              \
    }
#define FINISH(v, i)                                                                               \
    if (v < n_vectors && i < n_pixels)                                                             \
        finish_channels(acc[v][i], target, v, (pixel + i) * p->y_planes,                           \
                        (pixel + i) * p->add_planes);
#define FINISH_VECTOR(v) EACH_PIXEL(FINISH, v)

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
    origin_t next = origin_of(pixel, p);
    // Where x has no other channels, the taps of a kernel row lie side by side.
    int whole = p->x_planes == p->C && p->dilation_w == 1;

    EACH_VECTOR(CLEAR_VECTOR)
    EACH_PIXEL(FIND_ORIGIN, 0)
    const int run = whole ? p->S : 1;
    for (int r = 0; r < p->R; r++)
        for (int s = 0; s < p->S; s += run) {
            EACH_PIXEL(AIM_TAP, 0)
            add_global_product(n_pixels, n_vectors, acc, at, u, run * p->C);
            u += run * p->C * n_vectors * LANES;
        }
    EACH_VECTOR(FINISH_VECTOR)
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

// Group `at` of channel_conv.
static void conv_group(int2 at, __global const float *x, __global float *y,
                       __global const float *add, __global const float *prepared,
                       const conv_params *p)
{
    const int n_blocks = n_blocks_of(p), n_pixels = p->n_images * p->P * p->Q;
    const int g = at.x / n_blocks;
    const int2 block = block_of(p, at.x % n_blocks);
    const int2 chunk = run_of(n_pixels, parts_of(n_pixels, p->tiles), at.y);
    __global const float *u = prepared + p->u_offset + FILTERS_AT(p, g, block.x, p->R * p->S);
    __global const float *zeros = prepared + ZEROS_AT(p);
    channel_target_t target;

    set_target(&target, p, g, block.x, y, add, prepared);
    x += p->x_first + g * p->C;
    switch (block.y) {
    case 1:
        tiles(1, chunk, x, u, zeros, &target, p);
        break;
#if KT >= 2
    case 2:
        tiles(2, chunk, x, u, zeros, &target, p);
        break;
#endif
#if KT >= 3
    case 3:
        tiles(3, chunk, x, u, zeros, &target, p);
        break;
#endif
#if KT >= 4
    case 4:
        tiles(4, chunk, x, u, zeros, &target, p);
        break;
#endif
    }
}

// Group `at` of channel_conv_depthwise.
static void depthwise_group(int2 at, __global const float *x, __global float *y,
                            __global const float *add, __global const float *prepared,
                            const conv_params *p)
{
    const int n_pixels = p->n_images * p->P * p->Q, vector = at.x;
    const int2 chunk = run_of(n_pixels, parts_of(n_pixels, p->tiles), at.y);
    __global const float *u = prepared + p->u_offset + FILTERS_AT(p, 0, vector, p->R * p->S);
    channel_target_t target;

    set_target(&target, p, 0, vector, y, add, prepared);
    x += p->x_first + vector * LANES;
    for (int pixel = chunk.x; pixel < chunk.x + chunk.y; pixel++) {
        const origin_t origin = origin_of(pixel, p);
        real_t sum = (real_t)(0.0f);

        for (int r = 0; r < p->R; r++) {
            const int h = origin.row + r * p->dilation_h;
            if ((uint)h >= (uint)p->H)
                continue;
            for (int s = 0; s < p->S; s++) {
                const int w = origin.column + s * p->dilation_w;
                if ((uint)w < (uint)p->W)
                    sum = fma(load_channels(x + (origin.image + h * p->W + w) * p->x_planes),
                              load_channels(u + (r * p->S + s) * LANES), sum);
            }
        }
        finish_channels(sum, &target, 0, pixel * p->y_planes, pixel * p->add_planes);
    }
}

#endif
