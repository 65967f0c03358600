// Tests of fading_relu on the device against tests/reference/fading_relu.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <reference/fading_relu.h>

static const double EXACT = 1e-7; // one product in float
enum { CASES_PER_DEVICE = 8, LABEL_MAX = 120 };

typedef struct fading_case {
    int n_images;
    plc_shape shape;
    float gate;
    bool accumulate;
    unsigned seed;
    char label[LABEL_MAX];
} fading_case;

static fading_case draw_case(unsigned seed)
{
    static const float gates[] = {1.0f, 0.0f, 0.3f, 0.875f};
    fading_case c = {
        .n_images = plc_harness_pick(seed, 1, 1, plc_test_size(1, 37)),
        .shape = {plc_harness_pick(seed, 2, 1, 9),
                  plc_harness_pick(seed, 3, 1, plc_test_size(1, 20)),
                  plc_harness_pick(seed, 4, 1, plc_test_size(1, 20))},
        .gate = gates[seed % 4],
        .accumulate = plc_harness_pick(seed, 5, 0, 1) == 1,
        .seed = seed,
    };

    snprintf(c.label, sizeof c.label,
             "fading_relu seed %u: N %d C %d H %d W %d gate %g accumulate %d", seed, c.n_images,
             c.shape.c, c.shape.h, c.shape.w, (double)c.gate, c.accumulate);
    return c;
}

static plc_harness *make_harness(pleach_device *device, const fading_case *c, plc_step *step)
{
    pleach_graph *graph = NULL;
    const int input = 0;

    if (plc_graph_create(device->ctx, "case", c->shape, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    const int node = plc_harness_add_node(device->ctx, graph, "fading_relu", &input, 1, NULL);
    *step = (plc_step){node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
    plc_harness *h = plc_harness_create(graph, &(plc_harness_opts){
                                                   .device = device,
                                                   .n_images = c->n_images,
                                                   .seed = c->seed,
                                                   .accumulate = c->accumulate,
                                                   .label = c->label,
                                               });
    h->gates[node] = c->gate;
    return h;
}

static void run_case(pleach_device *device, const fading_case *c)
{
    plc_step step;
    plc_harness *h = make_harness(device, c, &step);
    const int x = 0;
    const size_t n = plc_harness_value_size(h, step.output);
    double *y = calloc(n, sizeof *y), *dx = calloc(n, sizeof *dx);

    assert_true(y && dx);
    plc_reference_fading_relu_forward(h->values[x], c->gate, y, n);
    for (size_t i = 0; i < n; i++)
        dx[i] = c->accumulate ? (double)h->grads[x][i] : 0;
    plc_reference_fading_relu_backward(h->values[x], c->gate, h->grads[step.output], dx, n);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[step.output], y, n, EXACT + plc_harness_rounding(h));
    plc_harness_run_backward(h, &step);
    plc_harness_compare(h, "dx", h->grads[x], dx, n, 2 * (EXACT + plc_harness_rounding(h)));
    free(y);
    free(dx);
    plc_harness_destroy(&h);
}

static void what_is_negative_is_scaled_by_what_the_gate_leaves(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const fading_case c = draw_case(i);
        run_case(devices->items[i / n_cases], &c);
    }
}

static void at_gate_zero_it_is_the_identity_to_the_bit(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++) {
        plc_step step;
        fading_case c = draw_case(100 + i);
        c.gate = 0.0f;
        plc_harness *h = make_harness(devices->items[i], &c, &step);
        plc_harness_run_forward(h, &step);
        assert_memory_equal(h->values[0], h->values[step.output],
                            plc_harness_value_size(h, step.output) * sizeof(float));
        plc_harness_destroy(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_negative_is_scaled_by_what_the_gate_leaves),
        cmocka_unit_test(at_gate_zero_it_is_the_identity_to_the_bit),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
