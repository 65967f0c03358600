// channel_function.cl: functions of single values on channel lanes.
#include "channel_function.h"

#pragma OPENCL FP_CONTRACT OFF

// y = f(x).    x, y [N][H][W][planes]; y may be x. Reads x once, writes y once.
// Work: a group per tile of pixels.
GROUP __kernel void channel_function(__global const float *x, __global float *y,
                                     const activation_params p)
{
    function_group((int2)(GRID(0), GRID(1)), x, y, &p);
}
