// Convolution by its definition: seven loops.
#include "conv.h"

#include <stdbool.h>
#include <stddef.h>

// Indices of one product: y[y_at] += x[x_at] * w[w_at].
typedef struct product {
    size_t x_at, w_at, y_at;
} product;

// The product of output pixel (n, k, p, q), input channel c of its group and tap (r, s); false in
// the padding.
static bool find_product(const plc_reference_conv *v, int n, int k, int p, int q, int c, int r,
                         int s, product *at)
{
    const int h = p * v->stride_h - v->pad_h + r * v->dilation_h;
    const int w = q * v->stride_w - v->pad_w + s * v->dilation_w;
    const int channel = k / v->K * v->C + c;

    if (h < 0 || h >= v->H || w < 0 || w >= v->W)
        return false;
    at->x_at =
        (((size_t)n * (size_t)(v->groups * v->C) + (size_t)channel) * (size_t)v->H + (size_t)h) *
            (size_t)v->W +
        (size_t)w;
    at->w_at = (((size_t)k * (size_t)v->C + (size_t)c) * (size_t)v->R + (size_t)r) * (size_t)v->S +
               (size_t)s;
    at->y_at = (((size_t)n * (size_t)(v->groups * v->K) + (size_t)k) * (size_t)v->P + (size_t)p) *
                   (size_t)v->Q +
               (size_t)q;
    return true;
}

#define FOR(i, end) for (int i = 0; i < (end); i++)
#define FOR_PRODUCTS(v, at)                                                                        \
    FOR(n, (v)->N)                                                                                 \
    FOR(k, (v)->groups *(v)->K)                                                                    \
    FOR(p, (v)->P)                                                                                 \
    FOR(q, (v)->Q)                                                                                 \
    FOR(c, (v)->C) FOR(r, (v)->R) FOR(s, (v)->S) if (find_product(v, n, k, p, q, c, r, s, &(at)))

void plc_reference_conv_forward(const plc_reference_conv *v, const float *x, const float *w,
                                double *y)
{
    const size_t n_y = (size_t)v->N * (size_t)(v->groups * v->K * v->P * v->Q);
    product at;

    for (size_t i = 0; i < n_y; i++)
        y[i] = 0;
    FOR_PRODUCTS(v, at)
    y[at.y_at] += (double)x[at.x_at] * (double)w[at.w_at];
}

void plc_reference_conv_backward(const plc_reference_conv *v, const float *x, const float *w,
                                 const float *dy, double *dx, double *dw)
{
    product at;

    FOR_PRODUCTS(v, at)
    {
        if (dx)
            dx[at.x_at] += (double)dy[at.y_at] * (double)w[at.w_at];
        if (dw)
            dw[at.w_at] += (double)dy[at.y_at] * (double)x[at.x_at];
    }
}
