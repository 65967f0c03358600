// ReLU, sums and copies in plain double precision.
#ifndef PLC_TESTS_REFERENCE_ELTWISE_H
#define PLC_TESTS_REFERENCE_ELTWISE_H

#include <stdbool.h>
#include <stddef.h>

// y = [relu](a [+ b]); b may be NULL.
void plc_reference_eltwise_forward(const float *a, const float *b, bool relu, double *y, size_t n);

// dx += dy, or dy where z = a [+ b] > 0 (relu).
void plc_reference_eltwise_backward(const float *a, const float *b, const float *dy, bool relu,
                                    double *dx, size_t n);

#endif
