// The context: text of the last error and the log callback.
#include <base/status.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pleach_ctx {
    char *error;             // owned, NULL before the first error
    const char *error_fixed; // said instead when there was no memory for the text
    pleach_log_fn *log;
    void *log_user;
    bool external_data;
};

void pleach_ctx_allow_external_data(pleach_ctx *ctx, int allow)
{
    ctx->external_data = allow != 0;
}

bool plc_external_data_is_allowed(const pleach_ctx *ctx)
{
    return ctx->external_data;
}

int pleach_status_exit_code(pleach_status status)
{
    switch (status) {
#define X(name, exit_code, text)                                                                   \
    case name:                                                                                     \
        return exit_code;
        PLEACH_STATUS_LIST(X)
#undef X
    }
    return 1;
}

const char *pleach_status_text(pleach_status status)
{
    switch (status) {
#define X(name, exit_code, text)                                                                   \
    case name:                                                                                     \
        return text;
        PLEACH_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

pleach_status pleach_ctx_create(pleach_ctx **ctx)
{
    *ctx = calloc(1, sizeof **ctx);
    return *ctx ? PLEACH_OK : PLEACH_ENOMEM;
}

void pleach_ctx_destroy(pleach_ctx **ctx)
{
    if (!*ctx)
        return;
    free((*ctx)->error);
    free(*ctx);
    *ctx = NULL;
}

void pleach_ctx_set_log(pleach_ctx *ctx, pleach_log_fn *log, void *user)
{
    ctx->log = log;
    ctx->log_user = user;
}

const char *pleach_error(const pleach_ctx *ctx)
{
    if (!ctx)
        return "";
    if (ctx->error_fixed)
        return ctx->error_fixed;
    return ctx->error ? ctx->error : "";
}

// Takes `text`, NULL when there was no memory for it. The old text may have been an argument of the
// new one, so it is freed only here.
static void set_error(pleach_ctx *ctx, pleach_status status, char *text)
{
    free(ctx->error);
    ctx->error = text;
    ctx->error_fixed = text ? NULL : pleach_status_text(status);
}

static char *format_text(const char *format, va_list args)
{
    char *text = NULL;
    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

pleach_status plc_fail(pleach_ctx *ctx, pleach_status status, const char *format, ...)
{
    va_list args;

    if (!ctx)
        return status;
    va_start(args, format);
    set_error(ctx, status, format_text(format, args));
    va_end(args);
    return status;
}

pleach_status plc_fail_in(pleach_ctx *ctx, pleach_status status, const char *format, ...)
{
    char *context = NULL;
    char *text = NULL;
    va_list args;

    if (!ctx)
        return status;
    va_start(args, format);
    context = format_text(format, args);
    va_end(args);
    if (context && asprintf(&text, "%s: %s", context, pleach_error(ctx)) < 0)
        text = NULL;
    free(context);
    if (text)
        set_error(ctx, status, text);
    return status;
}

void plc_log(pleach_ctx *ctx, pleach_log_level level, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    if (!ctx || !ctx->log)
        return;
    va_start(args, format);
    text = format_text(format, args);
    va_end(args);
    if (text)
        ctx->log(ctx->log_user, level, text);
    free(text);
}
