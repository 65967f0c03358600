// What tuning has found: a readable JSON file per device, number of its compute units and driver version.
#ifndef PLC_KERNEL_TUNING_FILE_H
#define PLC_KERNEL_TUNING_FILE_H

#include <stddef.h>
#include <kernel/tuning.h>

// <folder>/<kind>/<device's name>-<hash of platform, device, compute units, driver and `key`>.json. Makes no
// folder. A container or a driver's variable may leave a device fewer units: other times then hold.
pleach_status plc_device_file_path(const pleach_device *device, const char *folder,
                                   const char *kind, const char *key, char **path);
// The same of "tuning", where nothing else is hashed.
pleach_status plc_tuning_path(const pleach_device *device, const char *folder, char **path);

// Renames a file that cannot be used to <path>.bad, and warns with the context's error text.
void plc_put_aside(pleach_ctx *ctx, const char *path);

// No file is no entries. One that cannot be used is put aside as <path>.bad with a warning that gives
// the place; it is not an error.
pleach_status plc_tuning_read(pleach_ctx *ctx, const char *path, plc_tuning *tuning);

// Writes the file whole, makes its folder. What another process had written there before stays, except
// where `tuning` has the same key.
pleach_status plc_tuning_write(const pleach_device *device, const char *path,
                               const plc_tuning *tuning);

#endif
