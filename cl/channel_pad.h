// channel_pad.h: what a work-group of channel_pad.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_PAD_H
#define PLEACH_CHANNEL_PAD_H

#include "channel_lanes.h"
#include "pad_source.h"

static void pad_group(int2 at, __global const float *x, __global float *y, const pad_params *p)
{
    const int begin = at.x * p->tile_rows, end = min(begin + p->tile_rows, p->n_images * p->P);

    for (int i = begin; i < end; i++) { // rows of all images
        const int n = i / p->P, h = pad_source(i % p->P - p->top, p->H, p->mode);

        for (int q = 0; q < p->Q; q++) {
            const int w = pad_source(q - p->left, p->W, p->mode);
            __global const float *from = x + ((n * p->H + h) * p->W + w) * p->x_planes + p->x_first;
            __global float *to = y + (i * p->Q + q) * p->y_planes + p->y_first;

            for (int c = 0; c < p->C; c += LANES) {
                real_t v = (real_t)(p->value);

                if (h >= 0 && w >= 0)
                    v = load_channels(from + c);
                store_channels(to + c, v, p->C - c);
            }
        }
    }
}

#endif
