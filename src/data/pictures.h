// Pictures of a user's own: each is stored as a square, and shown to the network as a view of it.
//
//     file ─► decode ─► centre square, resampled to side x side ─► [cache] ─► view: size x size
//     pack ──────────────────────────────────────────────────────────┘
#ifndef PLC_DATA_PICTURES_H
#define PLC_DATA_PICTURES_H

#include <stdatomic.h>
#include <stdint.h>
#include <data/decode.h>
#include <data/view.h>

// Pictures of a split. Threads may read at once, each with its own scratch.
typedef struct plc_pictures {
    int n, channels;
    int side, size; // of a stored square, and of what the network takes
    plc_variety variety;
    int n_threads; // that decode ahead of training
    // Squares [n][channels][side][side] that are there already (borrowed, of a pack), or
    const uint8_t *packed;
    // files, and a cache of squares that is filled as they are first asked for (NULL: no cache).
    char **paths;       // owned, [n], below the folder
    char *folder;       // owned, for texts
    int folder_fd;      // owned, -1: none
    uint8_t *cache;     // owned
    atomic_uchar *kept; // owned, [n]: CACHE_*
    uint16_t *labels;   // owned, [n]
} plc_pictures;

// A thread's memory. Works when zero.
typedef struct plc_picture_scratch {
    plc_picture picture;
    plc_resampler resampler;
    uint8_t *bytes, *square; // owned: a file, a square
    size_t bytes_capacity, square_capacity;
} plc_picture_scratch;

// Bytes of a stored square, and of a view.
size_t plc_pictures_square_bytes(const plc_pictures *pictures);
size_t plc_pictures_view_bytes(const plc_pictures *pictures);

// Picture i as it is stored. *square is valid until the scratch is used again. Fails with PLEACH_EIO and
// PLEACH_EINPUT: text names the file.
pleach_status plc_pictures_square(pleach_ctx *ctx, plc_pictures *pictures, int i,
                                  plc_picture_scratch *scratch, const uint8_t **square);
// Picture i as the network sees it, [channels][size][size]: for evaluation, or with a draw for training.
pleach_status plc_pictures_view(pleach_ctx *ctx, plc_pictures *pictures, int i,
                                const plc_draw *draw, plc_picture_scratch *scratch, uint8_t *image);

// Opens `path` below a folder for reading, step by step, so that a link anywhere in it is refused also when it was put
// there a moment ago. Returns a descriptor, or -1 with errno.
int plc_open_below(int folder_fd, const char *path);

// Reads a file below the folder open as `folder_fd` into scratch->bytes. No component of `path` may be a
// link, and it must be a regular file of at most PLC_MAX_PICTURE_FILE_MIB. Texts begin with `name`.
pleach_status plc_picture_file_read(pleach_ctx *ctx, int folder_fd, const char *path,
                                    const char *name, plc_picture_scratch *scratch, size_t *size);

// Mean and deviation of each channel over the stored squares of the first pictures, at most
// PLC_MEASURED_PICTURES, as fractions of 255. Summed as integers, by several threads.
enum { PLC_MEASURED_PICTURES = 20000 };
pleach_status plc_pictures_measure(pleach_ctx *ctx, plc_pictures *pictures, float *mean,
                                   float *deviation);

void plc_picture_scratch_finish(plc_picture_scratch *scratch);
void plc_pictures_destroy(plc_pictures **pictures);

#endif
