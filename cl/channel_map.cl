// channel_map.cl: batch norm with known coefficients, adding, ReLU and copying on channel lanes.
#include "channel_lanes.h"
#include "channel_map_params.h"

#pragma OPENCL FP_CONTRACT OFF

// y = relu(scale[c]*x + shift[c] + add), each part only if its flag is set.
// x, add, y [N][H][W][planes]; y may be x or add. Reads each input once, writes y once.
// Work: a group per tile of pixels.
GROUP __kernel void channel_map(__global const float *x, __global const float *add,
                                __global float *y, __global const float *restrict coefficients,
                                const channel_map_params p)
{
    const int begin = GRID(0) * p.tile_pixels, end = min(begin + p.tile_pixels, p.n_pixels);

    for (int i = begin; i < end; i++)
        for (int c = 0; c < p.C; c += LANES) {
            real_t v = load_channels(x + i * p.x_planes + p.x_first + c);

            if (p.flags & MAP_SCALE)
                v = fma(v, load_channels(coefficients + p.scale_offset + c),
                        load_channels(coefficients + p.shift_offset + c));
            if (p.flags & MAP_ADD)
                v = v + load_channels(add + i * p.add_planes + p.add_first + c);
            if (p.flags & MAP_RELU)
                v = relu(v);
            store_channels(y + i * p.y_planes + p.y_first + c, v, p.C - c);
        }
}
