// Batch norm by its definition.
#include "batch_norm.h"

#include <math.h>

// Index of pixel i of channel c of image n.
static int at(const plc_reference_batch_norm *p, int n, int c, int i)
{
    return (n * p->C + c) * p->size + i;
}

static double normalise(const plc_reference_batch_norm *p, int c, double x)
{
    return (x - p->mean[c]) / sqrt(p->variance[c] + p->eps);
}

static bool is_masked(const plc_reference_batch_norm *p, int c)
{
    return p->mask && p->mask[c] == 0.0f;
}

void plc_reference_batch_norm_statistics(plc_reference_batch_norm *p, const float *x)
{
    for (int c = 0; c < p->C; c++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < p->N; n++)
            for (int i = 0; i < p->size; i++)
                sum += (double)x[at(p, n, c, i)];
        p->mean[c] = sum / (p->N * p->size);
        for (int n = 0; n < p->N; n++)
            for (int i = 0; i < p->size; i++)
                squares += pow((double)x[at(p, n, c, i)] - p->mean[c], 2);
        p->variance[c] = squares / (p->N * p->size);
    }
}

void plc_reference_batch_norm_forward(const plc_reference_batch_norm *p, const float *x, double *y,
                                      double *open_at)
{
    for (int n = 0; n < p->N; n++)
        for (int c = 0; c < p->C; c++)
            for (int i = 0; i < p->size; i++) {
                const int k = at(p, n, c, i);
                const double bn =
                    (double)p->gamma[c] * normalise(p, c, (double)x[k]) + (double)p->beta[c];
                const double mask = p->mask ? (double)p->mask[c] : 1;
                const double z = mask * p->gate * bn + (p->add ? (double)p->add[k] : 0);
                y[k] = fmin(fmax(z, p->low), p->high);
                open_at[k] = is_masked(p, c) ? bn : z;
            }
}

void plc_reference_batch_norm_backward(const plc_reference_batch_norm *p, const float *x,
                                       const float *dy, const double *open_at, bool mask_gradients,
                                       double *dx, double *dadd, double *dgamma, double *dbeta)
{
    for (int c = 0; c < p->C; c++) {
        const double factor = mask_gradients && is_masked(p, c) ? 0 : p->gate;
        const double count = p->N * p->size;
        double sum = 0, sum_xhat = 0;

        for (int pass = 0; pass < 2; pass++)
            for (int n = 0; n < p->N; n++)
                for (int i = 0; i < p->size; i++) {
                    const int k = at(p, n, c, i);
                    const double g =
                        p->low < open_at[k] && open_at[k] < p->high ? (double)dy[k] : 0;
                    const double xhat = normalise(p, c, (double)x[k]);
                    if (pass == 0) {
                        sum += g;
                        sum_xhat += g * xhat;
                        if (dadd)
                            dadd[k] += g;
                    } else {
                        dx[k] += factor * (double)p->gamma[c] / sqrt(p->variance[c] + p->eps) *
                                 (g - sum / count - xhat * sum_xhat / count);
                    }
                }
        dgamma[c] += factor * sum_xhat;
        dbeta[c] += factor * sum;
    }
}
