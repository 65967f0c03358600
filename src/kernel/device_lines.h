// Files about one device that people can read: who it is, then a list with a line per row.
#ifndef PLC_KERNEL_DEVICE_LINES_H
#define PLC_KERNEL_DEVICE_LINES_H

#include <jansson.h>
#include <base/text.h>
#include <device/device.h>

// Numbers are written with so many significant digits.
enum { PLC_DEVICE_LINES_DIGITS = 5 };

// Row `i` of the list as a new object; NULL without memory.
typedef json_t *plc_device_row_fn(const void *rows, size_t i);

// Appends {"schema", "device", "platform", "driver", "<list>": [n rows]}. Fails with PLEACH_ENOMEM.
pleach_status plc_device_lines_format(const pleach_device *device, const char *schema,
                                      const char *list, plc_device_row_fn *row, const void *rows,
                                      size_t n, plc_text *text);

#endif
