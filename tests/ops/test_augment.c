// Tests of normalisation, random crop and flip on the device against tests/reference/augment.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ops/augment.h>
#include <reference/augment.h>

static const double TOLERANCE = 1e-5;
enum { CASES_PER_DEVICE = 6, LABEL_MAX = 120 };

typedef struct augment_case {
    int n_images;
    plc_shape shape;
    unsigned step, seed;
    plc_augment_opts opts;
    char label[LABEL_MAX];
} augment_case;

static augment_case draw_case(unsigned seed)
{
    augment_case c = {
        .n_images = plc_harness_pick(seed, 1, 1, plc_test_size(1, 40)),
        .shape = {plc_harness_pick(seed, 2, 1, 4),
                  plc_harness_pick(seed, 3, 1, plc_test_size(1, 40)),
                  plc_harness_pick(seed, 4, 1, plc_test_size(1, 40))},
        .step = (unsigned)plc_harness_pick(seed, 5, 0, 100000),
        .seed = seed,
        .opts = {.training = seed % 3 != 0,
                 .crop = plc_harness_pick(seed, 6, 0, 4),
                 .flip = plc_harness_pick(seed, 7, 0, 1) == 1,
                 .seed = 0x123456789abcdefULL * (seed + 1)},
    };

    snprintf(c.label, sizeof c.label,
             "seed %u: N %d C %d H %d W %d step %u training %d crop %d flip %d", seed, c.n_images,
             c.shape.c, c.shape.h, c.shape.w, c.step, c.opts.training, c.opts.crop, c.opts.flip);
    return c;
}

static plc_buffer *make_buffer(plc_harness *h, const char *name, const void *data, size_t bytes)
{
    plc_buffer *buffer = NULL;

    plc_harness_check(h, plc_buffer_create(h->opts.device, name, bytes, &buffer));
    plc_harness_check(h, plc_buffer_write(h->opts.device, buffer, 0, bytes, data));
    return buffer;
}

static void run_augment(plc_harness *h, const augment_case *c, const unsigned char *images,
                        const float *mean_std)
{
    plc_buffer *image_buffer = make_buffer(h, "images", images, plc_harness_value_size(h, 0));
    plc_buffer *mean_std_buffer =
        make_buffer(h, "mean_std", mean_std, 2 * (size_t)c->shape.c * sizeof *mean_std);
    plc_augment augment;

    h->lower.list = &h->forward;
    plc_harness_check(
        h, plc_augment_lower(&h->lower, image_buffer, mean_std_buffer, &c->opts, &augment));
    plc_harness_place(h);
    plc_harness_upload(h);
    plc_harness_check(h, plc_launch_list_freeze(&h->forward));
    plc_harness_check(
        h, plc_launch_update_arg(&h->forward, augment.launch, augment.step_arg, &c->step));
    plc_harness_run_list(h, &h->forward);
    plc_harness_download(h);
    plc_buffer_destroy(h->opts.device, &image_buffer);
    plc_buffer_destroy(h->opts.device, &mean_std_buffer);
}

static plc_harness *make_harness(pleach_device *device, const augment_case *c)
{
    pleach_graph *graph = NULL;

    if (plc_graph_create(device->ctx, "case", c->shape, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(device->ctx));
    return plc_harness_create(
        graph, &(plc_harness_opts){
                   .device = device, .n_images = c->n_images, .seed = c->seed, .label = c->label});
}

// Empty lanes must be 0: a convolution may read them.
static void check_empty_lanes(plc_harness *h)
{
    const plc_tensor y = h->lower.values[0];
    const int lanes = h->opts.device->lanes, used = (h->opts.n_images - 1) % lanes + 1;
    const int size = y.shape.c * y.shape.h * y.shape.w, plane = y.shape.h * y.shape.w;
    const size_t bytes = (size_t)h->opts.device->value_bytes;
    const char zero[sizeof(float)] = {0};
    char *block = malloc(y.buffer->bytes);

    assert_non_null(block);
    plc_harness_check(h, plc_buffer_read(h->opts.device, y.buffer, 0, y.buffer->bytes, block));
    const char *last =
        block + (size_t)((((h->lower.n_blocks - 1) * y.planes + y.first) * plane) * lanes) * bytes;
    for (int i = 0; i < size; i++)
        for (int lane = used; lane < lanes; lane++)
            assert_memory_equal(last + (size_t)(i * lanes + lane) * bytes, zero, bytes);
    free(block);
}

static void run_case(pleach_device *device, const augment_case *c)
{
    plc_harness *h = make_harness(device, c);
    const size_t n = plc_harness_value_size(h, 0);
    const int size = plc_harness_image_size(h, 0);
    unsigned char *images = malloc(n);
    float *mean_std = malloc(2 * (size_t)c->shape.c * sizeof *mean_std);
    double *y = malloc((size_t)size * sizeof *y);

    assert_true(images && mean_std && y);
    for (size_t i = 0; i < n; i++)
        images[i] = (unsigned char)(i * 2654435761u >> 7);
    for (int i = 0; i < c->shape.c; i++) {
        mean_std[i] = 0.3f + 0.1f * (float)i;
        mean_std[c->shape.c + i] = 0.25f + 0.05f * (float)i;
    }
    run_augment(h, c, images, mean_std);
    check_empty_lanes(h);
    const plc_reference_augment p = {
        .C = c->shape.c,
        .H = c->shape.h,
        .W = c->shape.w,
        .crop = c->opts.crop,
        .flip = c->opts.flip,
        .training = c->opts.training,
        .seed = c->opts.seed,
        .step = c->step,
        .mean_std = mean_std,
    };
    for (int i = 0; i < c->n_images; i++) {
        plc_reference_augment_image(&p, images + i * size, i, y);
        plc_harness_compare(h, "y", h->values[0] + i * size, y, (size_t)size,
                            TOLERANCE + plc_harness_rounding(h));
    }
    free(images);
    free(mean_std);
    free(y);
    plc_harness_destroy(&h);
}

static void augmented_images_are_cut_mirrored_and_normalised(void **state)
{
    const plc_harness_devices *devices = *state;
    const unsigned n_cases = plc_test_cases(CASES_PER_DEVICE);

    for (unsigned i = 0; i < devices->n * n_cases; i++) {
        const augment_case c = draw_case(i);
        run_case(devices->items[i / n_cases], &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(augmented_images_are_cut_mirrored_and_normalised),
    };

    return cmocka_run_group_tests(tests, plc_harness_open_devices, plc_harness_close_devices);
}
