// bench.cl: what the device can do at best: multiply-adds, memory traffic, the launch itself.
//
// A group works on `run` pixels (real_t of all lanes): pixel i of group g is at
// g*group_step + i*pixel_step. A CPU reads best where a group's pixels lie behind one another
// (group_step = run, pixel_step = 1), a GPU where those of neighbouring groups do (group_step = 1,
// pixel_step = groups). All is repeated n_passes times, so that a launch is long against its start
// also where the array fits a cache. `run` is a multiple of MEMORY_UNROLL.
// Work: one group per run. Tuned: CHAINS.
#include "lanes.h"
#include "bench_params.h"

#pragma OPENCL FP_CONTRACT OFF

#ifndef CHAINS
#define CHAINS 8 // multiply-adds that do not wait for one another
#endif

#define PIXEL(i) AT(GRID(0) * group_step + (i) * pixel_step)

// y[g] = the sum of CHAINS chains of n_rounds * FMA_UNROLL multiply-adds v = v * factor + term.
// FLOPs: 2 * CHAINS * FMA_UNROLL * n_rounds per lane and group. Starts from y, so that no compiler
// finds lanes that are equal.
GROUP __kernel void fma_chains(__global real_t *y, const float factor, const float term,
                               const int n_rounds)
{
    const real_t a = factor, b = term, start = y[AT(GRID(0))];
    real_t chains[CHAINS], sum = 0.0f;

    #pragma unroll
    for (int i = 0; i < CHAINS; i++)
        chains[i] = start + (real_t)(float)i;
    for (int round = 0; round < n_rounds; round++)
        #pragma unroll
        for (int step = 0; step < FMA_UNROLL; step++)
            #pragma unroll
            for (int i = 0; i < CHAINS; i++)
                chains[i] = fma(chains[i], a, b);
    #pragma unroll
    for (int i = 0; i < CHAINS; i++)
        sum += chains[i];
    y[AT(GRID(0))] = sum;
}

// y = x. Bytes: two per byte of the array and pass.
GROUP __kernel void memory_copy(__global const real_t *restrict x, __global real_t *restrict y,
                                const int group_step, const int pixel_step, const int run,
                                const int n_passes)
{
    for (int pass = 0; pass < n_passes; pass++)
        for (int i = 0; i < run; i += MEMORY_UNROLL) {
            real_t v[MEMORY_UNROLL];

            #pragma unroll
            for (int j = 0; j < MEMORY_UNROLL; j++)
                v[j] = x[PIXEL(i + j)];
            #pragma unroll
            for (int j = 0; j < MEMORY_UNROLL; j++)
                y[PIXEL(i + j)] = v[j];
        }
}

// Sums x; y [groups] keeps the sum, so that no compiler drops the reading. Bytes: one per byte and
// pass.
GROUP __kernel void memory_read(__global const real_t *restrict x, __global real_t *restrict y,
                                const int group_step, const int pixel_step, const int run,
                                const int n_passes)
{
    real_t sums[MEMORY_UNROLL];

    #pragma unroll
    for (int j = 0; j < MEMORY_UNROLL; j++)
        sums[j] = 0.0f;
    for (int pass = 0; pass < n_passes; pass++)
        for (int i = 0; i < run; i += MEMORY_UNROLL)
            #pragma unroll
            for (int j = 0; j < MEMORY_UNROLL; j++)
                sums[j] += x[PIXEL(i + j)];
    #pragma unroll
    for (int j = 1; j < MEMORY_UNROLL; j++)
        sums[0] += sums[j];
    y[AT(GRID(0))] = sums[0];
}

// y = the pass. Bytes: one per byte and pass. x is not touched: the arguments are those of the others.
GROUP __kernel void memory_write(__global const real_t *restrict x, __global real_t *restrict y,
                                 const int group_step, const int pixel_step, const int run,
                                 const int n_passes)
{
    for (int pass = 0; pass < n_passes; pass++)
        for (int i = 0; i < run; i += MEMORY_UNROLL)
            #pragma unroll
            for (int j = 0; j < MEMORY_UNROLL; j++)
                y[PIXEL(i + j)] = (real_t)(float)pass;
}

// Nothing: what is left is the launch.
GROUP __kernel void no_work(const int unused)
{
}
