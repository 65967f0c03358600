// as_strided.cl: values of an image in another order, some of them, some repeatedly, on batch lanes.
// Work: a group per (tile of values, 1, block). Each value that is used is read once, each of y written once.
#include "lanes.h"
#include "as_strided_params.h"

#pragma OPENCL FP_CONTRACT OFF

// Where in x (x) and y (y) step number `at` of loops [first, first + n) is. Written so that every index into the loops
// is a constant once it is unrolled: an array that is not indexed so would lie in memory.
static inline int2 place_of(const as_strided_params *p, int first, int n, int at)
{
    int2 place = (int2)(0, 0);

    #pragma unroll
    for (int i = AS_STRIDED_MAX_DIMS - 1; i >= 0; i--)
        if (i >= first && i < first + n) {
            const int step = at % p->loops[i].size;

            place += (int2)(step * p->loops[i].x_stride, step * p->loops[i].y_stride);
            at /= p->loops[i].size;
        }
    return place;
}

// y[..] = x[..].    x, y [N/L][C][H][W][L], seen as C*H*W values of a block
GROUP __kernel void as_strided_forward(__global const stored_t *x, __global stored_t *y,
                                       const as_strided_params p)
{
    const int begin = GRID(0) * p.tile_values, end = min(begin + p.tile_values, p.n_values);

    x += AT(GRID(2) * p.x_planes + p.x_first + p.offset);
    y += AT(GRID(2) * p.y_planes + p.y_first);
    for (int i = begin; i < end; i++) {
        const int2 place = place_of(&p, 0, p.n_dims, i);
        const real_t v = load(x + place.x * STEP);

        for (int j = 0; j < p.n_repeats; j++)
            store(y + (place.y + place_of(&p, p.n_dims, p.n_repeats_dims, j).y) * STEP, v);
    }
}

// dx[..] += the sum of dy over its repeats, in order; what the view leaves out stays as it is.
GROUP __kernel void as_strided_backward(__global const stored_t *dy, __global stored_t *dx,
                                        const as_strided_params p)
{
    const int begin = GRID(0) * p.tile_values, end = min(begin + p.tile_values, p.n_values);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    dx += AT(GRID(2) * p.x_planes + p.x_first + p.offset);
    dy += AT(GRID(2) * p.y_planes + p.y_first);
    for (int i = begin; i < end; i++) {
        const int2 place = place_of(&p, 0, p.n_dims, i);
        real_t g = load(dx + place.x * STEP);

        for (int j = 0; j < p.n_repeats; j++)
            g += keep(mask,
                      load(dy + (place.y + place_of(&p, p.n_dims, p.n_repeats_dims, j).y) * STEP));
        store(dx + place.x * STEP, g);
    }
}
