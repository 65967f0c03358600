// channel_pool.h: what a work-group of channel_pool.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_POOL_H
#define PLEACH_CHANNEL_POOL_H

#include "channel_lanes.h"
#include "pool_params.h"

// The largest value of each window, or its mean.
INLINE void pool_group(const bool is_max, int2 at, __global const float *x, __global float *y,
                       const pool_params *p)
{
    const int n_pixels = p->n_images * p->P * p->Q, c = at.y * LANES;
    const int begin = at.x * p->tile_rows, end = min(begin + p->tile_rows, n_pixels);

    for (int i = begin; i < end; i++) {
        const int n = i / (p->P * p->Q), in_image = i - n * p->P * p->Q;
        const int row = in_image / p->Q, column = in_image - row * p->Q;
        const int top = row * p->stride_h - p->pad_h, left = column * p->stride_w - p->pad_w;
        const int h0 = max(top, 0), h1 = min(top + p->R, p->H);
        const int w0 = max(left, 0), w1 = min(left + p->S, p->W);
        real_t sum = is_max ? -INFINITY : 0.0f;

        for (int h = h0; h < h1; h++)
            for (int w = w0; w < w1; w++) {
                const real_t v =
                    load_channels(x + ((n * p->H + h) * p->W + w) * p->x_planes + p->x_first + c);
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

#endif
