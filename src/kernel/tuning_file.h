// What tuning has found: a readable JSON file per device and driver version.
#ifndef PLC_KERNEL_TUNING_FILE_H
#define PLC_KERNEL_TUNING_FILE_H

#include <stddef.h>
#include <kernel/tuning.h>

// <folder>/tuning/<device's name>-<hash of platform, device and driver>.json. Makes no folder.
pleach_status plc_tuning_path(const pleach_device *device, const char *folder, char **path);

// Appends the entries of a JSON text of `source` (its name in errors). Fails with PLEACH_EINPUT: text
// gives source and place. Then nothing was appended.
pleach_status plc_tuning_parse(pleach_ctx *ctx, const char *source, const char *text, size_t length,
                               plc_tuning *tuning);
// {"kind": "cpu"} of a text that plc_tuning_parse accepts; "" for a file of one device.
pleach_status plc_tuning_parse_kind(pleach_ctx *ctx, const char *text, size_t length,
                                    char kind[PLC_FORMAT_MAX]);

// No file is no entries. One that cannot be used is put aside as <path>.bad with a warning that gives
// the place; it is not an error.
pleach_status plc_tuning_read(pleach_ctx *ctx, const char *path, plc_tuning *tuning);

// Writes the file whole, makes its folder. What another process has written there since stays, except
// where `tuning` has the same key.
pleach_status plc_tuning_write(const pleach_device *device, const char *path,
                               const plc_tuning *tuning);

#endif
