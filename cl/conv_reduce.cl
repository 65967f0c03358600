// conv_reduce.cl: the end of a convolution's weight gradient, whichever kernel began it.
#include "lanes.h"
#include "conv_params.h"

#pragma OPENCL FP_CONTRACT OFF

// conv_grad_weight_reduce: dw[k][c][r][s] += sum over splits of partial[split][k][c][r][s], in
// ascending order. partial as conv_grad_weight or conv_winograd_grad_weight wrote it; dw [groups*K][C][R][S] at w_offset of the
// gradient arena. Work: one work-item per weight; global size at least groups*K*C*R*S, any local
// size.
__kernel void conv_grad_weight_reduce(__global const float *restrict partial,
                                      __global float *restrict dw, const conv_params p)
{
    const int n = p.groups * p.K * p.C * p.R * p.S, i = get_global_id(0);
    const int n_splits = p.splits * parts_of(p.P, p.rows);
    float sum = 0.0f;

    if (i >= n)
        return;
    for (int split = 0; split < n_splits; split++)
        sum += partial[split * n + i];
    dw[p.w_offset + i] += sum;
}
