// The manifest in memory; manifest_json.c is the file.
#include <kernel/manifest.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

static const char *const address_names[PLC_N_ADDRESSES] = {"private", "global", "local",
                                                           "constant"};

const char *plc_address_name(plc_address address)
{
    return address_names[address];
}

static void finish_kernel(plc_manifest_kernel *kernel)
{
    for (int i = 0; i < kernel->n_args; i++) {
        free(kernel->args[i].name);
        free(kernel->args[i].type);
    }
    free(kernel->args);
    free(kernel->name);
    free(kernel->exported);
}

void plc_manifest_finish(plc_manifest *manifest)
{
    for (int i = 0; i < manifest->n_programs; i++) {
        plc_manifest_program *program = &manifest->programs[i];
        for (int j = 0; j < program->n_kernels; j++)
            finish_kernel(&program->kernels[j]);
        free(program->kernels);
        free(program->file);
        free(program->options);
    }
    free(manifest->programs);
    free(manifest->version);
    free(manifest->model);
    *manifest = (plc_manifest){0};
}

pleach_status plc_manifest_add_program(pleach_ctx *ctx, plc_manifest *manifest, const char *file,
                                       const char *options, plc_manifest_program **program)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &manifest->programs, &manifest->capacity, (size_t)manifest->n_programs + 1));
    plc_manifest_program *added = &manifest->programs[manifest->n_programs++];
    *added = (plc_manifest_program){0};
    TRY(plc_strdup(ctx, file, &added->file));
    TRY(plc_strdup(ctx, options, &added->options));
    *program = added;
done:
    return status;
}

pleach_status plc_manifest_add_kernel(pleach_ctx *ctx, plc_manifest_program *program,
                                      const char *name, const char *exported,
                                      plc_manifest_kernel **kernel)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &program->kernels, &program->capacity, (size_t)program->n_kernels + 1));
    plc_manifest_kernel *added = &program->kernels[program->n_kernels++];
    *added = (plc_manifest_kernel){0};
    TRY(plc_strdup(ctx, name, &added->name));
    TRY(plc_strdup(ctx, exported, &added->exported));
    *kernel = added;
done:
    return status;
}

pleach_status plc_manifest_add_arg(pleach_ctx *ctx, plc_manifest_kernel *kernel, const char *name,
                                   const char *type, plc_address address)
{
    pleach_status status = PLEACH_OK;
    size_t capacity = (size_t)kernel->n_args;

    TRY(plc_grow(ctx, &kernel->args, &capacity, (size_t)kernel->n_args + 1));
    plc_kernel_arg *added = &kernel->args[kernel->n_args++];
    *added = (plc_kernel_arg){.address = address};
    TRY(plc_strdup(ctx, name, &added->name));
    TRY(plc_strdup(ctx, type, &added->type));
done:
    return status;
}

const plc_manifest_program *plc_manifest_find(const plc_manifest *manifest, const char *file,
                                              const char *options)
{
    for (int i = 0; i < manifest->n_programs; i++)
        if (strcmp(manifest->programs[i].file, file) == 0 &&
            strcmp(manifest->programs[i].options, options) == 0)
            return &manifest->programs[i];
    return NULL;
}

const plc_manifest_kernel *plc_manifest_find_kernel(const plc_manifest_program *program,
                                                    const char *name)
{
    for (int i = 0; i < program->n_kernels; i++)
        if (strcmp(program->kernels[i].name, name) == 0)
            return &program->kernels[i];
    return NULL;
}
