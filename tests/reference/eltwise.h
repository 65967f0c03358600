// Clipping, sums and copies in plain double precision.
#ifndef PLC_TESTS_REFERENCE_ELTWISE_H
#define PLC_TESTS_REFERENCE_ELTWISE_H

#include <stddef.h>

// y = a [+ b], at least low and at most high; b may be NULL.
void plc_reference_eltwise_forward(const float *a, const float *b, double low, double high,
                                   double *y, size_t n);

// dx += dy where low < a [+ b] < high.
void plc_reference_eltwise_backward(const float *a, const float *b, const float *dy, double low,
                                    double high, double *dx, size_t n);

#endif
