// Each function of the table asks whether it is to fail, then calls the real one.
#include "faulty_cl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const plc_call_names[PLC_N_CALLS] = {
#define X(name) [PLC_CALL_##name] = #name,
    PLC_CL_FUNCTIONS(X)
#undef X
};

plc_fault plc_faults;
int plc_live_objects, plc_n_calls[PLC_N_CALLS];
char plc_launched[PLC_MAX_LAUNCHED][PLC_KERNEL_NAME_MAX];
int plc_n_launched;
size_t plc_read_bytes[PLC_MAX_READS];
int plc_n_reads;

void plc_faults_clear(void)
{
    plc_faults = (plc_fault){0};
}

void plc_launched_clear(void)
{
    plc_n_launched = 0;
}

// CL_SUCCESS, or the error that this call is to give.
static cl_int planted(plc_call call)
{
    plc_fault *f = &plc_faults;

    plc_n_calls[call]++;
    if (f->at == 0)
        return CL_SUCCESS;
    if (f->lost && f->n_planted > 0)
        return f->error;
    if (!f->any && call != f->call)
        return CL_SUCCESS;
    if (++f->n_seen != f->at)
        return CL_SUCCESS;
    f->n_planted++;
    f->failed = call;
    return f->error;
}

// Every object made through the table and not released.
enum { MAX_OBJECTS = 8192 };
static void *objects[MAX_OBJECTS];

static void note_made(void *object)
{
    if (plc_live_objects == MAX_OBJECTS)
        abort();
    objects[plc_live_objects++] = object;
}

static bool is_live(const void *object)
{
    for (int i = 0; i < plc_live_objects; i++)
        if (objects[i] == object)
            return true;
    return false;
}

// Releasing what is not there is a bug of ours.
static void note_released(void *object)
{
    int i = 0;

    while (i < plc_live_objects && objects[i] != object)
        i++;
    if (i == plc_live_objects) {
        fprintf(stderr, "faulty_cl: an object is released that is not there\n");
        abort();
    }
    objects[i] = objects[--plc_live_objects];
}

// A function that returns its error.
#define CALL(name, parameters, arguments)                                                          \
    static cl_int CL_API_CALL faulty_##name parameters                                             \
    {                                                                                              \
        const cl_int error = planted(PLC_CALL_##name);                                             \
        return error != CL_SUCCESS ? error : name arguments;                                       \
    }

// One that waits. Also when it fails nothing runs any more: a lost device has stopped, and nobody could
// live with one that goes on reading the host's memory after that.
#define WAIT(name, parameters, arguments)                                                          \
    static cl_int CL_API_CALL faulty_##name parameters                                             \
    {                                                                                              \
        const cl_int error = planted(PLC_CALL_##name), waited = name arguments;                    \
        return error != CL_SUCCESS ? error : waited;                                               \
    }

// One that makes an object and gives its error through the last parameter.
#define CREATE(type, name, parameters, arguments)                                                  \
    static type CL_API_CALL faulty_##name parameters                                               \
    {                                                                                              \
        *error = planted(PLC_CALL_##name);                                                         \
        if (*error != CL_SUCCESS)                                                                  \
            return NULL;                                                                           \
        type object = name arguments;                                                              \
        if (*error == CL_SUCCESS)                                                                  \
            note_made(object);                                                                     \
        return object;                                                                             \
    }

// One that releases: also when it fails, else the test itself would leak.
#define RELEASE(type, name)                                                                        \
    static cl_int CL_API_CALL faulty_##name(type object)                                           \
    {                                                                                              \
        const cl_int error = planted(PLC_CALL_##name);                                             \
        note_released(object);                                                                     \
        const cl_int released = name(object);                                                      \
        return error != CL_SUCCESS ? error : released;                                             \
    }

typedef void(CL_CALLBACK *context_notify)(const char *text, const void *info, size_t size,
                                          void *user);
typedef void(CL_CALLBACK *build_notify)(cl_program program, void *user);

CALL(clGetPlatformIDs, (cl_uint n, cl_platform_id *ids, cl_uint *count), (n, ids, count))
CALL(clGetPlatformInfo,
     (cl_platform_id id, cl_platform_info what, size_t size, void *value, size_t *needed),
     (id, what, size, value, needed))
CALL(clGetDeviceIDs,
     (cl_platform_id id, cl_device_type type, cl_uint n, cl_device_id *ids, cl_uint *count),
     (id, type, n, ids, count))
CALL(clGetDeviceInfo,
     (cl_device_id id, cl_device_info what, size_t size, void *value, size_t *needed),
     (id, what, size, value, needed))
CREATE(cl_context, clCreateContext,
       (const cl_context_properties *properties, cl_uint n, const cl_device_id *ids,
        context_notify notify, void *user, cl_int *error),
       (properties, n, ids, notify, user, error))
RELEASE(cl_context, clReleaseContext)
CREATE(cl_command_queue, clCreateCommandQueue,
       (cl_context context, cl_device_id id, cl_command_queue_properties properties, cl_int *error),
       (context, id, properties, error))
RELEASE(cl_command_queue, clReleaseCommandQueue)
CREATE(cl_program, clCreateProgramWithSource,
       (cl_context context, cl_uint n, const char **texts, const size_t *lengths, cl_int *error),
       (context, n, texts, lengths, error))
CREATE(cl_program, clCreateProgramWithBinary,
       (cl_context context, cl_uint n, const cl_device_id *ids, const size_t *lengths,
        const unsigned char **binaries, cl_int *states, cl_int *error),
       (context, n, ids, lengths, binaries, states, error))
CALL(clBuildProgram,
     (cl_program program, cl_uint n, const cl_device_id *ids, const char *options,
      build_notify notify, void *user),
     (program, n, ids, options, notify, user))
CALL(clGetProgramBuildInfo,
     (cl_program program, cl_device_id id, cl_program_build_info what, size_t size, void *value,
      size_t *needed),
     (program, id, what, size, value, needed))
CALL(clGetProgramInfo,
     (cl_program program, cl_program_info what, size_t size, void *value, size_t *needed),
     (program, what, size, value, needed))
RELEASE(cl_program, clReleaseProgram)
CREATE(cl_kernel, clCreateKernel, (cl_program program, const char *name, cl_int *error),
       (program, name, error))
CALL(clGetKernelInfo,
     (cl_kernel kernel, cl_kernel_info what, size_t size, void *value, size_t *needed),
     (kernel, what, size, value, needed))
CALL(clGetKernelArgInfo,
     (cl_kernel kernel, cl_uint index, cl_kernel_arg_info what, size_t size, void *value,
      size_t *needed),
     (kernel, index, what, size, value, needed))
CALL(clGetKernelWorkGroupInfo,
     (cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what, size_t size, void *value,
      size_t *needed),
     (kernel, id, what, size, value, needed))
CREATE(cl_mem, clCreateBuffer,
       (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *error),
       (context, flags, size, host, error))

// Sub-buffers that live, in the order in which they were made.
enum { MAX_PARTS = 4096 };
static struct part {
    cl_mem part, whole;
} parts[MAX_PARTS];
static int n_parts;
int plc_n_early_releases;

static cl_mem CL_API_CALL faulty_clCreateSubBuffer(cl_mem mem, cl_mem_flags flags,
                                                   cl_buffer_create_type type, const void *info,
                                                   cl_int *error)
{
    *error = planted(PLC_CALL_clCreateSubBuffer);
    if (*error != CL_SUCCESS)
        return NULL;
    cl_mem part = clCreateSubBuffer(mem, flags, type, info, error);
    if (*error != CL_SUCCESS)
        return part;
    note_made(part);
    if (n_parts == MAX_PARTS) {
        fprintf(stderr, "faulty_cl: more than %d sub-buffers at a time\n", MAX_PARTS);
        abort();
    }
    parts[n_parts++] = (struct part){part, mem};
    return part;
}

static cl_int CL_API_CALL faulty_clReleaseMemObject(cl_mem mem)
{
    const cl_int error = planted(PLC_CALL_clReleaseMemObject);

    for (int i = 0; i < n_parts; i++)
        if (parts[i].part == mem) {
            for (int j = i + 1; j < n_parts; j++)
                plc_n_early_releases += parts[j].whole == parts[i].whole;
            memmove(&parts[i], &parts[i + 1], (size_t)(n_parts - i - 1) * sizeof *parts);
            n_parts--;
        }
    note_released(mem);
    const cl_int released = clReleaseMemObject(mem);
    return error != CL_SUCCESS ? error : released;
}

static cl_int CL_API_CALL faulty_clEnqueueReadBuffer(cl_command_queue queue, cl_mem mem,
                                                     cl_bool wait, size_t offset, size_t size,
                                                     void *data, cl_uint n, const cl_event *events,
                                                     cl_event *event)
{
    const cl_int error = planted(PLC_CALL_clEnqueueReadBuffer);

    if (error != CL_SUCCESS)
        return error;
    if (plc_n_reads < PLC_MAX_READS)
        plc_read_bytes[plc_n_reads] = size;
    plc_n_reads++;
    return clEnqueueReadBuffer(queue, mem, wait, offset, size, data, n, events, event);
}

CALL(clEnqueueFillBuffer,
     (cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_size, size_t offset,
      size_t size, cl_uint n, const cl_event *events, cl_event *event),
     (queue, mem, pattern, pattern_size, offset, size, n, events, event))
CALL(clEnqueueCopyBuffer,
     (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
      size_t size, cl_uint n, const cl_event *events, cl_event *event),
     (queue, from, to, from_offset, to_offset, size, n, events, event))
WAIT(clWaitForEvents, (cl_uint n, const cl_event *events), (n, events))
CALL(clGetEventProfilingInfo,
     (cl_event event, cl_profiling_info what, size_t size, void *value, size_t *needed),
     (event, what, size, value, needed))
RELEASE(cl_event, clReleaseEvent)
CALL(clFlush, (cl_command_queue queue), (queue))
WAIT(clFinish, (cl_command_queue queue), (queue))

static cl_int CL_API_CALL faulty_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem mem,
                                                      cl_bool wait, size_t offset, size_t size,
                                                      const void *data, cl_uint n,
                                                      const cl_event *events, cl_event *event)
{
    cl_int error = planted(PLC_CALL_clEnqueueWriteBuffer);

    if (error == CL_SUCCESS) {
        error = clEnqueueWriteBuffer(queue, mem, wait, offset, size, data, n, events, event);
        if (error == CL_SUCCESS && event)
            note_made(*event);
    }
    return error;
}

// The buffers that a kernel object has as arguments, while bits are to be changed.
enum { MAX_ARGS = 20, MAX_KERNELS = 2048 };
static struct arguments {
    cl_kernel kernel;
    cl_mem mems[MAX_ARGS];
} arguments[MAX_KERNELS];

static struct arguments *find_arguments(cl_kernel kernel)
{
    for (int i = 0; i < MAX_KERNELS; i++)
        if (arguments[i].kernel == kernel || arguments[i].kernel == NULL) {
            arguments[i].kernel = kernel;
            return &arguments[i];
        }
    fprintf(stderr, "faulty_cl: more than %d kernels at a time\n", MAX_KERNELS);
    abort();
}

static cl_int CL_API_CALL faulty_clReleaseKernel(cl_kernel kernel)
{
    const cl_int error = planted(PLC_CALL_clReleaseKernel);
    int last = 0, at = 0;

    while (last < MAX_KERNELS && arguments[last].kernel)
        last++;
    while (at < last && arguments[at].kernel != kernel)
        at++;
    if (at < last) {
        arguments[at] = arguments[last - 1];
        arguments[last - 1] = (struct arguments){0};
    }
    note_released(kernel);
    const cl_int released = clReleaseKernel(kernel);
    return error != CL_SUCCESS ? error : released;
}

static cl_int CL_API_CALL faulty_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size,
                                                const void *value)
{
    cl_int error = planted(PLC_CALL_clSetKernelArg);
    cl_mem mem = NULL;

    if (error != CL_SUCCESS)
        return error;
    error = clSetKernelArg(kernel, index, size, value);
    if (error == CL_SUCCESS && value && size == sizeof mem && index < MAX_ARGS) {
        memcpy(&mem, value, sizeof mem);
        if (is_live(mem))
            find_arguments(kernel)->mems[index] = mem;
    }
    return error;
}

// Contents of a kernel's buffers, in order; the caller frees each.
static void read_buffers(cl_command_queue queue, const struct arguments *a,
                         unsigned *contents[MAX_ARGS], size_t bytes[MAX_ARGS])
{
    for (int i = 0; i < MAX_ARGS; i++) {
        contents[i] = NULL;
        bytes[i] = 0;
        if (a->mems[i] == NULL || clGetMemObjectInfo(a->mems[i], CL_MEM_SIZE, sizeof bytes[i],
                                                     &bytes[i], NULL) != CL_SUCCESS)
            continue;
        contents[i] = malloc(bytes[i]);
        if (contents[i] == NULL || clEnqueueReadBuffer(queue, a->mems[i], CL_TRUE, 0, bytes[i],
                                                       contents[i], 0, NULL, NULL) != CL_SUCCESS)
            abort();
    }
}

// Changes the first float that differs between both contents; false when none does.
static bool flip_first_change(cl_command_queue queue, cl_mem mem, const unsigned *before,
                              const unsigned *after, size_t n)
{
    enum { HIGH_BIT_OF_EXPONENT = 1 << 29 }; // below the one that would make most values tiny
    for (size_t i = 0; i < n; i++)
        if (before[i] != after[i]) {
            const unsigned flipped = after[i] ^ HIGH_BIT_OF_EXPONENT;
            return clEnqueueWriteBuffer(queue, mem, CL_TRUE, i * sizeof flipped, sizeof flipped,
                                        &flipped, 0, NULL, NULL) == CL_SUCCESS;
        }
    return false;
}

static cl_int launch_and_flip(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                              const size_t *global, const size_t *local)
{
    const struct arguments *a = find_arguments(kernel);
    unsigned *before[MAX_ARGS], *after[MAX_ARGS];
    size_t bytes[MAX_ARGS];
    bool flipped = false;

    read_buffers(queue, a, before, bytes);
    const cl_int error =
        clEnqueueNDRangeKernel(queue, kernel, dims, NULL, global, local, 0, NULL, NULL);
    read_buffers(queue, a, after, bytes);
    for (int i = 0; i < MAX_ARGS; i++) {
        if (before[i] && !flipped)
            flipped = flip_first_change(queue, a->mems[i], before[i], after[i],
                                        bytes[i] / sizeof **before);
        free(before[i]);
        free(after[i]);
    }
    plc_faults.n_planted += flipped;
    return error;
}

static void note_launched(const char *name)
{
    for (int i = 0; i < plc_n_launched; i++)
        if (strcmp(plc_launched[i], name) == 0)
            return;
    if (plc_n_launched < PLC_MAX_LAUNCHED)
        snprintf(plc_launched[plc_n_launched++], PLC_KERNEL_NAME_MAX, "%s", name);
}

static cl_int CL_API_CALL faulty_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel,
                                                        cl_uint dims, const size_t *offset,
                                                        const size_t *global, const size_t *local,
                                                        cl_uint n, const cl_event *events,
                                                        cl_event *event)
{
    cl_int error = planted(PLC_CALL_clEnqueueNDRangeKernel);
    char name[PLC_KERNEL_NAME_MAX] = "";

    if (error != CL_SUCCESS)
        return error;
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    note_launched(name);
    if (plc_faults.wrong != PLC_WRONG_NOTHING && strcmp(name, plc_faults.kernel) == 0) {
        if (plc_faults.wrong == PLC_WRONG_BIT)
            return launch_and_flip(queue, kernel, dims, global, local);
        if (plc_faults.wrong == PLC_WRONG_SKIPPED) {
            plc_faults.n_planted++;
            return CL_SUCCESS;
        }
        plc_faults.n_planted += memcmp(global, local, dims * sizeof *global) != 0;
        global = local;
    }
    error = clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, n, events, event);
    if (error == CL_SUCCESS && event)
        note_made(*event);
    return error;
}

const plc_cl plc_faulty_cl = {
#define X(name) .name = faulty_##name,
    PLC_CL_FUNCTIONS(X)
#undef X
};

cl_int CL_API_CALL plc_skip_launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                   const size_t *offset, const size_t *global, const size_t *local,
                                   cl_uint n_events, const cl_event *events, cl_event *event)
{
    (void)queue, (void)kernel, (void)dims, (void)offset, (void)global, (void)local;
    (void)n_events, (void)events, (void)event;
    return CL_SUCCESS;
}
