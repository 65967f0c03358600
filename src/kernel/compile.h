// Programs from source, through the device's compiler.
#ifndef PLC_KERNEL_COMPILE_H
#define PLC_KERNEL_COMPILE_H

#include <device/device.h>

// Builds `source`, called `name` in errors, for the device; the caller releases *program. Blocks. Fails with
// PLEACH_EBUILD: text has the compiler's log.
pleach_status plc_program_compile(pleach_device *device, const char *name, const char *source,
                                  const char *options, cl_program *program);

#endif
