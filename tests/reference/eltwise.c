// ReLU, sums and copies by their definitions.
#include "eltwise.h"

void plc_reference_eltwise_forward(const float *a, const float *b, bool relu, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double z = (double)a[i] + (b ? (double)b[i] : 0);
        y[i] = relu && z < 0 ? 0 : z;
    }
}

void plc_reference_eltwise_backward(const float *a, const float *b, const float *dy, bool relu,
                                    double *dx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double z = (double)a[i] + (b ? (double)b[i] : 0);
        if (!relu || z > 0)
            dx[i] += (double)dy[i];
    }
}
