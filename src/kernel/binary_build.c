// Building kernels ahead with the compiler of the device at hand.
#include <kernel/binary.h>

#include <stdlib.h>
#include <base/file.h>
#include <base/memory.h>
#include <device/quirks.h>
#include <kernel/compile.h>

enum { MAX_OPTIONS = 256 };

static pleach_status write_binary(pleach_device *device, cl_program program, const char *path)
{
    pleach_status status = PLEACH_OK;
    size_t bytes = 0;
    unsigned char *binary = NULL;

    CL_TRY(device->ctx, device->cl,
           clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL));
    if (bytes == 0)
        FAIL(device->ctx, PLEACH_EDEVICE, "'%s' hands out no binary of what it has built",
             device->info->name);
    TRY(plc_alloc(device->ctx, bytes, 1, &binary));
    CL_TRY(device->ctx, device->cl,
           clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL));
    TRY(plc_file_write_all(device->ctx, path, binary, bytes));
done:
    free(binary);
    return status;
}

pleach_status plc_binary_build(pleach_device *device, const char *text, const char *path)
{
    pleach_status status = PLEACH_OK;
    char options[MAX_OPTIONS];
    cl_program program = NULL;

    snprintf(options, sizeof options, "-cl-std=CL1.2 -cl-kernel-arg-info%s",
             plc_quirks_of(device->info).build_options);
    TRY(plc_program_compile(device, "pleach.cl", text, options, &program));
    TRY(write_binary(device, program, path));
done:
    if (program)
        device->cl->clReleaseProgram(program);
    return status;
}
