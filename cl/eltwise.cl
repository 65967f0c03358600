// eltwise.cl: clipping (ReLU), adding, copying and masking on batch lanes: pixel by pixel.
//
// The channels of a view lie behind one another, so these kernels see C*size pixels of a block and
// no channels.
// Work: a group per (tile of pixels, 1, block). Each input is read once, each output written once.
#include "lanes.h"
#include "tiles.h"
#include "eltwise_params.h"

#pragma OPENCL FP_CONTRACT OFF

static inline void forward_run(const bool add, const bool clips, __global const stored_t *a,
                               __global const stored_t *b, __global stored_t *y, int n, float low,
                               float high)
{
    for (int i = 0; i < n; i++) {
        real_t v = load(a + i * STEP);
        if (add)
            v += load(b + i * STEP);
        store(y + i * STEP, clips ? limit(v, low, high) : v);
    }
}

// y = [clip](a [+ b]).    a, b, y [N/L][C][H][W][L]; y may be a or b.
GROUP __kernel void eltwise_forward(__global const stored_t *a, __global const stored_t *b,
                                    __global stored_t *y, const eltwise_params p)
{
    const int n = TILE_COUNT(p);

    a += TILE(p, p.a_planes, p.a_first);
    b += TILE(p, p.b_planes, p.b_first);
    y += TILE(p, p.y_planes, p.y_first);
    switch (p.flags & (ELTWISE_ADD | ELTWISE_CLIP)) {
    case 0: forward_run(false, false, a, b, y, n, p.low, p.high); break;
    case ELTWISE_ADD: forward_run(true, false, a, b, y, n, p.low, p.high); break;
    case ELTWISE_CLIP: forward_run(false, true, a, b, y, n, p.low, p.high); break;
    default: forward_run(true, true, a, b, y, n, p.low, p.high); break;
    }
}

static inline void backward_run(const bool clips, const bool accumulate,
                                __global const stored_t *dy, __global const stored_t *y,
                                __global stored_t *dx, int n, mask_t mask, float low, float high)
{
    for (int i = 0; i < n; i++) {
        real_t g = keep(mask, load(dy + i * STEP));
        if (clips)
            g = where_inside(load(y + i * STEP), low, high, g);
        if (accumulate)
            g += load(dx + i * STEP);
        store(dx + i * STEP, g);
    }
}

// dx (+)= dy, or dy where low < y < high (ELTWISE_CLIP). dx is the view a, dy the view b; 0 in empty lanes.
GROUP __kernel void eltwise_backward(__global const stored_t *dy, __global const stored_t *y,
                                     __global stored_t *dx, const eltwise_params p)
{
    const int n = TILE_COUNT(p);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    dx += TILE(p, p.a_planes, p.a_first);
    dy += TILE(p, p.b_planes, p.b_first);
    y += TILE(p, p.y_planes, p.y_first);
    switch (p.flags & (ELTWISE_ACCUMULATE | ELTWISE_CLIP)) {
    case 0: backward_run(false, false, dy, y, dx, n, mask, p.low, p.high); break;
    case ELTWISE_ACCUMULATE: backward_run(false, true, dy, y, dx, n, mask, p.low, p.high); break;
    case ELTWISE_CLIP: backward_run(true, false, dy, y, dx, n, mask, p.low, p.high); break;
    default: backward_run(true, true, dy, y, dx, n, mask, p.low, p.high); break;
    }
}

// y = 0.
GROUP __kernel void fill_zero(__global stored_t *y, const eltwise_params p)
{
    const int n = TILE_COUNT(p);

    y += TILE(p, p.y_planes, p.y_first);
    for (int i = 0; i < n; i++)
        store(y + i * STEP, (real_t)(0.0f));
}

// y *= mask[c]; +0 where the mask is 0. Channels whose mask is 1 are not touched.
// Work: a group per (tile of pixels, tile of channels, block).
GROUP __kernel void mask_apply(__global stored_t *y, __global const float *restrict masks,
                               const eltwise_params p)
{
    const int begin = GRID(0) * p.tile_pixels, n = min(p.tile_pixels, p.size - begin);
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const float mask = masks[p.mask_offset + c];
        __global stored_t *v = y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.size) + begin);

        if (mask == 0.0f)
            for (int i = 0; i < n; i++)
                store(v + i * STEP, (real_t)(0.0f));
        else if (mask != 1.0f)
            for (int i = 0; i < n; i++)
                store(v + i * STEP, load(v + i * STEP) * mask);
    }
}
