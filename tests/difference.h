// How far two lists of values are apart.
#ifndef PLC_TESTS_DIFFERENCE_H
#define PLC_TESTS_DIFFERENCE_H

#include <stddef.h>

// The largest difference, relative to the largest value of `a`. INFINITY where any value of either is not finite: two
// lists of NaNs do not agree.
double plc_difference(const double *a, const double *b, size_t n);
double plc_difference_of_floats(const float *a, const float *b, size_t n);

#endif
