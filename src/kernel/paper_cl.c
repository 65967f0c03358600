// The functions of the paper board: every object is the same handle.
#include <kernel/paper_cl.h>

#include <string.h>

// As large as boards are; nothing of it is allocated.
enum { MEMORY_GIB = 16, LARGEST_BUFFER_GIB = 4, LOCAL_BYTES = 16384, GROUP_ITEMS = 256 };
enum { VECTOR_FLOATS = 16, ALIGNMENT_BITS = 1024 };

static int paper; // its address is all handles

static void *handle(cl_int *error)
{
    if (error)
        *error = CL_SUCCESS;
    return &paper;
}

static cl_int answer(const void *value, size_t bytes, size_t room, void *out, size_t *needed)
{
    if (needed)
        *needed = bytes;
    if (out && room < bytes)
        return CL_INVALID_VALUE;
    if (out)
        memcpy(out, value, bytes);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_platforms(cl_uint room, cl_platform_id *platforms, cl_uint *n)
{
    if (n)
        *n = 1;
    if (room > 0 && platforms)
        *platforms = handle(NULL);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_devices(cl_platform_id platform, cl_device_type type, cl_uint room,
                                      cl_device_id *devices, cl_uint *n)
{
    (void)platform, (void)type;
    if (n)
        *n = 1;
    if (room > 0 && devices)
        *devices = handle(NULL);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_platform_info(cl_platform_id platform, cl_platform_info what,
                                            size_t room, void *out, size_t *needed)
{
    const char *text = what == CL_PLATFORM_VERSION ? "OpenCL 1.2" : "paper";

    (void)platform;
    return answer(text, strlen(text) + 1, room, out, needed);
}

static cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t room,
                                          void *out, size_t *needed)
{
    const cl_device_type type = CL_DEVICE_TYPE_ACCELERATOR;
    const cl_ulong memory = (cl_ulong)MEMORY_GIB << 30, local = LOCAL_BYTES;
    const cl_ulong allocation = (cl_ulong)LARGEST_BUFFER_GIB << 30;
    const size_t group = GROUP_ITEMS;
    const cl_uint one = 1, width = VECTOR_FLOATS, alignment = ALIGNMENT_BITS;
    const cl_bool yes = CL_TRUE, no = CL_FALSE;

    (void)device;
#define FACT(name, value)                                                                          \
    case name:                                                                                     \
        return answer(&(value), sizeof(value), room, out, needed)
    switch (what) {
        FACT(CL_DEVICE_TYPE, type);
        FACT(CL_DEVICE_MAX_COMPUTE_UNITS, one);
        FACT(CL_DEVICE_MAX_CLOCK_FREQUENCY, one);
        FACT(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, width);
        FACT(CL_DEVICE_GLOBAL_MEM_SIZE, memory);
        FACT(CL_DEVICE_MAX_MEM_ALLOC_SIZE, allocation);
        FACT(CL_DEVICE_LOCAL_MEM_SIZE, local);
        FACT(CL_DEVICE_MAX_WORK_GROUP_SIZE, group);
        FACT(CL_DEVICE_MEM_BASE_ADDR_ALIGN, alignment);
        FACT(CL_DEVICE_COMPILER_AVAILABLE, yes); // it takes any source, and looks at none
        FACT(CL_DEVICE_HOST_UNIFIED_MEMORY, no);
        FACT(CL_DEVICE_AVAILABLE, yes);
    default:
        return answer("paper", sizeof "paper", room, out, needed);
    }
#undef FACT
}

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint n,
                                             const cl_device_id *devices,
                                             void(CL_CALLBACK *notify)(const char *, const void *,
                                                                       size_t, void *),
                                             void *user, cl_int *error)
{
    (void)properties, (void)n, (void)devices, (void)notify, (void)user;
    return handle(error);
}

static cl_command_queue CL_API_CALL create_queue(cl_context context, cl_device_id device,
                                                 cl_command_queue_properties properties,
                                                 cl_int *error)
{
    (void)context, (void)device, (void)properties;
    return handle(error);
}

static cl_program CL_API_CALL take_source(cl_context context, cl_uint n, const char **texts,
                                          const size_t *lengths, cl_int *error)
{
    (void)context, (void)n, (void)texts, (void)lengths;
    return handle(error);
}

static cl_program CL_API_CALL refuse_binary(cl_context context, cl_uint n,
                                            const cl_device_id *devices, const size_t *lengths,
                                            const unsigned char **binaries, cl_int *statuses,
                                            cl_int *error)
{
    (void)context, (void)n, (void)devices, (void)lengths, (void)binaries, (void)statuses;
    *error = CL_INVALID_BINARY;
    return NULL;
}

static cl_int CL_API_CALL build(cl_program program, cl_uint n, const cl_device_id *devices,
                                const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                void *user)
{
    (void)program, (void)n, (void)devices, (void)options, (void)notify, (void)user;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL no_build_info(cl_program program, cl_device_id device,
                                        cl_program_build_info what, size_t room, void *out,
                                        size_t *needed)
{
    (void)program, (void)device, (void)what;
    return answer("", 1, room, out, needed);
}

static cl_int CL_API_CALL no_program_info(cl_program program, cl_program_info what, size_t room,
                                          void *out, size_t *needed)
{
    (void)program, (void)what, (void)room, (void)out, (void)needed;
    return CL_INVALID_VALUE;
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *error)
{
    (void)program, (void)name;
    return handle(error);
}

static cl_int CL_API_CALL take_arg(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    (void)kernel, (void)index, (void)bytes, (void)value;
    return CL_SUCCESS;
}

// As many items as in any group, and no local memory of its own.
static cl_int CL_API_CALL get_group_info(cl_kernel kernel, cl_device_id device,
                                         cl_kernel_work_group_info what, size_t room, void *out,
                                         size_t *needed)
{
    const size_t items = GROUP_ITEMS;
    const cl_ulong none = 0;

    (void)kernel, (void)device;
    return what == CL_KERNEL_WORK_GROUP_SIZE ? answer(&items, sizeof items, room, out, needed)
                                             : answer(&none, sizeof none, room, out, needed);
}

static cl_int CL_API_CALL no_kernel_info(cl_kernel kernel, cl_kernel_info what, size_t room,
                                         void *out, size_t *needed)
{
    (void)kernel, (void)what, (void)room, (void)out, (void)needed;
    return CL_INVALID_VALUE;
}

static cl_int CL_API_CALL no_arg_info(cl_kernel kernel, cl_uint index, cl_kernel_arg_info what,
                                      size_t room, void *out, size_t *needed)
{
    (void)kernel, (void)index, (void)what, (void)room, (void)out, (void)needed;
    return CL_KERNEL_ARG_INFO_NOT_AVAILABLE;
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t bytes,
                                        void *host, cl_int *error)
{
    (void)context, (void)flags, (void)bytes, (void)host;
    return handle(error);
}

static cl_mem CL_API_CALL create_part(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type,
                                      const void *region, cl_int *error)
{
    (void)buffer, (void)flags, (void)type, (void)region;
    return handle(error);
}

static void give_event(cl_event *event)
{
    if (event)
        *event = handle(NULL);
}

static cl_int CL_API_CALL read_zeros(cl_command_queue queue, cl_mem buffer, cl_bool block,
                                     size_t offset, size_t bytes, void *out, cl_uint n,
                                     const cl_event *events, cl_event *event)
{
    (void)queue, (void)buffer, (void)block, (void)offset, (void)n, (void)events;
    memset(out, 0, bytes);
    give_event(event);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL drop_write(cl_command_queue queue, cl_mem buffer, cl_bool block,
                                     size_t offset, size_t bytes, const void *data, cl_uint n,
                                     const cl_event *events, cl_event *event)
{
    (void)queue, (void)buffer, (void)block, (void)offset, (void)bytes, (void)data, (void)n;
    (void)events;
    give_event(event);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL drop_copy(cl_command_queue queue, cl_mem from, cl_mem to,
                                    size_t from_offset, size_t to_offset, size_t bytes, cl_uint n,
                                    const cl_event *events, cl_event *event)
{
    (void)queue, (void)from, (void)to, (void)from_offset, (void)to_offset, (void)bytes;
    (void)n, (void)events;
    give_event(event);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL drop_fill(cl_command_queue queue, cl_mem buffer, const void *pattern,
                                    size_t pattern_bytes, size_t offset, size_t bytes, cl_uint n,
                                    const cl_event *events, cl_event *event)
{
    (void)queue, (void)buffer, (void)pattern, (void)pattern_bytes, (void)offset, (void)bytes;
    (void)n, (void)events;
    give_event(event);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL drop_launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                      const size_t *offset, const size_t *global,
                                      const size_t *local, cl_uint n, const cl_event *events,
                                      cl_event *event)
{
    (void)queue, (void)kernel, (void)dims, (void)offset, (void)global, (void)local, (void)n;
    (void)events;
    give_event(event);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL wait_for_nothing(cl_uint n, const cl_event *events)
{
    (void)n, (void)events;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL no_times(cl_event event, cl_profiling_info what, size_t room, void *out,
                                   size_t *needed)
{
    const cl_ulong none = 0;

    (void)event, (void)what;
    return answer(&none, sizeof none, room, out, needed);
}

#define SUCCEED(name, type)                                                                        \
    static cl_int CL_API_CALL name(type object)                                                    \
    {                                                                                              \
        (void)object;                                                                              \
        return CL_SUCCESS;                                                                         \
    }
SUCCEED(drop_context, cl_context)
SUCCEED(keep_queue, cl_command_queue)
SUCCEED(drop_program, cl_program)
SUCCEED(drop_kernel, cl_kernel)
SUCCEED(drop_memory, cl_mem)
SUCCEED(drop_event, cl_event)

const plc_cl plc_paper_cl = {
    .clGetPlatformIDs = get_platforms,
    .clGetPlatformInfo = get_platform_info,
    .clGetDeviceIDs = get_devices,
    .clGetDeviceInfo = get_device_info,
    .clCreateContext = create_context,
    .clReleaseContext = drop_context,
    .clCreateCommandQueue = create_queue,
    .clReleaseCommandQueue = keep_queue,
    .clCreateProgramWithSource = take_source,
    .clCreateProgramWithBinary = refuse_binary,
    .clBuildProgram = build,
    .clGetProgramBuildInfo = no_build_info,
    .clGetProgramInfo = no_program_info,
    .clReleaseProgram = drop_program,
    .clCreateKernel = create_kernel,
    .clReleaseKernel = drop_kernel,
    .clSetKernelArg = take_arg,
    .clGetKernelInfo = no_kernel_info,
    .clGetKernelArgInfo = no_arg_info,
    .clGetKernelWorkGroupInfo = get_group_info,
    .clCreateBuffer = create_buffer,
    .clCreateSubBuffer = create_part,
    .clReleaseMemObject = drop_memory,
    .clEnqueueReadBuffer = read_zeros,
    .clEnqueueWriteBuffer = drop_write,
    .clEnqueueFillBuffer = drop_fill,
    .clEnqueueCopyBuffer = drop_copy,
    .clEnqueueNDRangeKernel = drop_launch,
    .clWaitForEvents = wait_for_nothing,
    .clGetEventProfilingInfo = no_times,
    .clReleaseEvent = drop_event,
    .clFlush = keep_queue,
    .clFinish = keep_queue,
};
