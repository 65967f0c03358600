// softmax_params.h: run-time arguments of the kernels in softmax.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_SOFTMAX_PARAMS_H
#define PLEACH_SOFTMAX_PARAMS_H

#define SOFTMAX_LOG 1 // its logarithm
#define SOFTMAX_ACCUMULATE 2

// A tensor is outer x n x inner values of an image; a view of it begins `first` values into a block of `planes`.
typedef struct {
    int outer, n, inner;
    int n_images;
    int x_planes, x_first; // backward: dx
    int y_planes, y_first;
    int dy_planes, dy_first; // backward
    int tile_lines;          // what a work-group covers, of outer*inner
    int flags;               // SOFTMAX_*
} softmax_params;

#endif
