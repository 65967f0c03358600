// Scores on the device against what they are defined as, on a small trained network.
#include "context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <exec/session.h>
#include <kernel/kernels.h>
#include <platform.h>
#include <prune/scores.h>

enum { BATCH = 12, SIDE = 6, CLASSES = 4, PIXELS = SIDE * SIDE, FILTERS = 6, DEPTH = 5 };

typedef struct fixture {
    pleach_device *device;
    pleach_graph *graph;
    plc_channels *channels;
    pleach_session *session;
    unsigned char images[BATCH * PIXELS];
    int labels[BATCH];
    float *weights, *grads; // after a step
    float *scores;          // per class
} fixture;

static fixture f;

static void make_graph(void)
{
    const plc_attrs first = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = DEPTH},
                    second = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = FILTERS},
                    linear = {.out_channels = CLASSES, .bias = true};
    static const char *const rest[] = {"batch_norm", "relu", "global_avg_pool", "flatten"};
    int at = 0;

    assert_ok(plc_graph_create(ctx, "small", (plc_shape){1, SIDE, SIDE}, &f.graph));
    assert_ok(plc_graph_add(ctx, f.graph, "conv", "conv1", &at, 1, &first, &at));
    assert_ok(plc_graph_add(ctx, f.graph, "batch_norm", "bn1", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, f.graph, "relu", "relu1", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, f.graph, "conv", "conv2", &at, 1, &second, &at));
    for (int i = 0; i < 4; i++)
        assert_ok(plc_graph_add(ctx, f.graph, rest[i], rest[i], &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, f.graph, "linear", "fc", &at, 1, &linear, &at));
}

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = plc_test_cache()};

    if (make_fixture(state) != 0)
        return -1;
    make_graph();
    assert_ok(plc_channels_create(ctx, f.graph, &f.channels));
    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &f.device));
    assert_ok(pleach_session_create(ctx, f.graph, f.device, BATCH, NULL, &f.session));
    for (size_t i = 0; i < sizeof f.images; i++)
        f.images[i] = (unsigned char)(i * i * 37 % 251);
    for (int i = 0; i < BATCH; i++)
        f.labels[i] = i % CLASSES;
    const size_t n = (size_t)f.session->layout->n_floats;
    assert_ok(plc_alloc(ctx, n, sizeof *f.weights, &f.weights));
    assert_ok(plc_alloc(ctx, n, sizeof *f.grads, &f.grads));
    assert_ok(
        plc_alloc(ctx, (size_t)plc_channels_n_classes(f.channels), sizeof *f.scores, &f.scores));
    return 0;
}

static int tear_down(void **state)
{
    free(f.scores);
    free(f.grads);
    free(f.weights);
    pleach_session_destroy(&f.session);
    pleach_device_close(&f.device);
    plc_channels_destroy(&f.channels);
    pleach_graph_destroy(&f.graph);
    return drop_fixture(state);
}

// The loss of the batch, in training mode; gradients of it stay on the device.
static double step(unsigned number)
{
    cl_event uploaded = NULL;
    plc_metrics metrics = {0};

    assert_ok(plc_session_upload(f.session, f.images, f.labels, BATCH, &uploaded));
    assert_ok(plc_session_train(f.session, number));
    assert_ok(plc_device_wait(f.device, &uploaded));
    assert_ok(plc_session_read_metrics(f.session, number, 1, &metrics));
    return metrics.loss_sum / BATCH;
}

static const float *parameter(const float *arena, const char *node, int param)
{
    return arena + f.session->layout->offsets[plc_graph_find(f.graph, node)][param];
}

static float score_of(const char *node, int channel)
{
    return f.scores[plc_channels_class(f.channels, plc_graph_find(f.graph, node), channel)];
}

static void fpgm_is_the_sum_of_distances_to_the_other_filters(void **state)
{
    plc_scorer *scorer = NULL;
    const int size = DEPTH * 9;

    (void)state;
    assert_ok(plc_scorer_create(f.session, f.channels, PLC_SCORE_FPGM, 0, &scorer));
    assert_false(plc_scorer_observes(scorer));
    assert_ok(plc_scorer_score(scorer, 0, f.scores));
    plc_scorer_destroy(&scorer);
    assert_ok(plc_session_read_weights(f.session, f.weights));
    const float *filters = parameter(f.weights, "conv2", 0);
    for (int k = 0; k < FILTERS; k++) {
        double wanted = 0;
        for (int j = 0; j < FILTERS; j++) {
            double squares = 0;
            for (int i = 0; i < size; i++)
                squares += pow((double)(filters[k * size + i] - filters[j * size + i]), 2);
            wanted += sqrt(squares);
        }
        assert_true(fabs((double)score_of("conv2", k) - wanted) < 1e-5 * wanted);
    }
}

static void taylor_is_the_gradient_by_a_factor_of_the_channel(void **state)
{
    plc_scorer *scorer = NULL;
    const int node = plc_graph_find(f.graph, "bn1"), first = f.session->mask_offsets[node];
    const float h = 0.002f, one = 1.0f;
    double wanted[DEPTH], largest = 0;

    (void)state;
    assert_true(first >= 0);
    assert_ok(plc_scorer_create(f.session, f.channels, PLC_SCORE_TAYLOR, 0, &scorer));
    assert_true(plc_scorer_observes(scorer));
    for (int k = 0; k < DEPTH; k++) {
        double losses[2];
        for (int side = 0; side < 2; side++) {
            const float factor = side ? one + h : one - h;
            assert_ok(plc_buffer_write(f.device, f.session->masks,
                                       (size_t)(first + k) * sizeof factor, sizeof factor,
                                       &factor));
            losses[side] = step((unsigned)(2 * k + side));
        }
        assert_ok(plc_buffer_write(f.device, f.session->masks, (size_t)(first + k) * sizeof one,
                                   sizeof one, &one));
        wanted[k] = fabs(losses[1] - losses[0]) / (2 * (double)h);
        largest = fmax(largest, wanted[k]);
    }
    step(2 * DEPTH);
    assert_ok(plc_scorer_observe(scorer));
    assert_ok(plc_scorer_score(scorer, 0, f.scores));
    plc_scorer_destroy(&scorer);
    // The mean begins at zero: after one step it is the rate times what the step gave, the same for all.
    const double rate = 0.02;
    assert_true(largest > 1e-4);
    for (int k = 0; k < DEPTH; k++)
        assert_true(fabs((double)score_of("bn1", k) / rate - wanted[k]) < 0.05 * largest);
}

static void means_are_what_a_checkpoint_takes_and_gives_back(void **state)
{
    plc_scorer *scorer = NULL;
    const int n = plc_channels_n_classes(f.channels);
    float *means = NULL;

    (void)state;
    assert_ok(plc_alloc(ctx, (size_t)n, sizeof *means, &means));
    assert_ok(plc_scorer_create(f.session, f.channels, PLC_SCORE_TAYLOR, 0, &scorer));
    for (int k = 0; k < n; k++)
        means[k] = (float)k;
    assert_ok(plc_scorer_write_means(scorer, means));
    assert_ok(plc_scorer_score(scorer, 0, f.scores));
    assert_memory_equal(means, f.scores, (size_t)n * sizeof *means);
    plc_scorer_destroy(&scorer);
    free(means);
}

static void names_are_parsed_and_the_nearest_is_given(void **state)
{
    plc_score score;

    (void)state;
    assert_ok(plc_score_parse(ctx, "taylor", &score));
    assert_int_equal(score, PLC_SCORE_TAYLOR);
    assert_ok(plc_score_parse(ctx, "fpgm", &score));
    assert_int_equal(score, PLC_SCORE_FPGM);
    assert_int_equal(plc_score_parse(ctx, "tailor", &score), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(ctx), "did you mean 'taylor'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fpgm_is_the_sum_of_distances_to_the_other_filters),
        cmocka_unit_test(taylor_is_the_gradient_by_a_factor_of_the_channel),
        cmocka_unit_test(means_are_what_a_checkpoint_takes_and_gives_back),
        cmocka_unit_test(names_are_parsed_and_the_nearest_is_given),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
