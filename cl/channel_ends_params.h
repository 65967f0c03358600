// channel_ends_params.h: arguments of the kernels in channel_ends.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_CHANNEL_ENDS_PARAMS_H
#define PLEACH_CHANNEL_ENDS_PARAMS_H

typedef struct {
    int C, size; // channels; pixels of a plane, H*W
    int n_images;
    int planes, first; // view on channel lanes
    int tile_pixels;   // channel_images: pixels that a work-group covers
} channel_ends_params;

#endif
