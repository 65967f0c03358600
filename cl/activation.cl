// activation.cl: functions of single values on batch lanes, pixel by pixel, and their gradients.
//
// The channels of a view lie behind one another, so these kernels see C*size pixels of a block and
// no channels.
// Work: a group per (tile of pixels, 1, block). Each input is read once, each output written once.
#include "lanes.h"
#include "tiles.h"
#include "activation.h"

#pragma OPENCL FP_CONTRACT OFF

// f'(v). At a kink that of the flat side.
static inline real_t slope(const int kind, real_t v, float a, float b)
{
    const real_t one = (real_t)(1.0f);

    switch (kind) {
    case ACTIVATION_LEAKY_RELU: return select(one, (real_t)(a), v < (real_t)(0.0f));
    case ACTIVATION_SIGMOID: return sigmoid(v) * (one - sigmoid(v));
    case ACTIVATION_HARD_SIGMOID: return where_inside(v * a + b, 0.0f, 1.0f, (real_t)(a));
    case ACTIVATION_HARD_SWISH:
        return select(where_inside(v, -3.0f, 3.0f, v * (1.0f / 3.0f) + 0.5f), one,
                      v >= (real_t)(3.0f));
    case ACTIVATION_TANH: return one - tanh(v) * tanh(v);
    case ACTIVATION_ELU: return select(one, exp(v) * a, v < (real_t)(0.0f)) * b;
    case ACTIVATION_SOFTPLUS: return sigmoid(v);
    default: return one / ((fabs(v) + 1.0f) * (fabs(v) + 1.0f));
    }
}

// `call` with a constant KIND among its arguments, so that each function gets a loop of its own.
// (NVIDIA's compiler takes no macro with `...`.)
#define WITH_KIND(kind, call)      \
    {                              \
        const int KIND = (kind);   \
        call;                      \
        break;                     \
    }
#define BY_KIND(kind, call)                                                 \
    switch (kind) {                                                         \
    case ACTIVATION_LEAKY_RELU: WITH_KIND(ACTIVATION_LEAKY_RELU, call);     \
    case ACTIVATION_SIGMOID: WITH_KIND(ACTIVATION_SIGMOID, call);           \
    case ACTIVATION_HARD_SIGMOID: WITH_KIND(ACTIVATION_HARD_SIGMOID, call); \
    case ACTIVATION_HARD_SWISH: WITH_KIND(ACTIVATION_HARD_SWISH, call);     \
    case ACTIVATION_TANH: WITH_KIND(ACTIVATION_TANH, call);                 \
    case ACTIVATION_ELU: WITH_KIND(ACTIVATION_ELU, call);                   \
    case ACTIVATION_SOFTPLUS: WITH_KIND(ACTIVATION_SOFTPLUS, call);         \
    default: WITH_KIND(ACTIVATION_SOFTSIGN, call);                          \
    }

static inline void forward_run(const int kind, __global const stored_t *x, __global stored_t *y,
                               int n, float a, float b)
{
    for (int i = 0; i < n; i++)
        store(y + i * STEP, activation(kind, load(x + i * STEP), a, b));
}

// y = f(x).    x, y [N/L][C][H][W][L]; y may be x.
GROUP __kernel void activation_forward(__global const stored_t *x, __global stored_t *y,
                                       const activation_params p)
{
    const int n = TILE_COUNT(p);

    x += TILE(p, p.x_planes, p.x_first);
    y += TILE(p, p.y_planes, p.y_first);
    BY_KIND(p.kind, forward_run(KIND, x, y, n, p.a, p.b));
}

static inline void backward_run(const int kind, __global const stored_t *dy,
                                __global const stored_t *x, __global stored_t *dx, int n,
                                mask_t mask, int accumulate, float a, float b)
{
    for (int i = 0; i < n; i++) {
        real_t g =
            keep(mask, load(dy + i * STEP) * slope(kind, load(x + i * STEP), a, b));
        if (accumulate)
            g += load(dx + i * STEP);
        store(dx + i * STEP, g);
    }
}

// dx (+)= dy f'(x); 0 in empty lanes.
GROUP __kernel void activation_backward(__global const stored_t *dy, __global const stored_t *x,
                                        __global stored_t *dx, const activation_params p)
{
    const int n = TILE_COUNT(p), add = p.accumulate;
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    dy += TILE(p, p.y_planes, p.y_first);
    x += TILE(p, p.x_planes, p.x_first);
    dx += TILE(p, p.dx_planes, p.dx_first);
    BY_KIND(p.kind, backward_run(KIND, dy, x, dx, n, mask, add, p.a, p.b));
}
