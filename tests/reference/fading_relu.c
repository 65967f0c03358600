// A fading ReLU by its definition.
#include "fading_relu.h"

void plc_reference_fading_relu_forward(const float *x, float gate, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (double)x[i] * (x[i] > 0 ? 1.0 : 1.0 - (double)gate);
}

void plc_reference_fading_relu_backward(const float *x, float gate, const float *dy, double *dx,
                                        size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] += (double)dy[i] * (x[i] > 0 ? 1.0 : 1.0 - (double)gate);
}
