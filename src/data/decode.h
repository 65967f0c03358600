// A picture file in memory to pixels: JPEG through libjpeg, PNG through libpng. Nothing in a file is
// trusted: what it claims is held against the caps before memory is taken for it.
#ifndef PLC_DATA_DECODE_H
#define PLC_DATA_DECODE_H

#include <stddef.h>
#include <stdint.h>
#include <base/status.h>

enum {
    PLC_MAX_PICTURE_FILE_MIB = 64,
    PLC_MAX_PICTURE_SIDE = 16384,          // pixels
    PLC_MAX_PICTURE_PIXELS = 50 * 1000000, // 150 MB as RGB: what a thread that decodes may take
};

// Works when zero; each decoding reuses its memory.
typedef struct plc_picture {
    uint8_t *pixels; // owned: [height][width][channels]
    size_t capacity; // bytes
    int width, height, channels;
    int file_width, file_height; // as in the file: a JPEG may be decoded at a reduced scale
} plc_picture;

// Decodes a whole file into 1 (greyscale) or 3 (RGB) channels of 8 bits. Which format it is says its
// content, not its name. Alpha is dropped, 16 bits become 8, palettes and CMYK become RGB; orientation
// and colour profiles are left alone. A JPEG is reduced to 1/2, 1/4 or 1/8 while both of its sides stay
// at least `least_side` (0: never).
// Fails with PLEACH_EINPUT: text begins with `name` and says why. What a library warns of (data that ends
// early, blocks that make no sense) is a failure too.
pleach_status plc_picture_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes,
                                 size_t size, int least_side, plc_picture *picture);
void plc_picture_finish(plc_picture *picture);

// The two formats, and what they share: checks the claim width x height of a file of `size` bytes, of
// which each byte can stand for `most_per_byte` pixels, and remembers it.
pleach_status plc_picture_claim(pleach_ctx *ctx, const char *name, unsigned long width,
                                unsigned long height, size_t size, double most_per_byte,
                                plc_picture *picture);
pleach_status plc_jpeg_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                              int least_side, plc_picture *picture);
pleach_status plc_png_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                             plc_picture *picture);

#endif
