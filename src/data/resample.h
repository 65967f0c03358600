// A rectangle of a plane of 8-bit values, resampled to a square.
#ifndef PLC_DATA_RESAMPLE_H
#define PLC_DATA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <base/status.h>

// A plane somewhere in memory: value (x, y) is data[y * row_step + x * step].
typedef struct plc_plane {
    const uint8_t *data; // borrowed
    size_t step, row_step;
} plc_plane;

typedef struct plc_rect {
    int x, y, width, height; // pixels; at least 1 x 1, inside the plane
} plc_rect;

// Memory that is used again and again. Works when zero.
typedef struct plc_resampler {
    int16_t *weights;  // owned
    int *firsts;       // owned
    uint8_t *narrowed; // owned: [height of the rectangle][side]
    size_t weights_capacity, firsts_capacity, narrowed_capacity;
} plc_resampler;

// Writes out[side][side]. Bilinear where the rectangle is enlarged; where it is reduced the same triangle
// is widened to the pixels that fall into one, so that none is left out. Weights are whole 2^-14ths whose
// sum is 1: the same bits on every machine, and a constant stays what it is. A square of the same side
// is copied.
pleach_status plc_resample(pleach_ctx *ctx, plc_resampler *resampler, plc_plane plane,
                           plc_rect rect, uint8_t *out, int side);
void plc_resampler_finish(plc_resampler *resampler);

#endif
