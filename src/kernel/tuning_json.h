// The JSON text of tuning files. {"schema": "pleach.tuning/1", ..., "entries": [{"operation", "shape",
// "mapping", "chosen", "ms": {candidate: time}, "rejected": {candidate: reason}}]}
#ifndef PLC_KERNEL_TUNING_JSON_H
#define PLC_KERNEL_TUNING_JSON_H

#include <stddef.h>
#include <kernel/tuning.h>

// Appends the entries of a JSON text of `source` (its name in errors). Fails with PLEACH_EINPUT: text
// gives source and place. Then nothing was appended.
pleach_status plc_tuning_parse(pleach_ctx *ctx, const char *source, const char *text, size_t length,
                               plc_tuning *tuning);
// {"kind": "cpu"} of a text that plc_tuning_parse accepts; "" for a file of one device.
pleach_status plc_tuning_parse_kind(pleach_ctx *ctx, const char *text, size_t length,
                                    char kind[PLC_FORMAT_MAX]);

// Appends the text of a file of this device: a line per entry, so that people can read and compare.
pleach_status plc_tuning_format(const pleach_device *device, const plc_tuning *tuning,
                                plc_text *text);

#endif
