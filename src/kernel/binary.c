// Loading kernels that were built ahead, and checking them.
#include <kernel/binary.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/text.h>
#include <kernel/sources.h>

enum { MAX_BINARY_BYTES = 1 << 30, MAX_TYPE = 256 };

struct plc_binary {
    const plc_cl *cl;                   // borrowed, NULL until it is loaded
    char *path, *manifest_path, *bytes; // owned; bytes only until they are loaded
    size_t n_bytes;
    char hash[PLC_HASH_HEX_SIZE];
    plc_manifest manifest;
    cl_program program;
};

void plc_binary_suffix(const char *source, int lanes, const char *options,
                       char suffix[PLC_SUFFIX_SIZE])
{
    char hashes[2 * PLC_HASH_HEX_SIZE + 16], hex[PLC_HASH_HEX_SIZE];

    memset(hashes, 0, sizeof hashes);
    plc_hash_hex(source, strlen(source), hashes);
    plc_hash_hex(options, strlen(options), hashes + PLC_HASH_HEX_SIZE);
    snprintf(hashes + 2 * PLC_HASH_HEX_SIZE, 16, "%d", lanes);
    plc_hash_hex(hashes, sizeof hashes, hex);
    snprintf(suffix, PLC_SUFFIX_SIZE, "_%.8s", hex);
}

static pleach_status find_manifest(pleach_ctx *ctx, const pleach_device_opts *opts, char **path)
{
    pleach_status status = PLEACH_OK;
    char *folder = NULL;

    if (opts->manifest)
        return plc_strdup(ctx, opts->manifest, path);
    TRY(plc_strdup(ctx, opts->binary, &folder));
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[1] = '\0';
    TRY(plc_path_join(ctx, slash ? folder : ".", "pleach.json", path));
done:
    free(folder);
    return status;
}

// The layout is that of the kernels: what the user asks for must be the same.
static pleach_status set_layout(pleach_ctx *ctx, const plc_binary *b, pleach_device_opts *opts)
{
    const plc_manifest *m = &b->manifest;

    if (opts->mapping == PLEACH_MAPPING_WORK_ITEM || opts->precision == PLEACH_PRECISION_HALF)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "the kernels of %s are of the vector mapping and of floats: leave out "
                        "--mapping and --precision",
                        b->path);
    if (opts->lanes && opts->lanes != m->lanes)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "--lanes %d: the kernels of %s are of %d lanes; leave it out, or export "
                        "and build with --lanes %d",
                        opts->lanes, b->path, m->lanes, opts->lanes);
    opts->lanes = m->lanes;
    opts->mapping = PLEACH_MAPPING_VECTOR;
    return PLEACH_OK;
}

pleach_status plc_binary_read(pleach_ctx *ctx, pleach_device_opts *opts, plc_binary **binary)
{
    pleach_status status = PLEACH_OK;
    plc_binary *b = NULL;

    TRY(plc_alloc(ctx, 1, sizeof *b, &b));
    TRY(plc_strdup(ctx, opts->binary, &b->path));
    TRY(find_manifest(ctx, opts, &b->manifest_path));
    TRY(plc_file_read(ctx, b->path, MAX_BINARY_BYTES, &b->bytes, &b->n_bytes));
    if (b->n_bytes == 0)
        FAIL(ctx, PLEACH_EINPUT, "%s: is empty; has its build failed?", b->path);
    plc_hash_hex(b->bytes, b->n_bytes, b->hash);
    TRY(plc_manifest_read(ctx, b->manifest_path, &b->manifest));
    TRY(set_layout(ctx, b, opts));
    *binary = b;
    b = NULL;
done:
    plc_binary_destroy(&b);
    return status;
}

void plc_binary_destroy(plc_binary **binary)
{
    plc_binary *b = *binary;

    if (b == NULL)
        return;
    if (b->program)
        b->cl->clReleaseProgram(b->program);
    plc_manifest_finish(&b->manifest);
    free(b->path);
    free(b->manifest_path);
    free(b->bytes);
    free(b);
    *binary = NULL;
}

// The manifest's program must be what this library would build: the same source, and the names that follow
// from source, options and lanes.
static pleach_status check_source(const plc_binary *b, pleach_ctx *ctx,
                                  const plc_manifest_program *program)
{
    pleach_status status = PLEACH_OK;
    char *source = NULL, name[MAX_TYPE], hex[PLC_HASH_HEX_SIZE], suffix[PLC_SUFFIX_SIZE];

    snprintf(name, sizeof name, "%s.cl", program->file);
    status = plc_source_expand(ctx, name, &source);
    if (status == PLEACH_EBUILD)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: this pleach has no %s, it was exported by pleach %s; export and build the "
             "kernels again",
             b->manifest_path, name, b->manifest.version);
    TRY(status);
    plc_hash_hex(source, strlen(source), hex);
    if (strcmp(hex, program->source) != 0)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: %s is not the one of this pleach, it was exported by pleach %s; export and "
             "build the kernels again",
             b->manifest_path, name, b->manifest.version);
    plc_binary_suffix(source, b->manifest.lanes, program->options, suffix);
    for (int i = 0; i < program->n_kernels; i++) {
        const plc_manifest_kernel *kernel = &program->kernels[i];
        snprintf(name, sizeof name, "%.200s%s", kernel->name, suffix);
        if (strcmp(name, kernel->exported) != 0)
            FAIL(ctx, PLEACH_EINPUT,
                 "%s: %s of %s.cl with '%s' and %d lanes is called %s, not %s; was the manifest "
                 "changed by hand?",
                 b->manifest_path, kernel->name, program->file, program->options, b->manifest.lanes,
                 name, kernel->exported);
    }
done:
    free(source);
    return status;
}

// Asks the driver to tell types, which it may do for binaries; options that it does not know are left out.
static cl_int build_program(plc_binary *b, pleach_device *device)
{
    const cl_int error =
        device->cl->clBuildProgram(b->program, 1, &device->id, "-cl-kernel-arg-info", NULL, NULL);

    return error != CL_INVALID_BUILD_OPTIONS
               ? error
               : device->cl->clBuildProgram(b->program, 1, &device->id, "", NULL, NULL);
}

static pleach_status create_program(plc_binary *b, pleach_device *device)
{
    const unsigned char *bytes = (const unsigned char *)b->bytes;
    cl_int error = CL_SUCCESS, of_device = CL_SUCCESS;

    b->cl = device->cl;
    b->program = device->cl->clCreateProgramWithBinary(device->context, 1, &device->id, &b->n_bytes,
                                                       &bytes, &of_device, &error);
    if (error == CL_SUCCESS)
        error = of_device;
    if (error == CL_SUCCESS)
        error = build_program(b, device);
    if (error == CL_SUCCESS)
        return PLEACH_OK;
    return plc_fail(device->ctx, PLEACH_EINPUT,
                    "'%s' does not take %s: %s (%d); was it built for this board and driver?",
                    device->info->name, b->path, plc_cl_error_name(error), error);
}

static pleach_status create_kernel(const plc_binary *b, pleach_device *device,
                                   const plc_manifest_kernel *kernel, cl_kernel *object)
{
    cl_int error = CL_SUCCESS;

    *object = device->cl->clCreateKernel(b->program, kernel->exported, &error);
    if (error == CL_INVALID_KERNEL_NAME)
        return plc_fail(device->ctx, PLEACH_EINPUT,
                        "%s has no kernel '%s', which %s promises; were both made by one export?",
                        b->path, kernel->exported, b->manifest_path);
    const pleach_status status = plc_cl_check(device->ctx, error, "clCreateKernel");
    return status == PLEACH_OK
               ? status
               : plc_fail_in(device->ctx, status, "kernel '%s' of %s", kernel->exported, b->path);
}

// Without qualifiers and blanks, which drivers write differently.
static void simplify_type(char *type)
{
    static const char *const words[] = {"__global", "__constant", "__local", "const",
                                        "volatile", "restrict",   "struct",  " "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (char *at = strstr(type, words[i]); at; at = strstr(type, words[i]))
            memmove(at, at + strlen(words[i]), strlen(at + strlen(words[i])) + 1);
}

// What the driver tells of an argument; nothing where it does not.
static pleach_status check_arg(const plc_binary *b, pleach_device *device, cl_kernel object,
                               const plc_manifest_kernel *kernel, int index)
{
    static const cl_kernel_arg_address_qualifier addresses[PLC_N_ADDRESSES] = {
        CL_KERNEL_ARG_ADDRESS_PRIVATE, CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_ADDRESS_LOCAL,
        CL_KERNEL_ARG_ADDRESS_CONSTANT};
    const plc_kernel_arg *arg = &kernel->args[index];
    cl_kernel_arg_address_qualifier address = addresses[arg->address];
    char type[MAX_TYPE] = "", wanted[MAX_TYPE];
    size_t length = 0;

    snprintf(wanted, sizeof wanted, "%s", arg->type);
    simplify_type(wanted);
    if (device->cl->clGetKernelArgInfo(object, (cl_uint)index, CL_KERNEL_ARG_ADDRESS_QUALIFIER,
                                       sizeof address, &address, NULL) != CL_SUCCESS)
        address = addresses[arg->address];
    if (device->cl->clGetKernelArgInfo(object, (cl_uint)index, CL_KERNEL_ARG_TYPE_NAME,
                                       sizeof type - 1, type, &length) != CL_SUCCESS ||
        length == 0)
        snprintf(type, sizeof type, "%s", wanted);
    type[MAX_TYPE - 1] = '\0';
    simplify_type(type);
    if (address == addresses[arg->address] && strcmp(type, wanted) == 0)
        return PLEACH_OK;
    return plc_fail(device->ctx, PLEACH_EINPUT,
                    "%s: argument '%s' of %s is %s%s, not %s %s as %s says; were both made by one "
                    "export?",
                    b->path, arg->name, kernel->exported,
                    address == addresses[arg->address] ? "" : "in another address space and ", type,
                    plc_address_name(arg->address), wanted, b->manifest_path);
}

static pleach_status check_kernel(const plc_binary *b, pleach_device *device,
                                  const plc_manifest_kernel *kernel)
{
    pleach_status status = PLEACH_OK;
    cl_kernel object = NULL;
    cl_uint n_args = 0;

    TRY(create_kernel(b, device, kernel, &object));
    CL_TRY(device->ctx, device->cl,
           clGetKernelInfo(object, CL_KERNEL_NUM_ARGS, sizeof n_args, &n_args, NULL));
    if (n_args != (cl_uint)kernel->n_args)
        FAIL(device->ctx, PLEACH_EINPUT,
             "%s: %s has %u arguments, not %d as %s says; were both made by one export?", b->path,
             kernel->exported, n_args, kernel->n_args, b->manifest_path);
    for (int i = 0; i < kernel->n_args; i++)
        TRY(check_arg(b, device, object, kernel, i));
done:
    if (object)
        device->cl->clReleaseKernel(object);
    return status;
}

pleach_status plc_binary_load(plc_binary *b, pleach_device *device)
{
    pleach_status status = PLEACH_OK;
    const plc_manifest *m = &b->manifest;

    for (int i = 0; i < m->n_programs; i++)
        TRY(check_source(b, device->ctx, &m->programs[i]));
    TRY(create_program(b, device));
    free(b->bytes);
    b->bytes = NULL;
    for (int i = 0; i < m->n_programs; i++)
        for (int j = 0; j < m->programs[i].n_kernels; j++)
            TRY(check_kernel(b, device, &m->programs[i].kernels[j]));
    device->fixed_tile = m->tile;
    device->single_work_item = true;
done:
    return status;
}

pleach_status plc_binary_kernel(const plc_binary *b, pleach_device *device, const char *file,
                                const char *kernel, const char *options, cl_kernel *object,
                                const void **identity)
{
    const plc_manifest_program *program = plc_manifest_find(&b->manifest, file, options);
    const plc_manifest_kernel *found = program ? plc_manifest_find_kernel(program, kernel) : NULL;

    if (!found)
        return plc_fail(
            device->ctx, PLEACH_EBUILD,
            "%s has no kernel '%s' of %s.cl with '%s': it was exported from %s for %s; "
            "`pleach fpga export MODEL%s` of this network, with this command's --batch, "
            "writes it (batches below %d images have kernels of their own), then build "
            "it",
            b->path, kernel, file, options, b->manifest.model,
            b->manifest.training ? "training" : "inference",
            b->manifest.training ? "" : " --training", device->lanes);
    *identity = found;
    return create_kernel(b, device, found, object);
}

const char *plc_binary_hash(const plc_binary *b)
{
    return b->hash;
}
