// pad.cl: pixels around images on batch lanes: of one value, of the border's, or mirrored at it.
// Work: a group per (tile of rows, tile of channels, block). Each input is read once, each output written once.
#include "lanes.h"
#include "pad_source.h"

#pragma OPENCL FP_CONTRACT OFF

// y[c][p][q] = x at the sources of p - top and q - left, or the value.    x [N/L][C][H][W][L], y [N/L][C][P][Q][L]
GROUP __kernel void pad_forward(__global const stored_t *x, __global stored_t *y, const pad_params p)
{
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.P);
    const int last = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < last; c++) {
        __global const stored_t *from =
            x + AT(VIEW(GRID(2), p.x_planes, p.x_first, c, p.H * p.W));
        __global stored_t *to = y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.P * p.Q));

        for (int row = begin; row < end; row++) {
            const int h = pad_source(row - p.top, p.H, p.mode);

            for (int q = 0; q < p.Q; q++) {
                const int w = pad_source(q - p.left, p.W, p.mode);
                real_t v = (real_t)(p.value);

                if (h >= 0 && w >= 0)
                    v = load(from + (h * p.W + w) * STEP);
                store(to + (row * p.Q + q) * STEP, v);
            }
        }
    }
}

// The sum of a row of dy over the positions that show w, in order. Without repeats there is one.
static inline real_t sum_of_row(__global const stored_t *row, int w, const pad_params *p)
{
    real_t sum = (real_t)(0.0f);

    if (p->mode == PAD_VALUE)
        return load(row + (w + p->left) * STEP);
    for (int q = 0; q < p->Q; q++)
        if (pad_source(q - p->left, p->W, p->mode) == w)
            sum += load(row + q * STEP);
    return sum;
}

// dx[c][h][w] (+)= the sum of dy over the positions that show it, in order; 0 in empty lanes.
GROUP __kernel void pad_backward(__global const stored_t *dy, __global stored_t *dx,
                                 const pad_params p)
{
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.H);
    const int last = min((GRID(1) + 1) * p.tile_channels, p.C);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < last; c++) {
        __global const stored_t *from =
            dy + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.P * p.Q));
        __global stored_t *to = dx + AT(VIEW(GRID(2), p.x_planes, p.x_first, c, p.H * p.W));

        for (int h = begin; h < end; h++) {
            const int first = p.mode == PAD_VALUE ? h + p.top : 0;
            const int end_row = p.mode == PAD_VALUE ? first + 1 : p.P;

            for (int w = 0; w < p.W; w++) {
                real_t g = (real_t)(0.0f);

                for (int row = first; row < end_row; row++)
                    if (pad_source(row - p.top, p.H, p.mode) == h)
                        g += sum_of_row(from + row * p.Q * STEP, w, &p);
                g = keep(mask, g);
                if (p.accumulate)
                    g += load(to + (h * p.W + w) * STEP);
                store(to + (h * p.W + w) * STEP, g);
            }
        }
    }
}
