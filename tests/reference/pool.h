// Pooling in plain double precision, forward and backward.
#ifndef PLC_TESTS_REFERENCE_POOL_H
#define PLC_TESTS_REFERENCE_POOL_H

#include <stdbool.h>

// x [planes][H][W] -> y [planes][P][Q]; a global average is a window of the whole plane.
typedef struct plc_reference_pool {
    int planes, H, W, P, Q;
    int R, S, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    bool is_max; // else the mean of the pixels inside the image
} plc_reference_pool;

void plc_reference_pool_forward(const plc_reference_pool *p, const float *x, double *y);

// Adds to dx. Of equal maxima the first in row-major order takes the gradient.
void plc_reference_pool_backward(const plc_reference_pool *p, const float *x, const float *dy,
                                 double *dx);

#endif
