// channel_pool.cl: max_pool, avg_pool and global_avg_pool on channel lanes, any window.
//
// Padding counts in neither: the maximum never picks it, the average divides by the pixels inside
// the image. global_avg_pool is the average of a window that is the whole image.
#include "channel_lanes.h"
#include "pool_params.h"

#pragma OPENCL FP_CONTRACT OFF

static inline void pool(const bool is_max, __global const float *restrict x,
                        __global float *restrict y, const pool_params *p)
{
    const int n_pixels = p->n_images * p->P * p->Q, c = GRID(1) * LANES;
    const int begin = GRID(0) * p->tile_rows, end = min(begin + p->tile_rows, n_pixels);

    for (int i = begin; i < end; i++) {
        const int n = i / (p->P * p->Q), in_image = i - n * p->P * p->Q;
        const int row = in_image / p->Q, column = in_image - row * p->Q;
        const int top = row * p->stride_h - p->pad_h, left = column * p->stride_w - p->pad_w;
        const int h0 = max(top, 0), h1 = min(top + p->R, p->H);
        const int w0 = max(left, 0), w1 = min(left + p->S, p->W);
        real_t sum = is_max ? -INFINITY : 0.0f;

        for (int h = h0; h < h1; h++)
            for (int w = w0; w < w1; w++) {
                const real_t v = load_channels(
                    x + ((n * p->H + h) * p->W + w) * p->x_planes + p->x_first + c);
                if (is_max) // a NaN counts as the largest: a diverging network shows
                    sum = select(v, sum, v <= sum || sum != sum);
                else
                    sum += v;
            }
        if (!is_max)
            sum = sum / (float)((h1 - h0) * (w1 - w0));
        store_channels(y + i * p->y_planes + p->y_first + c, sum, p->C - c);
    }
}

// y [N][P][Q][y_planes] = max over the window of x [N][H][W][x_planes].
// Work: a group per (tile_rows of the N P Q pixels, vector of channels). Reads x R*S/stride^2 times
// (from the cache), writes y once.
GROUP __kernel void channel_max_pool(__global const float *restrict x, __global float *restrict y,
                                     const pool_params p)
{
    pool(true, x, y, &p);
}

// y = mean over the pixels of the window that lie inside the image; work as channel_max_pool.
GROUP __kernel void channel_avg_pool(__global const float *restrict x, __global float *restrict y,
                                     const pool_params p)
{
    pool(false, x, y, &p);
}
