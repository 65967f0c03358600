// The input's value from a batch of uint8 images: normalisation, random crop, flip, on the device.
#ifndef PLC_OPS_AUGMENT_H
#define PLC_OPS_AUGMENT_H

#include <ops/lower.h>

typedef struct plc_augment_opts {
    bool training; // false: only normalise
    int crop;      // random crop after padding by this many zero pixels (after normalisation)
    bool flip;     // random horizontal flip
    unsigned long long seed;
} plc_augment_opts;

typedef struct plc_augment {
    plc_launch *launch; // borrowed from lower->list
    int step_arg;       // index of the argument that holds the global step (unsigned)
} plc_augment;

// images: uint8 [n_images][C][H][W]; mean_std: floats, C means then C deviations of x/255.
// Writes node 0's value [N/L][C][H][W][L]; empty lanes become 0.
pleach_status plc_augment_lower(plc_lower *lower, plc_buffer *images, plc_buffer *mean_std,
                                const plc_augment_opts *opts, plc_augment *augment);

#endif
