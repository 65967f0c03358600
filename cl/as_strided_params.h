// as_strided_params.h: run-time arguments of the kernels in as_strided.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_AS_STRIDED_PARAMS_H
#define PLEACH_AS_STRIDED_PARAMS_H

#define AS_STRIDED_MAX_DIMS 6

// A loop of `size` steps, each of which moves x_stride values in x and y_stride in y.
typedef struct {
    int size, x_stride, y_stride;
} as_strided_loop;

// A view of a tensor of `count` values (C*H*W) begins `first` values into a block of `planes` values.
typedef struct {
    int x_planes, x_first; // backward: dx
    int y_planes, y_first; // backward: dy
    int n_images;
    int offset;   // first value of x
    int n_dims;   // loops over values of x that differ, outermost first
    int n_values; // their sizes' product
    int n_repeats_dims; // loops behind them that repeat a value of x
    int n_repeats;      // their sizes' product
    int tile_values;    // what a work-group covers, of n_values
    as_strided_loop loops[AS_STRIDED_MAX_DIMS];
} as_strided_params;

#endif
