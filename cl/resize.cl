// resize.cl: images of another size, on batch lanes: nearest pixels, linear or cubic interpolation of rows and columns.
// Beyond the border the border's pixels go on, or (RESIZE_CUBIC_INSIDE) there is nothing.
// Work: a group per (tile of rows, tile of channels, block) of what is written.
#include "lanes.h"
#include "resize_params.h"

#pragma OPENCL FP_CONTRACT OFF

#define NEAR 1e-3f // places so near to a pixel are on it: scales such as 1/3 are rounded

// What an output position reads: n pixels from `first` on, before the border is minded, at distances of `part` behind
// the first (linear) or the second (cubic).
typedef struct {
    int n, first;
    float part;
} taps_t;

static inline taps_t taps_of(resize_axis axis, int i, int mode)
{
    const float place = (float)i * axis.scale + axis.shift, before = floor(place);
    const float part = place - before;
    taps_t taps = {1, (int)before, part};

    if (mode == RESIZE_FLOOR) {
        taps.first += part > 1.0f - NEAR;
    } else if (mode == RESIZE_CEIL) {
        taps.first += part > NEAR;
    } else if (mode == RESIZE_LINEAR) {
        taps.n = 2;
    } else {
        taps.n = 4;
        taps.first -= 1;
    }
    return taps;
}

// Weight of a pixel at distance d: Keys' cubic convolution.
static inline float cubic(float d, float a)
{
    d = fabs(d);
    if (d <= 1.0f)
        return ((a + 2.0f) * d - (a + 3.0f)) * d * d + 1.0f;
    return d < 2.0f ? ((a * d - 5.0f * a) * d + 8.0f * a) * d - 4.0f * a : 0.0f;
}

// Cubic, and nothing outside the image.
static inline float cubic_inside(taps_t taps, int t, resize_axis axis, float a)
{
    const int at = taps.first + t;
    return at < 0 || at >= axis.in ? 0.0f : cubic(taps.part + 1.0f - (float)t, a);
}

// Of pixel number t of those that are read.
static inline float weight_of(taps_t taps, int t, resize_axis axis, int mode, float a)
{
    if (mode == RESIZE_LINEAR)
        return t == 0 ? 1.0f - taps.part : taps.part;
    if (mode == RESIZE_CUBIC)
        return cubic(taps.part + 1.0f - (float)t, a);
    if (mode != RESIZE_CUBIC_INSIDE)
        return 1.0f;
    float sum = 0.0f;
    for (int u = 0; u < taps.n; u++)
        sum += cubic_inside(taps, u, axis, a);
    return cubic_inside(taps, t, axis, a) / sum;
}

// The weight with which output position i reads input position `at`.
static inline float weight_at(resize_axis axis, int i, int mode, float a, int at)
{
    const taps_t taps = taps_of(axis, i, mode);
    float weight = 0.0f;

    for (int t = 0; t < taps.n; t++)
        weight += clamp(taps.first + t, 0, axis.in - 1) == at ? weight_of(taps, t, axis, mode, a) : 0.0f;
    return weight;
}

// y[c][p][q] = sum over r, s of row weight * column weight * x[c][r][s].
GROUP __kernel void resize_forward(__global const stored_t *x, __global stored_t *y,
                                   const resize_params p)
{
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.rows.out);
    const int last = min((GRID(1) + 1) * p.tile_channels, p.C);

    for (int c = GRID(1) * p.tile_channels; c < last; c++) {
        __global const stored_t *from =
            x + AT(VIEW(GRID(2), p.x_planes, p.x_first, c, p.rows.in * p.columns.in));
        __global stored_t *to =
            y + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.rows.out * p.columns.out));

        for (int row = begin; row < end; row++) {
            const taps_t rows = taps_of(p.rows, row, p.mode);

            for (int column = 0; column < p.columns.out; column++) {
                const taps_t columns = taps_of(p.columns, column, p.mode);
                real_t sum = (real_t)(0.0f);

                for (int r = 0; r < rows.n; r++) {
                    const int h = clamp(rows.first + r, 0, p.rows.in - 1);
                    const float weight = weight_of(rows, r, p.rows, p.mode, p.a);

                    for (int s = 0; s < columns.n; s++) {
                        const int w = clamp(columns.first + s, 0, p.columns.in - 1);
                        sum += load(from + (h * p.columns.in + w) * STEP) *
                               (weight * weight_of(columns, s, p.columns, p.mode, p.a));
                    }
                }
                store(to + (row * p.columns.out + column) * STEP, sum);
            }
        }
    }
}

// Output positions that may read input position `at`: [x, y). At the border also those beyond.
static inline int2 readers_of(resize_axis axis, int at)
{
    const float first = ((float)at - 3.0f - axis.shift) / axis.scale;
    const float last = ((float)at + 3.0f - axis.shift) / axis.scale;

    if (!(axis.scale > 0.0f))
        return (int2)(0, axis.out);
    return (int2)(at == 0 ? 0 : (int)clamp(first, 0.0f, (float)axis.out),
                  at == axis.in - 1 ? axis.out : (int)clamp(last + 1.0f, 0.0f, (float)axis.out));
}

// dx[c][h][w] (+)= sum over p, q, in order, of dy[c][p][q] times the weights with which they read it.
GROUP __kernel void resize_backward(__global const stored_t *dy, __global stored_t *dx,
                                    const resize_params p)
{
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.rows.in);
    const int last = min((GRID(1) + 1) * p.tile_channels, p.C);
    const mask_t mask = lane_mask(GRID(2), p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < last; c++) {
        __global const stored_t *from =
            dy + AT(VIEW(GRID(2), p.y_planes, p.y_first, c, p.rows.out * p.columns.out));
        __global stored_t *to =
            dx + AT(VIEW(GRID(2), p.x_planes, p.x_first, c, p.rows.in * p.columns.in));

        for (int h = begin; h < end; h++) {
            const int2 rows = readers_of(p.rows, h);

            for (int w = 0; w < p.columns.in; w++) {
                const int2 columns = readers_of(p.columns, w);
                real_t g = (real_t)(0.0f);

                for (int i = rows.x; i < rows.y; i++) {
                    const float row_weight = weight_at(p.rows, i, p.mode, p.a, h);

                    for (int j = columns.x; row_weight != 0.0f && j < columns.y; j++)
                        g += load(from + (i * p.columns.out + j) * STEP) *
                             (row_weight * weight_at(p.columns, j, p.mode, p.a, w));
                }
                g = keep(mask, g);
                if (p.accumulate)
                    g += load(to + (h * p.columns.in + w) * STEP);
                store(to + (h * p.columns.in + w) * STEP, g);
            }
        }
    }
}
