// channel_conv.cl: convolution on channel lanes, any kernel, stride, padding, dilation and groups;
// and what is prepared for all convolutions on channel lanes.
//
// Bits: an output is a chain of fma() that starts at +0 and runs over r, s, c; a tap in the padding
// adds +0. So a result depends neither on tiles nor on the number of output channels, and an input
// channel of zeros can be removed without changing a bit.
#include "channel_conv.h"

#pragma OPENCL FP_CONTRACT OFF

// Packs filters as channel_product.h says, zeros behind them.
// w [groups*K][C][R][S] at w_offset.
// Work: a group per (group and block, tap).
GROUP __kernel void channel_filters(__global const float *restrict w,
                                    __global float *restrict prepared, const conv_params p)
{
    const int n_blocks = n_blocks_of(&p), taps = p.R * p.S, tap = GRID(1);
    const int g = GRID(0) / n_blocks;
    const int2 block = block_of(&p, GRID(0) % n_blocks);
    const int width = block.y * LANES;
    __global float *u =
        prepared + p.u_offset + FILTERS_AT(&p, g, block.x, taps) + tap * p.C * width;

    for (int c = 0; c < p.C; c++)
        for (int i = 0; i < width; i++) {
            const int k = block.x * LANES + i;
            u[c * width + i] =
                k < p.K ? w[p.w_offset + ((g * p.K + k) * p.C + c) * taps + tap] : 0.0f;
        }
    if (GRID(0) == 0 && tap == 0)
        for (int i = 0; i < p.S * p.C; i++)
            prepared[ZEROS_AT(&p) + i] = 0.0f;
}

// One scale and one shift per output channel for what may follow a convolution, each part only if
// its flag is set: mask[k] (scale[k] (conv + bias[k]) + shift[k]) = new scale[k] conv + new shift[k].
// bias [groups*K] at bias_offset of w; scale (or with CONV_MASK masks), shift [groups*K] at
// from_scale and from_shift. Written to scale_offset and shift_offset of `prepared`, which may be
// where scale and shift come from, each group padded to whole vectors with zeros.
// Work: an item per padded channel.
__kernel void channel_coefficients(__global const float *w, __global const float *scale,
                                   __global const float *shift, __global float *prepared,
                                   const conv_params p, int from_scale, int from_shift)
{
    const int padded = vectors_of(p.K) * LANES, i = get_global_id(0);
    const int g = i / padded, k = i - g * padded, from = g * p.K + k;

    if (g >= p.groups)
        return;
    float a = 0.0f, b = 0.0f;
    if (k < p.K) {
        a = p.flags & (CONV_SCALE | CONV_MASK) ? scale[from_scale + from] : 1.0f;
        b = p.flags & CONV_BIAS ? a * w[p.bias_offset + from] : 0.0f;
        if (p.flags & CONV_SCALE)
            b = b + shift[from_shift + from];
    }
    prepared[p.scale_offset + i] = a;
    prepared[p.shift_offset + i] = b;
}

// channel_conv: y = clip(scale[k] conv + shift[k] + add), clip and add if their flags are set
//     conv = sum_rsc w[k][c][r][s] x[p*stride - pad + r*dilation][q*stride - pad + s*dilation][c]
// x        [N][H][W][x_planes], view at x_first
// y        [N][P][Q][y_planes], view at y_first       add as y, at add_first; it may be y itself
// prepared by channel_filters and channel_coefficients, with the same KT
// Grid: (groups * blocks of K, chunks of at most `tiles` of the N P Q pixels, 1).
// FLOPs: 2 N P Q groups K C R S, with K rounded up to whole vectors. Reads x R S times (from the
// cache), filters once per work-group and 8 pixels; writes y once.
GROUP __kernel void channel_conv(__global const float *x, __global float *y,
                                 __global const float *add, __global const float *prepared,
                                 const conv_params p)
{
    conv_group((int2)(GRID(0), GRID(1)), x, y, add, prepared, &p);
}

// channel_conv_depthwise: as channel_conv where output channel k sees input channel k only
//     conv = sum_rs w[k][r][s] x[p*stride - pad + r*dilation][q*stride - pad + s*dilation][k]
// Sizes are those of one group of K channels with C = 1 (so are the filters), KT = 1.
// Grid: (vectors of K, chunks of at most `tiles` of the N P Q pixels, 1).
GROUP __kernel void channel_conv_depthwise(__global const float *x, __global float *y,
                                           __global const float *add,
                                           __global const float *prepared, const conv_params p)
{
    depthwise_group((int2)(GRID(0), GRID(1)), x, y, add, prepared, &p);
}
