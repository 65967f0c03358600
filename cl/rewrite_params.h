// rewrite_params.h: arguments of the gathering and composing kernels in rewrite.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_REWRITE_PARAMS_H
#define PLEACH_REWRITE_PARAMS_H

// Parts that a gathered parameter is cut into.
#define GATHER_PARTS 16

// new[to + ((o * n1 + i) * tail + t)] = old[from + ((kept[kept0 + o] * depth + kept[kept1 + i]) * tail + t)]: a
// parameter [n0][n1][tail] from one whose second dimension is `depth`. kept0, kept1 of -1: all, in order.
typedef struct {
    int from, to; // in the arenas
    int n0, n1, tail, depth;
    int kept0, kept1; // of index lists
} gather_params;

// Two convolutions as one, with what stands between and behind them. Offsets count floats of the old
// arena, `to` those of the new one; -1: there is none.
typedef struct {
    int first, second;           // weights: [M][C/groups1][R1][S1], [K][M/groups2][R2][S2]
    int first_bias, second_bias; //
    int gamma, beta, mean, var;  // of the batch norm between
    int mean_behind;             // compose_bias: running mean of the batch norm behind
    int to;                      //
    int C, M, K;                 // channels in, between, out
    int groups, groups1, groups2; // of the result, the greatest common divisor of both
    int R1, S1, R2, S2, R, S;
    int stride_h, stride_w; // of the first
    float eps;
} compose_params;

#endif
