// Where tests run and how much of them.
#include <platform.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { QUICK_SHARE = 4 };

const char *plc_test_device(void)
{
    return getenv("PLEACH_TEST_DEVICE");
}

bool plc_test_is_quick(void)
{
    const char *level = getenv("PLEACH_TEST_LEVEL");

    return level && strcmp(level, "quick") == 0;
}

const char *plc_test_cache(void)
{
    const char *folder = getenv("PLEACH_TEST_CACHE");

    return folder ? folder : "";
}

static unsigned rounded_up_share(unsigned n)
{
    return plc_test_is_quick() ? (n + QUICK_SHARE - 1) / QUICK_SHARE : n;
}

unsigned plc_test_cases(unsigned n)
{
    return rounded_up_share(n);
}

int plc_test_size(int low, int high)
{
    return low + (int)rounded_up_share((unsigned)(high - low));
}

void plc_test_skip_named(const char *test, const char *reason)
{
    printf("%s: skipped: %s\n", test, reason);
    skip();
}
