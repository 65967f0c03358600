// Normalisation, random crop and flip of 8-bit images in plain double precision.
#ifndef PLC_TESTS_REFERENCE_AUGMENT_H
#define PLC_TESTS_REFERENCE_AUGMENT_H

#include <stdbool.h>

typedef struct plc_reference_augment {
    int C, H, W;
    int crop;
    bool flip, training;
    unsigned long long seed;
    unsigned step;
    const float *mean_std; // C means, C deviations
} plc_reference_augment;

// Image number n of a batch: images [n][C][H][W] -> y [C][H][W].
void plc_reference_augment_image(const plc_reference_augment *p, const unsigned char *image, int n,
                                 double *y);

#endif
