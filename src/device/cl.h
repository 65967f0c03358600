// The table of OpenCL functions: every call goes through it, so that a test can make any one fail.
#ifndef PLC_DEVICE_CL_H
#define PLC_DEVICE_CL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>
#include <base/status.h>

// One function per line.
// clang-format off
#define PLC_CL_FUNCTIONS(X) \
    X(clGetPlatformIDs) \
    X(clGetPlatformInfo) \
    X(clGetDeviceIDs) \
    X(clGetDeviceInfo) \
    X(clCreateContext) \
    X(clReleaseContext) \
    X(clCreateCommandQueue) \
    X(clReleaseCommandQueue) \
    X(clCreateProgramWithSource) \
    X(clCreateProgramWithBinary) \
    X(clBuildProgram) \
    X(clGetProgramBuildInfo) \
    X(clGetProgramInfo) \
    X(clReleaseProgram) \
    X(clCreateKernel) \
    X(clReleaseKernel) \
    X(clSetKernelArg) \
    X(clGetKernelInfo) \
    X(clGetKernelArgInfo) \
    X(clGetKernelWorkGroupInfo) \
    X(clCreateBuffer) \
    X(clCreateSubBuffer) \
    X(clReleaseMemObject) \
    X(clEnqueueReadBuffer) \
    X(clEnqueueWriteBuffer) \
    X(clEnqueueFillBuffer) \
    X(clEnqueueCopyBuffer) \
    X(clEnqueueNDRangeKernel) \
    X(clWaitForEvents) \
    X(clGetEventProfilingInfo) \
    X(clReleaseEvent) \
    X(clFlush) \
    X(clFinish)
// clang-format on

typedef struct plc_cl {
#define X(name) __typeof__(&name) name;
    PLC_CL_FUNCTIONS(X)
#undef X
} plc_cl;

// The functions of the ICD loader.
extern const plc_cl plc_cl_loader;

// Turns an OpenCL error into PLEACH_EDEVICE (PLEACH_ENOMEM for failed allocations) with the call's text.
pleach_status plc_cl_check(pleach_ctx *ctx, cl_int error, const char *call);
const char *plc_cl_error_name(cl_int error);

// CL_TRY(ctx, cl, clFinish(queue)): calls cl->clFinish(queue), jumps to `done` when it fails.
#define CL_TRY(ctx, cl, call) TRY(plc_cl_check(ctx, (cl)->call, #call))

#endif
