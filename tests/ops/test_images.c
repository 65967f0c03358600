// Tests of operators on whole images (slice, as_strided, softmax, prelu, affine, pad, resize, conv_transpose, uneven
// pools) on the device: values against plain references, gradients against differences of these.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"

static const double ROUNDING = 2e-5;   // sums of some hundred products in float
static const double DIFFERENCE = 3e-3; // of central differences, relative to the largest gradient
static const float STEP = 1.0f / 64;
enum { LABEL_MAX = 120 };

typedef struct draw {
    unsigned seed;
    plc_shape shape;
    char label[LABEL_MAX];
} draw;

// An operator, and attributes for an input of this shape.
typedef struct image_op {
    const char *op;
    plc_attrs (*attrs)(const draw *d);
} image_op;

static int pick(const draw *d, unsigned what, int low, int high)
{
    return plc_harness_pick(d->seed, what, low, high);
}

static plc_attrs none(const draw *d)
{
    (void)d;
    return (plc_attrs){0};
}

static plc_attrs slice_attrs(const draw *d)
{
    const int offset = pick(d, 20, 0, d->shape.c - 1);

    return (plc_attrs){.offset = offset, .out_channels = pick(d, 21, 1, d->shape.c - offset)};
}

// Columns to channels, rows backwards, every other channel, all of it twice.
static plc_attrs strided_attrs(const draw *d)
{
    const plc_shape s = d->shape;
    const int half = (s.c + 1) / 2;

    return (plc_attrs){.size = {2 * s.w, s.h, half},
                       .offset = (s.h - 1) * s.w,
                       .view = {{2, 0}, {s.w, 1}, {s.h, -s.w}, {half, 2 * s.h * s.w}}};
}

static plc_attrs axis_attrs(const draw *d)
{
    return (plc_attrs){.axis = pick(d, 20, 0, 2)};
}

static plc_attrs pad_attrs(const draw *d)
{
    const int mode = pick(d, 24, PLC_PAD_VALUE, PLC_PAD_REFLECT);
    const int rows = mode == PLC_PAD_REFLECT && d->shape.h < 4 ? d->shape.h - 1 : 3;
    const int columns = mode == PLC_PAD_REFLECT && d->shape.w < 4 ? d->shape.w - 1 : 3;

    return (plc_attrs){.mode = mode,
                       .alpha = 0.5f,
                       .pad = {pick(d, 20, 0, rows), pick(d, 21, 0, columns)},
                       .pad_after = {pick(d, 22, 0, rows), pick(d, 23, 0, columns)}};
}

static plc_attrs resize_attrs(const draw *d)
{
    const int h = pick(d, 20, 1, 9), w = pick(d, 21, 1, 9);
    const float rows = (float)d->shape.h / (float)h, columns = (float)d->shape.w / (float)w;

    return (plc_attrs){.mode = pick(d, 22, PLC_RESIZE_FLOOR, PLC_RESIZE_CUBIC_INSIDE),
                       .size = {0, h, w},
                       .scale = {rows, columns},
                       .shift = {0.5f * rows - 0.5f, 0.5f * columns - 0.5f},
                       .alpha = -0.75f};
}

static plc_attrs transpose_attrs(const draw *d)
{
    const int groups = d->shape.c % 2 ? 1 : pick(d, 20, 1, 2);

    return (plc_attrs){.kernel = {pick(d, 21, 1, 3), pick(d, 22, 2, 3)},
                       .stride = {pick(d, 23, 1, 3), pick(d, 24, 1, 2)},
                       .dilation = {pick(d, 25, 1, 2), 1},
                       .pad = {0, pick(d, 26, 0, 1)},
                       .pad_after = {pick(d, 27, -1, 0), 0},
                       .groups = groups,
                       .out_channels = groups * pick(d, 28, 1, 4)};
}

// Windows of 2 or 3 with a stride of 2, uneven pads; the last may reach over the border.
static plc_attrs pool_attrs(const draw *d)
{
    const int kernel = 2 + (d->shape.h > 2 && d->shape.w > 2);

    return (plc_attrs){.kernel = {kernel, kernel},
                       .stride = {2, 2},
                       .pad = {1, 0},
                       .pad_more = {pick(d, 20, -1, 0), pick(d, 21, 0, 1)}};
}

static const image_op ops[] = {
    {"slice", slice_attrs},
    {"as_strided", strided_attrs},
    {"softmax", axis_attrs},
    {"log_softmax", axis_attrs},
    {"prelu", none},
    {"affine", none},
    {"pad", pad_attrs},
    {"resize", resize_attrs},
    {"conv_transpose", transpose_attrs},
    {"max_pool", pool_attrs},
    {"avg_pool", pool_attrs},
};
enum { N_OPS = sizeof ops / sizeof *ops };

static draw draw_case(const char *op, unsigned seed)
{
    draw d = {.seed = seed};

    d.shape = (plc_shape){pick(&d, 2, 1, 6), pick(&d, 3, 2, 6), pick(&d, 4, 2, 6)};
    snprintf(d.label, sizeof d.label, "%s seed %u: C %d H %d W %d", op, seed, d.shape.c, d.shape.h,
             d.shape.w);
    return d;
}

// Sum over the outputs of an image of dy y, by the reference.
static double weighted_sum(const plc_harness *h, int node, const float *weights, const float *image,
                           const float *dy)
{
    double *y = NULL, sum = 0;

    plc_harness_check(h, plc_evaluate(h->ctx, h->graph, weights, image, NULL, NULL, NULL, &y));
    for (int i = 0; i < plc_harness_image_size(h, node); i++)
        sum += y[i] * (double)dy[i];
    free(y);
    return sum;
}

// Derivative of the weighted sum by *value, which is among the weights or the image.
static double derivative(const plc_harness *h, int node, const float *image, const float *dy,
                         float *value)
{
    const float was = *value, more = was + STEP, less = was - STEP;

    *value = more;
    const double above = weighted_sum(h, node, h->weights, image, dy);
    *value = less;
    const double below = weighted_sum(h, node, h->weights, image, dy);
    *value = was;
    return (above - below) / ((double)more - (double)less);
}

static void expect_values(const plc_harness *h, int node, double *expected)
{
    const int n_in = plc_harness_image_size(h, 0), n_out = plc_harness_image_size(h, node);

    for (int i = 0; i < h->opts.n_images; i++) {
        double *y = NULL;

        plc_harness_check(h, plc_evaluate(h->ctx, h->graph, h->weights, h->values[0] + i * n_in,
                                          NULL, NULL, NULL, &y));
        memcpy(expected + i * n_out, y, (size_t)n_out * sizeof *y);
        free(y);
    }
}

static void expect_gradients(plc_harness *h, int node, double *dx, double *dw)
{
    const int n_in = plc_harness_image_size(h, 0), n_out = plc_harness_image_size(h, node);

    for (int i = 0; i < h->layout->n_trainable; i++)
        dw[i] = (double)h->weight_grads[i];
    for (int i = 0; i < h->opts.n_images; i++) {
        float *image = h->values[0] + i * n_in;
        const float *dy = h->grads[node] + i * n_out;

        for (int j = 0; j < n_in; j++)
            dx[i * n_in + j] = (h->opts.accumulate ? (double)h->grads[0][i * n_in + j] : 0) +
                               derivative(h, node, image, dy, &image[j]);
        for (int j = 0; j < h->layout->n_trainable; j++)
            dw[j] += derivative(h, node, image, dy, &h->weights[j]);
    }
}

// No two values nearer than two steps, and none so near to 0: differences must not cross a kink.
static void spread(plc_harness *h)
{
    const size_t n = plc_harness_value_size(h, 0);

    for (size_t i = 0; i < n; i++)
        h->values[0][i] = (float)((i * 37 + h->opts.seed) % 101) / 16 - 3.03125f;
}

static void run_case(pleach_device *device, const image_op *op, const draw *d, bool channel_lanes)
{
    pleach_graph *graph = NULL;
    const plc_attrs attrs = op->attrs(d);

    if (plc_graph_create(device->ctx, "case", d->shape, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    const int node = plc_harness_add_node(device->ctx, graph, op->op, &(int){0}, 1, &attrs);
    const plc_step step = {node, PLC_NO_NODE, PLC_NO_NODE, {0}, node};
    plc_harness *h = plc_harness_create(
        graph, &(plc_harness_opts){.device = device,
                                   .n_images = pick(d, 1, 1, plc_test_size(2, 11)),
                                   .seed = d->seed,
                                   .inference = channel_lanes,
                                   .channel_lanes = channel_lanes,
                                   .accumulate = pick(d, 5, 0, 1) == 1,
                                   .label = d->label});
    const size_t n_x = plc_harness_value_size(h, 0), n_y = plc_harness_value_size(h, node);
    const size_t n_w = (size_t)h->layout->n_trainable;
    double *y = calloc(n_y, sizeof *y), *dx = calloc(n_x, sizeof *dx),
           *dw = calloc(n_w + 1, sizeof *dw);

    assert_true(y && dx && dw);
    spread(h);
    const double rounding = plc_harness_rounding(h);
    expect_values(h, node, y);
    plc_harness_run_forward(h, &step);
    plc_harness_compare(h, "y", h->values[node], y, n_y, ROUNDING + 2 * rounding);
    if (!channel_lanes) {
        expect_gradients(h, node, dx, dw);
        plc_harness_run_backward(h, &step);
        plc_harness_compare(h, "dx", h->grads[0], dx, n_x, DIFFERENCE + 16 * rounding);
        plc_harness_compare(h, "dw", h->weight_grads, dw, n_w, DIFFERENCE + 16 * rounding);
    }
    free(y);
    free(dx);
    free(dw);
    plc_harness_destroy(&h);
}

static void values_and_gradients_are_those_of_the_reference(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(6);

    for (unsigned i = 0; i < devices->n * n_cases * N_OPS; i++) {
        const image_op *op = &ops[i % N_OPS];
        const draw d = draw_case(op->op, 1000 + i);

        run_case(devices->items[i / N_OPS / n_cases], op, &d, false);
    }
}

static void padding_on_channel_lanes_is_that_of_the_reference(void **state)
{
    const plc_harness_devices *devices = *state;
    const image_op pad = {"pad", pad_attrs};
    const unsigned n_cases = plc_test_cases(6);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const draw d = draw_case(pad.op, 5000 + i);

        if (plc_harness_has_channel_lanes(devices->items[i / n_cases]))
            run_case(devices->items[i / n_cases], &pad, &d, true);
    }
}

static void expect_refused(pleach_ctx *ctx, const char *op, plc_attrs attrs)
{
    pleach_graph *graph = NULL;

    assert_int_equal(plc_graph_create(ctx, "case", (plc_shape){3, 4, 5}, &graph), PLEACH_OK);
    assert_int_equal(plc_graph_add(ctx, graph, op, "n", &(int){0}, 1, &attrs, NULL), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "'n'"));
    pleach_graph_destroy(&graph);
}

static void attributes_out_of_bounds_are_refused(void **state)
{
    const plc_harness_devices *devices = *state;
    pleach_ctx *ctx = devices->ctx;

    expect_refused(ctx, "slice", (plc_attrs){.offset = 2, .out_channels = 2});
    expect_refused(ctx, "slice", (plc_attrs){.offset = -1, .out_channels = 2});
    expect_refused(ctx, "softmax", (plc_attrs){.axis = 3});
    expect_refused(ctx, "pad", (plc_attrs){.pad_after = {1 << 20, 0}});
    expect_refused(ctx, "pad", (plc_attrs){.mode = PLC_PAD_REFLECT, .pad = {4, 0}});
    expect_refused(ctx, "pad", (plc_attrs){.mode = 3});
    expect_refused(ctx, "resize", (plc_attrs){.size = {0, 1 << 30, 1}, .scale = {1, 1}});
    expect_refused(ctx, "resize", (plc_attrs){.size = {0, 2, 2}, .scale = {-1, 1}});
    expect_refused(
        ctx, "resize",
        (plc_attrs){
            .size = {0, 2, 2}, .scale = {1, 1}, .shift = {-1, 0}, .mode = PLC_RESIZE_CUBIC_INSIDE});
    expect_refused(ctx, "max_pool",
                   (plc_attrs){.kernel = {2, 2}, .stride = {2, 2}, .pad_more = {4, 0}});
    // read beyond the end, before the beginning, too much, twice
    expect_refused(ctx, "as_strided",
                   (plc_attrs){.size = {1, 1, 60}, .view = {{60, 1}}, .offset = 1});
    expect_refused(ctx, "as_strided",
                   (plc_attrs){.size = {1, 1, 60}, .view = {{60, -1}}, .offset = 58});
    expect_refused(ctx, "as_strided", (plc_attrs){.size = {1, 1, 60}, .view = {{59, 1}}});
    expect_refused(ctx, "as_strided", (plc_attrs){.size = {1, 4, 4}, .view = {{4, 1}, {4, 1}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients_are_those_of_the_reference),
        cmocka_unit_test(padding_on_channel_lanes_is_that_of_the_reference),
        cmocka_unit_test(attributes_out_of_bounds_are_refused),
    };

    return cmocka_run_group_tests_name("images", tests, plc_harness_open_devices,
                                       plc_harness_close_devices);
}
