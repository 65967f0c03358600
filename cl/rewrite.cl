// Rewrites of parameters from an old arena into a new one.
// Work, where nothing else is said: one item per float of the new parameter, 1-D. Bytes: 8 per float, and the lists.
#include "lanes.h"
#include "rewrite_params.h"

// Parameters that keep some of their channels (gather_params). Floats of the new arena that no gather covers are left
// alone. Work: a group per (part of GATHER_PARTS, gather).
GROUP __kernel void gather_oihw(__global const float *restrict old, __global float *restrict new,
                                __global const int *restrict kept,
                                __global const gather_params *restrict gathers)
{
    const gather_params g = gathers[GRID(1)];
    const int2 part = run_of(g.n0 * g.n1 * g.tail, GATHER_PARTS, GRID(0));

    for (int at = part.x + LANE; at < part.x + part.y; at += STEP) {
        const int t = at % g.tail, i = at / g.tail % g.n1, o = at / g.tail / g.n1;
        const int source_o = g.kept0 < 0 ? o : kept[g.kept0 + o];
        const int source_i = g.kept1 < 0 ? i : kept[g.kept1 + i];

        new[g.to + at] = old[g.from + (source_o * g.depth + source_i) * g.tail + t];
    }
}

// Batch norm at inference is y = s (x - mean) + beta with s = gamma / sqrt(var + eps).
// fold_weight: new[k][j] = old[k][j] s[k], `row` floats per filter. Offsets are in the old arena.
__kernel void fold_weight(__global const float *restrict old, __global float *restrict new,
                          const int from, const int to, const int n, const int row,
                          const int gamma, const int var, const float eps)
{
    const int index = get_global_id(0);
    if (index >= n)
        return;
    const int k = index / row;
    new[to + index] = old[from + index] * (old[gamma + k] / sqrt(old[var + k] + eps));
}

// fold_bias: new[k] = beta[k] + (old[k] - mean[k]) s[k]; from -1: the layer had no bias.
__kernel void fold_bias(__global const float *restrict old, __global float *restrict new,
                        const int from, const int to, const int n, const int gamma, const int beta,
                        const int mean, const int var, const float eps)
{
    const int k = get_global_id(0);
    if (k >= n)
        return;
    const float bias = from < 0 ? 0.0f : old[from + k];
    new[to + k] = fma(bias - old[mean + k], old[gamma + k] / sqrt(old[var + k] + eps), old[beta + k]);
}

// unfold_norm: new[k] = sqrt(old[from + k] + eps) where `root`, else old[from + k] - bias[k] (bias -1: 0).
__kernel void unfold_norm(__global const float *restrict old, __global float *restrict new,
                          const int from, const int bias, const int to, const int n, const int root,
                          const float eps)
{
    const int k = get_global_id(0);
    if (k >= n)
        return;
    const float value = old[from + k];
    new[to + k] = root ? sqrt(value + eps) : value - (bias < 0 ? 0.0f : old[bias + k]);
}

// Factor and shift of the batch norm between two layers; 1 and the first layer's bias without one.
static inline float between_scale(__global const float *old, const compose_params *p, int m)
{
    return p->gamma < 0 ? 1.0f : old[p->gamma + m] / sqrt(old[p->var + m] + p->eps);
}

static inline float between_shift(__global const float *old, const compose_params *p, int m)
{
    const float bias = p->first_bias < 0 ? 0.0f : old[p->first_bias + m];

    return p->gamma < 0 ? bias
                        : fma(bias - old[p->mean + m], between_scale(old, p, m), old[p->beta + m]);
}

// compose_weight: new[o][i][u] = sum over m, b of W2[o][m][b] s[m] W1[m][i][u - stride b].
// new [K][C/groups][R][S], R = R1 + (R2 - 1) stride_h
__kernel void compose_weight(__global const float *restrict old, __global float *restrict new,
                             const compose_params p)
{
    const int index = get_global_id(0), C_group = p.C / p.groups, C1 = p.C / p.groups1;
    const int M1 = p.M / p.groups1, M2 = p.M / p.groups2;

    if (index >= p.K * C_group * p.R * p.S)
        return;
    const int s = index % p.S, r = index / p.S % p.R, o = index / (p.S * p.R * C_group);
    const int i = o / (p.K / p.groups) * C_group + index / (p.S * p.R) % C_group;
    const int first_m = o / (p.K / p.groups2) * M2;
    float sum = 0.0f;
    for (int m = first_m; m < first_m + M2; m++) {
        const int i1 = i - m / M1 * C1;
        if (i1 < 0 || i1 >= C1)
            continue;
        const float scale = between_scale(old, &p, m);
        __global const float *w2 = old + p.second + (o * M2 + m - first_m) * p.R2 * p.S2;
        __global const float *w1 = old + p.first + (m * C1 + i1) * p.R1 * p.S1;
        for (int r2 = 0; r2 < p.R2; r2++)
            for (int s2 = 0; s2 < p.S2; s2++) {
                const int r1 = r - r2 * p.stride_h, s1 = s - s2 * p.stride_w;
                if (r1 >= 0 && r1 < p.R1 && s1 >= 0 && s1 < p.S1)
                    sum = fma(w2[r2 * p.S2 + s2] * scale, w1[r1 * p.S1 + s1], sum);
            }
    }
    new[p.to + index] = sum;
}

// compose_bias: b[o] = b2[o] + sum over m, b of W2[o][m][b] t[m]; new[o] = b[o], or mean_behind[o] - b[o].
__kernel void compose_bias(__global const float *restrict old, __global float *restrict new,
                           const compose_params p)
{
    const int o = get_global_id(0), M2 = p.M / p.groups2, taps = p.R2 * p.S2;

    if (o >= p.K)
        return;
    const int first_m = o / (p.K / p.groups2) * M2;
    float sum = p.second_bias < 0 ? 0.0f : old[p.second_bias + o];
    for (int m = 0; m < M2; m++) {
        const float shift = between_shift(old, &p, first_m + m);
        __global const float *w2 = old + p.second + (o * M2 + m) * taps;
        for (int t = 0; t < taps; t++)
            sum = fma(w2[t], shift, sum);
    }
    new[p.to + o] = p.mean_behind < 0 ? sum : old[p.mean_behind + o] - sum;
}

// add_identity: new[o][i][r][s] = old[o][i][r][s], plus 1 at the centre where i is o's own channel.
// old, new [K][n_in][R][S]: n_in channels of each group
__kernel void add_identity(__global const float *restrict old, __global float *restrict new,
                           const int from, const int to, const int n, const int n_in, const int R,
                           const int S)
{
    const int index = get_global_id(0);
    if (index >= n)
        return;
    const int s = index % S, r = index / S % R, i = index / (S * R) % n_in;
    const int o = index / (S * R * n_in);
    const bool own = s == S / 2 && r == R / 2 && i == o % n_in;
    new[to + index] = old[from + index] + (own ? 1.0f : 0.0f);
}
