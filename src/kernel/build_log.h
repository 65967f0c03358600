// What compilers say of a program, with the places that a reader can open.
#ifndef PLC_KERNEL_BUILD_LOG_H
#define PLC_KERNEL_BUILD_LOG_H

#include <base/text.h>

// Appends `log`, what a driver's compiler said of `source`. Some (NVIDIA's, Oclgrind) leave out of account what #line
// says, count the lines of the joined text and give it a name of their own; such a place becomes FILE:LINE.
pleach_status plc_build_log_append(pleach_ctx *ctx, plc_text *text, const char *log,
                                   const char *source);

#endif
