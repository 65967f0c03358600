// How functions of the library fail: one text where the cause is known, one exit for cleaning up.
#ifndef PLC_BASE_STATUS_H
#define PLC_BASE_STATUS_H

#include <stdbool.h>
#include <pleach/status.h>

// Records the text and returns `status`, so that `return plc_fail(...)` reads as what it is.
pleach_status plc_fail(pleach_ctx *ctx, pleach_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "context: " in front of the recorded text; returns `status`.
pleach_status plc_fail_in(pleach_ctx *ctx, pleach_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void plc_log(pleach_ctx *ctx, pleach_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool plc_external_data_is_allowed(const pleach_ctx *ctx); // see pleach_ctx_allow_external_data

// Both need `pleach_status status` and a label `done` that frees what was taken.
#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != PLEACH_OK)                                                                   \
            goto done;                                                                             \
    } while (0)
#define FAIL(ctx, code, ...)                                                                       \
    do {                                                                                           \
        status = plc_fail(ctx, code, __VA_ARGS__);                                                 \
        goto done;                                                                                 \
    } while (0)

#endif
