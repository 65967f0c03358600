// Tests of max_pool, avg_pool and global_avg_pool on the device against tests/reference/pool.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <reference/pool.h>

static const double TOLERANCE = 1e-5; // sums of some hundred values in float
enum { CASES_PER_DEVICE = 16, LABEL_MAX = 160 };

typedef struct pool_case {
    const char *op;
    int n_images, c, h, w;
    int kernel[2], stride[2], pad[2], dilation[2];
    bool channel_lanes;    // forward only
    bool accumulate, ties; // ties: values from a small set, so that maxima are equal
    unsigned seed;
    char label[LABEL_MAX];
} pool_case;

// So large that the window fits in, and that each window has a pixel.
static int least_size(const pool_case *c, int axis)
{
    const int spans = (c->kernel[axis] - 1) * c->dilation[axis] + 1 - 2 * c->pad[axis];

    return spans > c->dilation[axis] ? spans : c->dilation[axis];
}

static pool_case draw_case(const char *op, unsigned seed)
{
    pool_case c = {.op = op, .seed = seed};
    unsigned draw = 0;

    c.n_images = plc_harness_pick(seed, ++draw, 1, plc_test_size(1, 37));
    c.c = plc_harness_pick(seed, ++draw, 1, plc_test_size(1, 5));
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = plc_harness_pick(seed, ++draw, 1, 4);
        c.stride[i] = plc_harness_pick(seed, ++draw, 1, 4);
        c.pad[i] = plc_harness_pick(seed, ++draw, 0, c.kernel[i] - 1);
        c.dilation[i] =
            plc_harness_pick(seed, ++draw, 0, 1) ? 1 : plc_harness_pick(seed, ++draw, 2, 3);
    }
    c.h = plc_harness_pick(seed, ++draw, least_size(&c, 0), 14);
    c.w = plc_harness_pick(seed, ++draw, least_size(&c, 1), 14);
    c.accumulate = plc_harness_pick(seed, ++draw, 0, 1) == 1;
    c.ties = plc_harness_pick(seed, ++draw, 0, 1) == 1;
    if (seed % 8 == 0)
        c.h = c.w = 33; // several tiles
    snprintf(c.label, sizeof c.label,
             "%s seed %u: N %d C %d H %d W %d kernel %dx%d stride %dx%d pad %dx%d dilation %dx%d "
             "accumulate %d",
             op, seed, c.n_images, c.c, c.h, c.w, c.kernel[0], c.kernel[1], c.stride[0],
             c.stride[1], c.pad[0], c.pad[1], c.dilation[0], c.dilation[1], c.accumulate);
    return c;
}

static plc_harness *make_harness(pleach_device *device, const pool_case *c)
{
    pleach_graph *graph = NULL;
    plc_attrs attrs = {0};
    const int input = 0;

    memcpy(attrs.kernel, c->kernel, sizeof attrs.kernel);
    memcpy(attrs.stride, c->stride, sizeof attrs.stride);
    memcpy(attrs.pad, c->pad, sizeof attrs.pad);
    memcpy(attrs.dilation, c->dilation, sizeof attrs.dilation);
    if (plc_graph_create(device->ctx, "case", (plc_shape){c->c, c->h, c->w}, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    plc_harness_add_node(device->ctx, graph, c->op, &input, 1, &attrs);
    plc_harness *h = plc_harness_create(graph, &(plc_harness_opts){
                                                   .device = device,
                                                   .n_images = c->n_images,
                                                   .seed = c->seed,
                                                   .inference = c->channel_lanes,
                                                   .channel_lanes = c->channel_lanes,
                                                   .accumulate = c->accumulate,
                                                   .label = c->label,
                                               });
    if (c->ties)
        for (size_t i = 0; i < plc_harness_value_size(h, 0); i++)
            h->values[0][i] = (float)(int)h->values[0][i];
    return h;
}

static plc_reference_pool make_reference(const plc_harness *h, const pool_case *c)
{
    const plc_shape y = h->graph->nodes[1].shape;
    const bool global = strcmp(c->op, "global_avg_pool") == 0;

    return (plc_reference_pool){
        .planes = c->n_images * c->c,
        .H = c->h,
        .W = c->w,
        .P = y.h,
        .Q = y.w,
        .R = global ? c->h : c->kernel[0],
        .S = global ? c->w : c->kernel[1],
        .stride_h = global ? 1 : c->stride[0],
        .stride_w = global ? 1 : c->stride[1],
        .pad_h = global ? 0 : c->pad[0],
        .pad_w = global ? 0 : c->pad[1],
        .dilation_h = global ? 1 : c->dilation[0],
        .dilation_w = global ? 1 : c->dilation[1],
        .is_max = strcmp(c->op, "max_pool") == 0,
    };
}

static void run_case(pleach_device *device, const pool_case *c)
{
    plc_harness *h = make_harness(device, c);
    const plc_step step = {.node = 1, .batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .output = 1};
    const plc_reference_pool p = make_reference(h, c);
    const size_t n_x = plc_harness_value_size(h, 0), n_y = plc_harness_value_size(h, 1);
    double *y = calloc(n_y, sizeof *y), *dx = calloc(n_x, sizeof *dx);

    assert_true(y && dx);
    plc_reference_pool_forward(&p, h->values[0], y);
    for (size_t i = 0; i < n_x; i++)
        dx[i] = c->accumulate ? (double)h->grads[0][i] : 0;
    plc_reference_pool_backward(&p, h->values[0], h->grads[1], dx);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[1], y, n_y,
                        p.is_max ? 0 : TOLERANCE + plc_harness_rounding(h));
    if (!c->channel_lanes) {
        plc_harness_run_backward(h, &step);
        // dx is stored once for each window over it, at most 4x4.
        plc_harness_compare(h, "dx", h->grads[0], dx, n_x,
                            TOLERANCE + 16 * plc_harness_rounding(h));
    }
    free(y);
    free(dx);
    plc_harness_destroy(&h);
}

static void run_cases(void **state, const char *op)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; j < plc_test_cases(CASES_PER_DEVICE); j++) {
            const pool_case c = draw_case(op, i * CASES_PER_DEVICE + j);
            run_case(devices->items[i], &c);
        }
}

static void channel_lanes_give_the_same_windows(void **state)
{
    static const char *const ops[] = {"max_pool", "avg_pool", "global_avg_pool"};
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        pleach_device *device = devices->items[i / n_cases];
        pool_case c = draw_case(ops[i % 3], 3000 + i);
        c.c = plc_harness_pick(c.seed, 100, 1, 40);
        c.channel_lanes = true;
        if (plc_harness_has_channel_lanes(device))
            run_case(device, &c);
    }
}

static void max_pool_sends_the_gradient_to_the_first_maximum(void **state)
{
    run_cases(state, "max_pool");
}

static void avg_pool_leaves_padding_out_of_the_count(void **state)
{
    run_cases(state, "avg_pool");
}

static void global_avg_pool_is_the_mean_of_the_plane(void **state)
{
    run_cases(state, "global_avg_pool");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool_sends_the_gradient_to_the_first_maximum),
        cmocka_unit_test(avg_pool_leaves_padding_out_of_the_count),
        cmocka_unit_test(channel_lanes_give_the_same_windows),
        cmocka_unit_test(global_avg_pool_is_the_mean_of_the_plane),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
