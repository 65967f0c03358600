// Batch norm + [add] + [clip] in plain double precision, forward and backward.
#ifndef PLC_TESTS_REFERENCE_BATCH_NORM_H
#define PLC_TESTS_REFERENCE_BATCH_NORM_H

#include <stdbool.h>

// Tensors are [N][C][size]; vectors have C elements.
typedef struct plc_reference_batch_norm {
    int N, C, size;
    double eps;
    const float *gamma, *beta;
    const float *mask; // NULL: none
    double gate;
    double low, high; // clipping; -INFINITY and INFINITY: none
    const float *add; // NULL: none
    // Statistics that normalise: of the batch (plc_reference_batch_norm_statistics) or running
    // ones.
    double *mean, *variance;
} plc_reference_batch_norm;

// Mean and biased variance of every channel.
void plc_reference_batch_norm_statistics(plc_reference_batch_norm *p, const float *x);

// y = z between low and high, z = mask * gate * (gamma * xhat + beta) [+ add].
// open_at is what clipping's gradient is judged by: z, or gamma * xhat + beta in a masked channel.
void plc_reference_batch_norm_forward(const plc_reference_batch_norm *p, const float *x, double *y,
                                      double *open_at);

// Adds to each array (dadd may be NULL). A masked channel's gradient is as if its mask were 1, or 0
// (mask_gradients).
void plc_reference_batch_norm_backward(const plc_reference_batch_norm *p, const float *x,
                                       const float *dy, const double *open_at, bool mask_gradients,
                                       double *dx, double *dadd, double *dgamma, double *dbeta);

#endif
