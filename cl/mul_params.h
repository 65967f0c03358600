// mul_params.h: run-time arguments of the kernels in mul.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_MUL_PARAMS_H
#define PLEACH_MUL_PARAMS_H

#define MUL_GATE 1 // b has one pixel per channel
#define MUL_ACCUMULATE 2

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size; // channels; pixels of a plane of a, H*W
    int n_images;
    int a_planes, a_first;
    int b_planes, b_first;
    int y_planes, y_first;
    int tile_pixels, tile_channels; // what a work-group covers: pixels of a plane, and channels
    int flags;                      // MUL_*
} mul_params;

#endif
