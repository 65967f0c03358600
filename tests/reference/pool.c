// Pooling, window by window.
#include "pool.h"

// Visits window (i, j) of a plane: its mean or maximum, and where the maximum is.
static double window(const plc_reference_pool *p, const float *x, int i, int j, int *count,
                     int *where)
{
    double sum = 0, best = 0;

    *count = 0;
    *where = -1;
    for (int r = 0; r < p->R; r++)
        for (int s = 0; s < p->S; s++) {
            const int h = i * p->stride_h - p->pad_h + r * p->dilation_h;
            const int w = j * p->stride_w - p->pad_w + s * p->dilation_w;
            if (h < 0 || h >= p->H || w < 0 || w >= p->W)
                continue;
            const double v = (double)x[h * p->W + w];
            if (*where < 0 || v > best) {
                best = v;
                *where = h * p->W + w;
            }
            sum += v;
            ++*count;
        }
    return p->is_max ? best : sum / *count;
}

void plc_reference_pool_forward(const plc_reference_pool *p, const float *x, double *y)
{
    int count, where;

    for (int c = 0; c < p->planes; c++, x += p->H * p->W)
        for (int i = 0; i < p->P; i++)
            for (int j = 0; j < p->Q; j++)
                *y++ = window(p, x, i, j, &count, &where);
}

void plc_reference_pool_backward(const plc_reference_pool *p, const float *x, const float *dy,
                                 double *dx)
{
    for (int c = 0; c < p->planes; c++, x += p->H * p->W, dx += p->H * p->W)
        for (int i = 0; i < p->P; i++)
            for (int j = 0; j < p->Q; j++, dy++) {
                int count, where;
                window(p, x, i, j, &count, &where);
                if (p->is_max) {
                    dx[where] += (double)*dy;
                    continue;
                }
                for (int r = 0; r < p->R; r++)
                    for (int s = 0; s < p->S; s++) {
                        const int h = i * p->stride_h - p->pad_h + r * p->dilation_h;
                        const int w = j * p->stride_w - p->pad_w + s * p->dilation_w;
                        if (h >= 0 && h < p->H && w >= 0 && w < p->W)
                            dx[h * p->W + w] += (double)*dy / count;
                    }
            }
}
