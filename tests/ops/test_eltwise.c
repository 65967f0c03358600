// Tests of relu, clip, add, concat, masks and fills on the device against tests/reference/eltwise.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ops/fill.h>
#include <ops/mask.h>
#include <reference/eltwise.h>

static const double EXACT = 1e-7; // one addition in float
enum { CASES_PER_DEVICE = 8, LABEL_MAX = 120 };

typedef struct eltwise_case {
    int n_images;
    plc_shape shape;
    plc_clip clip;
    bool accumulate;
    bool channel_lanes; // forward only
    unsigned seed;
    char label[LABEL_MAX];
} eltwise_case;

static eltwise_case draw_case(const char *op, unsigned seed)
{
    eltwise_case c = {
        .n_images = plc_harness_pick(seed, 1, 1, plc_test_size(1, 37)),
        .shape = {plc_harness_pick(seed, 2, 1, 9),
                  plc_harness_pick(seed, 3, 1, plc_test_size(1, 20)),
                  plc_harness_pick(seed, 4, 1, plc_test_size(1, 20))},
        .clip = plc_harness_clip(plc_harness_pick(seed, 5, 0, PLC_HARNESS_CLIPS - 1)),
        .accumulate = plc_harness_pick(seed, 6, 0, 1) == 1,
        .seed = seed,
    };

    if (seed % 4 == 0)
        c.shape.h = c.shape.w = 1;
    snprintf(c.label, sizeof c.label,
             "%s seed %u: N %d C %d H %d W %d clip %d %g..%g accumulate %d", op, seed, c.n_images,
             c.shape.c, c.shape.h, c.shape.w, c.clip.on, (double)c.clip.low, (double)c.clip.high,
             c.accumulate);
    return c;
}

static pleach_graph *make_graph(pleach_ctx *ctx, plc_shape shape)
{
    pleach_graph *graph = NULL;

    if (plc_graph_create(ctx, "case", shape, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    return graph;
}

static plc_harness *make_harness(pleach_device *device, pleach_graph *graph, const eltwise_case *c)
{
    return plc_harness_create(graph, &(plc_harness_opts){
                                         .device = device,
                                         .n_images = c->n_images,
                                         .seed = c->seed,
                                         .inference = c->channel_lanes,
                                         .channel_lanes = c->channel_lanes,
                                         .accumulate = c->accumulate,
                                         .label = c->label,
                                     });
}

// Runs `step`, whose inputs are a and (not PLC_NO_NODE) b, and compares all of it.
static void run_step(plc_harness *h, const plc_step *step, int a, int b, plc_clip clip)
{
    const double low = plc_harness_low(clip), high = plc_harness_high(clip);
    const double margin = 2 * (EXACT + plc_harness_rounding(h)); // where rounding decides
    const size_t n = plc_harness_value_size(h, step->output);
    const float *add = b == PLC_NO_NODE ? NULL : h->values[b];
    double *y = calloc(n, sizeof *y), *dx = calloc(n, sizeof *dx);

    assert_true(y && dx);
    plc_reference_eltwise_forward(h->values[a], add, low, high, y, n);
    for (size_t i = 0; i < n; i++)
        if (fabs(y[i] - low) < margin || fabs(y[i] - high) < margin)
            h->grads[step->output][i] *= (float)(y[i] == low || y[i] == high);
    for (size_t i = 0; i < n; i++)
        dx[i] = h->opts.accumulate ? (double)h->grads[a][i] : 0;
    plc_reference_eltwise_backward(h->values[a], add, h->grads[step->output], low, high, dx, n);
    if (a == b)
        plc_reference_eltwise_backward(h->values[a], add, h->grads[step->output], low, high, dx, n);
    plc_harness_run_forward(h, step);
    const double rounding = plc_harness_rounding(h);
    plc_harness_compare(h, "y", h->values[step->output], y, n, EXACT + rounding);
    if (!h->opts.channel_lanes) {
        plc_harness_run_backward(h, step);
        plc_harness_compare(h, "dx", h->grads[a], dx, n, 2 * (EXACT + rounding)); // a may be b
    }
    free(y);
    free(dx);
}

static void relu_and_clip_pass_what_lies_between_their_bounds(void **state)
{
    const plc_harness_devices *devices = *state;
    const int input = 0;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        pleach_device *device = devices->items[i / n_cases];
        const eltwise_case c = draw_case("clip", i);
        const plc_clip clip = plc_harness_clip(1 + (int)i % (PLC_HARNESS_CLIPS - 1));
        pleach_graph *graph = make_graph(device->ctx, c.shape);
        const int node = plc_harness_add_clip(device->ctx, graph, input, clip);
        const plc_step step = {node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
        plc_harness *h = make_harness(device, graph, &c);
        run_step(h, &step, input, PLC_NO_NODE, clip);
        plc_harness_destroy(&h);
    }
}

// add of two values, or of one with itself, and the clip that the step absorbed.
static void run_add(pleach_device *device, const eltwise_case *c, bool twice)
{
    pleach_graph *graph = make_graph(device->ctx, c->shape);
    const int input = 0;
    const int other =
        twice ? input : plc_harness_add_node(device->ctx, graph, "relu", &input, 1, NULL);
    const int inputs[] = {input, other};
    plc_step step = {.batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .clip = c->clip};

    step.node = plc_harness_add_node(device->ctx, graph, "add", inputs, 2, NULL);
    step.output = plc_harness_add_clip(device->ctx, graph, step.node, c->clip);
    plc_harness *h = make_harness(device, graph, c);
    run_step(h, &step, input, other, c->clip);
    plc_harness_destroy(&h);
}

static void add_gives_its_gradient_to_both(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const eltwise_case c = draw_case("add", 500 + i);
        run_add(devices->items[i / n_cases], &c, i % 4 == 0);
    }
}

// Input 0 and a 1x1 convolution of it, side by side. `aliases` of them are views of the concat.
static void run_concat(pleach_device *device, const eltwise_case *c, int aliases)
{
    pleach_graph *graph = make_graph(device->ctx, c->shape);
    const int input = 0, second = plc_harness_pick(c->seed, 9, 1, 6), wide = c->shape.c + second;
    const plc_attrs attrs = {.kernel = {1, 1}, .out_channels = second};
    const int conv = plc_harness_add_node(device->ctx, graph, "conv", &input, 1, &attrs);
    const int inputs[] = {input, conv};
    const int node = plc_harness_add_node(device->ctx, graph, "concat", inputs, 2, NULL);
    const plc_step step = {node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
    plc_harness *h = make_harness(device, graph, c);
    const int plane = c->shape.h * c->shape.w;
    int first = 0;

    for (int i = 0; i < aliases; i++)
        plc_harness_alias(h, inputs[i], node, i == 0 ? 0 : c->shape.c);
    plc_harness_run_forward(h, &step);
    for (int i = 0; i < 2; first += graph->nodes[inputs[i++]].shape.c)
        for (int n = 0; n < c->n_images; n++)
            assert_memory_equal(h->values[inputs[i]] + n * plc_harness_image_size(h, inputs[i]),
                                h->values[node] + (n * wide + first) * plane,
                                (size_t)plc_harness_image_size(h, inputs[i]) * sizeof(float));

    if (c->channel_lanes) {
        plc_harness_destroy(&h);
        return;
    }
    float *before[2];
    for (int i = 0; i < 2; i++) {
        const size_t n = plc_harness_value_size(h, inputs[i]);
        before[i] = malloc(n * sizeof(float));
        assert_non_null(before[i]);
        memcpy(before[i], h->grads[inputs[i]], n * sizeof(float));
    }
    assert_int_equal(h->backward.n_items, 2 - aliases);
    plc_harness_run_backward(h, &step);
    first = 0;
    for (int i = 0; i < 2; first += graph->nodes[inputs[i++]].shape.c)
        for (int n = 0; n < c->n_images; n++)
            for (int k = 0; k < plc_harness_image_size(h, inputs[i]); k++) {
                const int at = n * plc_harness_image_size(h, inputs[i]) + k;
                const float dy = h->grads[node][(n * wide + first) * plane + k];
                const float held = c->accumulate && i >= aliases ? before[i][at] : 0;
                assert_true(h->grads[inputs[i]][at] == plc_harness_stored(h, dy + held));
            }
    free(before[0]);
    free(before[1]);
    plc_harness_destroy(&h);
}

static void concat_copies_only_what_is_no_view(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const eltwise_case c = draw_case("concat", 1000 + i);
        run_concat(devices->items[i / n_cases], &c, (int)(i % 3));
    }
}

static void channel_lanes_add_and_copy_the_same(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        pleach_device *device = devices->items[i / n_cases];
        eltwise_case c = draw_case("channel lanes", 3000 + i);
        c.shape.c = plc_harness_pick(c.seed, 100, 1, 40);
        c.channel_lanes = true;
        if (!plc_harness_has_channel_lanes(device))
            continue;
        if (i % 2)
            run_add(device, &c, i % 4 == 1);
        else
            run_concat(device, &c, (int)(i / 2 % 3));
    }
}

static void flatten_launches_nothing_and_keeps_the_order(void **state)
{
    const plc_harness_devices *devices = *state;
    const int input = 0;

    for (unsigned i = 0; i < devices->n; i++) {
        pleach_device *device = devices->items[i];
        const eltwise_case c = draw_case("flatten", 1500 + i);
        pleach_graph *graph = make_graph(device->ctx, c.shape);
        const int node = plc_harness_add_node(device->ctx, graph, "flatten", &input, 1, NULL);
        plc_harness *h = make_harness(device, graph, &c);
        plc_harness_alias(h, node, input, 0);
        memcpy(h->values[node], h->values[input], plc_harness_value_size(h, node) * sizeof(float));
        assert_true(graph->nodes[node].op->forward == NULL &&
                    graph->nodes[node].op->backward == NULL);
        plc_harness_place(h);
        plc_harness_upload(h);
        plc_harness_download(h);
        assert_memory_equal(h->values[node], h->values[input],
                            plc_harness_value_size(h, node) * sizeof(float));
        plc_harness_destroy(&h);
    }
}

// Masks the gradient of node 1 in place, with mask_gradients.
static void run_mask(pleach_device *device, const eltwise_case *c, bool mask_gradients)
{
    pleach_graph *graph = make_graph(device->ctx, c->shape);
    const int input = 0, node = plc_harness_add_node(device->ctx, graph, "relu", &input, 1, NULL);
    plc_harness *h = make_harness(device, graph, c);
    const int plane = c->shape.h * c->shape.w;
    const size_t n = plc_harness_value_size(h, node);
    float *grad = malloc(n * sizeof *grad);

    assert_non_null(grad);
    plc_harness_mask(h, node);
    memcpy(grad, h->grads[node], n * sizeof *grad);
    h->lower.mask_gradients = mask_gradients;
    h->lower.list = &h->forward;
    memset(h->lower.written[node], true, (size_t)h->lower.value_grads[node].planes * (size_t)plane);
    plc_harness_check(h, plc_mask_gradient_lower(&h->lower, node));
    plc_harness_place(h);
    plc_harness_upload(h);
    plc_harness_run_list(h, &h->forward);
    plc_harness_download(h);
    for (size_t i = 0; i < n; i++) {
        const float mask =
            h->masks[h->lower.mask_offsets[node] + (int)(i / (size_t)plane) % c->shape.c];
        assert_true(h->grads[node][i] == (mask_gradients ? grad[i] * mask : grad[i]));
        assert_false(mask_gradients && mask == 0 && signbit(h->grads[node][i]));
    }
    free(grad);
    plc_harness_destroy(&h);
}

static void mask_makes_pruned_channels_positive_zero(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(4);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const eltwise_case c = draw_case("mask", 2000 + i);
        run_mask(devices->items[i / n_cases], &c, i % 2 == 0);
    }
}

static void fill_zeroes_the_view_and_nothing_else(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++) {
        pleach_device *device = devices->items[i];
        const eltwise_case c = draw_case("fill", 2500 + i);
        plc_harness *h = make_harness(device, make_graph(device->ctx, c.shape), &c);
        h->lower.list = &h->forward;
        plc_harness_check(h, plc_fill_view(&h->lower, plc_lower_value(&h->lower, 0)));
        plc_harness_place(h);
        plc_harness_upload(h);
        plc_harness_run_list(h, &h->forward);
        plc_harness_download(h);
        for (size_t k = 0; k < plc_harness_value_size(h, 0); k++)
            assert_true(h->values[0][k] == 0.0f);
        plc_harness_destroy(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu_and_clip_pass_what_lies_between_their_bounds),
        cmocka_unit_test(add_gives_its_gradient_to_both),
        cmocka_unit_test(concat_copies_only_what_is_no_view),
        cmocka_unit_test(channel_lanes_add_and_copy_the_same),
        cmocka_unit_test(flatten_launches_nothing_and_keeps_the_order),
        cmocka_unit_test(mask_makes_pruned_channels_positive_zero),
        cmocka_unit_test(fill_zeroes_the_view_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
