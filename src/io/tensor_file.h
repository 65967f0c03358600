// Named float32 tensors with a map of texts, and their file format: safetensors.
//
//     8 bytes: n, little-endian | n bytes of JSON, padded by spaces to 8 | tensors, one after another
#ifndef PLC_IO_TENSOR_FILE_H
#define PLC_IO_TENSOR_FILE_H

#include <stddef.h>
#include <base/status.h>

enum { PLC_TENSOR_MAX_DIMS = 8 };

typedef struct plc_named_tensor {
    char *name; // owned
    size_t dims[PLC_TENSOR_MAX_DIMS];
    int n_dims;        // 0: a scalar
    size_t count;      // product of dims
    const float *data; // borrowed from the adder, or from plc_tensors.storage
} plc_named_tensor;

typedef struct plc_metadata {
    char *key, *value; // owned
} plc_metadata;

// Works when zero.
typedef struct plc_tensors {
    plc_named_tensor *items; // owned, in the order of adding, or of the file's offsets
    size_t n, capacity;
    plc_metadata *metadata; // owned
    size_t n_metadata, metadata_capacity;
    void *storage; // owned: what was read from a file, or NULL
} plc_tensors;

// Copies name and dims, borrows data. Fails with PLEACH_EINPUT: name taken or reserved
// ("__metadata__"), too many dims, a product that overflows.
pleach_status plc_tensors_add(pleach_ctx *ctx, plc_tensors *tensors, const char *name,
                              const size_t *dims, int n_dims, const float *data);
const plc_named_tensor *plc_tensors_find(const plc_tensors *tensors,
                                         const char *name); // NULL: none

// Copies both, replaces a value that is there. The value of plc_tensors_metadata is borrowed.
pleach_status plc_tensors_set_metadata(pleach_ctx *ctx, plc_tensors *tensors, const char *key,
                                       const char *value);
const char *plc_tensors_metadata(const plc_tensors *tensors, const char *key); // NULL: none

void plc_tensors_finish(plc_tensors *tensors);

// "[16, 3, 3, 3]", cut off at `size`.
void plc_format_dims(const size_t *dims, int n_dims, char *text, size_t size);
enum { PLC_FORMAT_DIMS_MAX = 24 * PLC_TENSOR_MAX_DIMS };

// Replaces `path` atomically. Names and metadata must be UTF-8.
pleach_status plc_tensor_file_write(pleach_ctx *ctx, const char *path, const plc_tensors *tensors);

// Reads all of `path` into an empty `tensors`. Nothing in the file is trusted: sizes are capped and
// multiplied with overflow checks, offsets must cover the data without hole or overlap, JSON keys
// must be unique. Only dtype F32 is read. Fails with PLEACH_EIO and PLEACH_EINPUT: text names the
// file, the tensor, what was found and expected; `tensors` is then empty.
pleach_status plc_tensor_file_read(pleach_ctx *ctx, const char *path, plc_tensors *tensors);

#endif
