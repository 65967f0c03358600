// The files of cl/ as they were built into the library.
#ifndef PLC_KERNEL_SOURCES_H
#define PLC_KERNEL_SOURCES_H

#include <stddef.h>
#include <base/text.h>

typedef struct plc_source {
    const char *name; // "conv.cl"
    const char *text; // NUL-terminated
} plc_source;

extern const plc_source plc_sources[];        // ends with a NULL name
extern const plc_source plc_shipped_tuning[]; // the same of cl/tuning/*.json (kernel/tuning_file.h)
extern const plc_source plc_board_scripts[];  // and of cl/fpga/*.sh, which go with what is exported

// Source text of `name` with its #include "..." lines replaced by the files, joined with #line.
// From the folder $PLEACH_CL_DIR when that is set. The text is malloc'ed; the caller frees it.
pleach_status plc_source_expand(pleach_ctx *ctx, const char *name, char **text);

// Appends a line per source with a hash of its text: what depends on the kernels is kept under such a key.
// Kernels from disk (PLEACH_CL_DIR) have keys of their own; a file that is not there counts as empty.
pleach_status plc_sources_key(pleach_ctx *ctx, plc_text *key);

#endif
