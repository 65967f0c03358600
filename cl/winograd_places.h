// winograd_places.h: where the tiles of a batch lie, in either layout (OpenCL C 1.2).
#ifndef PLEACH_WINOGRAD_PLACES_H
#define PLEACH_WINOGRAD_PLACES_H

#include "conv_params.h"
#include "lanes.h"
#include "winograd.h"

// A tile of the batch: its image block (on channel lanes its image), and row and column of its first
// output.
typedef struct {
    int nb, row, column;
} place_t;

static inline place_t place_of(int tile, const conv_params *p)
{
    const int n_columns = parts_of(p->Q, WINOGRAD_OUT);
    const int n_tiles = parts_of(p->P, WINOGRAD_OUT) * n_columns, nb = tile / n_tiles;
    const int in_block = tile - nb * n_tiles, row = in_block / n_columns;

    return (place_t){nb, row * WINOGRAD_OUT, (in_block - row * n_columns) * WINOGRAD_OUT};
}

static inline place_t next_place(place_t place, const conv_params *p)
{
    place.column += WINOGRAD_OUT;
    if (place.column >= p->Q) {
        place.column = 0;
        place.row += WINOGRAD_OUT;
    }
    if (place.row >= p->P) {
        place.row = 0;
        place.nb++;
    }
    return place;
}

#endif
