// softmax.cl: softmax and its logarithm along one axis of an image, on batch lanes.
// Work: a group per (tile of lines along the axis, 1, block). Forward reads x three times, backward y and dy twice.
#include "lanes.h"
#include "softmax_params.h"

#pragma OPENCL FP_CONTRACT OFF

// First value of line number i.
static inline int line_begin(const softmax_params *p, int i)
{
    return (i / p->inner * p->n * p->inner + i % p->inner) * STEP;
}

// y[k] = exp(x[k] - m) / sum, or x[k] - m - log(sum); m the largest, sum over k of exp(x[k] - m) in order.
GROUP __kernel void softmax_forward(__global const stored_t *x, __global stored_t *y,
                                    const softmax_params p)
{
    const int begin = GRID(0) * p.tile_lines, end = min(begin + p.tile_lines, p.outer * p.inner);
    const int step = p.inner * STEP;

    x += AT(GRID(2) * p.x_planes + p.x_first);
    y += AT(GRID(2) * p.y_planes + p.y_first);
    for (int i = begin; i < end; i++) {
        __global const stored_t *from = x + line_begin(&p, i);
        __global stored_t *to = y + line_begin(&p, i);
        real_t largest = load(from), sum = (real_t)(0.0f);

        for (int k = 1; k < p.n; k++) {
            const real_t v = load(from + k * step);
            largest = select(v, largest, v <= largest || largest != largest);
        }
        for (int k = 0; k < p.n; k++)
            sum += exp(load(from + k * step) - largest);
        const real_t log_sum = log(sum);
        for (int k = 0; k < p.n; k++) {
            const real_t v = load(from + k * step) - largest;
            store(to + k * step, p.flags & SOFTMAX_LOG ? v - log_sum : exp(v) / sum);
        }
    }
}

// dx[k] (+)= y[k] (dy[k] - sum of dy y), or of the logarithm dy[k] - exp(y[k]) sum of dy; 0 in empty lanes.
GROUP __kernel void softmax_backward(__global const stored_t *y, __global const stored_t *dy,
                                     __global stored_t *dx, const softmax_params p)
{
    const int begin = GRID(0) * p.tile_lines, end = min(begin + p.tile_lines, p.outer * p.inner);
    const int step = p.inner * STEP, is_log = p.flags & SOFTMAX_LOG;
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    y += AT(GRID(2) * p.y_planes + p.y_first);
    dy += AT(GRID(2) * p.dy_planes + p.dy_first);
    dx += AT(GRID(2) * p.x_planes + p.x_first);
    for (int i = begin; i < end; i++) {
        const int at = line_begin(&p, i);
        real_t sum = (real_t)(0.0f);

        for (int k = 0; k < p.n; k++) {
            const real_t d = load(dy + at + k * step);
            sum += is_log ? d : d * load(y + at + k * step);
        }
        for (int k = 0; k < p.n; k++) {
            const real_t v = load(y + at + k * step), d = load(dy + at + k * step);
            real_t g = keep(mask, is_log ? d - exp(v) * sum : v * (d - sum));

            if (p.flags & SOFTMAX_ACCUMULATE)
                g += load(dx + at + k * step);
            store(dx + at + k * step, g);
        }
    }
}
