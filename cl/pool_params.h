// pool_params.h: run-time arguments of the kernels in pool.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_POOL_PARAMS_H
#define PLEACH_POOL_PARAMS_H

#define POOL_ACCUMULATE 1

// x [N][C][H][W] -> y [N][C][P][Q]. A view is (planes, first): its buffer has `planes` channels per
// image block, the tensor begins at channel `first`. In backward y is dy.
typedef struct {
    int C, H, W, P, Q;
    int R, S, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int n_images;
    int x_planes, x_first;
    int y_planes, y_first;
    int dx_planes, dx_first;
    int tile_channels, tile_rows; // what a work-group covers of y, in backward of dx
    int flags;
} pool_params;

#endif
