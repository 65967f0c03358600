// What of a stored square picture the network is shown: its centre, or a random part in random colours.
#ifndef PLC_DATA_VIEW_H
#define PLC_DATA_VIEW_H

#include <stdint.h>
#include <data/resample.h>

// Lightness of a colour, 0 to 255 (ITU-R BT.601), rounded.
static inline int plc_grey(int red, int green, int blue)
{
    return (19595 * red + 38470 * green + 7471 * blue + (1 << 15)) >> 16;
}

// How training pictures vary. Zero: not at all.
typedef struct plc_variety {
    double
        least_area; // a random rectangle has this share of the square, or more; 0 or 1: the centre
    double jitter; // brightness, contrast and saturation are multiplied by 1 - jitter to 1 + jitter
} plc_variety;

// What a view is drawn from; the same draw gives the same bits.
typedef struct plc_draw {
    uint64_t seed;
    uint32_t epoch, picture;
} plc_draw;

// Writes out[channels][size][size] of square[channels][side][side], size <= side. Without a draw: the
// centre size x size, as it is. With one: a rectangle of random area, sides 3:4 to 4:3, and place,
// resampled; then brightness, contrast, saturation.
pleach_status plc_view(pleach_ctx *ctx, plc_resampler *resampler, const uint8_t *square,
                       int channels, int side, const plc_variety *variety, const plc_draw *draw,
                       uint8_t *out, int size);

#endif
