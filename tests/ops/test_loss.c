// Tests of softmax cross-entropy and its metrics on the device against tests/reference/loss.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ops/softmax_cross_entropy.h>
#include <reference/loss.h>

static const double TOLERANCE = 1e-5; // exp and log of a few ulp, sums over some hundred classes
enum { CASES_PER_DEVICE = 8, LABEL_MAX = 120, N_SLOTS = 4 };

typedef struct loss_case {
    int n_images, classes, n_valid, slot;
    float smoothing, scale; // scale of the logits: large ones must not overflow
    bool training;
    unsigned seed;
    char label[LABEL_MAX];
} loss_case;

static loss_case draw_case(unsigned seed)
{
    static const float smoothings[] = {0, 0.1f, 0.3f}, scales[] = {1, 30, 1000};
    loss_case c = {
        .n_images = plc_harness_pick(seed, 1, 1, plc_test_size(1, 70)),
        .classes = plc_harness_pick(seed, 2, 2, plc_test_size(2, 120)),
        .slot = plc_harness_pick(seed, 3, 0, N_SLOTS - 1),
        .smoothing = smoothings[plc_harness_pick(seed, 4, 0, 2)],
        .scale = scales[plc_harness_pick(seed, 5, 0, 2)],
        .training = plc_harness_pick(seed, 6, 0, 1) == 1,
        .seed = seed,
    };

    c.n_valid = c.training ? c.n_images : plc_harness_pick(seed, 7, 1, c.n_images);
    snprintf(c.label, sizeof c.label,
             "seed %u: N %d K %d valid %d slot %d smoothing %g scale %g training %d", seed,
             c.n_images, c.classes, c.n_valid, c.slot, (double)c.smoothing, (double)c.scale,
             c.training);
    return c;
}

static plc_harness *make_harness(pleach_device *device, const loss_case *c)
{
    pleach_graph *graph = NULL;

    if (plc_graph_create(device->ctx, "case", (plc_shape){c->classes, 1, 1}, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    plc_harness *h = plc_harness_create(graph, &(plc_harness_opts){
                                                   .device = device,
                                                   .n_images = c->n_images,
                                                   .seed = c->seed,
                                                   .inference = !c->training,
                                                   .label = c->label,
                                               });
    for (size_t i = 0; i < plc_harness_value_size(h, 0); i++)
        h->values[0][i] *= c->scale;
    plc_harness_store_values(h);
    return h;
}

// What the device must have written for these logits and labels.
static void compare(const plc_harness *h, const loss_case *c, const int *labels, const float *slots)
{
    const double scale = (double)plc_loss_gradient_scale(h->opts.device, c->n_images);
    double loss_sum = 0, n_correct = 0, *dlogits = calloc((size_t)c->classes, sizeof *dlogits);

    assert_non_null(dlogits);
    for (int n = 0; n < c->n_images; n++) {
        bool correct;
        const double loss = plc_reference_loss(h->values[0] + n * c->classes, c->classes, labels[n],
                                               (double)c->smoothing, &correct, dlogits);
        if (n < c->n_valid) {
            loss_sum += loss;
            n_correct += correct;
        }
        for (int k = 0; k < c->classes; k++)
            dlogits[k] *= scale / c->n_images;
        if (c->training)
            plc_harness_compare(h, "dlogits", h->grads[0] + n * c->classes, dlogits,
                                (size_t)c->classes,
                                TOLERANCE * scale / c->n_images + plc_harness_rounding(h));
    }
    const double expected[] = {loss_sum, n_correct, c->n_valid};
    plc_harness_compare(h, "metrics", slots + 3 * c->slot, expected, 3, TOLERANCE);
    for (int i = 0; i < 3 * N_SLOTS; i++)
        if (i / 3 != c->slot && slots[i] != 0.0f)
            fail_msg("%s: slot %d was written, not %d", c->label, i / 3, c->slot);
    free(dlogits);
}

static void run_case(pleach_device *device, const loss_case *c)
{
    plc_harness *h = make_harness(device, c);
    plc_buffer *labels_buffer = NULL, *metrics = NULL;
    float slots[3 * N_SLOTS];
    plc_loss loss;
    int *labels = calloc((size_t)c->n_images, sizeof *labels);

    assert_non_null(labels);
    for (int n = 0; n < c->n_images; n++)
        labels[n] = plc_harness_pick(c->seed, 100 + (unsigned)n, 0, c->classes - 1);
    plc_harness_check(h, plc_buffer_create(device, "labels", (size_t)c->n_images * sizeof *labels,
                                           &labels_buffer));
    plc_harness_check(h, plc_buffer_write(device, labels_buffer, 0,
                                          (size_t)c->n_images * sizeof *labels, labels));
    plc_harness_check(h, plc_buffer_create(device, "metrics", sizeof slots, &metrics));
    h->lower.list = &h->forward;
    plc_harness_check(h, plc_loss_lower(&h->lower, 0, labels_buffer, metrics, c->smoothing, &loss));
    plc_harness_place(h);
    plc_harness_upload(h);
    plc_harness_check(h, plc_launch_list_freeze(&h->forward));
    plc_harness_check(h, plc_launch_update_arg(&h->forward, loss.launch, loss.slot_arg, &c->slot));
    plc_harness_check(h,
                      plc_launch_update_arg(&h->forward, loss.launch, loss.valid_arg, &c->n_valid));
    plc_harness_run_list(h, &h->forward);
    plc_harness_download(h);
    plc_harness_check(h, plc_buffer_read(device, metrics, 0, sizeof slots, slots));
    compare(h, c, labels, slots);
    plc_buffer_destroy(device, &labels_buffer);
    plc_buffer_destroy(device, &metrics);
    free(labels);
    plc_harness_destroy(&h);
}

static void loss_gradient_and_metrics_match_the_definition(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const loss_case c = draw_case(i);
        run_case(devices->items[i / n_cases], &c);
    }
}

// Of one image: what the distillation kernel makes of the gradient `before`.
static void expect_distilled(const float *logits, const float *teacher, const float *before, int K,
                             double T, double weight, double scale, double *after)
{
    double x_sum = 0, z_sum = 0;

    for (int k = 0; k < K; k++) {
        x_sum += exp((double)logits[k] / T);
        z_sum += exp((double)teacher[k] / T);
    }
    for (int k = 0; k < K; k++)
        after[k] = (1 - weight) * (double)before[k] +
                   weight * T * scale *
                       (exp((double)logits[k] / T) / x_sum - exp((double)teacher[k] / T) / z_sum);
}

// The second node's value serves as the teacher's logits.
static void check_distillation(pleach_device *device, unsigned seed)
{
    static const float temperatures[] = {1, 2, 5};
    loss_case c = draw_case(seed);
    const float T = temperatures[plc_harness_pick(seed, 8, 0, 2)];
    const float weight = (float)plc_harness_pick(seed, 9, 0, 4) / 4;
    pleach_graph *graph = NULL;
    plc_distillation distillation;

    snprintf(c.label, sizeof c.label, "seed %u: N %d K %d T %g weight %g", seed, c.n_images,
             c.classes, (double)T, (double)weight);
    if (plc_graph_create(device->ctx, "case", (plc_shape){c.classes, 1, 1}, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    plc_harness_add_node(device->ctx, graph, "relu", (int[]){0}, 1, NULL);
    plc_harness *h = plc_harness_create(
        graph, &(plc_harness_opts){
                   .device = device, .n_images = c.n_images, .seed = seed, .label = c.label});
    const size_t n = plc_harness_value_size(h, 0);
    float *before = calloc(n, sizeof *before);
    double *expected = calloc(n, sizeof *expected);
    assert_true(before && expected);
    memcpy(before, h->grads[0], n * sizeof *before);
    h->lower.list = &h->forward;
    plc_harness_check(h,
                      plc_distillation_lower(&h->lower, 0, h->lower.values[1], T, &distillation));
    plc_harness_place(h);
    plc_harness_upload(h);
    plc_harness_check(h, plc_launch_list_freeze(&h->forward));
    plc_harness_check(h, plc_launch_update_arg(&h->forward, distillation.launch,
                                               distillation.weight_arg, &weight));
    plc_harness_run_list(h, &h->forward);
    plc_harness_download(h);
    const double scale = (double)plc_loss_gradient_scale(device, c.n_images) / c.n_images;
    for (size_t i = 0; i < n; i += (size_t)c.classes)
        expect_distilled(h->values[0] + i, h->values[1] + i, before + i, c.classes, (double)T,
                         (double)weight, scale, expected + i);
    plc_harness_compare(h, "distilled gradient", h->grads[0], expected, n,
                        TOLERANCE * (1 + scale) + plc_harness_rounding(h));
    free(before);
    free(expected);
    plc_harness_destroy(&h);
}

static void distillation_mixes_the_teachers_gradient_as_defined(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++)
        check_distillation(devices->items[i / n_cases], i);
}

static void reference_gradient_is_that_of_finite_differences(void **state)
{
    float logits[5] = {0.3f, -1.2f, 2.0f, 0.1f, 0.7f};
    const double step = 1e-3;
    double dlogits[5];
    bool correct;

    (void)state;
    plc_reference_loss(logits, 5, 3, 0.1, &correct, dlogits);
    for (int k = 0; k < 5; k++) {
        const float middle = logits[k];
        logits[k] = middle + (float)step;
        const double above = plc_reference_loss(logits, 5, 3, 0.1, &correct, NULL);
        logits[k] = middle - (float)step;
        const double below = plc_reference_loss(logits, 5, 3, 0.1, &correct, NULL);
        logits[k] = middle;
        assert_true(fabs((above - below) / (2 * step) - dlogits[k]) < 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_gradient_is_that_of_finite_differences),
        cmocka_unit_test(loss_gradient_and_metrics_match_the_definition),
        cmocka_unit_test(distillation_mixes_the_teachers_gradient_as_defined),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
