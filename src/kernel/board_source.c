// Joining programs into one source, each with names of its own.
#include <kernel/board_source.h>

#include <stdlib.h>
#include <string.h>
#include <kernel/binary.h>
#include <kernel/kernels.h>
#include <kernel/program_text.h>
#include <kernel/sources.h>

enum { MAX_OPTIONS = 256, MAX_NAME = 128 };

// FP_CONTRACT holds until the end of a file: each program begins with OpenCL's default.
static pleach_status write_heading(pleach_ctx *ctx, const plc_asked_program *asked, int lanes,
                                   const char *suffix, plc_text *text)
{
    return plc_text_printf(ctx, text,
                           "\n// ---- %s.cl with LANES=%d%s%s: names end in %s ----\n"
                           "#pragma OPENCL FP_CONTRACT ON\n",
                           asked->file, lanes, *asked->options ? " " : "", asked->options, suffix);
}

static pleach_status add_program(pleach_device *device, const plc_asked_program *asked,
                                 plc_text *text, plc_manifest *manifest)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = device->ctx;
    char name[MAX_NAME], suffix[PLC_SUFFIX_SIZE], options[MAX_OPTIONS];
    char *source = NULL;
    plc_manifest_program *program = NULL;
    plc_manifest_kernel *kernel = NULL;

    snprintf(name, sizeof name, "%s.cl", asked->file);
    snprintf(options, sizeof options, "-DLANES=%d -DLANES_IN_VECTOR %s", device->lanes,
             asked->options);
    TRY(plc_source_expand(ctx, name, &source));
    plc_binary_suffix(source, device->lanes, asked->options, suffix);
    TRY(plc_manifest_add_program(ctx, manifest, asked->file, asked->options, &program));
    plc_hash_hex(source, strlen(source), program->source);
    for (int i = 0; i < asked->n_kernels; i++) {
        snprintf(name, sizeof name, "%s%s", asked->kernels[i], suffix);
        TRY(plc_manifest_add_kernel(ctx, program, asked->kernels[i], name, &kernel));
    }
    TRY(write_heading(ctx, asked, device->lanes, suffix, text));
    TRY(plc_program_text(ctx, source, options, suffix, program, text));
done:
    free(source);
    return status;
}

pleach_status plc_board_source(pleach_device *device, plc_text *text, plc_manifest *manifest)
{
    pleach_status status = PLEACH_OK;

    manifest->lanes = device->lanes;
    manifest->tile = device->fixed_tile;
    TRY(plc_text_printf(device->ctx, text,
                        "// Written by `pleach fpga export`; pleach.json says what is in it.\n"
                        "// One program after another: what a program defines ends in a suffix of "
                        "its own.\n"
                        "#ifdef INTELFPGA_CL\n"
                        "#define SINGLE_WORK_ITEM __attribute__((max_global_work_dim(0)))\n"
                        "#else\n"
                        "#define SINGLE_WORK_ITEM __attribute__((reqd_work_group_size(1, 1, 1)))\n"
                        "#endif\n"));
    for (int i = 0; i < plc_kernels_n_asked(device); i++) {
        const plc_asked_program asked = plc_kernels_asked(device, i);
        if (asked.n_kernels > 0)
            TRY(add_program(device, &asked, text, manifest));
    }
done:
    return status;
}
