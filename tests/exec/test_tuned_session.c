// Sessions whose kernels were tuned, and the launches that a session makes before its first step.
#include "context.h"

#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <exec/session.h>
#include <kernel/tuner.h>
#include <platform.h>

enum { BATCH = 21, SIDE = 16, CHANNELS = 3, CLASSES = 10, N_LOGITS = BATCH * CLASSES };

static pleach_device *open_device(int mapping, int tune, pleach_device_progress_fn *progress,
                                  void *user)
{
    const pleach_device_opts opts = {.mapping = mapping,
                                     .lanes = 8,
                                     .cache_dir = "",
                                     .tune = tune,
                                     .progress = progress,
                                     .user = user};
    pleach_device *device = NULL;

    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    return device;
}

static pleach_session *make_session(pleach_device *device, const char *model)
{
    const pleach_session_opts opts = {.seed = 3};
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;

    assert_ok(pleach_graph_create(ctx, model, CHANNELS, SIDE, SIDE, CLASSES, &graph));
    assert_ok(pleach_session_create(ctx, graph, device, BATCH, &opts, &session));
    pleach_graph_destroy(&graph);
    return session;
}

// Two training steps on noise; then the gradients and the logits of inference.
static void run_session(pleach_session *session, float *grads, float logits[N_LOGITS])
{
    unsigned char images[BATCH * CHANNELS * SIDE * SIDE];
    int labels[BATCH];

    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (unsigned char)plc_random_u32x4(5, PLC_STREAM_TEST, 0, i).x;
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    assert_ok(plc_session_upload(session, images, labels, BATCH, NULL));
    for (unsigned step = 0; step < 2; step++)
        assert_ok(plc_session_train(session, step));
    assert_ok(plc_buffer_read(session->device, session->grads, 0,
                              (size_t)session->layout->n_trainable * sizeof *grads, grads));
    assert_ok(pleach_session_predict(session, images, BATCH, logits));
}

static void compare_with_untuned(int mapping, const char *model)
{
    const int modes[2] = {PLEACH_TUNE_OFF, PLEACH_TUNE_FAST}; // full may choose another algorithm
    static float logits[2][N_LOGITS];
    float *grads[2] = {NULL, NULL};
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        pleach_device *device = open_device(mapping, modes[i], NULL, NULL);
        pleach_session *session = make_session(device, model);

        n = (size_t)session->layout->n_trainable;
        grads[i] = calloc(n, sizeof **grads);
        assert_non_null(grads[i]);
        run_session(session, grads[i], logits[i]);
        assert_true(plc_tuner_count(device->tuner) > 0);
        for (int j = 0; i == 1 && j < plc_tuner_count(device->tuner); j++) {
            const plc_tuner_answer answer = plc_tuner_get(device->tuner, j);
            for (int k = 0; answer.entry && k < answer.entry->n_candidates; k++)
                if (answer.entry->candidates[k].rejected)
                    fail_msg("%s: %s, %s, %s: %s", model, answer.operation, answer.shape,
                             answer.entry->candidates[k].name,
                             answer.entry->candidates[k].rejected);
        }
        pleach_session_destroy(&session);
        pleach_device_close(&device);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    assert_memory_equal(grads[0], grads[1], n * sizeof **grads);
    free(grads[0]);
    free(grads[1]);
}

static void tiles_change_no_bit(void **state)
{
    (void)state;
    compare_with_untuned(PLEACH_MAPPING_VECTOR, "cnn5");
    compare_with_untuned(PLEACH_MAPPING_VECTOR, "resnet20");
    compare_with_untuned(PLEACH_MAPPING_WORK_ITEM, "cnn5");
}

typedef struct told {
    int n_calls, n_done, n, n_ended;
} told;

static void note_progress(void *user, const char *what, int n_done, int n)
{
    told *t = user;

    if (what == NULL) {
        t->n_ended++;
    } else if (strcmp(what, "building kernels") == 0) {
        t->n_calls++;
        t->n_done = n_done;
        t->n = n;
    }
}

static void kernels_are_built_with_the_first_session_and_not_again(void **state)
{
    (void)state;
    told t = {0};
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, PLEACH_TUNE_OFF, note_progress, &t);
    pleach_session *first = make_session(device, "cnn5");

    assert_true(t.n_calls > 0);
    assert_int_equal(t.n_calls, t.n);
    assert_int_equal(t.n_done, t.n);
    assert_int_equal(t.n_ended, 2); // building, and the self-test
    t = (told){0};
    pleach_session *second = make_session(device, "cnn5");
    assert_int_equal(t.n_calls, 0);
    pleach_session_destroy(&second);
    pleach_session_destroy(&first);
    pleach_device_close(&device);
}

// What the first launches wrote is gone: running statistics, metrics.
static void a_new_session_has_its_initial_state(void **state)
{
    (void)state;
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, PLEACH_TUNE_OFF, NULL, NULL);
    pleach_session *session = make_session(device, "resnet20");
    const size_t n = (size_t)session->layout->n_floats;
    float *got = calloc(n, sizeof *got), *wanted = calloc(n, sizeof *wanted);
    plc_metrics metrics = {0};

    assert_true(got && wanted);
    plc_initial_weights(session->graph, session->layout, 3, wanted);
    assert_ok(plc_session_read_weights(session, got));
    assert_memory_equal(got, wanted, n * sizeof *got);
    assert_ok(plc_session_read_metrics(session, 0, PLC_METRIC_SLOTS, &metrics));
    assert_true(metrics.n_images == 0.0 && metrics.loss_sum == 0.0);
    free(got);
    free(wanted);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_change_no_bit),
        cmocka_unit_test(kernels_are_built_with_the_first_session_and_not_again),
        cmocka_unit_test(a_new_session_has_its_initial_state),
    };

    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
