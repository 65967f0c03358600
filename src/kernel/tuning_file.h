// What tuning has found: a readable JSON file per device and driver version.
#ifndef PLC_KERNEL_TUNING_FILE_H
#define PLC_KERNEL_TUNING_FILE_H

#include <stddef.h>
#include <kernel/tuning.h>

// <folder>/tuning/<device's name>-<hash of platform, device and driver>.json. Makes no folder.
pleach_status plc_tuning_path(const pleach_device *device, const char *folder, char **path);

// No file is no entries. One that cannot be used is put aside as <path>.bad with a warning that gives
// the place; it is not an error.
pleach_status plc_tuning_read(pleach_ctx *ctx, const char *path, plc_tuning *tuning);

// Writes the file whole, makes its folder. What another process has written there since stays, except
// where `tuning` has the same key.
pleach_status plc_tuning_write(const pleach_device *device, const char *path,
                               const plc_tuning *tuning);

#endif
