// Tests of clip, leaky_relu, sigmoid, hard_sigmoid, hard_swish, tanh, elu, softplus, softsign and mul on the device against plain references.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <reference/activation.h>

static const double ROUNDING = 2e-6; // a handful of operations and an exponential in float
enum { LABEL_MAX = 120, N_FUNCTIONS = 10 };

static const struct {
    const char *op;
    float alpha, beta;
} functions[N_FUNCTIONS] = {
    {"clip", 0.0f, 6.0f},         {"clip", -1.5f, 0.5f},   {"leaky_relu", 0.1f, 0.0f},
    {"hard_sigmoid", 0.2f, 0.5f}, {"sigmoid", 0.0f, 0.0f}, {"hard_swish", 0.0f, 0.0f},
    {"tanh", 0.0f, 0.0f},         {"elu", 1.5f, 1.1f},     {"softplus", 0.0f, 0.0f},
    {"softsign", 0.0f, 0.0f},
};

typedef struct draw {
    int n_images;
    plc_shape shape;
    bool accumulate;
    bool channel_lanes; // forward only
    unsigned seed;
    char label[LABEL_MAX];
} draw;

static draw draw_case(const char *op, unsigned seed)
{
    draw c = {
        .n_images = plc_harness_pick(seed, 1, 1, plc_test_size(1, 37)),
        .shape = {plc_harness_pick(seed, 2, 1, 9),
                  plc_harness_pick(seed, 3, 1, plc_test_size(1, 20)),
                  plc_harness_pick(seed, 4, 1, plc_test_size(1, 20))},
        .accumulate = plc_harness_pick(seed, 5, 0, 1) == 1,
        .seed = seed,
    };

    snprintf(c.label, sizeof c.label, "%s seed %u: N %d C %d H %d W %d accumulate %d", op, seed,
             c.n_images, c.shape.c, c.shape.h, c.shape.w, c.accumulate);
    return c;
}

static pleach_graph *make_graph(pleach_ctx *ctx, plc_shape shape)
{
    pleach_graph *graph = NULL;

    if (plc_graph_create(ctx, "case", shape, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    return graph;
}

static plc_harness *make_harness(pleach_device *device, pleach_graph *graph, const draw *c)
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

// Values from -8 to 8 or so, none at a kink.
static void spread(plc_harness *h, int f)
{
    float *x = h->values[0];

    for (size_t i = 0; i < plc_harness_value_size(h, 0); i++) {
        x[i] *= 3;
        while (plc_reference_activation_kinks(functions[f].op, (double)functions[f].alpha,
                                              (double)functions[f].beta, (double)x[i]))
            x[i] += 0.125f; // stays one as a half
    }
    plc_harness_store_values(h);
}

static void run_function(pleach_device *device, int f, const draw *c)
{
    const double alpha = (double)functions[f].alpha, beta = (double)functions[f].beta;
    pleach_graph *graph = make_graph(device->ctx, c->shape);
    const plc_attrs attrs = {.alpha = functions[f].alpha, .beta = functions[f].beta};
    const int node =
        plc_harness_add_node(device->ctx, graph, functions[f].op, &(int){0}, 1, &attrs);
    const plc_step step = {node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
    plc_harness *h = make_harness(device, graph, c);
    const size_t n = plc_harness_value_size(h, node);
    double *y = calloc(n, sizeof *y), *dx = calloc(n, sizeof *dx);

    assert_true(y && dx);
    spread(h, f);
    for (size_t i = 0; i < n; i++) {
        const double x = (double)h->values[0][i];

        y[i] = plc_reference_activation(functions[f].op, alpha, beta, x);
        dx[i] = (c->accumulate ? (double)h->grads[0][i] : 0) +
                (double)h->grads[node][i] *
                    plc_reference_activation_slope(functions[f].op, alpha, beta, x);
    }
    const double tolerance = ROUNDING + plc_harness_rounding(h);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[node], y, n, tolerance);
    if (!c->channel_lanes) {
        plc_harness_run_backward(h, &step);
        plc_harness_compare(h, "dx", h->grads[0], dx, n, 4 * tolerance);
    }
    free(y);
    free(dx);
    plc_harness_destroy(&h);
}

static void functions_and_their_slopes_are_those_of_the_reference(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(2);

    for (unsigned i = 0; i < devices->n * n_cases * N_FUNCTIONS; i++) {
        const int f = (int)(i % N_FUNCTIONS);
        const draw c = draw_case(functions[f].op, i);

        run_function(devices->items[i / N_FUNCTIONS / n_cases], f, &c);
    }
}

// Expected product and gradients of the values of nodes a and b; b has `plane` or one pixel per channel.
static void expect_product(const plc_harness *h, int a, int b, int node, double *y, double *da,
                           double *db)
{
    const size_t n = plc_harness_value_size(h, a), n_b = plc_harness_value_size(h, b);

    for (size_t i = 0; i < n; i++)
        da[i] = h->opts.accumulate ? (double)h->grads[a][i] : 0;
    for (size_t i = 0; i < n_b; i++)
        db[i] = h->opts.accumulate ? (double)h->grads[b][i] : 0;
    for (size_t i = 0; i < n; i++) {
        const size_t j = i / (n / n_b);
        const double dy = (double)h->grads[node][i];

        y[i] = (double)h->values[a][i] * (double)h->values[b][j];
        da[i] += dy * (double)h->values[b][j];
        db[j] += dy * (double)h->values[a][i];
    }
}

static void run_product(pleach_device *device, const draw *c, bool gate)
{
    pleach_graph *graph = make_graph(device->ctx, c->shape);
    const int a = plc_harness_add_node(device->ctx, graph, "relu", &(int){0}, 1, NULL);
    const int b = plc_harness_add_node(device->ctx, graph, gate ? "global_avg_pool" : "relu",
                                       &(int){0}, 1, NULL);
    const int node = plc_harness_add_node(device->ctx, graph, "mul", (int[]){a, b}, 2, NULL);
    const plc_step step = {node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
    plc_harness *h = make_harness(device, graph, c);
    const size_t n = plc_harness_value_size(h, a), n_b = plc_harness_value_size(h, b);
    double *y = calloc(n, sizeof *y), *da = calloc(n, sizeof *da), *db = calloc(n, sizeof *db);

    assert_true(y && da && db);
    expect_product(h, a, b, node, y, da, db);
    const double tolerance = ROUNDING + plc_harness_rounding(h);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[node], y, n, tolerance);
    if (!c->channel_lanes) {
        plc_harness_run_backward(h, &step);
        plc_harness_compare(h, "da", h->grads[a], da, n, 4 * tolerance);
        plc_harness_compare(h, "db", h->grads[b], db, n_b, 16 * tolerance); // sums of up to 400
    }
    free(y);
    free(da);
    free(db);
    plc_harness_destroy(&h);
}

static void products_give_their_gradients_to_both(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(4);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const draw c = draw_case("mul", 700 + i);

        run_product(devices->items[i / n_cases], &c, i % 2 == 0);
    }
}

static void channel_lanes_give_the_same(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n * N_FUNCTIONS; i++) {
        pleach_device *device = devices->items[i / N_FUNCTIONS];
        const int f = (int)(i % N_FUNCTIONS);
        draw c = draw_case(functions[f].op, 900 + i);

        if (!plc_harness_has_channel_lanes(device))
            continue;
        c.channel_lanes = true;
        run_function(device, f, &c);
        run_product(device, &c, i % 2 == 0);
    }
}

static void shapes_and_bounds_that_do_not_fit_are_refused(void **state)
{
    const plc_harness_devices *devices = *state;
    pleach_ctx *ctx = devices->ctx;
    pleach_graph *graph = make_graph(ctx, (plc_shape){3, 4, 4});
    const int pool = plc_harness_add_node(ctx, graph, "global_avg_pool", &(int){0}, 1, NULL);
    const plc_attrs wide = {.kernel = {1, 1}, .out_channels = 5};
    const int conv = plc_harness_add_node(ctx, graph, "conv", &(int){0}, 1, &wide);

    assert_int_equal(plc_graph_add(ctx, graph, "mul", "m", (int[]){0, conv}, 2, NULL, NULL),
                     PLEACH_EGRAPH);
    assert_int_equal(plc_graph_add(ctx, graph, "mul", "m", (int[]){pool, 0}, 2, NULL, NULL),
                     PLEACH_EGRAPH);
    assert_int_equal(plc_graph_add(ctx, graph, "clip", "c", &(int){0}, 1,
                                   &(plc_attrs){.alpha = 1, .beta = -1}, NULL),
                     PLEACH_EGRAPH);
    assert_int_equal(plc_graph_add(ctx, graph, "pad", "p", &(int){0}, 1,
                                   &(plc_attrs){.pad_after = {1 << 20, 0}}, NULL),
                     PLEACH_EGRAPH);
    pleach_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_and_their_slopes_are_those_of_the_reference),
        cmocka_unit_test(products_give_their_gradients_to_both),
        cmocka_unit_test(channel_lanes_give_the_same),
        cmocka_unit_test(shapes_and_bounds_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
