// tile.h: loops over a tile (OpenCL C 1.2).
//
// Tiles at an end are smaller than the others. On processors each size has a body of its own, chosen
// at run time, whose loops run to sizes that are constants. An FPGA would build each of those bodies
// beside the others; with ONE_TILE there is one, of the largest size: what a smaller tile has not is
// computed from its last channel and not stored. Bits are the same.
#ifndef PLEACH_TILE_H
#define PLEACH_TILE_H

// Of n, at most `most`: the end of a loop, the index to read at, and whether index i is to be stored.
#ifdef ONE_TILE
#define TILE_END(n, most) (most)
#define TILE_AT(i, n) min((i), (n)-1)
#define IN_TILE(i, n) ((i) < (n))
#else
#define TILE_END(n, most) (n)
#define TILE_AT(i, n) (i)
#define IN_TILE(i, n) 1
#endif

#endif
