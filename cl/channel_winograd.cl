// channel_winograd.cl: 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3) on channel lanes.
//
// The three stages (transform of the input, 36 matrix products, transform of the output) run in one
// work-group on a chunk of tiles, so that what lies between them stays in cache.
//
// Bits: a product is a chain of fma() that starts at +0 and runs over c; the transforms are fixed
// chains. So a result depends neither on tiles nor on the number of output channels, and an input
// channel of zeros can be removed without changing a bit.
#include "channel_winograd.h"

#pragma OPENCL FP_CONTRACT OFF

enum { TAPS = WINOGRAD_TAPS * WINOGRAD_TAPS };

// channel_winograd_filters: u = G w GT, in blocks of 36 taps (channel_product.h).
// w [groups*K][C][3][3] at w_offset; u at u_offset of `prepared`.
// Work: a group per (group and block, c).
GROUP __kernel void channel_winograd_filters(__global const float *restrict w,
                                             __global float *restrict prepared, const conv_params p)
{
    const int n_blocks = n_blocks_of(&p), g = GRID(0) / n_blocks, c = GRID(1);
    const int2 block = block_of(&p, GRID(0) % n_blocks);
    __global float *u = prepared + p.u_offset + FILTERS_AT(&p, g, block.x, WINOGRAD_POINTS);
    real_t filter[TAPS], rows[WINOGRAD_IN * WINOGRAD_TAPS], points[WINOGRAD_POINTS];

    for (int v = 0; v < block.y; v++) {
        for (int i = 0; i < TAPS; i++) {
            float taps[LANES];
            for (int l = 0; l < LANES; l++) {
                const int k = (block.x + v) * LANES + l;
                taps[l] = k < p.K ? w[p.w_offset + ((g * p.K + k) * p.C + c) * TAPS + i] : 0.0f;
            }
            filter[i] = load_channels(taps);
        }
        for (int s = 0; s < WINOGRAD_TAPS; s++)
            winograd_filter(filter + s, WINOGRAD_TAPS, rows + s, WINOGRAD_TAPS);
        for (int i = 0; i < WINOGRAD_IN; i++)
            winograd_filter(rows + i * WINOGRAD_TAPS, 1, points + i * WINOGRAD_IN, 1);
        for (int f = 0; f < WINOGRAD_POINTS; f++)
            *(__global real_any_t *)(u + ((f * p.C + c) * block.y + v) * LANES) = points[f];
    }
}

// channel_winograd: as channel_conv (channel_conv.cl) with R = S = 3, stride and dilation 1.
// prepared: by channel_winograd_filters and channel_coefficients, with the same KT
// scratch: 36 * (POINT_STEP(tiles * channels) + POINT_STEP(tiles * KT * LANES)) floats, `channels` a
//    multiple of LANES; where all C channels do not fit, `channels` at a time are summed, and
//    transformed anew for each block
// Grid: (groups * k_runs, chunks of at most `tiles` Winograd tiles, 1). A work-group computes a run
// of its group's blocks for a chunk; each of k_runs transforms the input anew.
// FLOPs: 36 * 2 C K a tile, and some 150 C + 130 K in the transforms. Reads x 2.25 times, filters
// once per work-group and 8 tiles; writes y once.
GROUP __kernel void channel_winograd(__global const float *x, __global float *y,
                                     __global const float *add, __global const float *prepared,
                                     __local float *scratch, const conv_params p)
{
    winograd_group((int2)(GRID(0), GRID(1)), x, y, add, prepared, scratch, &p);
}
