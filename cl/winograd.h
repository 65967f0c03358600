// winograd.h: the one-dimensional transforms of Winograd's F(4, 3), spelled once (OpenCL C 1.2).
//
// Four outputs of a correlation with three taps from six inputs with six products:
//     y = AT [(G g) * (BT d)]        (Lavin and Gray, "Fast Algorithms for Convolutional Neural
//                                     Networks", 2015; Toom-Cook with the points below)
// The same six products give the three taps' gradient from six inputs and four gradients of
// outputs. Points 0, +-3/4, +-3/2 and infinity: all their powers are exact in binary, and the
// rounding error is half of that of the usual 0, +-1, +-2 (measured: 8e-7 of the result's standard
// deviation over 64 channels; a direct sum has 2e-7).
// Every result is a fixed chain of operations, so bits depend on nothing else.
#ifndef PLEACH_WINOGRAD_H
#define PLEACH_WINOGRAD_H

#include "lanes.h"
#include "winograd_params.h"

// Points a and b, their powers, and 1/N(p): N is the product of the distances to the other points.
#define POINT_A 0.75f
#define POINT_A2 0.5625f
#define POINT_A3 0.421875f
#define POINT_B 1.5f
#define POINT_B2 2.25f
#define POINT_B3 3.375f
#define INVERSE_N0 (1.0f / 1.265625f)
#define INVERSE_NA (-1.0f / 1.8984375f)
#define INVERSE_NB (1.0f / 7.59375f)

#define WINOGRAD_INLINE static inline __attribute__((always_inline))

// t[0..5] = BT d, d and t `step` apart: coefficients of N(x)/(x - p) per row.
WINOGRAD_INLINE void winograd_input(const real_t *d, const int d_step, real_t *t, const int t_step)
{
    const real_t d0 = d[0], d1 = d[d_step], d2 = d[2 * d_step], d3 = d[3 * d_step],
                 d4 = d[4 * d_step], d5 = d[5 * d_step];
    const real_t even_a = fma((real_t)(-POINT_B2), d2, d4);
    const real_t odd_a = fma((real_t)(-POINT_B2), d1, d3);
    const real_t even_b = fma((real_t)(-POINT_A2), d2, d4);
    const real_t odd_b = fma((real_t)(-POINT_A2), d1, d3);

    t[0] = fma((real_t)(POINT_A2 * POINT_B2), d0, fma((real_t)(-(POINT_A2 + POINT_B2)), d2, d4));
    t[t_step] = fma((real_t)(POINT_A), odd_a, even_a);
    t[2 * t_step] = fma((real_t)(-POINT_A), odd_a, even_a);
    t[3 * t_step] = fma((real_t)(POINT_B), odd_b, even_b);
    t[4 * t_step] = fma((real_t)(-POINT_B), odd_b, even_b);
    t[5 * t_step] =
        fma((real_t)(POINT_A2 * POINT_B2), d1, fma((real_t)(-(POINT_A2 + POINT_B2)), d3, d5));
}

// y[0..3] = AT m: powers of the points.
WINOGRAD_INLINE void winograd_output(const real_t *m, const int m_step, real_t *y, const int y_step)
{
    const real_t m0 = m[0], m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step],
                 m4 = m[4 * m_step], m5 = m[5 * m_step];
    const real_t sum_a = m1 + m2, difference_a = m1 - m2;
    const real_t sum_b = m3 + m4, difference_b = m3 - m4;

    y[0] = m0 + (sum_a + sum_b);
    y[y_step] = fma((real_t)(POINT_B), difference_b, POINT_A * difference_a);
    y[2 * y_step] = fma((real_t)(POINT_B2), sum_b, POINT_A2 * sum_a);
    y[3 * y_step] =
        fma((real_t)(POINT_B3), difference_b, fma((real_t)(POINT_A3), difference_a, m5));
}

// u[0..5] = G g.
WINOGRAD_INLINE void winograd_filter(const real_t *g, const int g_step, real_t *u, const int u_step)
{
    const real_t g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step];
    const real_t even_a = fma((real_t)(POINT_A2), g2, g0), odd_a = POINT_A * g1;
    const real_t even_b = fma((real_t)(POINT_B2), g2, g0), odd_b = POINT_B * g1;

    u[0] = INVERSE_N0 * g0;
    u[u_step] = INVERSE_NA * (even_a + odd_a);
    u[2 * u_step] = INVERSE_NA * (even_a - odd_a);
    u[3 * u_step] = INVERSE_NB * (even_b + odd_b);
    u[4 * u_step] = INVERSE_NB * (even_b - odd_b);
    u[5 * u_step] = g2;
}

// z[0..5]: four gradients of outputs as the filter of a correlation with three outputs. 1/N(p) is left
// to winograd_taps.
WINOGRAD_INLINE void winograd_gradient(const real_t *dy, const int dy_step, real_t *z,
                                       const int z_step)
{
    const real_t d0 = dy[0], d1 = dy[dy_step], d2 = dy[2 * dy_step], d3 = dy[3 * dy_step];
    const real_t even_a = fma((real_t)(POINT_A2), d2, d0), odd_a = fma((real_t)(POINT_A2), d3, d1);
    const real_t even_b = fma((real_t)(POINT_B2), d2, d0), odd_b = fma((real_t)(POINT_B2), d3, d1);

    z[0] = d0;
    z[z_step] = fma((real_t)(POINT_A), odd_a, even_a);
    z[2 * z_step] = fma((real_t)(-POINT_A), odd_a, even_a);
    z[3 * z_step] = fma((real_t)(POINT_B), odd_b, even_b);
    z[4 * z_step] = fma((real_t)(-POINT_B), odd_b, even_b);
    z[5 * z_step] = d3;
}

// w[0..2]: the gradients of three taps from six products.
WINOGRAD_INLINE void winograd_taps(const real_t *m, const int m_step, real_t *w, const int w_step)
{
    const real_t sum_a = INVERSE_NA * (m[m_step] + m[2 * m_step]);
    const real_t difference_a = INVERSE_NA * (m[m_step] - m[2 * m_step]);
    const real_t sum_b = INVERSE_NB * (m[3 * m_step] + m[4 * m_step]);
    const real_t difference_b = INVERSE_NB * (m[3 * m_step] - m[4 * m_step]);

    w[0] = fma((real_t)(INVERSE_N0), m[0], sum_a + sum_b);
    w[w_step] = fma((real_t)(POINT_B), difference_b, POINT_A * difference_a);
    w[2 * w_step] = fma((real_t)(POINT_B2), sum_b, fma((real_t)(POINT_A2), sum_a, m[5 * m_step]));
}

#endif
