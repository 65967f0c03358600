// batch_norm.cl: batch norm + [add] + [clip] on batch lanes, forward and backward.
//
//   y = [clip](mask * gate * (gamma * (x - mean) * rstd + beta) [+ add])
//
// Training forward:  bn_statistics, bn_finalize, bn_apply    reads x twice, add once; writes y once;
//                    without bn_statistics where the convolution before it summed already
// Inference:         bn_coefficients (once), bn_apply        reads x and add once; writes y once
// Backward:          bn_backward_reduce, bn_backward_finalize, bn_backward_apply
//   with g = dy where y was not clipped, else 0. Without add that is judged from x, and y is
//   not read. With add it is judged from y, and the first pass leaves g in dadd, where the second
//   finds it (unless dadd holds other sums).
// A masked channel's gradient is that of the unmasked one, so that it keeps learning
// (BN_MASK_GRADIENTS: none).
//
// Sums over the batch are cut into n_splits runs of pixels. A lane adds its images in order of
// pixels, then splits in order, then lanes (lanes.h): the same bits whatever the number of
// channels. Work-groups of elementwise kernels cover tile_channels x tile_pixels; tiles do not
// change bits. Empty lanes never enter a sum, and gradients there are 0.
#include "lanes.h"
#include "batch_norm_params.h"

#pragma OPENCL FP_CONTRACT OFF

#define UNROLL 4 // independent sums, more than the latency of an addition needs at memory speed

static inline float coefficient(__global const float *coefficients, const batch_norm_params *p,
                                int row, int c)
{
    return coefficients[p->coefficients_offset + row * p->C + c];
}

static inline void set_coefficient(__global float *coefficients, const batch_norm_params *p,
                                   int row, int c, float value)
{
    coefficients[p->coefficients_offset + row * p->C + c] = value;
}

// Pixels [at, at + count) of the channel's n_blocks planes of `size`; block nb from pixel i.
typedef struct {
    int nb, i, count;
} run_t;

// The part of [at, end) that lies in one plane.
static inline run_t next_run(int at, int end, int size)
{
    const int nb = at / size, i = at - nb * size;
    return (run_t){nb, i, min(size - i, end - at)};
}

// partials [C][2][n_splits][L]: sums of (x - shift) and its square, shift = the channel's first
// value, which keeps the squares small when the mean is large.
// Work: a group per (channel, split). Reads x once.
GROUP __kernel void bn_statistics(__global const stored_t *restrict x,
                                  __global real_t *restrict partials, const batch_norm_params p)
{
    const int c = GRID(0), split = GRID(1);
    const float shift = load_one(x, VIEW(0, p.x_planes, p.x_first, c, p.size) * LANES);
    const int end = min((split + 1) * p.run, p.n_blocks * p.size);
    real_t sum = 0.0f, squares = 0.0f;

    for (int at = split * p.run; at < end;) {
        const run_t run = next_run(at, end, p.size);
        __global const stored_t *restrict v =
            x + AT(VIEW(run.nb, p.x_planes, p.x_first, c, p.size) + run.i);
        const mask_t mask = lane_mask(run.nb, p.n_images);
        real_t s[UNROLL] = {0.0f}, q[UNROLL] = {0.0f};
        int i = 0;

        for (; i + UNROLL <= run.count; i += UNROLL)
            #pragma unroll
            for (int u = 0; u < UNROLL; u++) {
                const real_t d = load(v + (i + u) * STEP) - shift;
                s[u] += d;
                q[u] = fma(d, d, q[u]);
            }
        for (; i < run.count; i++) {
            const real_t d = load(v + i * STEP) - shift;
            s[0] += d;
            q[0] = fma(d, d, q[0]);
        }
        sum += keep(mask, (s[0] + s[1]) + (s[2] + s[3]));
        squares += keep(mask, (q[0] + q[1]) + (q[2] + q[3]));
        at += run.count;
    }
    partials[AT((c * 2 + 0) * p.n_splits + split)] = sum;
    partials[AT((c * 2 + 1) * p.n_splits + split)] = squares;
}

// Parks the sums over splits of both halves of partials, for parked_sum after LANE_BARRIER().
static inline void park_partials(SCRATCH_SPACE scratch_t *scratch,
                                 __global const real_t *restrict partials,
                                 const batch_norm_params *p, int c)
{
    real_t a = 0.0f, b = 0.0f;

    partials += AT(c * 2 * p->n_splits);
    #pragma unroll 8
    for (int split = 0; split < p->n_splits; split++) {
        a += partials[split * STEP];
        b += partials[(p->n_splits + split) * STEP];
    }
    park(scratch, 0, a);
    park(scratch, 1, b);
}

static inline void set_forward(__global float *coefficients, __global const float *weights,
                               __global const float *masks, __global const float *gates,
                               const batch_norm_params *p, int c, float mean, float variance)
{
    const float rstd = 1.0f / sqrt(variance + p->eps);
    const float mask = p->mask_offset < 0 ? 1.0f : masks[p->mask_offset + c];
    const float open_scale = weights[p->gamma_offset + c] * rstd;
    const float open_shift = weights[p->beta_offset + c] - mean * open_scale;
    const float factor = mask * gates[p->gate_offset];
    const float scale = mask == 0.0f ? 0.0f : factor * open_scale;
    const float shift = mask == 0.0f ? 0.0f : factor * open_shift;

    set_coefficient(coefficients, p, BN_SCALE, c, scale);
    set_coefficient(coefficients, p, BN_SHIFT, c, shift);
    set_coefficient(coefficients, p, BN_MEAN, c, mean);
    set_coefficient(coefficients, p, BN_RSTD, c, rstd);
    set_coefficient(coefficients, p, BN_OPEN_SCALE, c, mask == 0.0f ? open_scale : scale);
    set_coefficient(coefficients, p, BN_OPEN_SHIFT, c, mask == 0.0f ? open_shift : shift);
    set_coefficient(coefficients, p, BN_KEPT, c, mask);
}

// Statistics of the batch from partials; running mean and unbiased variance in `weights`, moved to the batch's
// by `momentum`; coefficients for bn_apply. x gives the shift of bn_statistics; with BN_SUMS_GIVEN it is the
// running mean.
// Work: a group per channel.
GROUP __kernel void bn_finalize(__global const stored_t *restrict x,
                                __global const real_t *restrict partials,
                                __global float *restrict weights,
                                __global const float *restrict masks,
                                __global const float *restrict gates,
                                __global float *restrict coefficients, const batch_norm_params p,
                                const float momentum)
{
    LANE_SCRATCH(scratch, 2);
    const int c = GRID(0);

    park_partials(scratch, partials, &p, c);
    LANE_BARRIER();
    if (LANE == 0) {
        const float n = (float)p.n_images * (float)p.size;
        const float shift =
            p.flags & BN_SUMS_GIVEN
                ? weights[p.mean_offset + c]
                : load_one(x, VIEW(0, p.x_planes, p.x_first, c, p.size) * LANES);
        const float offset = parked_sum(scratch, 0) / n;
        const float second = parked_sum(scratch, 1) / n;
        const float mean = shift + offset;
        // Not fmax, which would hide a NaN.
        const float difference = fma(-offset, offset, second);
        const float variance = difference < 0.0f ? 0.0f : difference;
        const float unbiased = n > 1.0f ? variance * (n / (n - 1.0f)) : variance;
        __global float *running_mean = weights + p.mean_offset + c;
        __global float *running_variance = weights + p.variance_offset + c;

        *running_mean = fma(momentum, mean - *running_mean, *running_mean);
        *running_variance = fma(momentum, unbiased - *running_variance, *running_variance);
        set_forward(coefficients, weights, masks, gates, &p, c, mean, variance);
    }
}

// Inference: coefficients from the running statistics. Work: an item per channel.
__kernel void bn_coefficients(__global const float *restrict weights,
                              __global const float *restrict masks,
                              __global const float *restrict gates,
                              __global float *restrict coefficients, const batch_norm_params p)
{
    const int c = get_global_id(0);

    if (c < p.C)
        set_forward(coefficients, weights, masks, gates, &p, c, weights[p.mean_offset + c],
                    weights[p.variance_offset + c]);
}

static inline void apply_run(const bool has_add, const bool clips, __global const stored_t *x,
                             __global const stored_t *add, __global stored_t *y, int n, float scale,
                             float shift, float low, float high)
{
    for (int i = 0; i < n; i++) {
        real_t v = fma(load(x + i * STEP), (real_t)(scale), (real_t)(shift));
        if (has_add)
            v += load(add + i * STEP);
        store(y + i * STEP, clips ? limit(v, low, high) : v);
    }
}

// y = [clip](scale[c]*x + shift[c] [+ add]).    y may be x or add.
// Work: a group per (pixel tile, channel tile, block).
GROUP __kernel void bn_apply(__global const stored_t *x, __global const stored_t *add,
                             __global stored_t *y, __global const float *coefficients,
                             const batch_norm_params p)
{
    const int i = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - i), nb = GRID(2);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const float scale = coefficient(coefficients, &p, BN_SCALE, c);
        const float shift = coefficient(coefficients, &p, BN_SHIFT, c);
        __global const stored_t *vx = x + AT(VIEW(nb, p.x_planes, p.x_first, c, p.size) + i);
        __global const stored_t *va = add + AT(VIEW(nb, p.add_planes, p.add_first, c, p.size) + i);
        __global stored_t *vy = y + AT(VIEW(nb, p.y_planes, p.y_first, c, p.size) + i);

        switch (p.flags & (BN_ADD | BN_CLIP)) {
        case 0: apply_run(false, false, vx, va, vy, n, scale, shift, p.low, p.high); break;
        case BN_CLIP: apply_run(false, true, vx, va, vy, n, scale, shift, p.low, p.high); break;
        case BN_ADD: apply_run(true, false, vx, va, vy, n, scale, shift, p.low, p.high); break;
        default: apply_run(true, true, vx, va, vy, n, scale, shift, p.low, p.high); break;
        }
    }
}

// What decides whether the gradient passes at a pixel.
enum { OPEN_ALWAYS, OPEN_BY_X, OPEN_BY_Y };

// y alone knows what was added. In a masked channel that is masked too, so x decides there.
static inline int open_by(const batch_norm_params *p, float kept)
{
    if (!(p->flags & BN_CLIP))
        return OPEN_ALWAYS;
    return (p->flags & BN_ADD) && kept != 0.0f ? OPEN_BY_Y : OPEN_BY_X;
}

// What decides there: scale*x + shift, or y.
typedef struct {
    float scale, shift, low, high;
} opening_t;

static inline real_t open_gradient(const int by, real_t dy, real_t x, __global const stored_t *y,
                                   opening_t k)
{
    if (by == OPEN_ALWAYS)
        return dy;
    const real_t v = by == OPEN_BY_Y ? load(y) : fma(x, (real_t)(k.scale), (real_t)(k.shift));
    return where_inside(v, k.low, k.high, dy);
}

static inline opening_t opening_of(__global const float *coefficients, const batch_norm_params *p, int c)
{
    return (opening_t){coefficient(coefficients, p, BN_OPEN_SCALE, c),
                    coefficient(coefficients, p, BN_OPEN_SHIFT, c), p->low, p->high};
}

// One channel of one block.
typedef struct {
    __global const stored_t *dy, *x, *y;
    __global stored_t *dx, *dadd;
} planes_t;

typedef struct {
    float mean;
    opening_t opening;
} reduce_t;

static inline void reduce_pixel(const int by, const int dadd, planes_t v, int i, mask_t mask,
                                reduce_t k, real_t *restrict sum, real_t *restrict sum_x)
{
    const real_t x = load(v.x + i * STEP);
    const real_t g = open_gradient(by, load(v.dy + i * STEP), x, v.y + i * STEP, k.opening);

    *sum += g;
    *sum_x = fma(g, x - k.mean, *sum_x);
    if (dadd == BN_WRITE_DADD)
        store(v.dadd + i * STEP, keep(mask, g));
    else if (dadd == BN_ACCUMULATE_DADD)
        store(v.dadd + i * STEP, load(v.dadd + i * STEP) + keep(mask, g));
}

// Adds the sums of g and of g * (x - mean) to sums[2].
static inline void reduce_run(const int by, const int dadd, planes_t v, int n, mask_t mask,
                              reduce_t k, real_t sums[2])
{
    real_t s[UNROLL] = {0.0f}, q[UNROLL] = {0.0f};
    int i = 0;

    for (; i + UNROLL <= n; i += UNROLL)
        #pragma unroll
        for (int u = 0; u < UNROLL; u++)
            reduce_pixel(by, dadd, v, i + u, mask, k, &s[u], &q[u]);
    for (; i < n; i++)
        reduce_pixel(by, dadd, v, i, mask, k, &s[0], &q[0]);
    sums[0] += keep(mask, (s[0] + s[1]) + (s[2] + s[3]));
    sums[1] += keep(mask, (q[0] + q[1]) + (q[2] + q[3]));
}

// The same with constants where run-time values were, so that the loops have no branches.
static inline void reduce_plane(const int by, int flags, planes_t v, int n, mask_t mask, reduce_t k,
                                real_t sums[2])
{
    switch (flags & (BN_WRITE_DADD | BN_ACCUMULATE_DADD)) {
    case 0: reduce_run(by, 0, v, n, mask, k, sums); break;
    case BN_WRITE_DADD: reduce_run(by, BN_WRITE_DADD, v, n, mask, k, sums); break;
    default: reduce_run(by, BN_ACCUMULATE_DADD, v, n, mask, k, sums); break;
    }
}

// partials [C][2][n_splits][L]: sums of g and g * (x - mean); and dadd (+)= g when asked.
// Work: a group per (channel, split). Reads dy and x once, and where there is an add y.
GROUP __kernel void bn_backward_reduce(__global const stored_t *dy, __global const stored_t *x,
                                       __global const stored_t *y,
                                       __global const float *coefficients,
                                       __global stored_t *dadd, __global real_t *partials,
                                       const batch_norm_params p)
{
    const int c = GRID(0), split = GRID(1);
    const int end = min((split + 1) * p.run, p.n_blocks * p.size);
    const reduce_t k = {
        .mean = coefficient(coefficients, &p, BN_MEAN, c),
        .opening = opening_of(coefficients, &p, c),
    };
    const int by = open_by(&p, coefficient(coefficients, &p, BN_KEPT, c));
    real_t sums[2] = {0.0f, 0.0f};

    for (int at = split * p.run; at < end;) {
        const run_t run = next_run(at, end, p.size);
        const mask_t mask = lane_mask(run.nb, p.n_images);
        const planes_t v = {
            .dy = dy + AT(VIEW(run.nb, p.dy_planes, p.dy_first, c, p.size) + run.i),
            .x = x + AT(VIEW(run.nb, p.x_planes, p.x_first, c, p.size) + run.i),
            .y = y + AT(VIEW(run.nb, p.y_planes, p.y_first, c, p.size) + run.i),
            .dadd = dadd + AT(VIEW(run.nb, p.dadd_planes, p.dadd_first, c, p.size) + run.i),
        };

        switch (by) {
        case OPEN_ALWAYS: reduce_plane(OPEN_ALWAYS, p.flags, v, run.count, mask, k, sums); break;
        case OPEN_BY_X: reduce_plane(OPEN_BY_X, p.flags, v, run.count, mask, k, sums); break;
        default: reduce_plane(OPEN_BY_Y, p.flags, v, run.count, mask, k, sums); break;
        }
        at += run.count;
    }
    partials[AT((c * 2 + 0) * p.n_splits + split)] = sums[0];
    partials[AT((c * 2 + 1) * p.n_splits + split)] = sums[1];
}

// dgamma += gate * sum(g * xhat), dbeta += gate * sum(g), and, with a = gate * gamma * rstd,
//   dx = a * (g - mean(g) - xhat * mean(g * xhat)) = a*g + dx_x*(x - mean) + dx_one.
// Work: a group per channel.
GROUP __kernel void bn_backward_finalize(__global const real_t *restrict partials,
                                         __global const float *restrict weights,
                                         __global const float *restrict gates,
                                         __global float *restrict grads,
                                         __global float *coefficients, const batch_norm_params p)
{
    LANE_SCRATCH(scratch, 2);
    const int c = GRID(0);

    park_partials(scratch, partials, &p, c);
    LANE_BARRIER();
    if (LANE == 0) {
        const float n = (float)p.n_images * (float)p.size;
        const float kept =
            p.flags & BN_MASK_GRADIENTS ? coefficient(coefficients, &p, BN_KEPT, c) : 1.0f;
        const float factor = kept * gates[p.gate_offset];
        const float rstd = coefficient(coefficients, &p, BN_RSTD, c);
        const float sum_g = parked_sum(scratch, 0), sum_g_xhat = parked_sum(scratch, 1) * rstd;
        const float a = factor * weights[p.gamma_offset + c] * rstd;

        grads[p.gamma_offset + c] = fma(factor, sum_g_xhat, grads[p.gamma_offset + c]);
        grads[p.beta_offset + c] = fma(factor, sum_g, grads[p.beta_offset + c]);
        set_coefficient(coefficients, &p, BN_DX_G, c, a);
        set_coefficient(coefficients, &p, BN_DX_X, c, -a * rstd * (sum_g_xhat / n));
        set_coefficient(coefficients, &p, BN_DX_ONE, c, -a * (sum_g / n));
    }
}

typedef struct {
    float mean, g, x, one;
    opening_t opening;
} dx_t;

static inline void backward_run(const int by, const bool accumulate, planes_t v, int n, mask_t mask,
                                dx_t k)
{
    for (int i = 0; i < n; i++) {
        const int at = i * STEP;
        const real_t x = load(v.x + at);
        const real_t g = open_gradient(by, load(v.dy + at), x, v.y + at, k.opening);
        const real_t dx = fma((real_t)(k.g), g, fma((real_t)(k.x), x - k.mean, (real_t)(k.one)));

        if (accumulate)
            store(v.dx + at, load(v.dx + at) + keep(mask, dx));
        else
            store(v.dx + at, keep(mask, dx));
    }
}

// dx (+)= dx_g*g + dx_x*(x - mean) + dx_one.
// Work: a group per (pixel tile, channel tile, block). Reads dy and x once.
// With an add it reads y too, unless bn_backward_reduce left g in dadd: then dy is that dadd and
// the flags say neither clip nor add.
GROUP __kernel void bn_backward_apply(__global const stored_t *dy, __global const stored_t *x,
                                      __global const stored_t *y,
                                      __global const float *coefficients,
                                      __global stored_t *dx, const batch_norm_params p)
{
    const int i = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - i), nb = GRID(2);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);
    const mask_t mask = lane_mask(nb, p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const dx_t k = {
            .mean = coefficient(coefficients, &p, BN_MEAN, c),
            .opening = opening_of(coefficients, &p, c),
            .g = coefficient(coefficients, &p, BN_DX_G, c),
            .x = coefficient(coefficients, &p, BN_DX_X, c),
            .one = coefficient(coefficients, &p, BN_DX_ONE, c),
        };
        const planes_t v = {
            .dy = dy + AT(VIEW(nb, p.dy_planes, p.dy_first, c, p.size) + i),
            .x = x + AT(VIEW(nb, p.x_planes, p.x_first, c, p.size) + i),
            .y = y + AT(VIEW(nb, p.y_planes, p.y_first, c, p.size) + i),
            .dx = dx + AT(VIEW(nb, p.dx_planes, p.dx_first, c, p.size) + i),
        };

        switch (open_by(&p, coefficient(coefficients, &p, BN_KEPT, c)) * 2 +
                ((p.flags & BN_ACCUMULATE_DX) != 0)) {
        case 2 * OPEN_ALWAYS: backward_run(OPEN_ALWAYS, false, v, n, mask, k); break;
        case 2 * OPEN_ALWAYS + 1: backward_run(OPEN_ALWAYS, true, v, n, mask, k); break;
        case 2 * OPEN_BY_X: backward_run(OPEN_BY_X, false, v, n, mask, k); break;
        case 2 * OPEN_BY_X + 1: backward_run(OPEN_BY_X, true, v, n, mask, k); break;
        case 2 * OPEN_BY_Y: backward_run(OPEN_BY_Y, false, v, n, mask, k); break;
        case 2 * OPEN_BY_Y + 1: backward_run(OPEN_BY_Y, true, v, n, mask, k); break;
        }
    }
}
