// Kernels by name: embedded sources, program build, binary cache.
#ifndef PLC_KERNEL_KERNELS_H
#define PLC_KERNEL_KERNELS_H

#include <device/launch.h>

typedef struct plc_kernels plc_kernels;

// Opens a device with its kernels, through `cl` (tests plant faults there). Fails with PLEACH_EDEVICE where
// the device has no compiler and opts name no file of kernels built ahead.
pleach_status plc_kernels_open(pleach_ctx *ctx, const plc_cl *cl, const char *choice,
                               const pleach_device_opts *opts, pleach_device **device);

pleach_status plc_kernels_create(pleach_device *device, const char *cache_dir,
                                 plc_kernels **kernels);
void plc_kernels_destroy(plc_kernels **kernels);

// What the kernels of a device have cost so far. A program holds the kernels of one file and options.
typedef struct plc_build_counts {
    int n_compiled, n_cached; // programs from source, and from the binary cache
    double seconds;           // of both
} plc_build_counts;

plc_build_counts plc_kernels_counts(const pleach_device *device);

// What sessions have asked for so far, in this order: a program as plc_launch_add names it, and the kernels of
// it that are launched. Borrowed, until the next is asked for.
typedef struct plc_asked_program {
    const char *file, *options;
    const char *const *kernels;
    int n_kernels;
} plc_asked_program;

int plc_kernels_n_asked(const pleach_device *device);
plc_asked_program plc_kernels_asked(const pleach_device *device, int index);

// The kernels were built ahead and come from a file; NULL: they are compiled (kernel/binary.h).
const struct plc_binary *plc_kernels_binary(const pleach_device *device);

// The cache's folder; NULL: nothing is kept.
const char *plc_kernels_folder(const pleach_device *device);

// Appends a launch of a new kernel object of program `file` ("conv": cl/conv.cl) built with `options`
// ("-DOT=4 -DPT=4"). LANES, LANES_IN_VECTOR and HALF_STORAGE are added. A program is built once per options, then
// comes from the cache. `kernel` is a static string.
// Fails with PLEACH_EBUILD: the compiler's log and the numbered source line; or that the file of kernels built
// ahead does not have it.
pleach_status plc_launch_add(plc_launch_list *list, const char *file, const char *kernel,
                             const char *options, plc_launch **launch);

// *is_new: no launch of the same kernel, program and work-group size was noted in this process before.
pleach_status plc_kernels_note_launch(pleach_device *device, const plc_launch *launch,
                                      bool *is_new);

// Sizes of tensor kernels, in groups that hold all lanes of one image block:
// vector mapping: global {x,y,z}, local {1,1,1}; work-item mapping: global {x*lanes,y,z}, local {lanes,1,1}.
void plc_launch_groups(const pleach_device *device, plc_launch *launch, size_t x, size_t y,
                       size_t z);

// Size of plain 1-D kernels over n items (the kernel checks get_global_id(0) < n).
void plc_launch_items(plc_launch *launch, size_t n);

#endif
