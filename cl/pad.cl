// pad.cl: zeros around images on batch lanes.
// Work: a group per (tile of rows, tile of channels, block). Each input is read once, each output written once.
#include "lanes.h"
#include "pad_params.h"

#pragma OPENCL FP_CONTRACT OFF

// y[c][p][q] = x[c][p - top][q - left], 0 where x has no such pixel.    x [N/L][C][H][W][L], y [N/L][C][P][Q][L]
GROUP __kernel void pad_forward(__global const stored_t *x, __global stored_t *y, const pad_params p)
{
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.P);
    const int last = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < last; c++) {
        __global const stored_t *from =
            x + AT(VIEW(GRID(2), p.x_planes, p.x_first, c, p.H * p.W));
        __global stored_t *to = y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.P * p.Q));

        for (int row = begin; row < end; row++) {
            const int h = row - p.top;

            for (int q = 0; q < p.Q; q++) {
                const int w = q - p.left;
                real_t v = (real_t)(0.0f);

                if (h >= 0 && h < p.H && w >= 0 && w < p.W)
                    v = load(from + (h * p.W + w) * STEP);
                store(to + (row * p.Q + q) * STEP, v);
            }
        }
    }
}

// dx[c][h][w] (+)= dy[c][h + top][w + left]; 0 in empty lanes.
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

        for (int h = begin; h < end; h++)
            for (int w = 0; w < p.W; w++) {
                real_t g =
                    keep(mask, load(from + ((h + p.top) * p.Q + w + p.left) * STEP));
                if (p.accumulate)
                    g += load(to + (h * p.W + w) * STEP);
                store(to + (h * p.W + w) * STEP, g);
            }
    }
}
