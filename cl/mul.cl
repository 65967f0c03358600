// mul.cl: products of two values on batch lanes, of which one may have a single pixel per channel.
#include "lanes.h"
#include "mul_params.h"

#pragma OPENCL FP_CONTRACT OFF

// y (+)= a * b; 0 in empty lanes.    a, y [N/L][C][H][W][L]; b the same, or [N/L][C][1][1][L] (MUL_GATE)
// Work: a group per (tile of pixels, tile of channels, block). Each input is read once, y written once.
GROUP __kernel void mul_apply(__global const stored_t *a, __global const stored_t *b,
                              __global stored_t *y, const mul_params p)
{
    const int begin = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - begin);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);
    const int is_gate = p.flags & MUL_GATE, b_size = is_gate ? 1 : p.size;
    const int b_begin = is_gate ? 0 : begin, b_step = is_gate ? 0 : STEP;
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        __global const stored_t *from =
            a + AT(VIEW(GRID(2), p.a_planes, p.a_first, c, p.size) + begin);
        __global const stored_t *by =
            b + AT(VIEW(GRID(2), p.b_planes, p.b_first, c, b_size) + b_begin);
        __global stored_t *to = y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.size) + begin);

        for (int i = 0; i < n; i++) {
            real_t v = keep(mask, load(from + i * STEP) * load(by + i * b_step));
            if (p.flags & MUL_ACCUMULATE)
                v += load(to + i * STEP);
            store(to + i * STEP, v);
        }
    }
}

// y[c] (+)= sum over pixels of a * b; 0 in empty lanes.    a, b [N/L][C][H][W][L], y [N/L][C][1][1][L]
// Work: a group per (1, tile of channels, block). Pixels are added in order.
GROUP __kernel void mul_sum(__global const stored_t *a, __global const stored_t *b,
                            __global stored_t *y, const mul_params p)
{
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        __global const stored_t *one = a + AT(VIEW(GRID(2), p.a_planes, p.a_first, c, p.size));
        __global const stored_t *other = b + AT(VIEW(GRID(2), p.b_planes, p.b_first, c, p.size));
        __global stored_t *to = y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, 1));
        real_t sum = (real_t)(0.0f);

        for (int i = 0; i < p.size; i++)
            sum += load(one + i * STEP) * load(other + i * STEP);
        sum = keep(mask, sum);
        if (p.flags & MUL_ACCUMULATE)
            sum += load(to);
        store(to, sum);
    }
}
