// affine_params.h: run-time arguments of the kernels in affine.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_AFFINE_PARAMS_H
#define PLEACH_AFFINE_PARAMS_H

// A view of a tensor of n values (C*H*W) begins `first` values into a block of `planes` values.
typedef struct {
    int n;
    int n_images, n_blocks;
    int x_planes, x_first;
    int y_planes, y_first;   // backward: dy
    int dx_planes, dx_first; // backward
    int scale_offset, shift_offset; // of [n] scales and shifts, in the arenas
    int tile_values;                // what a work-group covers
    int accumulate;                 // backward
} affine_params;

#endif
