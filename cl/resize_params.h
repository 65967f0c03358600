// resize_params.h: run-time arguments of the kernels in resize.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_RESIZE_PARAMS_H
#define PLEACH_RESIZE_PARAMS_H

#define RESIZE_FLOOR 0 // the pixel before a place
#define RESIZE_CEIL 1  // the pixel behind it
#define RESIZE_LINEAR 2
#define RESIZE_CUBIC 3
#define RESIZE_CUBIC_INSIDE 4 // of the pixels of the image alone: their weights are divided by their sum

// Output position i of an axis lies over input position scale i + shift.
typedef struct {
    int in, out;
    float scale, shift;
} resize_axis;

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C;
    resize_axis rows, columns;
    int n_images;
    int x_planes, x_first; // backward: dx
    int y_planes, y_first; // backward: dy
    int tile_rows, tile_channels; // what a work-group covers
    int mode;                     // RESIZE_*
    float a;                      // of cubic interpolation (Keys, 1981)
    int accumulate;               // backward
} resize_params;

#endif
