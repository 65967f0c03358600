// channel_function.h: what a work-group of channel_function.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_FUNCTION_H
#define PLEACH_CHANNEL_FUNCTION_H

#include "channel_lanes.h"
#include "activation.h"

static void function_group(int2 at, __global const float *x, __global float *y,
                           const activation_params *p)
{
    const int begin = at.x * p->tile_pixels, end = min(begin + p->tile_pixels, p->n_images * p->size);

    for (int i = begin; i < end; i++)
        for (int c = 0; c < p->C; c += LANES) {
            const real_t v = load_channels(x + i * p->x_planes + p->x_first + c);

            store_channels(y + i * p->y_planes + p->y_first + c, activation(p->kind, v, p->a, p->b),
                           p->C - c);
        }
}

#endif
