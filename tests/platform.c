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

// Share of cases and sizes, one in.
enum { ALL = 1, QUICK = 4, LEAST = 8 };

const char *plc_test_device(void)
{
    return getenv("PLEACH_TEST_DEVICE");
}

static unsigned level(void)
{
    const char *name = getenv("PLEACH_TEST_LEVEL");

    return name && strcmp(name, "quick") == 0   ? QUICK
           : name && strcmp(name, "least") == 0 ? LEAST
                                                : ALL;
}

bool plc_test_is_quick(void)
{
    return level() != ALL;
}

const char *plc_test_cache(void)
{
    const char *folder = getenv("PLEACH_TEST_CACHE");

    return folder ? folder : "";
}

static unsigned rounded_up_share(unsigned n)
{
    return (n + level() - 1) / level();
}

bool plc_test_is_least(void)
{
    return level() == LEAST;
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
