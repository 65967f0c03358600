// eltwise_params.h: run-time arguments of the kernels in eltwise.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_ELTWISE_PARAMS_H
#define PLEACH_ELTWISE_PARAMS_H

#define ELTWISE_ADD 1
#define ELTWISE_CLIP 2 // between low and high
#define ELTWISE_ACCUMULATE 4

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size; // channels; pixels of a plane, H*W
    int n_images;
    int a_planes, a_first; // backward: dx
    int b_planes, b_first; // backward: dy
    int y_planes, y_first;
    int mask_offset;   // mask_apply: in the masks
    int tile_pixels;   // what a work-group covers: pixels of C*size,
    int tile_channels; // mask_apply: pixels of a plane, and channels
    int flags;         // ELTWISE_*
    float low, high;   // where a tensor is of halfs, such
} eltwise_params;

#endif
