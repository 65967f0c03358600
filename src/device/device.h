// An open device: context, in-order queue, facts, and the buffers that live on it.
#ifndef PLC_DEVICE_DEVICE_H
#define PLC_DEVICE_DEVICE_H

#include <pleach/device.h>
#include <device/list.h>

struct plc_kernels;
struct plc_tuner;

// Output channels and pixels that a convolution's inner loop computes at once, each 1 to 8.
typedef struct plc_fixed_tile {
    int n_out, n_pixels;
} plc_fixed_tile;

struct pleach_device {
    pleach_ctx *ctx;  // borrowed
    const plc_cl *cl; // borrowed
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;    // in order
    plc_device_table *table;   // owned: holds the strings of info
    pleach_device_info *info;  // one of table
    int lanes;                 // L of the layout [N/L][C][H][W][L]
    bool vector_lanes;         // a work-item holds all lanes
    int value_bytes;           // of a tensor's value in memory: 4, or 2 with PLEACH_PRECISION_HALF
    plc_fixed_tile fixed_tile; // n_out > 0: one set of kernels for all layers, as an FPGA wants it
    bool single_work_item;     // kernels loop over the grid themselves, and are told its sizes
    bool profile;
    bool allow_broken; // goes on when the self-test fails
    unsigned tested;   // a bit per part of the self-test that is settled (exec/self_test.h)
    size_t memory_bytes, peak_memory_bytes;
    pleach_device_progress_fn *progress; // may be NULL
    void *progress_user;                 // borrowed
    struct plc_kernels *kernels;         // owned: src/kernel
    struct plc_tuner *tuner;             // owned: src/kernel
};

enum { PLC_LEAST_LANES = 4 };

// Lanes and mapping that a device gets with `opts`: as they say, else as its facts suggest. Fails with
// PLEACH_EUSAGE where opts ask for what the mapping has not, PLEACH_EDEVICE for what the device has not.
pleach_status plc_device_choose_lanes(pleach_ctx *ctx, const pleach_device_info *info,
                                      const pleach_device_opts *opts, int *lanes,
                                      bool *vector_lanes);

// Opens and closes all but the kernels, which src/kernel adds: pleach_device_open is there.
pleach_status plc_device_open_with(pleach_ctx *ctx, const plc_cl *cl, const char *choice,
                                   const pleach_device_opts *opts, pleach_device **device);
void plc_device_close_base(pleach_device **device);

// "vector", "work-item", and "vector, half", "work-item, half" with PLEACH_PRECISION_HALF: static.
const char *plc_device_layout_name(const pleach_device *device);

// Tells opts.progress, if there is one.
void plc_device_tell(const pleach_device *device, const char *what, int n_done, int n);

// A device buffer. While `mem` is NULL it is only planned: launches may name it before it exists.
typedef struct plc_buffer {
    const char *name; // static, for errors and reports
    size_t bytes;
    cl_mem mem;
    bool counted;                    // owns its memory (a sub-buffer does not)
    const struct plc_buffer *parent; // borrowed: whose part it is, NULL for a buffer of its own
    size_t offset_bytes;             // where it begins in its parent
    cl_mem *parts;                   // owned: the memory of all parts that were placed in it
    int n_parts;
    size_t capacity; // of parts
} plc_buffer;

// Allocates zeroed memory. Fails with PLEACH_ENOMEM: text gives bytes needed and the largest allocation.
pleach_status plc_buffer_create(pleach_device *device, const char *name, size_t bytes,
                                plc_buffer **buffer);
// The same without clearing: for memory of which everything is written before it is read.
pleach_status plc_buffer_allocate(pleach_device *device, const char *name, size_t bytes,
                                  plc_buffer **buffer);
// The same with `data` in it (an empty one holds nothing).
pleach_status plc_buffer_upload(pleach_device *device, const char *name, const void *data,
                                size_t bytes, plc_buffer **buffer);
void plc_buffer_destroy(pleach_device *device, plc_buffer **buffer);

// Gives a planned buffer its memory inside `parent` at a base-aligned offset, for as long as `parent` lives.
pleach_status plc_buffer_place(pleach_device *device, plc_buffer *buffer, plc_buffer *parent,
                               size_t offset_bytes);

// Blocking copies; plc_buffer_write_async returns at once and the host memory must stay until `*done`
// (may be NULL) is complete.
pleach_status plc_buffer_write(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                               size_t bytes, const void *data);
pleach_status plc_buffer_write_async(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                                     size_t bytes, const void *data, cl_event *done);
pleach_status plc_buffer_read(pleach_device *device, const plc_buffer *buffer, size_t offset_bytes,
                              size_t bytes, void *data);
pleach_status plc_buffer_fill(pleach_device *device, plc_buffer *buffer, size_t offset_bytes,
                              size_t bytes, unsigned pattern);
// Enqueues a copy; it never visits the host. Offsets in bytes.
pleach_status plc_buffer_copy(pleach_device *device, const plc_buffer *from, size_t from_offset,
                              plc_buffer *to, size_t to_offset, size_t bytes);

pleach_status plc_device_flush(pleach_device *device);
pleach_status plc_device_finish(pleach_device *device);
pleach_status plc_device_wait(pleach_device *device,
                              cl_event *event); // releases it; *event may be NULL

// The same for cleaning up: failures are those of a device that is lost, and the text of the error that
// led here stays.
void plc_device_settle(pleach_device *device);
void plc_device_drop_event(pleach_device *device, cl_event *event);

#endif
