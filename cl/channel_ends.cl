// channel_ends.cl: where a network on channel lanes begins and ends: images in, logits out.
#include "channel_lanes.h"
#include "channel_ends_params.h"

#pragma OPENCL FP_CONTRACT OFF

// y = (images / 255 - mean[c]) / std[c], as augment (augment.cl) without crop and flip.
// images [N][C][H][W] bytes; y [N][H][W][planes]; mean_std [2][C].
// Work: a group per (tile of pixels, image).
GROUP __kernel void channel_images(__global const uchar *restrict images,
                                   __global const float *restrict mean_std,
                                   __global float *restrict y, const channel_ends_params p)
{
    const int n = GRID(1), begin = GRID(0) * p.tile_pixels;
    const int end = min(begin + p.tile_pixels, p.size);

    for (int c = 0; c < p.C; c++) {
        const float over_std = 1.0f / mean_std[p.C + c];
        const float scale = over_std * (1.0f / 255.0f), shift = -mean_std[c] * over_std;
        __global const uchar *restrict from = images + (n * p.C + c) * p.size;
        __global float *restrict to = y + n * p.size * p.planes + p.first + c;

        for (int i = begin; i < end; i++)
            to[i * p.planes] = fma((float)from[i], scale, shift);
    }
}

// The logits of a batch on batch lanes, [ceil(N/LANES)][C][LANES], 0 in empty lanes, for the loss.
// logits [N][planes]. Work: a group per block of images.
GROUP __kernel void channel_logits(__global const float *restrict logits,
                                   __global float *restrict y, const channel_ends_params p)
{
    const int nb = GRID(0);

    for (int c = 0; c < p.C; c++)
        for (int lane = 0; lane < LANES; lane++) {
            const int n = nb * LANES + lane;
            y[(nb * p.C + c) * LANES + lane] =
                n < p.n_images ? logits[n * p.planes + p.first + c] : 0.0f;
        }
}
