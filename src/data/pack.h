// Packs: a folder's pictures, decoded and resampled once, in one file that is mapped into memory. The format
// stands in docs/data.md.
#ifndef PLC_DATA_PACK_H
#define PLC_DATA_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <data/data.h>

enum { PLC_PACK_HEADER_BYTES = 128 };

// A pack that was checked. Works when zero.
typedef struct plc_pack {
    const uint8_t *bytes; // owned when `mapped`
    size_t size;
    int channels, side, n_classes, n_train, n_val;
    float mean[PLC_MAX_IMAGE_CHANNELS], deviation[PLC_MAX_IMAGE_CHANNELS];
    const char **class_names; // owned; the texts lie in `bytes`
    uint16_t *labels;         // owned: of training, then of validation
    const uint8_t *images;    // in `bytes`
    uint64_t body_hash;       // as the header says
    bool mapped;
} plc_pack;

// Checks and describes `size` bytes, which must outlive the pack. No number of the header is used before it
// was held against the caps and the size. Fails with PLEACH_EINPUT: text begins with `name`.
pleach_status plc_pack_parse(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                             plc_pack *pack);
// Maps a file and parses it. Fails with PLEACH_EIO too.
pleach_status plc_pack_open(pleach_ctx *ctx, const char *path, plc_pack *pack);
// Reads all of it and compares its check sum. Fails with PLEACH_EINPUT.
pleach_status plc_pack_verify(pleach_ctx *ctx, const char *path, const plc_pack *pack);
void plc_pack_finish(plc_pack *pack);

// Sets the check sum of a header whose other fields are made up: for tests.
void plc_pack_seal(uint8_t header[PLC_PACK_HEADER_BYTES]);

// The data set "pack:TEXT".
pleach_status plc_pack_read(pleach_ctx *ctx, const char *text, pleach_dataset *dataset);

// Writes the pictures of a data set of the user's own as they are stored. Replaces `path` atomically.
// Fails with PLEACH_EUSAGE (another kind of data set), PLEACH_EIO, PLEACH_EINPUT (a picture that cannot be
// decoded).
pleach_status plc_pack_write(pleach_ctx *ctx, const pleach_dataset *dataset, const char *path);

// Header fields by their places; sizes in docs/data.md.
enum {
    PLC_PACK_AT_MAGIC = 0,
    PLC_PACK_AT_VERSION = 8,
    PLC_PACK_AT_CHANNELS = 12,
    PLC_PACK_AT_SIDE = 16,
    PLC_PACK_AT_CLASSES = 20,
    PLC_PACK_AT_TRAIN = 24,
    PLC_PACK_AT_VAL = 28,
    PLC_PACK_AT_MEAN = 32,
    PLC_PACK_AT_DEVIATION = 44,
    PLC_PACK_AT_NAMES = 56,
    PLC_PACK_AT_NAMES_BYTES = 64,
    PLC_PACK_AT_LABELS = 72,
    PLC_PACK_AT_IMAGES = 80,
    PLC_PACK_AT_FILE_BYTES = 88,
    PLC_PACK_AT_BODY_HASH = 96,
    PLC_PACK_AT_HEADER_HASH = 120
};
#define PLC_PACK_MAGIC "PLEACHPK"
enum { PLC_PACK_VERSION = 1, PLC_PACK_ALIGN = 4096 };

#endif
