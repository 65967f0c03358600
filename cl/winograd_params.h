// winograd_params.h: sizes of Winograd's F(4x4, 3x3). Read by C11 and by OpenCL C.
#ifndef PLEACH_WINOGRAD_PARAMS_H
#define PLEACH_WINOGRAD_PARAMS_H

enum {
    WINOGRAD_OUT = 4, // outputs of a tile along an axis
    WINOGRAD_IN = 6,  // inputs, and products, along an axis
    WINOGRAD_TAPS = 3,
    WINOGRAD_POINTS = WINOGRAD_IN * WINOGRAD_IN,
};

#endif
