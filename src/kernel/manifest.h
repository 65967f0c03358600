// What a file of kernels built ahead holds, for a board that compiles nothing at run time: pleach.json.
//
//     {"schema": "pleach.fpga/1", "pleach": "0.1.0", "model": "resnet20", "training": false, "lanes": 16,
//      "mapping": "single work-item", "tile": {"out": 8, "pixels": 2},
//      "programs": [{"file": "conv", "options": "-DOT=8 ...", "source": "<hash>", "kernels":
//          [{"name": "conv_forward", "exported": "conv_forward_1a2b3c4d", "arguments":
//              [{"name": "x", "address": "global", "type": "stored_t_1a2b3c4d*"}, ...]}]}]}
#ifndef PLC_KERNEL_MANIFEST_H
#define PLC_KERNEL_MANIFEST_H

#include <base/hash.h>
#include <device/device.h>

typedef enum plc_address {
    PLC_ADDRESS_PRIVATE,
    PLC_ADDRESS_GLOBAL,
    PLC_ADDRESS_LOCAL,
    PLC_ADDRESS_CONSTANT,
    PLC_N_ADDRESSES,
} plc_address;

const char *plc_address_name(plc_address address);

typedef struct plc_kernel_arg {
    char *name, *type; // owned; the type as CL_KERNEL_ARG_TYPE_NAME has it: "float*"
    plc_address address;
} plc_kernel_arg;

typedef struct plc_manifest_kernel {
    char *name, *exported; // owned: what pleach calls it, what the file of kernels does
    plc_kernel_arg *args;  // owned
    int n_args;
} plc_manifest_kernel;

typedef struct plc_manifest_program {
    char *file, *options;           // owned: as plc_launch_add has them
    char source[PLC_HASH_HEX_SIZE]; // hash of the text that it was made of
    plc_manifest_kernel *kernels;   // owned
    int n_kernels;
    size_t capacity;
} plc_manifest_program;

// Works when zero.
typedef struct plc_manifest {
    char *version, *model; // owned: of pleach, and what was exported
    bool training;
    int lanes; // in a vector; a single work-item walks along the grid
    plc_fixed_tile tile;
    plc_manifest_program *programs; // owned
    int n_programs;
    size_t capacity;
} plc_manifest;

void plc_manifest_finish(plc_manifest *manifest);

// The file is not trusted: schema, types, lengths and counts are checked, unknown keys refused. Fails with
// PLEACH_EIO or PLEACH_EINPUT; the text names the file and the place.
pleach_status plc_manifest_read(pleach_ctx *ctx, const char *path, plc_manifest *manifest);

// Whole or not at all.
pleach_status plc_manifest_write(pleach_ctx *ctx, const char *path, const plc_manifest *manifest);

// Appends an empty program; a kernel to a program. Both take nothing: texts are copied.
pleach_status plc_manifest_add_program(pleach_ctx *ctx, plc_manifest *manifest, const char *file,
                                       const char *options, plc_manifest_program **program);
pleach_status plc_manifest_add_kernel(pleach_ctx *ctx, plc_manifest_program *program,
                                      const char *name, const char *exported,
                                      plc_manifest_kernel **kernel);
pleach_status plc_manifest_add_arg(pleach_ctx *ctx, plc_manifest_kernel *kernel, const char *name,
                                   const char *type, plc_address address);

// NULL: there is none.
const plc_manifest_program *plc_manifest_find(const plc_manifest *manifest, const char *file,
                                              const char *options);
const plc_manifest_kernel *plc_manifest_find_kernel(const plc_manifest_program *program,
                                                    const char *name);

#endif
