// affine.cl: y = scale x + shift with a scale and a shift of each value of an image, on batch lanes.
// Work: a group per (tile of values, 1, block), of the parameters' gradients (tile of values, 1, 1).
#include "lanes.h"
#include "affine_params.h"

#pragma OPENCL FP_CONTRACT OFF

// x, y [N/L][C*H*W][L]; scale, shift [C*H*W] in the arena of weights.
GROUP __kernel void affine_forward(__global const stored_t *x, __global const float *weights,
                                   __global stored_t *y, const affine_params p)
{
    const int begin = GRID(0) * p.tile_values, end = min(begin + p.tile_values, p.n);

    x += AT(GRID(2) * p.x_planes + p.x_first);
    y += AT(GRID(2) * p.y_planes + p.y_first);
    for (int i = begin; i < end; i++)
        store(y + i * STEP,
              load(x + i * STEP) * weights[p.scale_offset + i] + weights[p.shift_offset + i]);
}

// dx (+)= scale dy; 0 in empty lanes.
GROUP __kernel void affine_backward(__global const stored_t *dy, __global const float *weights,
                                    __global stored_t *dx, const affine_params p)
{
    const int begin = GRID(0) * p.tile_values, end = min(begin + p.tile_values, p.n);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    dy += AT(GRID(2) * p.y_planes + p.y_first);
    dx += AT(GRID(2) * p.dx_planes + p.dx_first);
    for (int i = begin; i < end; i++) {
        real_t g = keep(mask, load(dy + i * STEP) * weights[p.scale_offset + i]);

        if (p.accumulate)
            g += load(dx + i * STEP);
        store(dx + i * STEP, g);
    }
}

// dscale += sum over images of dy x, dshift += sum of dy: blocks in order, then lanes.
// Grid: (n, 1, 1) work-groups.
GROUP __kernel void affine_grad_params(__global const stored_t *dy, __global const stored_t *x,
                                       __global float *grads, const affine_params p)
{
    LANE_SCRATCH(scratch, 2);
    const int i = GRID(0);
    real_t scale = (real_t)(0.0f), shift = (real_t)(0.0f);

    for (int nb = 0; nb < p.n_blocks; nb++) {
        const mask_t mask = lane_mask(nb, p.n_images);
        const real_t d = keep(mask, load(dy + AT(nb * p.y_planes + p.y_first + i)));
        const real_t v = keep(mask, load(x + AT(nb * p.x_planes + p.x_first + i)));

        scale += d * v;
        shift += d;
    }
    park(scratch, 0, scale);
    park(scratch, 1, shift);
    LANE_BARRIER();
    for (int k = LANE; k < 2; k += STEP)
        grads[(k == 0 ? p.scale_offset : p.shift_offset) + i] += parked_sum(scratch, k);
}
