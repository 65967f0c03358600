// Picture files made in memory, of every kind that the two formats have.
#ifndef PLC_TESTS_PICTURE_FILES_H
#define PLC_TESTS_PICTURE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Every pixel of a made picture has the colour 40 * (seed % 5) + 20 * c + its place: a smooth slope along x.
int plc_made_value(int seed, int x, int c);

typedef struct plc_made_jpeg {
    int width, height, seed;
    int components;   // 1 grey, 3 colour, 4 CMYK as Adobe stores it
    bool progressive; // with the library's usual scans
    bool many_scans;  // progressive, one scan for each coefficient of each component
} plc_made_jpeg;

typedef struct plc_made_png {
    int width, height, seed;
    int colour_type, depth; // as libpng has them
    bool interlaced;
} plc_made_png;

// The caller frees the file. NULL when the library fails.
uint8_t *plc_make_jpeg(const plc_made_jpeg *made, size_t *size);
uint8_t *plc_make_png(const plc_made_png *made, size_t *size);

#endif
