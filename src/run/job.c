// Jobs from names and values.
#include <pleach/run.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/status.h>
#include <base/text.h>

static pleach_status expect(pleach_ctx *ctx, const char *name, const char *value, const char *kind)
{
    return plc_fail(ctx, PLEACH_EUSAGE, "--%s '%s': a %s is expected", name, value, kind);
}

static pleach_status set_TEXT(pleach_ctx *ctx, const char *name, const char *value,
                              const char **field)
{
    (void)ctx, (void)name;
    *field = value;
    return PLEACH_OK;
}

static pleach_status set_INT(pleach_ctx *ctx, const char *name, const char *value, int *field)
{
    char *end = NULL;

    errno = 0;
    const long number = strtol(value, &end, 10);
    if (end == value || *end || errno || number < INT_MIN || number > INT_MAX)
        return expect(ctx, name, value, "whole number");
    *field = (int)number;
    return PLEACH_OK;
}

static pleach_status set_FLOAT(pleach_ctx *ctx, const char *name, const char *value, double *field)
{
    char *end = NULL;

    *field = strtod(value, &end);
    return end == value || *end || !isfinite(*field) ? expect(ctx, name, value, "number")
                                                     : PLEACH_OK;
}

static pleach_status set_FLAG(pleach_ctx *ctx, const char *name, const char *value, bool *field)
{
    *field = strcmp(value, "true") == 0;
    return *field || strcmp(value, "false") == 0 ? PLEACH_OK
                                                 : expect(ctx, name, value, "true or false");
}

static pleach_status set_SEED(pleach_ctx *ctx, const char *name, const char *value,
                              unsigned long long *field)
{
    char *end = NULL;

    errno = 0;
    *field = strtoull(value, &end, 10);
    return end == value || *end || errno || *value == '-'
               ? expect(ctx, name, value, "whole number from 0")
               : PLEACH_OK;
}

static pleach_status unknown(pleach_ctx *ctx, const char *what, const char *name,
                             const char *const *names, int n)
{
    const char *nearest = plc_nearest_name(name, names, n);

    if (nearest)
        return plc_fail(ctx, PLEACH_EUSAGE, "unknown %s '%s'; did you mean '%s'?", what, name,
                        nearest);
    return plc_fail(ctx, PLEACH_EUSAGE, "unknown %s '%s'; `pleach compress --help` lists them",
                    what, name);
}

pleach_status pleach_run_opts_set(pleach_ctx *ctx, pleach_run_opts *opts, const char *name,
                                  const char *value)
{
    static const char *const names[] = {
#define X(kind, field, option, value, argument, commands, help) option,
        PLEACH_RUN_OPTIONS(X)
#undef X
    };

#define X(kind, field, option, usual, argument, commands, help)                                    \
    if (strcmp(name, option) == 0)                                                                 \
        return set_##kind(ctx, name, value, &opts->field);
    PLEACH_RUN_OPTIONS(X)
#undef X
    return unknown(ctx, "option", name, names, (int)(sizeof names / sizeof *names));
}

pleach_status pleach_job_run(pleach_ctx *ctx, pleach_device *device, const char *command,
                             const char *const *options, const char *resume,
                             pleach_progress_fn *progress, void *user, const volatile int *stop)
{
    static const char *const commands[] = {"train", "compress"};
    pleach_status status = PLEACH_OK;
    pleach_job job = {.resume = resume, .progress = progress, .user = user, .stop = stop};

    pleach_run_opts_init(&job.opts);
    for (; options && options[0]; options += 2)
        TRY(pleach_run_opts_set(ctx, &job.opts, options[0], options[1]));
    if (strcmp(command, "train") == 0)
        status = pleach_train(ctx, device, &job);
    else if (strcmp(command, "compress") == 0)
        status = pleach_compress(ctx, device, &job);
    else
        status = unknown(ctx, "command", command, commands, 2);
done:
    return status;
}
