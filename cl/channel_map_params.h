// channel_map_params.h: arguments of the kernel in channel_map.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_CHANNEL_MAP_PARAMS_H
#define PLEACH_CHANNEL_MAP_PARAMS_H

#define MAP_SCALE 1
#define MAP_ADD 2
#define MAP_CLIP 4 // between low and high
#define MAP_TIMES 8 // what would be added is a factor,
#define MAP_GATE 16 // of one pixel per image and channel

// A view is (planes, first): its buffer has `planes` channels per pixel, the tensor begins at
// channel `first`.
typedef struct {
    int C, n_pixels; // channels; pixels of all images, N*H*W
    int size;        // pixels of an image
    int x_planes, x_first;
    int add_planes, add_first;
    int y_planes, y_first;
    int scale_offset, shift_offset; // C floats each
    int tile_pixels;                // what a work-group covers
    int flags;                      // MAP_*
    float low, high;
} channel_map_params;

#endif
