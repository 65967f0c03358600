// channel_map.cl: batch norm with known coefficients, adding, clipping, products and copying on channel lanes.
#include "channel_map.h"

#pragma OPENCL FP_CONTRACT OFF

// y = clip(scale[c]*x + shift[c] + add), each part only if its flag is set; or x * add (MAP_TIMES), where add may
// have one pixel per image (MAP_GATE).
// x, add, y [N][H][W][planes]; y may be x or add. Reads each input once, writes y once.
// Work: a group per tile of pixels.
GROUP __kernel void channel_map(__global const float *x, __global const float *add,
                                __global float *y, __global const float *coefficients,
                                const channel_map_params p)
{
    map_group((int2)(GRID(0), GRID(1)), x, add, y, coefficients, &p);
}
