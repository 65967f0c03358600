// Built programs kept on disk, so that a second process need not compile.
#ifndef PLC_KERNEL_CACHE_H
#define PLC_KERNEL_CACHE_H

#include <stddef.h>
#include <base/hash.h>
#include <device/device.h>

// The folder of the cache, made with mode 0700: `wanted`, or $XDG_CACHE_HOME/pleach, ~/.cache/pleach.
// *folder is NULL when `wanted` is "" or no folder can be made: then nothing is cached.
pleach_status plc_cache_folder(pleach_ctx *ctx, const char *wanted, char **folder);

// True where the driver keeps what it compiles, and ours beside it would cost more than it saves: PoCL
// finishes kernels when they are launched, and to hand out a program's binary it compiles all kernels
// of the program once more, which takes two thirds of a cold start.
bool plc_cache_is_the_drivers(const pleach_device *device);

// Key of all that can change a binary: source, options, platform, device, driver.
void plc_cache_key(const pleach_device *device, const char *source, const char *options,
                   char key[PLC_HASH_HEX_SIZE]);

// *program stays NULL when there is no entry, or a bad one (which will be replaced).
pleach_status plc_cache_load(pleach_device *device, const char *folder, const char *key,
                             const char *options, cl_program *program);

// The binary inside the bytes of an entry; NULL when the entry is not whole.
const unsigned char *plc_cache_find_binary(const char *entry, size_t bytes, size_t *binary_bytes);

// False where it cannot be kept, which a warning says, or where one is `told` already a line for debugging.
bool plc_cache_store(pleach_device *device, const char *folder, const char *key, cl_program program,
                     bool told);

#endif
