// Augmentation as it is described: pad the normalised image with zeros, cut, mirror.
#include "augment.h"

#include <random.h>

void plc_reference_augment_image(const plc_reference_augment *p, const unsigned char *image, int n,
                                 double *y)
{
    const plc_u32x4 bits = plc_random_u32x4(p->seed, PLC_STREAM_AUGMENT, p->step, (plc_u64)n);
    const unsigned n_offsets = 2 * (unsigned)p->crop + 1;
    const int top = p->training ? (int)plc_random_below(bits.x, n_offsets) : p->crop;
    const int left = p->training ? (int)plc_random_below(bits.y, n_offsets) : p->crop;
    const bool mirror = p->training && p->flip && (bits.z & 1u);

    for (int c = 0; c < p->C; c++)
        for (int h = 0; h < p->H; h++)
            for (int w = 0; w < p->W; w++) {
                // Position in the cut before it is mirrored, then in the image without its padding.
                const int from_h = h + top - p->crop;
                const int from_w = (mirror ? p->W - 1 - w : w) + left - p->crop;
                const bool inside = from_h >= 0 && from_h < p->H && from_w >= 0 && from_w < p->W;
                const double mean = (double)p->mean_std[c], std = (double)p->mean_std[p->C + c];
                *y++ =
                    inside ? (image[(c * p->H + from_h) * p->W + from_w] / 255.0 - mean) / std : 0;
            }
}
