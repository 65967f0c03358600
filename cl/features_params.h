// Run-time arguments of the kernels in features.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_FEATURES_PARAMS_H
#define PLEACH_FEATURES_PARAMS_H

// Channels on each side of the products that a work-group computes at once.
#define FEATURES_TILE 4

// A value [n_blocks][planes][size][L] of which channels [first, first + C) are looked at.
typedef struct {
    int planes, first, C, size; // size: H * W
    int n_images, n_blocks;
    int n_splits; // parts of the image blocks that are summed apart
} features_params;

// Where a channel of a class stands among the products: channel `c` of C at `offset`.
typedef struct {
    int offset, C, c;
} features_place;

#endif
