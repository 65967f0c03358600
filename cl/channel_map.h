// channel_map.h: what a work-group of channel_map.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_MAP_H
#define PLEACH_CHANNEL_MAP_H

#include "channel_lanes.h"
#include "channel_map_params.h"

static void map_group(int2 at, __global const float *x, __global const float *add,
                      __global float *y, __global const float *coefficients,
                      const channel_map_params *p)
{
    const int begin = at.x * p->tile_pixels, end = min(begin + p->tile_pixels, p->n_pixels);

    for (int i = begin; i < end; i++) {
        const int pixel = p->flags & MAP_GATE ? i / p->size : i;
        __global const float *other = add + pixel * p->add_planes + p->add_first;

        for (int c = 0; c < p->C; c += LANES) {
            real_t v = load_channels(x + i * p->x_planes + p->x_first + c);

            if (p->flags & MAP_SCALE)
                v = fma(v, load_channels(coefficients + p->scale_offset + c),
                        load_channels(coefficients + p->shift_offset + c));
            if (p->flags & MAP_ADD)
                v = v + load_channels(other + c);
            if (p->flags & MAP_TIMES)
                v = v * load_channels(other + c);
            if (p->flags & MAP_CLIP)
                v = limit(v, p->low, p->high);
            store_channels(y + i * p->y_planes + p->y_first + c, v, p->C - c);
        }
    }
}

#endif
