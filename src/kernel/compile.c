// Programs from source.
#include <kernel/compile.h>

#include <stdlib.h>
#include <base/memory.h>
#include <kernel/build_log.h>

// The compiler's log as the error's text.
static pleach_status build_error(pleach_device *device, cl_program built, const char *file,
                                 const char *source, const char *options)
{
    size_t bytes = 0;
    char *log = NULL;
    plc_text text = {0};
    pleach_status status = PLEACH_OK;

    CL_TRY(device->ctx, device->cl,
           clGetProgramBuildInfo(built, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes));
    TRY(plc_alloc(device->ctx, bytes + 1, 1, &log));
    CL_TRY(device->ctx, device->cl,
           clGetProgramBuildInfo(built, device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL));
    TRY(plc_build_log_append(device->ctx, &text, log, source));
done:
    status = plc_fail(device->ctx, PLEACH_EBUILD, "%s does not build on '%s' with '%s':\n%s", file,
                      device->info->name, options,
                      text.length > 0 ? text.data : "its compiler leaves no log");
    plc_text_finish(&text);
    free(log);
    return status;
}

static pleach_status check_build(pleach_device *device, cl_int error, const char *call,
                                 const char *file)
{
    const pleach_status status = plc_cl_check(device->ctx, error, call);

    return status == PLEACH_OK ? status : plc_fail_in(device->ctx, status, "%s", file);
}

pleach_status plc_program_compile(pleach_device *device, const char *name, const char *source,
                                  const char *options, cl_program *out)
{
    pleach_status status = PLEACH_OK;
    cl_int error = CL_SUCCESS;
    cl_program built =
        device->cl->clCreateProgramWithSource(device->context, 1, &source, NULL, &error);

    if (error != CL_SUCCESS)
        built = NULL;
    TRY(check_build(device, error, "clCreateProgramWithSource", name));
    error = device->cl->clBuildProgram(built, 1, &device->id, options, NULL, NULL);
    if (error == CL_BUILD_PROGRAM_FAILURE)
        TRY(build_error(device, built, name, source, options));
    TRY(check_build(device, error, "clBuildProgram", name));
    *out = built;
    built = NULL;
done:
    if (built)
        device->cl->clReleaseProgram(built);
    return status;
}
