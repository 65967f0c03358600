// Programs side by side in one file: every name that a program's text defines gets the program's suffix.
//
// A driver that compiles at run time gets one program at a time. A compiler of FPGAs gets one file, in which
// the variants of a program, and programs that call different things the same, must not meet. So names of
// macros, functions, types and constants of file scope are written with the suffix wherever they stand,
// and kernels that nobody asked for are left out: each would be hardware.
//
// A kernel becomes one work-item's loop over the grid of work-groups (or of items) that it would be launched with
// elsewhere, whose three sizes are its last arguments: such compilers pipeline loops. No group reads what another
// writes, as OpenCL has it anyway, which #pragma ivdep tells them. Kernels must be of one work-item per group, or of
// items that know nothing of their group, and must ask for their place themselves, not in what they call.
#ifndef PLC_KERNEL_PROGRAM_TEXT_H
#define PLC_KERNEL_PROGRAM_TEXT_H

#include <base/text.h>
#include <kernel/manifest.h>

// Appends the expanded source `source` (kernel/sources.h) built with `options` ("-DOT=4 -DFLAG") to `text`,
// and fills `program->kernels`, which hold the names of the kernels that are wanted: exported names and
// arguments. Fails with PLEACH_EBUILD when the source lacks one of them.
pleach_status plc_program_text(pleach_ctx *ctx, const char *source, const char *options,
                               const char *suffix, plc_manifest_program *program, plc_text *text);

#endif
