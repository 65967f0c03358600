// tiles.h: tiles of a view whose channels are not told apart: C*size pixels of a block, one behind the other
// (OpenCL C 1.2).
#ifndef PLEACH_TILES_H
#define PLEACH_TILES_H

#include "lanes.h"

// First pixel of this group's tile in a view, and how many of its pixels there are.
#define TILE(p, planes, first) \
    AT(VIEW(GRID(2), planes, first, 0, (p).size) + GRID(0) * (p).tile_pixels)
#define TILE_COUNT(p) min((p).tile_pixels, (p).C *(p).size - GRID(0) * (p).tile_pixels)

#endif
