// channel_pool.cl: max_pool, avg_pool and global_avg_pool on channel lanes, any window.
//
// Padding counts in neither: the maximum never picks it, the average divides by the pixels inside
// the image. global_avg_pool is the average of a window that is the whole image.
#include "channel_pool.h"

#pragma OPENCL FP_CONTRACT OFF

// y [N][P][Q][y_planes] = max over the window of x [N][H][W][x_planes].
// Work: a group per (tile_rows of the N P Q pixels, vector of channels). Reads x R*S/stride^2 times
// (from the cache), writes y once.
GROUP __kernel void channel_max_pool(__global const float *restrict x, __global float *restrict y,
                                     const pool_params p)
{
    pool_group(true, (int2)(GRID(0), GRID(1)), x, y, &p);
}

// y = mean over the pixels of the window that lie inside the image; work as channel_max_pool.
GROUP __kernel void channel_avg_pool(__global const float *restrict x, __global float *restrict y,
                                     const pool_params p)
{
    pool_group(false, (int2)(GRID(0), GRID(1)), x, y, &p);
}
