// channel_pool.h: what a work-group of channel_pool.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_POOL_H
#define PLEACH_CHANNEL_POOL_H

#include "channel_lanes.h"
#include "pool_params.h"
#include "pool_window.h"

// The largest value of each window, or its mean.
INLINE void pool_group(const bool is_max, int2 at, __global const float *x, __global float *y,
                       const pool_params *p)
{
    const int n_pixels = p->n_images * p->P * p->Q, c = at.y * LANES;
    const int begin = at.x * p->tile_rows, end = min(begin + p->tile_rows, n_pixels);

    for (int i = begin; i < end; i++) {
        const int n = i / (p->P * p->Q), in_image = i - n * p->P * p->Q;
        const int row = in_image / p->Q, column = in_image - row * p->Q;
        const pool_span rows =
            pool_window(row, p->R, p->stride_h, p->pad_h, p->dilation_h, p->H);
        const pool_span columns =
            pool_window(column, p->S, p->stride_w, p->pad_w, p->dilation_w, p->W);
        real_t sum = is_max ? -INFINITY : 0.0f;

        for (int r = 0; r < rows.count; r++)
            for (int s = 0; s < columns.count; s++) {
                const int h = rows.begin + r * p->dilation_h, w = columns.begin + s * p->dilation_w;
                const real_t v =
                    load_channels(x + ((n * p->H + h) * p->W + w) * p->x_planes + p->x_first + c);
                if (is_max) // a NaN counts as the largest: a diverging network shows
                    sum = select(v, sum, v <= sum || sum != sum);
                else
                    sum += v;
            }
        if (!is_max)
            sum = sum / (float)(rows.count * columns.count);
        store_channels(y + i * p->y_planes + p->y_first + c, sum, p->C - c);
    }
}

#endif
