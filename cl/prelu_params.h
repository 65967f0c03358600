// prelu_params.h: run-time arguments of the kernels in prelu.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_PRELU_PARAMS_H
#define PLEACH_PRELU_PARAMS_H

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size; // channels; pixels of a plane, H*W
    int n_images, n_blocks;
    int x_planes, x_first;
    int y_planes, y_first;   // backward: dy
    int dx_planes, dx_first; // backward
    int slope_offset;        // of the slopes [C], in the arenas
    int tile_pixels, tile_channels; // what a work-group covers
    int accumulate;                 // backward
} prelu_params;

#endif
