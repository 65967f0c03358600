// pad_params.h: run-time arguments of the kernels in pad.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_PAD_PARAMS_H
#define PLEACH_PAD_PARAMS_H

#define PAD_VALUE 0   // one value around the image
#define PAD_EDGE 1    // the pixels of its border
#define PAD_REFLECT 2 // mirrored at its border, whose pixels are not repeated

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, H, W; // of x
    int P, Q;    // of y
    int top, left;
    int n_images;
    int x_planes, x_first; // backward: dx
    int y_planes, y_first; // backward: dy
    int tile_rows, tile_channels; // what a work-group covers
    int mode;                     // PAD_*
    float value;                  // of PAD_VALUE
    int accumulate;               // backward
} pad_params;

#endif
