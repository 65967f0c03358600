// fading_relu.cl: a ReLU on its way to the identity, on batch lanes: pixel by pixel.
//
// y = x where x > 0, else (1 - gate) x: a ReLU at gate 1, the identity at gate 0. The channels of a view
// lie behind one another, so these kernels see C*size pixels of a block and no channels.
// Work: a group per (tile of pixels, 1, block). Each input is read once, each output written once.
#include "lanes.h"
#include "tiles.h"
#include "fading_relu_params.h"

#pragma OPENCL FP_CONTRACT OFF

// x, y [N/L][C][H][W][L]   gates [nodes]
GROUP __kernel void fading_relu_forward(__global const stored_t *x,
                                        __global const float *restrict gates, __global stored_t *y,
                                        const fading_relu_params p)
{
    const int n = TILE_COUNT(p);
    const float slope = 1.0f - gates[p.gate_offset];

    x += TILE(p, p.x_planes, p.x_first);
    y += TILE(p, p.y_planes, p.y_first);
    for (int i = 0; i < n; i++) {
        const real_t v = load(x + i * STEP);
        store(y + i * STEP, select(v * slope, v, v > (real_t)(0.0f)));
    }
}

// dx (+)= dy where y > 0, else (1 - gate) dy; 0 in empty lanes. y has the sign of x, or is 0.
GROUP __kernel void fading_relu_backward(__global const stored_t *dy, __global const stored_t *y,
                                         __global const float *restrict gates,
                                         __global stored_t *dx, const fading_relu_params p)
{
    const int n = TILE_COUNT(p);
    const mask_t mask = lane_mask(GRID(2), p.n_images);
    const float slope = 1.0f - gates[p.gate_offset];
    const bool accumulate = (p.flags & FADING_RELU_ACCUMULATE) != 0;

    dx += TILE(p, p.x_planes, p.x_first);
    dy += TILE(p, p.dy_planes, p.dy_first);
    y += TILE(p, p.y_planes, p.y_first);
    for (int i = 0; i < n; i++) {
        const real_t g = keep(mask, load(dy + i * STEP));
        real_t v = select(g * slope, g, load(y + i * STEP) > (real_t)(0.0f));
        if (accumulate)
            v += load(dx + i * STEP);
        store(dx + i * STEP, v);
    }
}
