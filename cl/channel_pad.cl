// channel_pad.cl: pixels around images on channel lanes.
#include "channel_pad.h"

#pragma OPENCL FP_CONTRACT OFF

// y [N][P][Q][y_planes] = x [N][H][W][x_planes] and what surrounds it (pad.cl).
// Work: a group per tile_rows of the N P rows. Reads x once, writes y once.
GROUP __kernel void channel_pad(__global const float *restrict x, __global float *restrict y,
                                const pad_params p)
{
    pad_group((int2)(GRID(0), GRID(1)), x, y, &p);
}
