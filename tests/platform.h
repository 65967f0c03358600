// Where tests run and how much of them: three environment variables that tools/test sets per platform.
//
//   PLEACH_TEST_DEVICE  the device, as pleach_device_open takes it ("0:0"); unset: its default choice
//   PLEACH_TEST_LEVEL   "quick": fewer cases and smaller shapes, for platforms some hundred times slower
//                       than a compiler's; "least": fewer still; unset: all
//   PLEACH_TEST_CACHE   a folder that keeps what compiles slowly from test to test; unset: nothing is kept
#ifndef PLC_TESTS_PLATFORM_H
#define PLC_TESTS_PLATFORM_H

#include <stdbool.h>

// NULL where the device is not chosen.
const char *plc_test_device(void);
bool plc_test_is_quick(void); // or least
bool plc_test_is_least(void);

// For pleach_device_opts.cache_dir.
const char *plc_test_cache(void);

// How many of `n` cases are run (at least one): all, or at the quick level a quarter, at
// the least level an eighth.
unsigned plc_test_cases(unsigned n);

// The upper end of a range of sizes from `low`: `high`, or at the quick level a quarter of the
// way, at the least level an eighth.
int plc_test_size(int low, int high);

// Ends the test as skipped; tools/test-platforms names it with the reason.
#define plc_test_skip(reason) plc_test_skip_named(__func__, reason)
void plc_test_skip_named(const char *test, const char *reason);

#endif
