// Tests of conv and linear on the device against tests/reference/conv.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <reference/batch_norm.h>
#include <reference/conv.h>

// Sums of up to some thousand products of random normals in float, of a size near the square root
// of their number.
static const double TOLERANCE = 1e-4;

enum { CASES_PER_DEVICE = 16, LABEL_MAX = 240, FIXED_WIDTH = 3 };

// Kernels: of any width; the variant for width 3; 3x3 of stride 1 that Winograd's algorithm suits.
typedef enum family { ANY, FIXED, WINOGRAD } family;

typedef struct conv_case {
    int n_images;
    plc_shape x;
    plc_attrs attrs;
    bool linear, accumulate, mask, mask_gradients;
    bool winograd; // the layer reads no images, as Winograd's algorithm wants it
    bool inference, batch_norm, add;
    plc_clip clip;
    bool channel_lanes;
    unsigned seed;
    char label[LABEL_MAX];
} conv_case;

static int pick(const conv_case *c, unsigned draw, int low, int high)
{
    return plc_harness_pick(c->seed, draw, low, high);
}

enum {
    DRAW_IMAGES = 1,
    DRAW_HEIGHT,
    DRAW_WIDTH,
    DRAW_GROUPS,
    DRAW_IN,
    DRAW_OUT,
    DRAW_BIAS,
    DRAW_ACCUMULATE,
    DRAW_MASK,
    DRAW_BATCH_NORM,
    DRAW_ADD,
    DRAW_CLIP,
    DRAW_AXIS = 20,
    DRAWS_PER_AXIS = 10,
};

static void draw_axis(conv_case *c, family family, int axis)
{
    const unsigned draw = DRAW_AXIS + DRAWS_PER_AXIS * (unsigned)axis;
    plc_attrs *a = &c->attrs;
    const bool fixed = family == FIXED && axis == 1;

    a->kernel[axis] = fixed ? FIXED_WIDTH : pick(c, draw, 1, 5);
    a->stride[axis] = pick(c, draw + 1, 0, 1) ? 1 : pick(c, draw + 2, 1, fixed ? 2 : 4);
    a->dilation[axis] = fixed ? 1 : pick(c, draw + 3, 1, 3);
    if (family == ANY && axis == 1 && a->dilation[1] == 1 && a->kernel[1] > 1 && a->stride[1] < 3)
        a->dilation[1] = 2; // else it would be of the other family
    if (family == WINOGRAD) {
        a->kernel[axis] = FIXED_WIDTH;
        a->stride[axis] = a->dilation[axis] = 1;
    }
    a->pad[axis] = pick(c, draw + 4, 0, a->kernel[axis] / 2 + 1);
}

// Every third case is depthwise or grouped, every fourth has one channel in or out.
static void draw_channels(conv_case *c)
{
    const int n_groups = pick(c, DRAW_GROUPS, 0, 2) ? 1 : pick(c, DRAW_GROUPS + 100, 2, 4);
    const bool depthwise = n_groups > 1 && pick(c, DRAW_GROUPS + 101, 0, 1);
    const int in = depthwise ? 1 : pick(c, DRAW_IN, 0, 3) ? pick(c, DRAW_IN + 100, 1, 13) : 1;
    const int out = depthwise                 ? pick(c, DRAW_OUT, 1, 2)
                    : pick(c, DRAW_OUT, 0, 3) ? pick(c, DRAW_OUT + 100, 1, 13)
                                              : 1;

    c->attrs.groups = n_groups;
    c->x.c = n_groups * in;
    c->attrs.out_channels = n_groups * out;
}

static int least_size(const plc_attrs *a, int axis)
{
    const int least = a->dilation[axis] * (a->kernel[axis] - 1) + 1 - 2 * a->pad[axis];

    return least > 1 ? least : 1;
}

static void set_label(conv_case *c)
{
    const plc_attrs *a = &c->attrs;

    snprintf(c->label, sizeof c->label,
             "%s seed %u: N %d C %d K %d groups %d H %d W %d kernel %dx%d stride %dx%d pad %dx%d "
             "dilation %dx%d "
             "bias %d accumulate %d mask %d batch_norm %d add %d clip %d %g..%g",
             c->linear ? "linear" : "conv", c->seed, c->n_images, c->x.c, a->out_channels,
             a->groups, c->x.h, c->x.w, a->kernel[0], a->kernel[1], a->stride[0], a->stride[1],
             a->pad[0], a->pad[1], a->dilation[0], a->dilation[1], a->bias, c->accumulate, c->mask,
             c->batch_norm, c->add, c->clip.on, (double)c->clip.low, (double)c->clip.high);
}

static conv_case draw_case(unsigned seed, family family, bool linear, bool inference)
{
    conv_case c = {.seed = seed, .linear = linear, .inference = inference};

    c.n_images = pick(&c, DRAW_IMAGES, 1, plc_test_size(1, 37));
    if (linear) {
        c.x = (plc_shape){pick(&c, DRAW_IN, 1, plc_test_size(1, 70)), 1, 1};
        c.attrs.out_channels = pick(&c, DRAW_OUT, 1, 20);
    } else {
        draw_axis(&c, family, 0);
        draw_axis(&c, family, 1);
        draw_channels(&c);
        c.x.h = pick(&c, DRAW_HEIGHT, least_size(&c.attrs, 0),
                     plc_test_size(least_size(&c.attrs, 0), 16));
        c.x.w = pick(&c, DRAW_WIDTH, least_size(&c.attrs, 1),
                     plc_test_size(least_size(&c.attrs, 1), 16));
        c.winograd = family == WINOGRAD;
        if (c.winograd && c.attrs.groups > 1) {
            c.x.c = pick(&c, DRAW_IN + 200, 1, plc_test_size(1, 40));
            c.attrs.out_channels = pick(&c, DRAW_OUT + 200, 1, plc_test_size(1, 40));
            c.attrs.groups = 1;
        }
    }
    c.attrs.bias = pick(&c, DRAW_BIAS, 0, 1);
    c.accumulate = pick(&c, DRAW_ACCUMULATE, 0, 1);
    c.batch_norm = inference && pick(&c, DRAW_BATCH_NORM, 0, 1);
    c.mask = !c.batch_norm && pick(&c, DRAW_MASK, 0, 1);
    c.mask_gradients = c.mask && pick(&c, DRAW_MASK + 100, 0, 1);
    c.add = inference && pick(&c, DRAW_ADD, 0, 1);
    c.clip = plc_harness_clip(inference ? pick(&c, DRAW_CLIP, 0, PLC_HARNESS_CLIPS - 1) : 0);
    set_label(&c);
    return c;
}

// Nodes: 0 input, 1 a ReLU where the layer must not read the input, the layer, then what inference
// absorbs. With an add, a second layer gives the other summand.
static plc_harness *make_harness(pleach_device *device, const conv_case *c, plc_step *step)
{
    pleach_graph *graph = NULL;
    const char *op = c->linear ? "linear" : "conv";
    int input = 0, other = PLC_NO_NODE;

    if (plc_graph_create(device->ctx, "case", c->x, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    if (c->winograd)
        input = plc_harness_add_node(device->ctx, graph, "relu", &input, 1, NULL);
    *step = (plc_step){.node = plc_harness_add_node(device->ctx, graph, op, &input, 1, &c->attrs),
                       .batch_norm = PLC_NO_NODE,
                       .add = PLC_NO_NODE,
                       .clip = c->clip};
    step->output = step->node;
    if (c->batch_norm)
        step->output = step->batch_norm =
            plc_harness_add_node(device->ctx, graph, "batch_norm", &step->output, 1, NULL);
    if (c->add) {
        other = plc_harness_add_node(device->ctx, graph, op, &input, 1, &c->attrs);
        const int inputs[2] = {step->output, other};
        step->add = other;
        step->output = plc_harness_add_node(device->ctx, graph, "add", inputs, 2, NULL);
    }
    step->output = plc_harness_add_clip(device->ctx, graph, step->output, c->clip);
    plc_harness *h = plc_harness_create(graph, &(plc_harness_opts){
                                                   .device = device,
                                                   .n_images = c->n_images,
                                                   .seed = c->seed,
                                                   .inference = c->inference,
                                                   .channel_lanes = c->channel_lanes,
                                                   .accumulate = c->accumulate,
                                                   .mask_gradients = c->mask_gradients,
                                                   .label = c->label,
                                               });
    if (c->mask)
        plc_harness_mask(h, step->node);
    return h;
}

static plc_reference_conv make_reference(const plc_harness *h, const conv_case *c,
                                         const plc_step *step)
{
    const plc_shape y = h->graph->nodes[step->node].shape;
    const plc_attrs *a = &c->attrs;

    if (c->linear)
        return (plc_reference_conv){.N = c->n_images,
                                    .groups = 1,
                                    .C = c->x.c,
                                    .K = y.c,
                                    .H = 1,
                                    .W = 1,
                                    .P = 1,
                                    .Q = 1,
                                    .R = 1,
                                    .S = 1,
                                    .stride_h = 1,
                                    .stride_w = 1};
    return (plc_reference_conv){
        .N = c->n_images,
        .groups = a->groups,
        .C = c->x.c / a->groups,
        .K = y.c / a->groups,
        .H = c->x.h,
        .W = c->x.w,
        .P = y.h,
        .Q = y.w,
        .R = a->kernel[0],
        .S = a->kernel[1],
        .stride_h = a->stride[0],
        .stride_w = a->stride[1],
        .pad_h = a->pad[0],
        .pad_w = a->pad[1],
        .dilation_h = a->dilation[0],
        .dilation_w = a->dilation[1],
    };
}

static const float *parameter(const plc_harness *h, int node, int param)
{
    return h->weights + h->layout->offsets[node][param];
}

// What follows the convolution, on channel k.
static double finish(const plc_harness *h, const conv_case *c, const plc_step *step, int k,
                     double v, float add)
{
    if (c->attrs.bias)
        v += (double)parameter(h, step->node, 1)[k];
    if (c->mask)
        v *= (double)h->masks[h->lower.mask_offsets[step->node] + k];
    if (c->batch_norm) {
        const double gamma = parameter(h, step->batch_norm, 0)[k],
                     beta = parameter(h, step->batch_norm, 1)[k];
        const double mean = parameter(h, step->batch_norm, 2)[k],
                     variance = parameter(h, step->batch_norm, 3)[k];
        v = gamma * (v - mean) /
                sqrt(variance + (double)h->graph->nodes[step->batch_norm].attrs.eps) +
            beta;
    }
    if (c->add)
        v += (double)add;
    return fmin(fmax(v, plc_harness_low(c->clip)), plc_harness_high(c->clip));
}

static int input_of(const plc_harness *h, const plc_step *step)
{
    return h->graph->nodes[step->node].inputs[0];
}

static void check_forward(plc_harness *h, const conv_case *c, const plc_step *step,
                          const plc_reference_conv *p)
{
    const size_t n_y = plc_harness_value_size(h, step->output);
    const plc_shape shape = h->graph->nodes[step->node].shape;
    const size_t plane = (size_t)(shape.h * shape.w);
    double *y = calloc(n_y, sizeof *y);

    assert_non_null(y);
    plc_reference_conv_forward(p, h->values[input_of(h, step)], parameter(h, step->node, 0), y);
    for (size_t i = 0; i < n_y; i++)
        y[i] = finish(h, c, step, (int)(i / plane) % shape.c, y[i],
                      c->add ? h->values[step->add][i] : 0);
    plc_harness_run_forward(h, step);
    plc_harness_compare(h, "y", h->values[step->output], y, n_y,
                        TOLERANCE + plc_harness_rounding(h));
    free(y);
}

// dy without the masked channels'.
static void mask_dy(const plc_harness *h, const conv_case *c, int node, float *dy)
{
    const plc_shape shape = h->graph->nodes[node].shape;
    const size_t plane = (size_t)(shape.h * shape.w), n_y = plc_harness_value_size(h, node);

    for (size_t i = 0; c->mask && i < n_y; i++)
        if (h->masks[h->lower.mask_offsets[node] + (int)(i / plane) % shape.c] == 0)
            dy[i] = 0;
}

static void add_grad_bias(const plc_reference_conv *p, const float *dy, double *db)
{
    const size_t plane = (size_t)(p->P * p->Q), n_channels = (size_t)(p->groups * p->K);

    for (size_t i = 0; i < (size_t)p->N * n_channels * plane; i++)
        db[i / plane % n_channels] += (double)dy[i];
}

// The weights of a masked filter learn unless c->mask_gradients; what it reads never does for its sake.
static void check_backward(plc_harness *h, const conv_case *c, const plc_step *step,
                           const plc_reference_conv *p)
{
    const int input = input_of(h, step), node = step->node;
    const size_t n_x = plc_harness_value_size(h, input), n_y = plc_harness_value_size(h, node);
    const size_t n_w = (size_t)h->layout->n_floats;
    double *dx = calloc(n_x, sizeof *dx), *dw = calloc(n_w, sizeof *dw);
    float *dy = calloc(n_y, sizeof *dy);

    assert_true(dx && dw && dy);
    for (size_t i = 0; i < n_w; i++)
        dw[i] = (double)h->weight_grads[i];
    for (size_t i = 0; i < n_x; i++)
        dx[i] = c->accumulate ? (double)h->grads[input][i] : 0;
    memcpy(dy, h->grads[node], n_y * sizeof *dy);
    if (c->mask_gradients)
        mask_dy(h, c, node, dy);
    plc_reference_conv_backward(p, h->values[input], parameter(h, node, 0), dy, NULL,
                                dw + h->layout->offsets[node][0]);
    if (c->attrs.bias)
        add_grad_bias(p, dy, dw + h->layout->offsets[node][1]);
    mask_dy(h, c, node, dy);
    plc_reference_conv_backward(p, h->values[input], parameter(h, node, 0), dy, dx, NULL);
    plc_harness_run_backward(h, step);
    plc_harness_compare(h, "dx", h->grads[input], dx, n_x, TOLERANCE + plc_harness_rounding(h));
    plc_harness_compare(h, "dw, db", h->weight_grads, dw, n_w, TOLERANCE);
    free(dx);
    free(dw);
    free(dy);
}

static void run_case(pleach_device *device, const conv_case *c)
{
    plc_step step;
    plc_harness *h = make_harness(device, c, &step);
    const plc_reference_conv p = make_reference(h, c, &step);

    check_forward(h, c, &step, &p);
    if (!c->inference)
        check_backward(h, c, &step, &p);
    plc_harness_destroy(&h);
}

// One vector and one work-item device build the variants for width 3, the others those for any
// width: building costs more than running.
static void run_cases(void **state, family family, bool linear, bool inference)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++) {
        const bool builds_fixed =
            devices->items[i]->lanes == 16 || !devices->items[i]->vector_lanes;
        for (unsigned j = 0;
             j < plc_test_cases(CASES_PER_DEVICE) && (family != FIXED || builds_fixed); j++) {
            const conv_case c = draw_case(i * CASES_PER_DEVICE + j, family, linear, inference);
            run_case(devices->items[i], &c);
        }
    }
}

static void conv_of_any_kernel_matches_the_reference(void **state)
{
    run_cases(state, ANY, false, false);
}

static void conv_of_width_three_matches_the_reference(void **state)
{
    run_cases(state, FIXED, false, false);
}

static void conv_by_winograd_matches_the_reference(void **state)
{
    run_cases(state, WINOGRAD, false, false);
    run_cases(state, WINOGRAD, false, true);
}

static void conv_absorbs_batch_norm_add_and_clip_in_inference(void **state)
{
    run_cases(state, ANY, false, true);
    run_cases(state, FIXED, false, true);
}

// As an FPGA has it: one kernel for all widths and strides, one body for all sizes of a tile.
static void one_set_of_kernels_matches_the_reference(void **state)
{
    const plc_harness_devices *devices = *state;
    const plc_fixed_tile tile = {5, 3};

    for (unsigned i = 0; i < devices->n; i++) {
        devices->items[i]->fixed_tile = tile;
        for (unsigned j = 0; j < plc_test_cases(CASES_PER_DEVICE); j++) {
            const bool inference = j % 4 == 3;
            const conv_case c =
                draw_case(i * CASES_PER_DEVICE + j, j % 2 ? FIXED : ANY, j % 8 == 6, inference);
            run_case(devices->items[i], &c);
        }
        devices->items[i]->fixed_tile = (plc_fixed_tile){0};
    }
}

static void assert_grids_fit(const plc_launch_list *list)
{
    enum { MOST = 65535 }; // of NVIDIA's GPUs, along the second and third axis

    for (int i = 0; i < list->n_items; i++)
        for (int axis = 1; axis < 3; axis++)
            assert_true(list->items[i]->global[axis] / list->items[i]->local[axis] <= MOST);
}

// Of the weight gradient, each with sums of all weights.
static void assert_few_splits(const plc_harness *h, const conv_case *c)
{
    enum { MOST = 256 };
    const int n_weights = c->attrs.out_channels * c->x.c * FIXED_WIDTH * FIXED_WIDTH;

    assert_in_range(h->lower.workspace_floats, 1, MOST * n_weights);
}

static void large_pictures_stay_within_the_limits_of_a_grid(void **state)
{
    const plc_harness_devices *devices = *state;
    pleach_device *device = NULL; // of work-items and floats
    plc_step step;

    if (plc_test_is_quick())
        plc_test_skip("half a million pixels");
    for (unsigned i = 0; i < devices->n; i++)
        if (!devices->items[i]->vector_lanes && devices->items[i]->value_bytes == sizeof(float))
            device = devices->items[i];
    assert_non_null(device);
    for (int stride = 1; stride <= 2; stride++) {
        conv_case c = {.n_images = 1,
                       .x = {1, 530, 1000},
                       .attrs = {.kernel = {3, 3},
                                 .stride = {stride, stride},
                                 .dilation = {1, 1},
                                 .groups = 1,
                                 .out_channels = 1},
                       .winograd = true}; // reads no images: so it has a gradient of data
        set_label(&c);
        plc_harness *h = make_harness(device, &c, &step);
        const plc_reference_conv p = make_reference(h, &c, &step);
        check_forward(h, &c, &step, &p);
        check_backward(h, &c, &step, &p);
        assert_grids_fit(&h->forward);
        assert_grids_fit(&h->backward);
        assert_few_splits(h, &c);
        plc_harness_destroy(&h);
    }
}

static void linear_matches_the_reference(void **state)
{
    run_cases(state, ANY, true, false);
    run_cases(state, ANY, true, true);
}

// Forward of a convolution that Winograd's algorithm suits and of the batch norm after it.
static void check_statistics(pleach_device *device, unsigned seed)
{
    conv_case c = draw_case(seed, WINOGRAD, false, false);
    plc_step conv;
    pleach_graph *graph = NULL;
    int node = 0;

    c.x.h = pick(&c, DRAW_HEIGHT, 5, 16);
    c.x.w = pick(&c, DRAW_WIDTH, 5, 16);
    if (plc_graph_create(device->ctx, "case", c.x, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    node = plc_harness_add_node(device->ctx, graph, "relu", &node, 1, NULL);
    node = plc_harness_add_node(device->ctx, graph, "conv", &node, 1, &c.attrs);
    conv = (plc_step){.node = node, .batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .output = node};
    node = plc_harness_add_node(device->ctx, graph, "batch_norm", &node, 1, NULL);
    const plc_step norm = {
        .node = node, .batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .output = node};
    plc_harness *h = plc_harness_create(
        graph, &(plc_harness_opts){
                   .device = device, .n_images = c.n_images, .seed = seed, .label = c.label});
    const plc_shape s = h->graph->nodes[node].shape;
    const size_t n = plc_harness_value_size(h, node);
    plc_reference_batch_norm p = {.N = c.n_images,
                                  .C = s.c,
                                  .size = s.h * s.w,
                                  .eps = (double)h->graph->nodes[node].attrs.eps,
                                  .gamma = parameter(h, node, 0),
                                  .beta = parameter(h, node, 1),
                                  .gate = 1,
                                  .low = (double)-INFINITY,
                                  .high = (double)INFINITY,
                                  .mean = calloc((size_t)s.c, sizeof(double)),
                                  .variance = calloc((size_t)s.c, sizeof(double))};
    double *y = calloc(n, sizeof *y), *open_at = calloc(n, sizeof *open_at);

    assert_true(p.mean && p.variance && y && open_at);
    h->lower.list = &h->forward;
    plc_harness_check(h, h->graph->nodes[conv.node].op->forward(&h->lower, &conv));
    plc_harness_run_forward(h, &norm);
    plc_reference_batch_norm_statistics(&p, h->values[conv.node]);
    plc_reference_batch_norm_forward(&p, h->values[conv.node], y, open_at);
    // The sums are of values before they were stored: their mean and deviation differ by a rounding each.
    plc_harness_compare(h, "y", h->values[node], y, n, TOLERANCE + 3 * plc_harness_rounding(h));
    free(p.mean);
    free(p.variance);
    free(y);
    free(open_at);
    plc_harness_destroy(&h);
}

static void a_convolution_sums_for_the_batch_norm_after_it(void **state)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; j < plc_test_cases(CASES_PER_DEVICE); j++)
            check_statistics(devices->items[i], i * CASES_PER_DEVICE + j);
}

// More channels than a vector holds, in and out, and few images.
static void widen(conv_case *c)
{
    const int in = c->x.c / (c->linear ? 1 : c->attrs.groups);
    const bool depthwise = c->attrs.groups > 1 && in == 1;

    c->channel_lanes = true;
    c->n_images = pick(c, DRAW_IMAGES + 300, 1, 7);
    if (depthwise) {
        const int each = c->attrs.out_channels / c->attrs.groups;
        c->x.c = c->attrs.groups = pick(c, DRAW_IN + 300, 2, 40);
        c->attrs.out_channels = each * c->attrs.groups;
    } else if (c->attrs.groups <= 1) {
        c->x.c = pick(c, DRAW_IN + 300, 1, 40);
        c->attrs.out_channels = pick(c, DRAW_OUT + 300, 1, 70);
    }
    set_label(c);
}

static void run_channel_cases(void **state, family family, bool linear)
{
    const plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        for (unsigned j = 0; plc_harness_has_channel_lanes(devices->items[i]) &&
                             j < plc_test_cases(CASES_PER_DEVICE);
             j++) {
            conv_case c = draw_case(7000 + i * CASES_PER_DEVICE + j, family, linear, true);
            widen(&c);
            run_case(devices->items[i], &c);
        }
}

static void channel_lanes_match_the_reference(void **state)
{
    run_channel_cases(state, ANY, false);
    run_channel_cases(state, FIXED, false);
    run_channel_cases(state, WINOGRAD, false);
    run_channel_cases(state, ANY, true);
}

enum { ZERO_IN = 13, ZERO_OUT = 9, ZERO_SIZE = 14, N_KEPT = 5 };

// y of a 3x3 convolution of the first n_in of ZERO_IN channels. Channels that the smaller one lacks
// are zero in the larger.
static plc_harness *run_with_channels(pleach_device *device, bool winograd, bool channel_lanes,
                                      int n_in, int n_out, const int *kept)
{
    conv_case c = {.n_images = 5,
                   .x = {n_in, ZERO_SIZE, ZERO_SIZE},
                   .winograd = winograd,
                   .inference = channel_lanes,
                   .channel_lanes = channel_lanes,
                   .seed = 1,
                   .label = "zero channels"};
    plc_step step;

    c.attrs = (plc_attrs){.kernel = {3, 3},
                          .stride = {1, 1},
                          .pad = {1, 1},
                          .dilation = {1, 1},
                          .groups = 1,
                          .out_channels = n_out};
    plc_harness *h = make_harness(device, &c, &step);
    const int plane = ZERO_SIZE * ZERO_SIZE, taps = 9;
    for (int i = 0; i < n_in; i++) {
        const int channel = n_in == N_KEPT ? kept[i] : i;
        bool is_kept = false;
        for (int j = 0; j < N_KEPT; j++)
            is_kept = is_kept || kept[j] == channel;
        for (int n = 0; n < c.n_images; n++)
            for (int k = 0; k < plane; k++)
                h->values[input_of(h, &step)][(n * n_in + i) * plane + k] =
                    is_kept ? sinf((float)((n * ZERO_IN + channel) * plane + k)) : 0.0f;
        for (int o = 0; o < n_out; o++)
            for (int t = 0; t < taps; t++)
                h->weights[h->layout->offsets[step.node][0] + (o * n_in + i) * taps + t] =
                    cosf((float)((o * ZERO_IN + channel) * taps + t));
    }
    plc_harness_run_forward(h, &step);
    return h;
}

static void check_zero_channels(pleach_device *device, bool winograd, bool channel_lanes)
{
    static const int kept[N_KEPT] = {1, 2, 6, 7, 12};
    // Fewer outputs as well: other tiles.
    plc_harness *large =
        run_with_channels(device, winograd, channel_lanes, ZERO_IN, ZERO_OUT, kept);
    plc_harness *small =
        run_with_channels(device, winograd, channel_lanes, N_KEPT, ZERO_OUT - 2, kept);
    const int node = large->graph->n_nodes - 1;
    const size_t plane = ZERO_SIZE * ZERO_SIZE;

    for (size_t n = 0; n < 5; n++)
        assert_memory_equal(large->values[node] + n * ZERO_OUT * plane,
                            small->values[node] + n * (ZERO_OUT - 2) * plane,
                            (ZERO_OUT - 2) * plane * sizeof(float));
    plc_harness_destroy(&large);
    plc_harness_destroy(&small);
}

static void channels_of_zeros_can_be_removed_without_changing_a_bit(void **state)
{
    const plc_harness_devices *devices = *state;

    if (plc_test_is_least())
        plc_test_skip("minutes in an interpreter, and no kernel that other tests have not");
    for (unsigned i = 0; i < devices->n; i++)
        if (devices->items[i]->lanes == 16 || !devices->items[i]->vector_lanes)
            for (int winograd = 0; winograd < 2; winograd++) {
                check_zero_channels(devices->items[i], winograd, false);
                if (plc_harness_has_channel_lanes(devices->items[i]))
                    check_zero_channels(devices->items[i], winograd, true);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_of_any_kernel_matches_the_reference),
        cmocka_unit_test(conv_of_width_three_matches_the_reference),
        cmocka_unit_test(conv_by_winograd_matches_the_reference),
        cmocka_unit_test(conv_absorbs_batch_norm_add_and_clip_in_inference),
        cmocka_unit_test(linear_matches_the_reference),
        cmocka_unit_test(one_set_of_kernels_matches_the_reference),
        cmocka_unit_test(large_pictures_stay_within_the_limits_of_a_grid),
        cmocka_unit_test(a_convolution_sums_for_the_batch_norm_after_it),
        cmocka_unit_test(channel_lanes_match_the_reference),
        cmocka_unit_test(channels_of_zeros_can_be_removed_without_changing_a_bit),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
