// What host tests share: one context for a program, and calls that must succeed.
#ifndef PLC_TESTS_CONTEXT_H
#define PLC_TESTS_CONTEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/status.h>

static pleach_ctx *ctx;

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(ctx));                                          \
    } while (0)

// Group setup and teardown of cmocka.
static int make_fixture(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) != PLEACH_OK;
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return 0;
}

#endif
