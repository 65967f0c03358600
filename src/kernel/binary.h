// Kernels that were built ahead: one program from a file, and the manifest that says what is in it.
//
// A board that compiles nothing at run time gets its kernels so (docs/fpga.md). The device then computes as the
// board that they were exported for: the manifest's lanes, one set of kernels with its tile for all layers.
#ifndef PLC_KERNEL_BINARY_H
#define PLC_KERNEL_BINARY_H

#include <kernel/manifest.h>

typedef struct plc_binary plc_binary;

// "_" and 8 digits of a hash of what a program is built from: its kernels' names in the file end so. A kernel of
// that name is of this source, these options and lanes.
enum { PLC_SUFFIX_SIZE = 10 };
void plc_binary_suffix(const char *source, int lanes, const char *options,
                       char suffix[PLC_SUFFIX_SIZE]);

// Reads opts->binary and its manifest, and sets lanes and mapping in opts as they were built. Fails with
// PLEACH_EIO or PLEACH_EINPUT (the files), PLEACH_EUSAGE (opts ask for another layout).
pleach_status plc_binary_read(pleach_ctx *ctx, pleach_device_opts *opts, plc_binary **binary);
void plc_binary_destroy(plc_binary **binary);

// Loads the program onto the device and sets its tile. Every kernel of the manifest must be there, with as
// many arguments and, where the driver tells, the types that the manifest has; and its sources must be those of
// this library. Fails with PLEACH_EINPUT. The device must outlive the binary.
pleach_status plc_binary_load(plc_binary *binary, pleach_device *device);

// A new kernel object, owned by the caller; *identity tells it from kernels of that name in other programs.
// Fails with PLEACH_EBUILD when the file does not have it.
pleach_status plc_binary_kernel(const plc_binary *binary, pleach_device *device, const char *file,
                                const char *kernel, const char *options, cl_kernel *object,
                                const void **identity);

// Builds the source `text` (kernel/board_source.h) with the device's own compiler and writes what it makes of
// it to `path`: a try of such a file where there is a compiler. Fails with PLEACH_EBUILD (the compiler's log)
// and PLEACH_EIO.
pleach_status plc_binary_build(pleach_device *device, const char *text, const char *path);

// Hash of the file.
const char *plc_binary_hash(const plc_binary *binary);

#endif
