// Devices with half storage, whether they report cl_khr_fp16 or not: kernels need only what is core OpenCL,
// so that operators are tested everywhere.
#ifndef PLC_TESTS_HALF_DEVICE_H
#define PLC_TESTS_HALF_DEVICE_H

#include <pleach/device.h>

// pleach_device_open of the tests' device (platform.h), told that it has cl_khr_fp16.
pleach_status plc_open_with_halfs(pleach_ctx *ctx, const pleach_device_opts *opts,
                                  pleach_device **device);

#endif
