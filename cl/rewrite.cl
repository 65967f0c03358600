// Rewrites of parameters from an old arena into a new one.
// Work: one item per float of the new parameter, 1-D. Bytes: 8 per float, and the lists.

// new[o][i][t] = old[kept0[o]][kept1[i]][t]: new is [n0][n1][tail], old has `depth` for n1.
// kept0, kept1 are offsets of index lists in `kept`, -1: all. from, to are offsets in the arenas.
__kernel void gather_oihw(__global const float *restrict old, __global float *restrict new,
                          __global const int *restrict kept, const int from, const int to,
                          const int n0, const int n1, const int tail, const int depth,
                          const int kept0, const int kept1)
{
    const int index = get_global_id(0);
    if (index >= n0 * n1 * tail)
        return;
    const int t = index % tail, i = index / tail % n1, o = index / tail / n1;
    const int source_o = kept0 < 0 ? o : kept[kept0 + o];
    const int source_i = kept1 < 0 ? i : kept[kept1 + i];
    new[to + index] = old[from + (source_o * depth + source_i) * tail + t];
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
