// Image classification data sets: known ones, read whole into host memory, and folders of pictures. Jobs
// (pleach/run.h) take a data set by its name; what is here is for those who want to look at one first.
#ifndef PLEACH_DATA_H
#define PLEACH_DATA_H

#include <pleach/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleach_dataset pleach_dataset;

// Works when zero: all images, nothing held aside.
typedef struct pleach_dataset_opts {
    int n_calibration; // the last training images, held aside: neither trained on nor tested on
    int limit_train;   // keep only the first training images that are left (0: all)
    int limit_test;    // keep only the first test images (0: all)
    // Pictures of a folder come in an order that mixes the classes, given by the option seed=N.
} pleach_dataset_opts;

// Reads the data set `source`:
//     fashion-mnist    from /usr/share/datasets/fashion-mnist (Debian package dataset-fashion-mnist)
//     fashion-mnist:DIR  mnist:DIR   {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz
//     cifar10:DIR  cifar100:DIR      the binary version; DIR or its cifar-10-batches-bin,
//                                    cifar-100-binary; CIFAR-100 with its fine labels
//     folder:DIR[,OPTION=VALUE...]   JPEG and PNG files, DIR/train/CLASS/* and DIR/val/CLASS/*, or
//                                    DIR/CLASS/* of which a share is held out
//     pack:FILE[,OPTION=VALUE...]    what `pleach data pack` has made of such a folder
// docs/data.md describes both, with their options. Pictures of a folder are decoded when they are needed.
// `opts` may be NULL. Blocks while it reads. The caller owns *dataset.
// Fails with PLEACH_EUSAGE (unknown name: text gives the nearest; options that leave no image),
// PLEACH_EIO (a file is missing) and PLEACH_EINPUT (text gives file, byte offset, what was expected).
pleach_status pleach_dataset_open(pleach_ctx *ctx, const char *source,
                                  const pleach_dataset_opts *opts, pleach_dataset **dataset);
void pleach_dataset_destroy(pleach_dataset **dataset);

const char *pleach_dataset_name(const pleach_dataset *dataset); // "cifar10", without the folder
void pleach_dataset_shape(const pleach_dataset *dataset, int *channels, int *height, int *width);
int pleach_dataset_n_classes(const pleach_dataset *dataset);
// NULL where the data set has no names, or `index` no class.
const char *pleach_dataset_class_name(const pleach_dataset *dataset, int index);

int pleach_dataset_n_train(const pleach_dataset *dataset); // without those held aside
int pleach_dataset_n_calibration(const pleach_dataset *dataset);
int pleach_dataset_n_test(const pleach_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
