// fading_relu_params.h: arguments of the kernels in fading_relu.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_FADING_RELU_PARAMS_H
#define PLEACH_FADING_RELU_PARAMS_H

#define FADING_RELU_ACCUMULATE 1

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size; // channels; pixels of a plane, H*W
    int n_images;
    int x_planes, x_first; // forward: x; backward: dx
    int dy_planes, dy_first;
    int y_planes, y_first;
    int gate_offset; // in the gates
    int tile_pixels; // what a work-group covers: pixels of C*size
    int flags;       // FADING_RELU_*
} fading_relu_params;

#endif
