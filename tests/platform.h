// Where tests run and how much of them: two environment variables that tools/test sets per platform.
//
//   PLEACH_TEST_DEVICE  the device, as pleach_device_open takes it ("0:0"); unset: its default choice
//   PLEACH_TEST_LEVEL   "quick": fewer cases and smaller shapes, for platforms some hundred times slower
//                       than a compiler's; unset: all
#ifndef PLC_TESTS_PLATFORM_H
#define PLC_TESTS_PLATFORM_H

#include <stdbool.h>

// NULL where the device is not chosen.
const char *plc_test_device(void);
bool plc_test_is_quick(void);

// How many of `n` cases are run (at least one): all, or at the quick level a quarter.
unsigned plc_test_cases(unsigned n);

// The upper end of a range of sizes from `low`: `high`, or at the quick level a quarter of the way.
int plc_test_size(int low, int high);

#endif
