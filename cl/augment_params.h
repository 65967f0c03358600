// augment_params.h: run-time arguments of the kernel in augment.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_AUGMENT_PARAMS_H
#define PLEACH_AUGMENT_PARAMS_H

#define AUGMENT_FLIP 1

typedef struct {
    unsigned int seed_low, seed_high; // OpenCL C 1.2 has no long long, C's long differs
    int C, H, W;
    int n_images;
    int y_planes, y_first; // view that is written
    int crop;              // pixels of zeros around the image from which it is cut; 0: none
    int tile_rows;         // rows of a plane that a work-group writes
    int flags;             // AUGMENT_*
} augment_params;

#endif
