// pool.cl: max_pool, avg_pool and global_avg_pool on batch lanes, any window, forward and backward.
//
// Padding counts in neither: the maximum never picks it, the average divides by the pixels inside
// the image.
// Backward: a group owns some rows of dx and adds to them what the windows over them give, windows
// in row-major order, so there are no atomics; windows across the border of two groups are looked
// at twice.
// Work: a group per (tile of rows, tile of channels, block); global_avg_pool the same with one row.
#include "lanes.h"
#include "pool_params.h"
#include "pool_window.h"

#pragma OPENCL FP_CONTRACT OFF

// The rows, or columns, of window o that lie in the image.
#define WINDOW_ROWS_OF(o, p) pool_window(o, (p)->R, (p)->stride_h, (p)->pad_h, (p)->dilation_h, (p)->H)
#define WINDOW_COLUMNS_OF(o, p) pool_window(o, (p)->S, (p)->stride_w, (p)->pad_w, (p)->dilation_w, (p)->W)

// First window that reaches row i or beyond, and the one behind the last that begins there or before.
static inline int first_window_at(int i, const pool_params *p)
{
    const int first = i + p->pad_h - (p->R - 1) * p->dilation_h;
    return first <= 0 ? 0 : (first + p->stride_h - 1) / p->stride_h;
}

static inline int end_of_windows_at(int i, const pool_params *p)
{
    return min((i + p->pad_h) / p->stride_h + 1, p->P);
}

// Tile of rows, tile of channels, block. Three numbers: of an int3 that functions hand on, Intel's CPU compiler
// makes a crash.
#define THIS_GROUP GRID(0), GRID(1), GRID(2)

// Windows of 2x2 and 3x3 pixels get loops of constant length: `call` has WINDOW_ROWS and WINDOW_COLUMNS among its
// arguments. (NVIDIA's compiler takes no macro with `...`.)
#define BY_WINDOW_SIZE(n_rows, n_columns, call)                           \
    do {                                                                  \
        if ((n_rows) == 2 && (n_columns) == 2) {                          \
            const int WINDOW_ROWS = 2, WINDOW_COLUMNS = 2;                \
            call;                                                         \
        } else if ((n_rows) == 3 && (n_columns) == 3) {                   \
            const int WINDOW_ROWS = 3, WINDOW_COLUMNS = 3;                \
            call;                                                         \
        } else {                                                          \
            const int WINDOW_ROWS = (n_rows), WINDOW_COLUMNS = (n_columns); \
            call;                                                         \
        }                                                                 \
    } while (0)

// Largest value of a window, or its mean; its rows and columns are `apart` pixels apart in x. A NaN counts as the
// largest: a diverging network shows.
static inline void reduce_window(const int n_rows, const int n_columns, const bool is_max,
                                 __global const stored_t *restrict x, int2 apart,
                                 __global stored_t *restrict y)
{
    real_t sum = is_max ? -INFINITY : 0.0f;

    for (int r = 0; r < n_rows; r++)
        for (int s = 0; s < n_columns; s++) {
            const real_t v = load(x + (r * apart.x + s * apart.y) * STEP);
            if (is_max)
                sum = select(v, sum, v <= sum || sum != sum);
            else
                sum += v;
        }
    store(y, is_max ? sum : sum / (float)(n_rows * n_columns));
}

static inline void pool_forward(const bool is_max, int row_tile, int channel_tile, int nb,
                                __global const stored_t *restrict x,
                                __global stored_t *restrict y, const pool_params *p)
{
    const int end_p = min((row_tile + 1) * p->tile_rows, p->P);
    const int end_c = min((channel_tile + 1) * p->tile_channels, p->C);
    const int2 apart = (int2)(p->dilation_h * p->W, p->dilation_w);

    for (int c = channel_tile * p->tile_channels; c < end_c; c++) {
        __global const stored_t *restrict vx =
            x + AT(VIEW(nb, p->x_planes, p->x_first, c, p->H * p->W));
        __global stored_t *restrict vy = y + AT(VIEW(nb, p->y_planes, p->y_first, c, p->P * p->Q));

        for (int i = row_tile * p->tile_rows; i < end_p; i++) {
            const pool_span rows = WINDOW_ROWS_OF(i, p);

            for (int j = 0; j < p->Q; j++) {
                const pool_span columns = WINDOW_COLUMNS_OF(j, p);

                BY_WINDOW_SIZE(rows.count, columns.count,
                               reduce_window(WINDOW_ROWS, WINDOW_COLUMNS, is_max,
                                             vx + (rows.begin * p->W + columns.begin) * STEP, apart,
                                             vy + (i * p->Q + j) * STEP));
            }
        }
    }
}

// y = max over the window. Reads x R*S/stride^2 times (from the cache), writes y once.
GROUP __kernel void max_pool_forward(__global const stored_t *restrict x, __global stored_t *restrict y,
                                     const pool_params p)
{
    pool_forward(true, THIS_GROUP, x, y, &p);
}

// y = mean over the pixels of the window that lie inside the image.
GROUP __kernel void avg_pool_forward(__global const stored_t *restrict x, __global stored_t *restrict y,
                                     const pool_params p)
{
    pool_forward(false, THIS_GROUP, x, y, &p);
}

// One channel of one block.
typedef struct {
    __global const stored_t *x, *dy;
    __global stored_t *dx;
} planes_t;

static inline void add_to(__global stored_t *sum, real_t value)
{
    store(sum, load(sum) + value);
}

// Adds to rows [row_begin, row_end) of a window of dx, counted in rows of the image from the window's first, what the
// window gives: g to the first maximum of x, or to all.
static inline void add_to_window(const int n_rows, const int n_columns, const bool is_max,
                                 planes_t window, int2 apart, real_t g, int row_step,
                                 int row_begin, int row_end)
{
    real_t best = is_max ? load(window.x) : (real_t)(0.0f);
    mask_t where = 0;

    if (is_max)
        for (int r = 0; r < n_rows; r++)
            for (int s = 0; s < n_columns; s++) {
                const real_t v = load(window.x + (r * apart.x + s * apart.y) * STEP);
                where = select(where, (mask_t)(r * n_columns + s), v > best);
                best = select(best, v, v > best);
            }
    for (int r = 0; r < n_rows; r++)
        if (r * row_step >= row_begin && r * row_step < row_end)
            for (int s = 0; s < n_columns; s++)
                add_to(window.dx + (r * apart.x + s * apart.y) * STEP,
                       is_max ? select((real_t)(0.0f), g, where == (mask_t)(r * n_columns + s))
                              : g);
}

static inline void fill_rows(__global stored_t *dx, int begin, int end, int width)
{
    for (int i = begin * width; i < end * width; i++)
        store(dx + i * STEP, (real_t)(0.0f));
}

// Rows [begin, end) of one plane of dx.
static inline void backward_rows(const bool is_max, planes_t v, const pool_params *p, mask_t mask,
                                 int begin, int end)
{
    const int end_window = end_of_windows_at(end - 1, p);
    const int2 apart = (int2)(p->dilation_h * p->W, p->dilation_w);
    int filled = p->flags & POOL_ACCUMULATE ? end : begin;

    for (int i = first_window_at(begin, p); i < end_window; i++) {
        const pool_span rows = WINDOW_ROWS_OF(i, p);
        const int end_of_rows = min(rows.begin + (rows.count - 1) * p->dilation_h + 1, end);

        // Just before they are added to, so that they are still in the cache.
        fill_rows(v.dx, filled, end_of_rows, p->W);
        filled = max(filled, end_of_rows);
        for (int j = 0; j < p->Q; j++) {
            const pool_span columns = WINDOW_COLUMNS_OF(j, p);
            const int at = (rows.begin * p->W + columns.begin) * STEP;
            const real_t dy = keep(mask, load(v.dy + (i * p->Q + j) * STEP));
            const planes_t window = {.x = v.x + at, .dx = v.dx + at};

            const real_t g = is_max ? dy : dy / (float)(rows.count * columns.count);
            BY_WINDOW_SIZE(rows.count, columns.count,
                           add_to_window(WINDOW_ROWS, WINDOW_COLUMNS, is_max, window, apart, g,
                                         p->dilation_h, begin - rows.begin, end - rows.begin));
        }
    }
    fill_rows(v.dx, filled, end, p->W);
}

static inline void pool_backward(const bool is_max, int row_tile, int channel_tile, int nb,
                                 __global const stored_t *restrict x,
                                 __global const stored_t *restrict dy,
                                 __global stored_t *restrict dx,
                                 const pool_params *p)
{
    const int begin = row_tile * p->tile_rows;
    const int end_c = min((channel_tile + 1) * p->tile_channels, p->C);
    const mask_t mask = lane_mask(nb, p->n_images);

    for (int c = channel_tile * p->tile_channels; c < end_c; c++) {
        const planes_t v = {
            .x = x + AT(VIEW(nb, p->x_planes, p->x_first, c, p->H * p->W)),
            .dy = dy + AT(VIEW(nb, p->y_planes, p->y_first, c, p->P * p->Q)),
            .dx = dx + AT(VIEW(nb, p->dx_planes, p->dx_first, c, p->H * p->W)),
        };
        backward_rows(is_max, v, p, mask, begin, min(begin + p->tile_rows, p->H));
    }
}

// dx (+)= dy of the windows whose first maximum, in row-major order, is this pixel. The maximum is
// found anew from x.
GROUP __kernel void max_pool_backward(__global const stored_t *restrict x,
                                      __global const stored_t *restrict dy,
                                      __global stored_t *restrict dx, const pool_params p)
{
    pool_backward(true, THIS_GROUP, x, dy, dx, &p);
}

// dx (+)= sum over the windows over this pixel of dy / (their pixels inside the image).
GROUP __kernel void avg_pool_backward(__global const stored_t *restrict dy,
                                      __global stored_t *restrict dx, const pool_params p)
{
    pool_backward(false, THIS_GROUP, dy, dy, dx, &p);
}

#define UNROLL 4 // independent sums

// y [N/L][C][1][1][L] = mean of the plane: four sums over every fourth pixel, then these in order.
// Reads x once.
GROUP __kernel void global_avg_pool_forward(__global const stored_t *restrict x,
                                            __global stored_t *restrict y, const pool_params p)
{
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C), nb = GRID(2), size = p.H * p.W;

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        __global const stored_t *restrict v = x + AT(VIEW(nb, p.x_planes, p.x_first, c, size));
        real_t sum[UNROLL] = {0.0f};
        int i = 0;

        for (; i + UNROLL <= size; i += UNROLL)
            #pragma unroll
            for (int u = 0; u < UNROLL; u++)
                sum[u] += load(v + (i + u) * STEP);
        for (; i < size; i++)
            sum[0] += load(v + i * STEP);
        store(y + AT(VIEW(nb, p.y_planes, p.y_first, c, 1)),
              ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)size);
    }
}

// dx (+)= dy / (H*W). Writes dx once.
GROUP __kernel void global_avg_pool_backward(__global const stored_t *restrict dy,
                                             __global stored_t *restrict dx, const pool_params p)
{
    const int end = min((GRID(1) + 1) * p.tile_channels, p.C), nb = GRID(2), size = p.H * p.W;
    const mask_t mask = lane_mask(nb, p.n_images);

    for (int c = GRID(1) * p.tile_channels; c < end; c++) {
        const real_t g =
            keep(mask, load(dy + AT(VIEW(nb, p.y_planes, p.y_first, c, 1))) / (float)size);
        __global stored_t *restrict v = dx + AT(VIEW(nb, p.dx_planes, p.dx_first, c, size));

        if (p.flags & POOL_ACCUMULATE)
            for (int i = 0; i < size; i++)
                add_to(v + i * STEP, g);
        else
            for (int i = 0; i < size; i++)
                store(v + i * STEP, g);
    }
}
