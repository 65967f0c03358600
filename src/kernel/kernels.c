// Programs by source and options, built once per process and once per driver.
#include <kernel/kernels.h>

#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <base/text.h>
#include <device/quirks.h>
#include <kernel/binary.h>
#include <kernel/cache.h>
#include <kernel/compile.h>
#include <kernel/sources.h>
#include <kernel/tuner.h>

enum { MAX_OPTIONS = 512, ITEMS_PER_GROUP = 64 };

typedef struct program {
    char *file, *options; // owned
    cl_program program;   // NULL: its kernels were built ahead
    const char **kernels; // owned; the names are static
    int n_kernels;
    size_t capacity;
} program;

// A launch that was noted: label of the kernel is static.
typedef struct noted {
    const void *program;
    const char *label;
    size_t local[3];
} noted;

struct plc_kernels {
    pleach_device *device; // borrowed
    char *folder;          // owned: of all that is cached, NULL: nothing is
    char *cache_folder;    // borrowed: `folder`, NULL: binaries are not cached
    bool store_failed;     // a binary could not be cached, which was told
    plc_binary *binary;    // owned: built ahead, NULL: kernels are compiled
    program *programs;     // owned
    int n_programs;
    size_t capacity;
    plc_build_counts counts;
    noted *noted; // owned
    int n_noted;
    size_t noted_capacity;
};

pleach_status plc_kernels_create(pleach_device *device, const char *cache_dir, plc_kernels **out)
{
    pleach_status status = PLEACH_OK;
    plc_kernels *kernels = NULL;

    TRY(plc_alloc(device->ctx, 1, sizeof *kernels, &kernels));
    kernels->device = device;
    TRY(plc_cache_folder(device->ctx, cache_dir, &kernels->folder));
    if (!plc_cache_is_the_drivers(device))
        kernels->cache_folder = kernels->folder;
    *out = kernels;
    kernels = NULL;
done:
    plc_kernels_destroy(&kernels);
    return status;
}

void plc_kernels_destroy(plc_kernels **kernels)
{
    plc_kernels *k = *kernels;

    if (k == NULL)
        return;
    for (int i = 0; i < k->n_programs; i++) {
        if (k->programs[i].program)
            k->device->cl->clReleaseProgram(k->programs[i].program);
        free(k->programs[i].file);
        free(k->programs[i].options);
        free(k->programs[i].kernels);
    }
    free(k->programs);
    plc_binary_destroy(&k->binary);
    free(k->noted);
    free(k->folder);
    free(k);
    *kernels = NULL;
}

pleach_status plc_kernels_open(pleach_ctx *ctx, const plc_cl *cl, const char *choice,
                               const pleach_device_opts *opts, pleach_device **device)
{
    pleach_status status = PLEACH_OK;
    pleach_device_opts used = opts ? *opts : (pleach_device_opts){0};
    pleach_device *opened = NULL;
    plc_binary *binary = NULL;

    if (used.binary)
        TRY(plc_binary_read(ctx, &used, &binary));
    TRY(plc_device_open_with(ctx, cl, choice, &used, &opened));
    if (!binary && !opened->info->has_compiler)
        FAIL(ctx, PLEACH_EDEVICE,
             "'%s' compiles no kernels: they must be built ahead; `pleach fpga export MODEL --out "
             "DIR` writes their source with a script that builds it, --binary FILE loads the "
             "result (docs/fpga.md)",
             opened->info->name);
    TRY(plc_kernels_create(opened, used.cache_dir, &opened->kernels));
    if (binary)
        TRY(plc_binary_load(binary, opened));
    opened->kernels->binary = binary;
    binary = NULL;
    TRY(plc_tuner_create(opened, opened->kernels->folder, used.tune, &opened->tuner));
    *device = opened;
    opened = NULL;
done:
    plc_binary_destroy(&binary);
    pleach_device_close(&opened);
    return status;
}

pleach_status pleach_device_open(pleach_ctx *ctx, const char *choice,
                                 const pleach_device_opts *opts, pleach_device **device)
{
    return plc_kernels_open(ctx, &plc_cl_loader, choice, opts, device);
}

void pleach_device_close(pleach_device **device)
{
    if (*device == NULL)
        return;
    plc_tuner_destroy(&(*device)->tuner);
    plc_kernels_destroy(&(*device)->kernels);
    plc_device_close_base(device);
}

plc_build_counts plc_kernels_counts(const pleach_device *device)
{
    return device->kernels->counts;
}

int plc_kernels_n_asked(const pleach_device *device)
{
    return device->kernels->n_programs;
}

plc_asked_program plc_kernels_asked(const pleach_device *device, int index)
{
    const program *p = &device->kernels->programs[index];

    return (plc_asked_program){p->file, p->options, p->kernels, p->n_kernels};
}

const plc_binary *plc_kernels_binary(const pleach_device *device)
{
    return device->kernels->binary;
}

const char *plc_kernels_folder(const pleach_device *device)
{
    return device->kernels->folder;
}

static pleach_status build(plc_kernels *kernels, const char *file, const char *options,
                           cl_program *out)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = kernels->device;
    char *source = NULL;
    char name[64], all_options[MAX_OPTIONS], key[PLC_HASH_HEX_SIZE];
    cl_program built = NULL;

    snprintf(name, sizeof name, "%s.cl", file);
    snprintf(all_options, sizeof all_options, "-cl-std=CL1.2%s -DLANES=%d %s%s%s",
             plc_quirks_of(device->info).build_options, device->lanes,
             device->vector_lanes ? "-DLANES_IN_VECTOR " : "",
             device->value_bytes < (int)sizeof(float) ? "-DHALF_STORAGE " : "", options);
    TRY(plc_source_expand(device->ctx, name, &source));
    plc_cache_key(device, source, all_options, key);
    if (kernels->cache_folder) {
        TRY(plc_cache_load(device, kernels->cache_folder, key, all_options, &built));
        if (built) {
            kernels->counts.n_cached++;
            goto built_one;
        }
    }
    plc_log(device->ctx, PLEACH_LOG_DEBUG, "building %s %s", name, all_options);
    plc_device_tell(device, "building programs", kernels->counts.n_compiled + 1, 0);
    TRY(plc_program_compile(device, name, source, all_options, &built));
    kernels->counts.n_compiled++;
    if (kernels->cache_folder &&
        !plc_cache_store(device, kernels->cache_folder, key, built, kernels->store_failed))
        kernels->store_failed = true;
built_one:
    *out = built;
    built = NULL;
done:
    if (built)
        device->cl->clReleaseProgram(built);
    free(source);
    return status;
}

static pleach_status get_program(plc_kernels *kernels, const char *file, const char *options,
                                 program **out)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = kernels->device->ctx;

    for (int i = 0; i < kernels->n_programs; i++)
        if (strcmp(kernels->programs[i].file, file) == 0 &&
            strcmp(kernels->programs[i].options, options) == 0) {
            *out = &kernels->programs[i];
            return PLEACH_OK;
        }
    TRY(plc_grow(ctx, &kernels->programs, &kernels->capacity, (size_t)kernels->n_programs + 1));
    program *entry = &kernels->programs[kernels->n_programs];
    *entry = (program){0};
    TRY(plc_strdup(ctx, file, &entry->file));
    TRY(plc_strdup(ctx, options, &entry->options));
    const double begin = plc_clock_seconds();
    if (!kernels->binary)
        TRY(build(kernels, file, options, &entry->program));
    kernels->counts.seconds += plc_clock_seconds() - begin;
    kernels->n_programs++;
    *out = entry;
    return status;
done:
    if (kernels->n_programs < (int)kernels->capacity) {
        free(kernels->programs[kernels->n_programs].file);
        free(kernels->programs[kernels->n_programs].options);
        kernels->programs[kernels->n_programs] = (program){0};
    }
    return status;
}

static pleach_status note_kernel(pleach_ctx *ctx, program *of, const char *kernel)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < of->n_kernels; i++)
        if (strcmp(of->kernels[i], kernel) == 0)
            return status;
    TRY(plc_grow(ctx, &of->kernels, &of->capacity, (size_t)of->n_kernels + 1));
    of->kernels[of->n_kernels++] = kernel;
done:
    return status;
}

static pleach_status create_kernel(pleach_device *device, const program *of, const char *kernel,
                                   cl_kernel *object)
{
    cl_int error = CL_SUCCESS;

    *object = device->cl->clCreateKernel(of->program, kernel, &error);
    if (error == CL_INVALID_KERNEL_NAME)
        return plc_fail(device->ctx, PLEACH_EBUILD, "%s.cl has no kernel '%s': %s", of->file,
                        kernel, plc_cl_error_name(error));
    const pleach_status status = plc_cl_check(device->ctx, error, "clCreateKernel");
    return status == PLEACH_OK
               ? status
               : plc_fail_in(device->ctx, status, "kernel '%s' of %s.cl", kernel, of->file);
}

pleach_status plc_launch_add(plc_launch_list *list, const char *file, const char *kernel,
                             const char *options, plc_launch **launch)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = list->device;
    program *built = NULL;
    cl_kernel object = NULL;
    const void *identity = NULL;

    TRY(get_program(device->kernels, file, options, &built));
    TRY(note_kernel(device->ctx, built, kernel));
    identity = built->program;
    if (device->kernels->binary)
        TRY(plc_binary_kernel(device->kernels->binary, device, file, kernel, options, &object,
                              &identity));
    else
        TRY(create_kernel(device, built, kernel, &object));
    TRY(plc_launch_list_append(list, object, kernel, launch));
    (*launch)->program = identity;
done:
    return status;
}

pleach_status plc_kernels_note_launch(pleach_device *device, const plc_launch *launch, bool *is_new)
{
    pleach_status status = PLEACH_OK;
    plc_kernels *k = device->kernels;

    *is_new = true;
    for (int i = 0; i < k->n_noted && *is_new; i++)
        *is_new = k->noted[i].program != launch->program ||
                  strcmp(k->noted[i].label, launch->label) != 0 ||
                  memcmp(k->noted[i].local, launch->local, sizeof launch->local) != 0;
    if (!*is_new)
        return status;
    TRY(plc_grow(device->ctx, &k->noted, &k->noted_capacity, (size_t)k->n_noted + 1));
    noted *note = &k->noted[k->n_noted++];
    *note = (noted){.program = launch->program, .label = launch->label};
    memcpy(note->local, launch->local, sizeof note->local);
done:
    return status;
}

void plc_launch_groups(const pleach_device *device, plc_launch *launch, size_t x, size_t y,
                       size_t z)
{
    const size_t lanes = device->vector_lanes ? 1 : (size_t)device->lanes;

    launch->global[0] = x * lanes;
    launch->global[1] = y;
    launch->global[2] = z;
    launch->local[0] = lanes;
    launch->local[1] = launch->local[2] = 1;
}

void plc_launch_items(plc_launch *launch, size_t n)
{
    const size_t items =
        launch->most_items < ITEMS_PER_GROUP ? launch->most_items : ITEMS_PER_GROUP;
    const size_t groups = (n + items - 1) / items;

    launch->global[0] = (groups ? groups : 1) * items;
    launch->local[0] = items;
    launch->global[1] = launch->global[2] = launch->local[1] = launch->local[2] = 1;
}
