// prelu.cl: max(x, 0) + a min(x, 0) with a slope a of each channel, on batch lanes, and its gradients.
// Work: a group per (tile of pixels, tile of channels, block), of the slopes' gradient per channel.
#include "lanes.h"
#include "prelu_params.h"

#pragma OPENCL FP_CONTRACT OFF

#define PIXELS(planes, first, c) AT(VIEW(GRID(2), planes, first, c, p.size) + begin)

// y = x, or slope[c] x where x < 0.    x, y [N/L][C][H][W][L]
GROUP __kernel void prelu_forward(__global const stored_t *x, __global const float *weights,
                                  __global stored_t *y, const prelu_params p)
{
    const int begin = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - begin);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const float slope = weights[p.slope_offset + c];
        __global const stored_t *from = x + PIXELS(p.x_planes, p.x_first, c);
        __global stored_t *to = y + PIXELS(p.y_planes, p.y_first, c);

        for (int i = 0; i < n; i++) {
            const real_t v = load(from + i * STEP);
            store(to + i * STEP, select(v, v * slope, v < (real_t)(0.0f)));
        }
    }
}

// dx (+)= dy, or slope[c] dy where x < 0; 0 in empty lanes.
GROUP __kernel void prelu_backward(__global const stored_t *dy, __global const stored_t *x,
                                   __global const float *weights, __global stored_t *dx,
                                   const prelu_params p)
{
    const int begin = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - begin);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const float slope = weights[p.slope_offset + c];
        __global const stored_t *gradient = dy + PIXELS(p.y_planes, p.y_first, c);
        __global const stored_t *from = x + PIXELS(p.x_planes, p.x_first, c);
        __global stored_t *to = dx + PIXELS(p.dx_planes, p.dx_first, c);

        for (int i = 0; i < n; i++) {
            const real_t d = load(gradient + i * STEP);
            real_t g = keep(mask, select(d, d * slope, load(from + i * STEP) < (real_t)(0.0f)));

            if (p.accumulate)
                g += load(to + i * STEP);
            store(to + i * STEP, g);
        }
    }
}

// dslope[c] += sum over images and pixels of dy x where x < 0: blocks and pixels in order, then lanes.
// Grid: (C, 1, 1) work-groups.
GROUP __kernel void prelu_grad_slope(__global const stored_t *dy, __global const stored_t *x,
                                     __global float *grads, const prelu_params p)
{
    LANE_SCRATCH(scratch, 1);
    const int c = GRID(0);
    real_t sum = (real_t)(0.0f);

    for (int nb = 0; nb < p.n_blocks; nb++) {
        __global const stored_t *gradient = dy + AT(VIEW(nb, p.y_planes, p.y_first, c, p.size));
        __global const stored_t *from = x + AT(VIEW(nb, p.x_planes, p.x_first, c, p.size));
        const mask_t mask = lane_mask(nb, p.n_images);

        for (int i = 0; i < p.size; i++) {
            const real_t v = load(from + i * STEP);
            sum += keep(mask, select((real_t)(0.0f), v * load(gradient + i * STEP),
                                     v < (real_t)(0.0f)));
        }
    }
    const float all = lane_sum(scratch, sum);
    if (LANE == 0)
        grads[p.slope_offset + c] += all;
}
