// Clipping, sums and copies by their definitions.
#include "eltwise.h"

#include <math.h>

void plc_reference_eltwise_forward(const float *a, const float *b, double low, double high,
                                   double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double z = (double)a[i] + (b ? (double)b[i] : 0);
        y[i] = fmin(fmax(z, low), high);
    }
}

void plc_reference_eltwise_backward(const float *a, const float *b, const float *dy, double low,
                                    double high, double *dx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double z = (double)a[i] + (b ? (double)b[i] : 0);
        if (low < z && z < high)
            dx[i] += (double)dy[i];
    }
}
