// OpenCL devices: listing them, choosing one, opening it.
#ifndef PLEACH_DEVICE_H
#define PLEACH_DEVICE_H

#include <stddef.h>
#include <stdbool.h>
#include <pleach/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleach_device pleach_device;

// What a device says of itself. Strings are owned by the list or the device they came with.
typedef struct pleach_device_info {
    int platform, index; // "0:1" chooses it
    const char *platform_name, *platform_version, *name, *vendor, *driver_version, *cl_version;
    const char *kind; // "cpu" "gpu" "accelerator" (an FPGA is one) "other"
    int compute_units, clock_mhz;
    int vector_width_float; // native
    size_t global_memory_bytes, max_allocation_bytes, local_memory_bytes;
    size_t max_work_group_size; // items in one row
    int base_alignment_bytes;
    bool has_fp16, has_fp64, has_compiler, unified_memory;
} pleach_device_info;

typedef struct pleach_device_list {
    pleach_device_info *items;
    int n_items;
} pleach_device_list;

// Lists every device of every platform. No platform at all is an empty list, not an error.
pleach_status pleach_device_list_create(pleach_ctx *ctx, pleach_device_list **list);
void pleach_device_list_destroy(pleach_device_list **list);

// What takes time before a device computes: "building kernels", `n_done` of `n` (0: not known). `what`
// is NULL when it is over. Strings are static.
typedef void pleach_device_progress_fn(void *user, const char *what, int n_done, int n);

// How a session lays out images on the device. Zero fields are chosen from the device's facts.
typedef struct pleach_device_opts {
    int lanes;             // images side by side: 4, 8, 16, 32 or 64
    int mapping;           // PLEACH_MAPPING_
    int precision;         // PLEACH_PRECISION_
    bool profile;          // record the time of every kernel
    const char *cache_dir; // of kernels and tuning; NULL: $XDG_CACHE_HOME/pleach; "": no cache
    int tune;              // PLEACH_TUNE_
    const char *binary; // file of kernels built ahead, for boards that compile none; NULL: compile
    const char *manifest; // of what `binary` holds; NULL: pleach.json in the same folder
    bool allow_broken;    // go on with a device that fails the self-test: a warning, no error
    pleach_device_progress_fn *progress; // may be NULL
    void *user;                          // borrowed: handed to progress
} pleach_device_opts;

enum {
    PLEACH_MAPPING_AUTO,
    PLEACH_MAPPING_VECTOR,    // a work-item holds all lanes in one vector
    PLEACH_MAPPING_WORK_ITEM, // a work-item holds one lane
};

// How values of tensors and their gradients stand in memory. Arithmetic, sums, weights, their gradients
// and the optimizer's moments are float in both.
enum {
    PLEACH_PRECISION_FLOAT,
    PLEACH_PRECISION_HALF, // half the memory and traffic; the device must report cl_khr_fp16
};

// Which of several kernels is taken where several compute the same: as the cache's tuning file and the
// shipped defaults know it, and by measuring
enum {
    PLEACH_TUNE_OFF,  // nothing more
    PLEACH_TUNE_FAST, // what they do not know, for a few seconds per session
    PLEACH_TUNE_FULL, // everything, also what changes the last bits of results
};

// Opens the device that `choice` names: "PLATFORM:INDEX", "gpu", "cpu", "fpga", or a part of a
// platform's name or, if none has it, of a device's (emulators only if nothing else has it); NULL or ""
// takes a GPU if there is one, else a CPU, never an emulator, nor what is not available or has no OpenCL 1.2 where
// another can be used. Borrows `ctx` until it is closed.
// Fails with PLEACH_EDEVICE: the text lists what there is and how to install a platform, or says that
// the device cannot be used, has no half precision, or no compiler; with PLEACH_EUSAGE for a number alone, and for
// lanes that the mapping does not take; with PLEACH_EINPUT where the kernels built ahead are
// not those that their manifest or this library says.
pleach_status pleach_device_open(pleach_ctx *ctx, const char *choice,
                                 const pleach_device_opts *opts, pleach_device **device);
void pleach_device_close(pleach_device **device);
const pleach_device_info *pleach_device_get_info(const pleach_device *device);

// Bytes of device buffers that are allocated now, and at most so far.
size_t pleach_device_memory_bytes(const pleach_device *device);
size_t pleach_device_peak_memory_bytes(const pleach_device *device);

#ifdef __cplusplus
}
#endif

#endif
