// Sessions with half storage beside ones with floats: gradients and losses follow theirs, bits repeat.
#include "context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <exec/session.h>
#include <half_device.h>
#include <platform.h>
#include <kernel/tuner.h>
#include <train/optimizer.h>

enum { BATCH = 21, SIDE = 16, CHANNELS = 3, CLASSES = 10, IMAGE = CHANNELS * SIDE * SIDE };
enum { N_STEPS = 50, N_LAST = 10, FLOAT = 0, HALF = 1 };

// Of the weight gradients of a step, over their norm. A share of some 2^-11 of the ReLUs opens or closes
// by the rounding of what they look at, which changes a gradient by its square root, 2 %, in each of 19
// layers. Measured: 12 %, and a projection on the float gradient of 0.99.
static const double gradient_error = 0.2, projection_error = 0.03;
// Of the mean loss of the last steps, which halves and floats reach on ways of their own.
static const double loss_error = 0.1;

static pleach_device *open_tuned_device(int mapping, int precision, int tune)
{
    const pleach_device_opts opts = {.mapping = mapping,
                                     .lanes = 8,
                                     .precision = precision,
                                     .cache_dir = plc_test_cache(),
                                     .tune = tune};
    pleach_device *device = NULL;

    assert_ok(plc_open_with_halfs(ctx, &opts, &device));
    return device;
}

static pleach_device *open_device(int mapping, int precision)
{
    return open_tuned_device(mapping, precision, PLEACH_TUNE_OFF);
}

static pleach_session *make_session(pleach_device *device)
{
    const pleach_session_opts opts = {.seed = 3};
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;

    assert_ok(pleach_graph_create(ctx, "resnet20", CHANNELS, SIDE, SIDE, CLASSES, &graph));
    assert_ok(pleach_session_create(ctx, graph, device, BATCH, &opts, &session));
    pleach_graph_destroy(&graph);
    return session;
}

// Noise over a pattern of the class, so that there is something to learn.
static void upload(pleach_session *session, unsigned step)
{
    static unsigned char images[BATCH * IMAGE];
    int labels[BATCH];

    for (int n = 0; n < BATCH; n++) {
        labels[n] = n % CLASSES;
        for (int i = 0; i < IMAGE; i++) {
            const unsigned at = (unsigned)(n * IMAGE + i), pixel = (unsigned)i;
            const unsigned noise = plc_random_u32x4(5, PLC_STREAM_TEST, step, at).x & 127;
            const unsigned pattern =
                plc_random_u32x4(6, PLC_STREAM_TEST, (unsigned)labels[n], pixel).x & 127;
            images[at] = (unsigned char)(noise + pattern);
        }
    }
    assert_ok(plc_session_upload(session, images, labels, BATCH, NULL));
    assert_ok(plc_device_finish(session->device));
}

// Gradients of the weights as the optimizer uses them, in the first step. The caller frees them.
static float *first_gradients(pleach_session *session, size_t *n)
{
    const float scale = plc_loss_gradient_scale(session->device, BATCH);
    float *grads;

    *n = (size_t)session->layout->n_trainable;
    grads = calloc(*n, sizeof *grads);
    assert_non_null(grads);
    upload(session, 0);
    assert_ok(plc_session_train(session, 0));
    assert_ok(plc_buffer_read(session->device, session->grads, 0, *n * sizeof *grads, grads));
    for (size_t i = 0; i < *n; i++)
        grads[i] /= scale;
    return grads;
}

static void compare_gradients(int mapping)
{
    float *grads[2];
    double error = 0, norm = 0, product = 0;
    size_t n = 0;

    for (int i = FLOAT; i <= HALF; i++) {
        pleach_device *device = open_device(mapping, i);
        pleach_session *session = make_session(device);
        grads[i] = first_gradients(session, &n);
        pleach_session_destroy(&session);
        pleach_device_close(&device);
    }
    for (size_t i = 0; i < n; i++) {
        error += pow((double)grads[HALF][i] - (double)grads[FLOAT][i], 2);
        norm += pow((double)grads[FLOAT][i], 2);
        product += (double)grads[FLOAT][i] * (double)grads[HALF][i];
    }
    if (!(sqrt(error) <= gradient_error * sqrt(norm)) ||
        !(fabs(product / norm - 1) <= projection_error))
        fail_msg("gradients are off by %g of their norm, projected %g", sqrt(error / norm),
                 product / norm);
    assert_true(error > 0); // else nothing was stored as half
    free(grads[FLOAT]);
    free(grads[HALF]);
}

static void gradients_are_near_those_of_floats(void **state)
{
    (void)state;
    compare_gradients(PLEACH_MAPPING_VECTOR);
    compare_gradients(PLEACH_MAPPING_WORK_ITEM);
}

// Trains; losses receives the mean loss of each step. The caller frees the weights.
static float *train(pleach_session *session, double losses[N_STEPS])
{
    const plc_optimizer_opts opts = {.nesterov = true, .weight_decay = 5e-4f};
    plc_optimizer *optimizer = NULL;
    float *weights = calloc((size_t)session->layout->n_floats, sizeof *weights);

    assert_non_null(weights);
    assert_ok(plc_optimizer_create(session, &opts, &optimizer));
    for (unsigned step = 0; step < N_STEPS; step++) {
        plc_metrics metrics = {0};
        upload(session, step);
        assert_ok(plc_session_train(session, step));
        assert_ok(plc_optimizer_step(optimizer, 0.01f, 0.9f));
        assert_ok(plc_session_read_metrics(session, step, 1, &metrics));
        losses[step] = metrics.loss_sum / metrics.n_images;
    }
    assert_ok(plc_session_read_weights(session, weights));
    plc_optimizer_destroy(&optimizer);
    return weights;
}

static void the_loss_falls_as_with_floats_and_bits_repeat(void **state)
{
    double losses[3][N_STEPS], first = 0, last[3] = {0};
    float *weights[3];
    size_t bytes = 0;

    (void)state;
    for (int i = 0; i < 3; i++) { // floats, halfs, halfs again
        pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, i ? HALF : FLOAT);
        pleach_session *session = make_session(device);
        bytes = (size_t)session->layout->n_floats * sizeof(float);
        weights[i] = train(session, losses[i]);
        pleach_session_destroy(&session);
        pleach_device_close(&device);
        for (int j = N_STEPS - N_LAST; j < N_STEPS; j++)
            last[i] += losses[i][j] / N_LAST;
    }
    first = losses[HALF][0];
    if (!(last[HALF] < first / 2) || !(fabs(last[HALF] - last[FLOAT]) <= loss_error * first))
        fail_msg("the loss falls from %g to %g, with floats to %g", first, last[HALF], last[FLOAT]);
    assert_memory_equal(weights[1], weights[2], bytes);
    for (int i = 0; i < 3; i++)
        free(weights[i]);
}

static void values_take_half_the_memory(void **state)
{
    size_t bytes[2];

    (void)state;
    for (int i = FLOAT; i <= HALF; i++) {
        pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, i);
        pleach_session *session = make_session(device);
        bytes[i] = session->activation_bytes;
        pleach_session_destroy(&session);
        pleach_device_close(&device);
    }
    // Offsets are rounded up, and what convolutions sum for batch norms stays float.
    assert_true(bytes[HALF] >= bytes[FLOAT] / 2 && bytes[HALF] < bytes[FLOAT] * 3 / 5);
}

// Halfs end at 65504: what is larger must end in a loss that is not finite, which the trainer looks for.
static void an_overflow_shows_in_the_loss(void **state)
{
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, HALF);
    pleach_session *session = make_session(device);
    const size_t n = (size_t)session->layout->n_floats;
    float *weights = calloc(n, sizeof *weights);
    plc_metrics metrics = {0};

    (void)state;
    assert_non_null(weights);
    assert_ok(plc_session_read_weights(session, weights));
    for (size_t i = 0; i < n; i++)
        weights[i] *= 1e6f;
    assert_ok(plc_session_write_weights(session, weights));
    upload(session, 0);
    assert_ok(plc_session_train(session, 0));
    assert_ok(plc_session_read_metrics(session, 0, 1, &metrics));
    assert_false(isfinite(metrics.loss_sum));
    free(weights);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
}

// Winograd's convolutions and direct ones are compared as the halfs that they are.
static void the_tuner_rejects_no_kernel_for_rounding(void **state)
{
    pleach_device *device = open_tuned_device(PLEACH_MAPPING_VECTOR, HALF, PLEACH_TUNE_FULL);
    pleach_session *session = make_session(device);
    int n_changing = 0;

    (void)state;
    for (int i = 0; i < plc_tuner_count(device->tuner); i++) {
        const plc_tuner_answer answer = plc_tuner_get(device->tuner, i);

        assert_string_equal(answer.source, "measured");
        n_changing += strcmp(answer.operation, "conv 3x3") == 0;
        for (int j = 0; j < answer.entry->n_candidates; j++)
            if (answer.entry->candidates[j].rejected)
                fail_msg("%s, %s, %s: %s", answer.operation, answer.shape,
                         answer.entry->candidates[j].name, answer.entry->candidates[j].rejected);
    }
    if (n_changing == 0 && strcmp(device->info->kind, "cpu") != 0)
        plc_test_skip("no 3x3 convolution has two ways with a vector of lanes on this device");
    assert_true(n_changing > 0);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_near_those_of_floats),
        cmocka_unit_test(the_loss_falls_as_with_floats_and_bits_repeat),
        cmocka_unit_test(values_take_half_the_memory),
        cmocka_unit_test(the_tuner_rejects_no_kernel_for_rounding),
        cmocka_unit_test(an_overflow_shows_in_the_loss),
    };

    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
