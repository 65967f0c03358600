// Data sets in host memory, and what a source of them has to fill.
#ifndef PLC_DATA_DATA_H
#define PLC_DATA_DATA_H

#include <stddef.h>
#include <stdint.h>
#include <pleach/data.h>
#include <base/status.h>
#include <data/pictures.h>

enum {
    PLC_MAX_IMAGE_CHANNELS = 3,
    PLC_MAX_IMAGE_SIDE = 1024, // pixels
    PLC_MAX_IMAGES = 10000000, // of a split; with the next limit: caps for sizes that files claim
    PLC_MAX_SPLIT_MIB = 2048   // a split of these files is kept whole in memory
};

typedef struct plc_split {
    uint8_t *images;    // [n_images][C][H][W]; NULL: `pictures` makes them
    uint16_t *labels;   // [n_images], each below n_classes
    size_t image_bytes; // C * H * W
    int n_images;
    plc_pictures *pictures; // borrowed; image i is its picture first_picture + i
    int first_picture;
} plc_split;

struct pleach_dataset {
    const char *name;               // static
    const char *const *class_names; // borrowed, [n_classes] or NULL
    int n_classes;
    int channels, height, width;
    plc_split train, test; // own their arrays
    plc_split calibration; // borrows the last images of the training files from `train`
    // Of the training split, pixels taken as [0, 1]: normalised = (pixel / 255 - mean) / deviation.
    // Summed as integers, so the same on every machine. A constant channel has deviation 1.
    float mean[PLC_MAX_IMAGE_CHANNELS];
    float deviation[PLC_MAX_IMAGE_CHANNELS];
    // Of a user's own pictures; NULL else. Mean and deviation are then of all training pictures as they
    // are stored, held aside or not.
    plc_pictures *train_pictures, *test_pictures; // owned
    char **own_class_names;                       // owned, [n_classes]
    struct plc_pack *pack;                        // owned
};

// Readers: fill shape, train and test of a data set whose n_classes is set, from the folder `dir`. Those of
// the user's own pictures set classes, mean and deviation too.
// What they took is freed by pleach_dataset_destroy, also after a failure.
pleach_status plc_idx_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset);
pleach_status plc_cifar10_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset);
pleach_status plc_cifar100_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset);

// A split whose images are views of `pictures`, which it borrows; labels are copied.
pleach_status plc_split_of_pictures(pleach_ctx *ctx, plc_pictures *pictures, plc_split *split);

// Image `id` of the split into image[image_bytes]. With a draw (its `picture` is set here) those of
// the user's own vary as they do in training; others never do.
pleach_status plc_split_image(pleach_ctx *ctx, const plc_split *split, uint32_t id,
                              const plc_draw *draw, plc_picture_scratch *scratch, uint8_t *image);

#endif
