// The OpenCL function table and the names of its errors.
#include <device/cl.h>

#include <stddef.h>

const plc_cl plc_cl_loader = {
#define X(name) .name = name,
    PLC_CL_FUNCTIONS(X)
#undef X
};

static const struct {
    cl_int error;
    const char *name;
} error_names[] = {
#define E(name)                                                                                    \
    {                                                                                              \
        name, #name                                                                                \
    }
    E(CL_DEVICE_NOT_FOUND),
    E(CL_DEVICE_NOT_AVAILABLE),
    E(CL_COMPILER_NOT_AVAILABLE),
    E(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    E(CL_OUT_OF_RESOURCES),
    E(CL_OUT_OF_HOST_MEMORY),
    E(CL_PROFILING_INFO_NOT_AVAILABLE),
    E(CL_MEM_COPY_OVERLAP),
    E(CL_BUILD_PROGRAM_FAILURE),
    E(CL_MAP_FAILURE),
    E(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    E(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    E(CL_INVALID_VALUE),
    E(CL_INVALID_DEVICE_TYPE),
    E(CL_INVALID_PLATFORM),
    E(CL_INVALID_DEVICE),
    E(CL_INVALID_CONTEXT),
    E(CL_INVALID_QUEUE_PROPERTIES),
    E(CL_INVALID_COMMAND_QUEUE),
    E(CL_INVALID_HOST_PTR),
    E(CL_INVALID_MEM_OBJECT),
    E(CL_INVALID_BINARY),
    E(CL_INVALID_BUILD_OPTIONS),
    E(CL_INVALID_PROGRAM),
    E(CL_INVALID_PROGRAM_EXECUTABLE),
    E(CL_INVALID_KERNEL_NAME),
    E(CL_INVALID_KERNEL_DEFINITION),
    E(CL_INVALID_KERNEL),
    E(CL_INVALID_ARG_INDEX),
    E(CL_INVALID_ARG_VALUE),
    E(CL_INVALID_ARG_SIZE),
    E(CL_INVALID_KERNEL_ARGS),
    E(CL_INVALID_WORK_DIMENSION),
    E(CL_INVALID_WORK_GROUP_SIZE),
    E(CL_INVALID_WORK_ITEM_SIZE),
    E(CL_INVALID_GLOBAL_OFFSET),
    E(CL_INVALID_EVENT_WAIT_LIST),
    E(CL_INVALID_EVENT),
    E(CL_INVALID_OPERATION),
    E(CL_INVALID_BUFFER_SIZE),
    E(CL_INVALID_GLOBAL_WORK_SIZE),
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
#undef E
};

const char *plc_cl_error_name(cl_int error)
{
    for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++)
        if (error_names[i].error == error)
            return error_names[i].name;
    return "unknown OpenCL error";
}

pleach_status plc_cl_check(pleach_ctx *ctx, cl_int error, const char *call)
{
    if (error == CL_SUCCESS)
        return PLEACH_OK;
    const bool memory = error == CL_MEM_OBJECT_ALLOCATION_FAILURE ||
                        error == CL_OUT_OF_HOST_MEMORY || error == CL_OUT_OF_RESOURCES;
    return plc_fail(ctx, memory ? PLEACH_ENOMEM : PLEACH_EDEVICE, "%s failed with %s (%d)%s", call,
                    plc_cl_error_name(error), error,
                    error == CL_OUT_OF_RESOURCES
                        ? "; a smaller --batch needs less memory, or the device was lost"
                    : memory ? "; a smaller --batch needs less memory"
                             : "");
}
