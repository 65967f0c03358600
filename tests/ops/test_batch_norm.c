// Tests of batch_norm on the device against tests/reference/batch_norm.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <reference/batch_norm.h>

// Sums of some hundred products in float; xhat is as far off as rounding of x is in units of its
// deviation.
static const double TOLERANCE = 3e-5;
// Where what clipping's gate looks at is closer to a bound, rounding decides: no gradient is sent there.
static const double GATE_MARGIN = 1e-3;
enum { CASES_PER_DEVICE = 24, LABEL_MAX = 160 };

typedef struct bn_case {
    int n_images, c, h, w;
    plc_clip clip;
    bool add, mask, mask_gradients, accumulate, inference;
    bool channel_lanes;
    bool add_is_x;    // the value added is the batch norm's own input
    float gate, mean; // mean: what is added to x, to see that large means do not hurt
    unsigned seed;
    char label[LABEL_MAX];
} bn_case;

static bool flip_coin(unsigned seed, unsigned draw)
{
    return plc_harness_pick(seed, draw, 0, 1) == 1;
}

static void name_case(bn_case *c)
{
    snprintf(c->label, sizeof c->label,
             "seed %u: N %d C %d H %d W %d add %d clip %d %g..%g mask %d mask_gradients %d "
             "accumulate %d "
             "inference %d "
             "gate %g mean %g",
             c->seed, c->n_images, c->c, c->h, c->w, c->add, c->clip.on, (double)c->clip.low,
             (double)c->clip.high, c->mask, c->mask_gradients, c->accumulate, c->inference,
             (double)c->gate, (double)c->mean);
}

static bn_case draw_case(unsigned seed)
{
    bn_case c = {
        .seed = seed,
        .n_images = plc_harness_pick(seed, 1, 3, plc_test_size(3, 40)),
        .c = plc_harness_pick(seed, 2, 1, plc_test_size(1, 7)),
        .h = plc_harness_pick(seed, 3, 1, plc_test_size(1, 9)),
        .w = plc_harness_pick(seed, 4, 1, plc_test_size(1, 9)),
        .add = flip_coin(seed, 5),
        .clip = plc_harness_clip(plc_harness_pick(seed, 6, 0, PLC_HARNESS_CLIPS - 1)),
        .mask = flip_coin(seed, 7),
        .mask_gradients = flip_coin(seed, 8),
        .accumulate = flip_coin(seed, 9),
        .gate = flip_coin(seed, 10) ? 1.0f : 0.4f,
        .mean = flip_coin(seed, 11) ? 0.0f : 20.0f,
    };

    if (seed % 8 == 0)
        c.h = c.w = 1;
    if (seed % 8 == 1)
        c.h = c.w = 40; // several splits and tiles
    name_case(&c);
    return c;
}

// Input 0, a second value 1, batch norm 2, and what follows it.
static pleach_graph *make_graph(pleach_ctx *ctx, const bn_case *c, plc_step *step)
{
    pleach_graph *graph = NULL;
    const int input = 0;

    if (plc_graph_create(ctx, "case", (plc_shape){c->c, c->h, c->w}, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    const int other = plc_harness_add_node(ctx, graph, "relu", &input, 1, NULL);
    const int bn = plc_harness_add_node(ctx, graph, "batch_norm", &input, 1, NULL);
    int last = bn;
    *step = (plc_step){.node = bn, .batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .clip = c->clip};
    if (c->add) {
        step->add = c->add_is_x ? input : other;
        const int inputs[] = {bn, step->add};
        last = plc_harness_add_node(ctx, graph, "add", inputs, 2, NULL);
    }
    step->output = plc_harness_add_clip(ctx, graph, last, c->clip);
    return graph;
}

static plc_harness *make_harness(pleach_device *device, const bn_case *c, plc_step *step)
{
    pleach_graph *graph = make_graph(device->ctx, c, step);
    plc_harness *h = plc_harness_create(graph, &(plc_harness_opts){
                                                   .device = device,
                                                   .n_images = c->n_images,
                                                   .seed = c->seed,
                                                   .inference = c->inference,
                                                   .channel_lanes = c->channel_lanes,
                                                   .mask_gradients = c->mask_gradients,
                                                   .accumulate = c->accumulate,
                                                   .label = c->label,
                                               });
    const int size = c->h * c->w;

    for (size_t i = 0; i < plc_harness_value_size(h, 0); i++)
        h->values[0][i] = 2.0f * h->values[0][i] + c->mean;
    plc_harness_store_values(h);
    h->gates[step->node] = c->gate;
    if (c->mask) {
        plc_harness_mask(h, step->node);
        // What is added to a masked channel is masked too.
        const float *mask = h->masks + h->lower.mask_offsets[step->node];
        if (step->add == 1)
            for (size_t i = 0; i < plc_harness_value_size(h, 1); i++)
                h->values[1][i] *= mask[i / (size_t)size % (size_t)c->c];
    }
    return h;
}

static double *doubles(const float *from, size_t n)
{
    double *to = calloc(n ? n : 1, sizeof *to);

    assert_non_null(to);
    for (size_t i = 0; from && i < n; i++)
        to[i] = (double)from[i];
    return to;
}

static plc_reference_batch_norm make_reference(const plc_harness *h, const bn_case *c,
                                               const plc_step *step)
{
    const int *offsets = h->layout->offsets[step->node];
    const int mask = h->lower.mask_offsets[step->node];

    return (plc_reference_batch_norm){
        .N = c->n_images,
        .C = c->c,
        .size = c->h * c->w,
        .eps = (double)h->graph->nodes[step->node].attrs.eps,
        .gamma = h->weights + offsets[0],
        .beta = h->weights + offsets[1],
        .mask = mask < 0 ? NULL : h->masks + mask,
        .gate = (double)c->gate,
        .low = plc_harness_low(c->clip),
        .high = plc_harness_high(c->clip),
        .add = step->add == PLC_NO_NODE ? NULL : h->values[step->add],
        .mean = doubles(c->inference ? h->weights + offsets[2] : NULL, (size_t)c->c),
        .variance = doubles(c->inference ? h->weights + offsets[3] : NULL, (size_t)c->c),
    };
}

// A channel of small deviation magnifies the rounding of its input.
static double magnification(const plc_reference_batch_norm *p, double largest)
{
    double most = 1;

    for (int c = 0; c < p->C; c++)
        most = fmax(most, (1 + fabs((double)p->gamma[c])) * (1 + largest / 20) /
                              sqrt(p->variance[c] + p->eps));
    return most;
}

static void check_running(const plc_harness *h, const plc_reference_batch_norm *p,
                          const double *before, const int *offsets, double momentum)
{
    double *expected = doubles(NULL, (size_t)p->C);
    const double n = p->N * p->size, unbiased = n > 1 ? n / (n - 1) : 1;

    for (int c = 0; c < p->C; c++)
        expected[c] = (1 - momentum) * before[offsets[2] + c] + momentum * p->mean[c];
    plc_harness_compare(h, "running_mean", h->weights + offsets[2], expected, (size_t)p->C,
                        TOLERANCE);
    for (int c = 0; c < p->C; c++)
        expected[c] =
            (1 - momentum) * before[offsets[3] + c] + momentum * unbiased * p->variance[c];
    plc_harness_compare(h, "running_var", h->weights + offsets[3], expected, (size_t)p->C,
                        TOLERANCE * 10);
    free(expected);
}

static void check_backward(plc_harness *h, const bn_case *c, const plc_step *step,
                           const plc_reference_batch_norm *p, const float *x, const double *open_at,
                           double tolerance)
{
    const size_t n = plc_harness_value_size(h, 0);
    const int *offsets = h->layout->offsets[step->node];
    double *dx = doubles(c->accumulate ? h->grads[0] : NULL, n);
    double *dadd = step->add == 0 ? dx : doubles(c->accumulate ? h->grads[1] : NULL, n);
    double *dw = doubles(h->weight_grads, (size_t)h->layout->n_floats);
    const double margin = GATE_MARGIN + 2 * plc_harness_rounding(h); // bounds are below 2

    for (size_t i = 0; i < n; i++)
        if (fabs(open_at[i] - p->low) < margin || fabs(open_at[i] - p->high) < margin)
            h->grads[step->output][i] = 0;
    plc_reference_batch_norm_backward(p, x, h->grads[step->output], open_at, c->mask_gradients, dx,
                                      c->add ? dadd : NULL, dw + offsets[0], dw + offsets[1]);
    plc_harness_run_backward(h, step);
    const double rounding = plc_harness_rounding(h) * (step->add == 0 ? 2 : 1); // dadd goes into dx
    plc_harness_compare(h, "dx", h->grads[0], dx, n, tolerance + rounding);
    if (step->add == 1)
        plc_harness_compare(h, "dadd", h->grads[1], dadd, n, TOLERANCE + rounding);
    // dgamma and dbeta are sums over the batch.
    plc_harness_compare(h, "weight gradients", h->weight_grads, dw, (size_t)h->layout->n_floats,
                        tolerance * sqrt(p->N * p->size));
    if (dadd != dx)
        free(dadd);
    free(dx);
    free(dw);
}

static void run_case(pleach_device *device, const bn_case *c)
{
    plc_step step;
    plc_harness *h = make_harness(device, c, &step);
    const size_t n = plc_harness_value_size(h, 0);
    const int *offsets = h->layout->offsets[step.node];
    plc_reference_batch_norm p = make_reference(h, c, &step);
    double *y = doubles(NULL, n), *open_at = doubles(NULL, n);
    double *before = doubles(h->weights, (size_t)h->layout->n_floats);
    float *x = malloc(n * sizeof *x);

    assert_non_null(x);
    memcpy(x, h->values[0], n * sizeof *x);
    if (!c->inference)
        plc_reference_batch_norm_statistics(&p, x);
    plc_reference_batch_norm_forward(&p, x, y, open_at);
    const double tolerance = TOLERANCE * magnification(&p, (double)c->mean);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[step.output], y, n, tolerance + plc_harness_rounding(h));
    if (!c->inference) {
        check_running(h, &p, before, offsets, (double)h->graph->nodes[step.node].attrs.momentum);
        check_backward(h, c, &step, &p, x, open_at, tolerance);
    } else {
        plc_harness_compare(h, "weights", h->weights, before, (size_t)h->layout->n_floats, 0);
    }
    free(p.mean);
    free(p.variance);
    free(y);
    free(open_at);
    free(before);
    free(x);
    plc_harness_destroy(&h);
}

static void training_matches_the_definition(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; j < plc_test_cases(CASES_PER_DEVICE); j++) {
            const bn_case c = draw_case(i * CASES_PER_DEVICE + j);
            run_case(devices->items[i], &c);
        }
}

static void inference_uses_running_statistics_mask_and_gate(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; j < plc_test_cases(CASES_PER_DEVICE / 2); j++) {
            bn_case c = draw_case(1000 + i * CASES_PER_DEVICE + j);
            c.inference = true;
            name_case(&c);
            run_case(devices->items[i], &c);
        }
}

static void inference_on_channel_lanes_does_too(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        pleach_device *device = devices->items[i / n_cases];
        bn_case c = draw_case(4000 + i);
        c.c = plc_harness_pick(c.seed, 100, 1, 40);
        c.inference = c.channel_lanes = true;
        name_case(&c);
        if (plc_harness_has_channel_lanes(device))
            run_case(device, &c);
    }
}

static void a_value_that_is_normalised_and_added_gets_both_gradients(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; j < plc_test_cases(4); j++) {
            bn_case c = draw_case(2000 + i * 4 + j);
            c.add = c.add_is_x = true;
            c.mask = false;
            name_case(&c);
            run_case(devices->items[i], &c);
        }
}

static void a_masked_channel_is_exactly_zero_and_still_learns(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++) {
        bn_case c = {.n_images = 19,
                     .c = 3,
                     .h = 5,
                     .w = 5,
                     .clip = plc_harness_clip(1 + (int)i % 2),
                     .mask = true,
                     .gate = 1,
                     .seed = 77};
        plc_step step;

        name_case(&c);
        plc_harness *h = make_harness(devices->items[i], &c, &step);
        float *mask = h->masks + h->lower.mask_offsets[step.node];
        mask[0] = mask[2] = 1.0f;
        mask[1] = 0.0f;
        memset(h->weight_grads, 0, (size_t)h->layout->n_floats * sizeof(float));
        plc_harness_run_forward(h, &step);
        for (int n = 0; n < c.n_images; n++)
            for (int k = 0; k < 25; k++) {
                const float y = h->values[step.output][(n * 3 + 1) * 25 + k];
                assert_true(y == 0.0f && !signbit(y));
            }
        plc_harness_run_backward(h, &step);
        assert_true(h->weight_grads[h->layout->offsets[step.node][0] + 1] != 0.0f);
        assert_true(h->grads[0][25] != 0.0f || h->grads[0][26] != 0.0f);
        plc_harness_destroy(&h);
    }
}

// Copies channel `from` of one case to channel `to` of another: values, gradients and parameters.
static void copy_channel(const plc_harness *a, const plc_step *step_a, int from, plc_harness *b,
                         const plc_step *step_b, int to, int size)
{
    const int wide = a->graph->nodes[0].shape.c, narrow = b->graph->nodes[0].shape.c;
    const size_t plane = (size_t)size * sizeof(float);

    for (int n = 0; n < a->opts.n_images; n++) {
        const int at = (n * wide + from) * size, into = (n * narrow + to) * size;
        memcpy(b->values[0] + into, a->values[0] + at, plane);
        memcpy(b->values[1] + into, a->values[1] + at, plane);
        memcpy(b->grads[step_b->output] + into, a->grads[step_a->output] + at, plane);
    }
    for (int i = 0; i < 4; i++) {
        const int at = a->layout->offsets[step_a->node][i] + from,
                  into = b->layout->offsets[step_b->node][i] + to;
        b->weights[into] = a->weights[at];
        b->weight_grads[into] = a->weight_grads[at];
    }
}

static void expect_same_bits(const plc_harness *a, const float *wide, int n_wide, int from,
                             const float *narrow, int n_narrow, int to, int size)
{
    for (int n = 0; n < a->opts.n_images; n++)
        assert_memory_equal(wide + (n * n_wide + from) * size, narrow + (n * n_narrow + to) * size,
                            (size_t)size * sizeof(float));
}

static void fewer_channels_give_the_same_bits(void **state)
{
    const plc_harness_devices *devices = *state;
    static const int kept[] = {6, 2};

    for (unsigned i = 0; i < devices->n; i++) {
        bn_case c = {.n_images = 37,
                     .c = 7,
                     .h = 11,
                     .w = 9,
                     .add = true,
                     .clip = plc_harness_clip(1),
                     .gate = 1,
                     .seed = 5};
        bn_case d = c;
        plc_step step_a, step_b;

        name_case(&c);
        d.c = 2;
        d.seed = 6; // other views
        name_case(&d);
        plc_harness *a = make_harness(devices->items[i], &c, &step_a);
        plc_harness *b = make_harness(devices->items[i], &d, &step_b);
        for (int k = 0; k < 2; k++)
            copy_channel(a, &step_a, kept[k], b, &step_b, k, 99);
        plc_harness_run_forward(a, &step_a);
        plc_harness_run_backward(a, &step_a);
        plc_harness_run_forward(b, &step_b);
        plc_harness_run_backward(b, &step_b);
        for (int k = 0; k < 2; k++) {
            expect_same_bits(a, a->values[step_a.output], 7, kept[k], b->values[step_b.output], 2,
                             k, 99);
            expect_same_bits(a, a->grads[0], 7, kept[k], b->grads[0], 2, k, 99);
            for (int j = 0; j < 2; j++)
                assert_true(a->weight_grads[a->layout->offsets[step_a.node][j] + kept[k]] ==
                            b->weight_grads[b->layout->offsets[step_b.node][j] + k]);
        }
        plc_harness_destroy(&a);
        plc_harness_destroy(&b);
    }
}

// The reference itself: d(sum dy y) / dx by central differences.
static void reference_gradient_is_that_of_finite_differences(void **state)
{
    enum { N = 4, C = 2, SIZE = 3, COUNT = N * C * SIZE };
    const float gamma[C] = {0.7f, -1.3f}, beta[C] = {0.2f, 0.1f};
    const double step = 1e-3;
    double mean[C], variance[C], y[COUNT], open_at[COUNT], dx[COUNT] = {0}, dgamma[C] = {0},
                                                           dbeta[C] = {0};
    float x[COUNT], dy[COUNT];
    plc_reference_batch_norm p = {.N = N,
                                  .C = C,
                                  .size = SIZE,
                                  .eps = 1e-5,
                                  .gamma = gamma,
                                  .beta = beta,
                                  .gate = 0.8,
                                  .low = (double)-INFINITY,
                                  .high = (double)INFINITY,
                                  .mean = mean,
                                  .variance = variance};

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)sin(i * 1.7) * 2;
        dy[i] = (float)cos(i * 2.3);
    }
    plc_reference_batch_norm_statistics(&p, x);
    plc_reference_batch_norm_forward(&p, x, y, open_at);
    plc_reference_batch_norm_backward(&p, x, dy, open_at, false, dx, NULL, dgamma, dbeta);
    for (int i = 0; i < COUNT; i++) {
        const float middle = x[i];
        double loss[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            x[i] = middle + (float)(side ? step : -step);
            plc_reference_batch_norm_statistics(&p, x);
            plc_reference_batch_norm_forward(&p, x, y, open_at);
            for (int k = 0; k < COUNT; k++)
                loss[side] += (double)dy[k] * y[k];
        }
        x[i] = middle;
        assert_true(fabs((loss[1] - loss[0]) / (2 * step) - dx[i]) < 1e-3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_gradient_is_that_of_finite_differences),
        cmocka_unit_test(training_matches_the_definition),
        cmocka_unit_test(inference_uses_running_statistics_mask_and_gate),
        cmocka_unit_test(inference_on_channel_lanes_does_too),
        cmocka_unit_test(a_value_that_is_normalised_and_added_gets_both_gradients),
        cmocka_unit_test(a_masked_channel_is_exactly_zero_and_still_learns),
        cmocka_unit_test(fewer_channels_give_the_same_bits),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
