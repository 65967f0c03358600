// channel_winograd.h: what a work-group of channel_winograd.cl does (OpenCL C 1.2).
#ifndef PLEACH_CHANNEL_WINOGRAD_H
#define PLEACH_CHANNEL_WINOGRAD_H

#include "channel_product.h"
#include "winograd_places.h"

// Floats between the 36 matrices of n floats in scratch: whole cache lines, an odd number of them,
// because a power of two would put all 36 into the same few cache sets.
#define POINT_STEP(n) ((((n) + 15) / 16 | 1) * 16)

// v[36 matrices] = BT x B of one tile and vector of channels, whose first input is at (row, column)
// of the image x. Not `inside`: what lies beyond the image is +0.
INLINE void input_tile(const bool inside, __global const float *restrict x, int row, int column,
                       const conv_params *p, __local float *v, int v_step)
{
    real_t columns[WINOGRAD_POINTS];

#pragma unroll
    for (int j = 0; j < WINOGRAD_IN; j++) {
        real_t d[WINOGRAD_IN];
#pragma unroll
        for (int i = 0; i < WINOGRAD_IN; i++) {
            const int h = row + i, w = column + j;
            if (inside || ((uint)h < (uint)p->H && (uint)w < (uint)p->W))
                d[i] = load_channels(x + (h * p->W + w) * p->x_planes);
            else
                d[i] = (real_t)(0.0f);
        }
        winograd_input(d, 1, columns + j, WINOGRAD_IN);
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_IN; i++) {
        real_t t[WINOGRAD_IN];
        winograd_input(columns + i * WINOGRAD_IN, 1, t, 1);
#pragma unroll
        for (int j = 0; j < WINOGRAD_IN; j++)
            *(__local real_any_t *)(v + (i * WINOGRAD_IN + j) * v_step) = t[j];
    }
}

// v[36][tiles][width]: `n_vectors` vectors of channels of the tiles of `chunk`. x stands at the
// first of the channels.
static inline void transform_input(__global const float *restrict x, __local float *v, int v_step,
                                   int n_vectors, int2 chunk, const conv_params *p)
{
    place_t place = place_of(chunk.x, p);

    for (int t = 0; t < chunk.y; t++, place = next_place(place, p)) {
        const int row = place.row - p->pad_h, column = place.column - p->pad_w;
        const bool inside =
            row >= 0 && column >= 0 && row + WINOGRAD_IN <= p->H && column + WINOGRAD_IN <= p->W;
        __global const float *image = x + place.nb * p->H * p->W * p->x_planes;

        for (int i = 0; i < n_vectors; i++, image += LANES, v += LANES)
            if (inside)
                input_tile(true, image, row, column, p, v, v_step);
            else
                input_tile(false, image, row, column, p, v, v_step);
    }
}

// One pass over scratch: v is [36][tiles][width], of which n_channels are summed, m is
// [36][tiles][vectors of the block]; sums go on from m where `resume` is set.
typedef struct {
    int n_channels, width, tiles;
    bool resume;
    int u_step, v_step, m_step;
} pass_t;

#define AIM_TILE(v, i)                                                                             \
    if (i < n_pixels)                                                                              \
        at[i] = from + i * width;
#define RESUME(v, i)                                                                               \
    if (v < n_vectors && i < n_pixels)                                                             \
        acc[v][i] = load_channels(m + ((i)*n_vectors + (v)) * LANES);
#define STORE(v, i)                                                                                \
    if (v < n_vectors && i < n_pixels)                                                             \
        *(__local real_any_t *)(m + ((i)*n_vectors + (v)) * LANES) = acc[v][i];
#define RESUME_VECTOR(v) EACH_PIXEL(RESUME, v)
#define STORE_VECTOR(v) EACH_PIXEL(STORE, v)

// m (+)= product of n_pixels Winograd tiles with n_vectors vectors, at one of the 36 points.
INLINE void product(const int n_pixels, const int n_vectors, const __local float *from,
                    __global const float *restrict u, __local float *m, const pass_t *pass)
{
    const int width = pass->width;
    real_t acc[KT_MAX][PT];
    const __local float *at[PT];

    EACH_PIXEL(AIM_TILE, 0)
    if (pass->resume) {
        EACH_VECTOR(RESUME_VECTOR)
    } else {
        EACH_VECTOR(CLEAR_VECTOR)
    }
    add_local_product(n_pixels, n_vectors, acc, at, u, pass->n_channels);
    EACH_VECTOR(STORE_VECTOR)
}

// The same at all 36 points.
INLINE void points(const int n_pixels, const int n_vectors, const __local float *v,
                   __global const float *restrict u, __local float *m, const pass_t *pass)
{
    for (int f = 0; f < WINOGRAD_POINTS; f++) {
        product(n_pixels, n_vectors, v, u, m, pass);
        v += pass->v_step;
        m += pass->m_step;
        u += pass->u_step;
    }
}

#define POINTS(n_pixels)                                                                           \
    case n_pixels:                                                                                 \
        points(n_pixels, n_vectors, v + run.x * pass->width, u, m + run.x * n_vectors * LANES,     \
               pass);                                                                              \
        break;

// The products of a block of n_vectors vectors with all tiles of the chunk.
INLINE void products(const int n_vectors, const __local float *v, __global const float *restrict u,
                     __local float *m, const pass_t *pass)
{
    const int n_runs = parts_of(pass->tiles, PT);

    for (int i = 0; i < n_runs; i++) {
        const int2 run = run_of(pass->tiles, n_runs, i);
        switch (run.y) {
            POINTS(1)
            POINTS(2)
            POINTS(3)
            POINTS(4)
            POINTS(5)
            POINTS(6)
            POINTS(7)
            POINTS(8)
        }
    }
}

static inline void products_of_any(int n_vectors, const __local float *v,
                                   __global const float *restrict u, __local float *m,
                                   const pass_t *pass)
{
    switch (n_vectors) {
    case 1:
        products(1, v, u, m, pass);
        break;
#if KT >= 2
    case 2:
        products(2, v, u, m, pass);
        break;
#endif
#if KT >= 3
    case 3:
        products(3, v, u, m, pass);
        break;
#endif
#if KT >= 4
    case 4:
        products(4, v, u, m, pass);
        break;
#endif
    }
}

// y = finish(AT m A) of one tile and vector, `rows` x `columns` of its 4x4 outputs. y_at and add_at:
// the tile's first pixel.
INLINE void output_tile(const bool whole, const __local float *m, int m_step,
                        const channel_target_t *target, int vector, int y_at, int add_at, int rows,
                        int columns, const conv_params *p)
{
    real_t columns_done[WINOGRAD_OUT * WINOGRAD_IN];

#pragma unroll
    for (int j = 0; j < WINOGRAD_IN; j++) {
        real_t t[WINOGRAD_IN];
#pragma unroll
        for (int i = 0; i < WINOGRAD_IN; i++)
            t[i] = load_channels(m + (i * WINOGRAD_IN + j) * m_step);
        winograd_output(t, 1, columns_done + j, WINOGRAD_IN);
    }
#pragma unroll
    for (int i = 0; i < WINOGRAD_OUT; i++) {
        real_t y[WINOGRAD_OUT];
        winograd_output(columns_done + i * WINOGRAD_IN, 1, y, 1);
#pragma unroll
        for (int j = 0; j < WINOGRAD_OUT; j++)
            if (whole || (i < rows && j < columns))
                finish_channels(y[j], target, vector, y_at + (i * p->Q + j) * p->y_planes,
                                add_at + (i * p->Q + j) * p->add_planes);
    }
}

// Outputs of a block of n_vectors vectors from m[36][tiles][n_vectors].
static inline void transform_output(int n_vectors, const __local float *m, int m_step, int2 chunk,
                                    const channel_target_t *target, const conv_params *p)
{
    place_t place = place_of(chunk.x, p);

    for (int t = 0; t < chunk.y; t++, place = next_place(place, p)) {
        const int rows = p->P - place.row, columns = p->Q - place.column;
        const int pixel = (place.nb * p->P + place.row) * p->Q + place.column;

        for (int v = 0; v < n_vectors; v++, m += LANES)
            if (rows >= WINOGRAD_OUT && columns >= WINOGRAD_OUT)
                output_tile(true, m, m_step, target, v, pixel * p->y_planes, pixel * p->add_planes,
                            rows, columns, p);
            else
                output_tile(false, m, m_step, target, v, pixel * p->y_planes, pixel * p->add_planes,
                            rows, columns, p);
    }
}

// Group `at` of channel_winograd.
static void winograd_group(int2 at, __global const float *x, __global float *y,
                           __global const float *add, __global const float *prepared,
                           __local float *scratch, const conv_params *p)
{
    const int g = at.x / p->k_runs;
    const int2 blocks = run_of(n_blocks_of(p), p->k_runs, at.x % p->k_runs);
    const int n_tiles = p->n_images * parts_of(p->P, WINOGRAD_OUT) * parts_of(p->Q, WINOGRAD_OUT);
    const int2 chunk = run_of(n_tiles, parts_of(n_tiles, p->tiles), at.y);
    const int v_step = POINT_STEP(chunk.y * p->channels);
    __local float *m = scratch + WINOGRAD_POINTS * v_step;

    x += p->x_first + g * p->C;
    for (int b = blocks.x; b < blocks.x + blocks.y; b++) {
        const int2 block = block_of(p, b);
        const int m_step = POINT_STEP(chunk.y * block.y * LANES);
        __global const float *u =
            prepared + p->u_offset + FILTERS_AT(p, g, block.x, WINOGRAD_POINTS);
        channel_target_t target;

        set_target(&target, p, g, block.x, y, add, prepared);

        for (int c = 0; c < p->C; c += p->channels) {
            const int n_channels = min(p->channels, p->C - c), n = vectors_of(n_channels);
            const pass_t pass = {n_channels, n * LANES, chunk.y, c > 0, p->C * block.y * LANES,
                                 v_step,     m_step};
            if (b == blocks.x || p->channels < p->C)
                transform_input(x + c, scratch, v_step, n, chunk, p);
            products_of_any(block.y, scratch, u + c * block.y * LANES, m, &pass);
        }
        transform_output(block.y, m, m_step, chunk, &target, p);
    }
}

#endif
