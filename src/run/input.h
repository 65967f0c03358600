// What a network sees of a data set: its images, as many classes, and how pixels are normalised.
#ifndef PLC_RUN_INPUT_H
#define PLC_RUN_INPUT_H

#include <stdbool.h>
#include <data/data.h>
#include <graph/graph.h>
#include <io/tensor_file.h>

// Whether `graph`, which the user calls `model`, takes the images of `data` and tells its classes apart.
// Fails with PLEACH_EINPUT: text gives both shapes, and what would fit.
pleach_status plc_input_check(pleach_ctx *ctx, const char *model, const pleach_graph *graph,
                              const pleach_dataset *data);

// n numbers of a model file's metadata, "0.28,0.31", into `values`; *found is false, and they stay, where it has none.
// Those of "std" must be above 0. Fails with PLEACH_EINPUT.
pleach_status plc_normalisation_read(pleach_ctx *ctx, const plc_tensors *extra, const char *key,
                                     int n, float *values, bool *found);

// Per channel: the network's input is (pixel / 255 - mean) / std.
typedef struct plc_normalisation {
    float mean[PLC_MAX_IMAGE_CHANNELS], std[PLC_MAX_IMAGE_CHANNELS];
} plc_normalisation;

// What the user says ("0.485,0.456,0.406"; "": nothing), else what came with the model ("mean" and "std" of
// `extra`'s metadata; NULL: nothing came), else what the data set's training images have.
// Fails with PLEACH_EUSAGE for the user's numbers, PLEACH_EINPUT for the file's; also where 1 / std or mean / std is no
// finite float.
pleach_status plc_normalisation_choose(pleach_ctx *ctx, const char *mean, const char *std,
                                       const plc_tensors *extra, const pleach_dataset *data,
                                       plc_normalisation *normalisation);

#endif
