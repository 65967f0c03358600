// A fading ReLU in plain double precision.
#ifndef PLC_TESTS_REFERENCE_FADING_RELU_H
#define PLC_TESTS_REFERENCE_FADING_RELU_H

#include <stddef.h>

// y = x where x > 0, else (1 - gate) x.
void plc_reference_fading_relu_forward(const float *x, float gate, double *y, size_t n);

// dx += dy where x > 0, else (1 - gate) dy.
void plc_reference_fading_relu_backward(const float *x, float gate, const float *dy, double *dx,
                                        size_t n);

#endif
