// winograd_tiles.h: tiles of a batch for the kernels of Winograd's F(4x4, 3x3) (OpenCL C 1.2).
#ifndef PLEACH_WINOGRAD_TILES_H
#define PLEACH_WINOGRAD_TILES_H

#include "winograd.h"
#include "winograd_places.h"

enum { TAPS = WINOGRAD_TAPS * WINOGRAD_TAPS };

// Distance between the 36 matrices of `size` pixels in scratch: odd, because a power of two would
// put all of them into the same few cache sets.
#define POINT_STEP(size) (((size) | 1) * STEP)

// v[36 matrices] = BT x B of one tile of the plane x whose first input is at (row, column). Not
// `inside`: what lies beyond the plane is +0.
WINOGRAD_INLINE void input_tile(const bool inside, __global const stored_t *restrict x, int row,
                                int column, const conv_params *p, __local scratch_t *v, int v_step)
{
    real_t columns[WINOGRAD_POINTS];

#pragma unroll
    for (int j = 0; j < WINOGRAD_IN; j++) {
        real_t d[WINOGRAD_IN];
#pragma unroll
        for (int i = 0; i < WINOGRAD_IN; i++) {
            const int h = row + i, w = column + j;
            if (inside || ((uint)h < (uint)p->H && (uint)w < (uint)p->W))
                d[i] = load(x + (h * p->W + w) * STEP);
            else
                d[i] = (real_t)(0.0f);
        }
        winograd_input(d, 1, columns + j, WINOGRAD_IN);
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_IN; i++) {
        real_t t[WINOGRAD_IN];
        winograd_input(columns + i * WINOGRAD_IN, 1, t, 1);
#pragma unroll
        for (int j = 0; j < WINOGRAD_IN; j++)
            v[(i * WINOGRAD_IN + j) * v_step] = t[j];
    }
}

static inline int n_tiles_of(const conv_params *p)
{
    return p->n_blocks * parts_of(p->P, WINOGRAD_OUT) * parts_of(p->Q, WINOGRAD_OUT);
}

// v[36][n_channels][tiles] of the tiles from `first` on. x stands at the first channel of block 0.
// Empty lanes hold anything: who sums over lanes leaves them out.
WINOGRAD_INLINE void transform_input(__global const stored_t *restrict x, __local scratch_t *v,
                                     int v_step, int n_channels, int first, int tiles,
                                     const conv_params *p)
{
    const place_t start = place_of(first, p);

    for (int c = 0; c < n_channels; c++, x += p->H * p->W * STEP) {
        place_t place = start;
        for (int t = 0; t < tiles; t++, v += STEP, place = next_place(place, p)) {
            const int row = place.row - p->pad_h, column = place.column - p->pad_w;
            __global const stored_t *plane = x + place.nb * p->x_planes * p->H * p->W * STEP;

            if (row >= 0 && column >= 0 && row + WINOGRAD_IN <= p->H &&
                column + WINOGRAD_IN <= p->W)
                input_tile(true, plane, row, column, p, v, v_step);
            else
                input_tile(false, plane, row, column, p, v, v_step);
        }
    }
}

#endif
