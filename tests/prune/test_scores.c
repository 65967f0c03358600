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

// A scorer of a linear layer of n_channels. Gives the device's memory for it.
static pleach_status score_wide(plc_score score, int batch, int n_channels, size_t *bytes)
{
    const pleach_device_opts opts = {.lanes = 4, .cache_dir = plc_test_cache()};
    const plc_attrs wide = {.out_channels = n_channels}, last = {.out_channels = 2};
    pleach_graph *graph = NULL;
    plc_channels *channels = NULL;
    pleach_device *device = NULL;
    pleach_session *session = NULL;
    plc_scorer *scorer = NULL;
    int at = 0;

    assert_ok(plc_graph_create(ctx, "wide", (plc_shape){1, 1, 1}, &graph));
    assert_ok(plc_graph_add(ctx, graph, "linear", "wide", &at, 1, &wide, &at));
    assert_ok(plc_graph_add(ctx, graph, "relu", "relu", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "linear", "last", &at, 1, &last, &at));
    assert_ok(plc_channels_create(ctx, graph, &channels));
    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    assert_ok(pleach_session_create(ctx, graph, device, batch, NULL, &session));
    const size_t before = device->memory_bytes;
    const pleach_status status = plc_scorer_create(session, channels, score, 0, &scorer);
    *bytes = device->memory_bytes - before;
    plc_scorer_destroy(&scorer);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
    return status;
}

static void the_others_of_a_channel_are_not_listed_for_each(void **state)
{
    enum { N_CHANNELS = 3000, MOST_BYTES = 64 }; // of a channel
    size_t bytes = 0;

    (void)state;
    assert_ok(score_wide(PLC_SCORE_FPGM, 1, N_CHANNELS, &bytes));
    assert_in_range(bytes, 1, N_CHANNELS * MOST_BYTES);
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

// What convolutions write in a training pass, in double: values[layer][image][channel][pixel].
typedef struct features {
    pleach_session *session;
    double *values[2]; // of conv1 and conv2
} features;

static const char *const layers[] = {"conv1", "conv2"};
static const int layer_channels[] = {DEPTH, FILTERS};

// A plc_session_watch: reads the value of a convolution, whatever the layout.
static pleach_status read_features(void *user, int node)
{
    features *to = user;
    const int lanes = to->session->device->lanes;

    for (int l = 0; l < 2; l++) {
        if (node != plc_graph_find(f.graph, layers[l]))
            continue;
        const plc_tensor x = to->session->train_values.items[node];
        float *block = NULL;
        assert_ok(plc_alloc(ctx, x.buffer->bytes, 1, &block));
        assert_ok(plc_buffer_read(to->session->device, x.buffer, 0, x.buffer->bytes, block));
        for (int n = 0; n < BATCH; n++)
            for (int c = 0; c < layer_channels[l]; c++)
                for (int i = 0; i < PIXELS; i++)
                    to->values[l][(n * layer_channels[l] + c) * PIXELS + i] = (double)
                        block[(((n / lanes) * x.planes + x.first + c) * PIXELS + i) * lanes +
                              n % lanes];
        free(block);
    }
    return PLEACH_OK;
}

static double correlation(const double *values, int n_channels, int k, int j)
{
    double mean_k = 0, mean_j = 0, kk = 0, jj = 0, kj = 0;
    const int n = BATCH * PIXELS;

    for (int m = 0; m < BATCH; m++)
        for (int i = 0; i < PIXELS; i++) {
            mean_k += values[(m * n_channels + k) * PIXELS + i] / n;
            mean_j += values[(m * n_channels + j) * PIXELS + i] / n;
        }
    for (int m = 0; m < BATCH; m++)
        for (int i = 0; i < PIXELS; i++) {
            const double x = values[(m * n_channels + k) * PIXELS + i] - mean_k,
                         y = values[(m * n_channels + j) * PIXELS + i] - mean_j;
            kk += x * x;
            jj += y * y;
            kj += x * y;
        }
    return kj / sqrt(kk * jj);
}

// By its definition; norms are scores of `l2`, kept is per class.
static double redundancy(const double *values, int l, int k, const float *norms,
                         const unsigned char *kept)
{
    const int node = plc_graph_find(f.graph, layers[l]);
    const int own = plc_channels_class(f.channels, node, k);
    double most = 0;

    for (int j = 0; j < layer_channels[l]; j++) {
        const int other = plc_channels_class(f.channels, node, j);
        if (kept[other] && norms[other] > norms[own])
            most = fmax(most, fabs(correlation(values, layer_channels[l], k, j)));
    }
    return 1 - most;
}

static void compare_redundancy(const pleach_device_opts *opts)
{
    const size_t n = (size_t)plc_channels_n_classes(f.channels);
    uint16_t labels[BATCH] = {0};
    const plc_split images = {
        .images = f.images, .labels = labels, .image_bytes = PIXELS, .n_images = BATCH};
    pleach_device *device = NULL;
    features seen = {0};
    plc_scorer *l2 = NULL, *scorer = NULL;
    float *norms = NULL, *before = NULL, *after = NULL;
    unsigned char *kept = NULL;

    assert_ok(pleach_device_open(ctx, plc_test_device(), opts, &device));
    assert_ok(pleach_session_create(ctx, f.graph, device, BATCH, NULL, &seen.session));
    for (int l = 0; l < 2; l++)
        assert_ok(plc_alloc(ctx, (size_t)(BATCH * layer_channels[l] * PIXELS), sizeof(double),
                            &seen.values[l]));
    const size_t n_floats = (size_t)seen.session->layout->n_floats;
    assert_ok(plc_alloc(ctx, n, sizeof *norms, &norms));
    assert_ok(plc_alloc(ctx, n, 1, &kept));
    assert_ok(plc_alloc(ctx, n_floats, sizeof *before, &before));
    assert_ok(plc_alloc(ctx, n_floats, sizeof *after, &after));
    memset(kept, 1, n);
    kept[plc_channels_class(f.channels, plc_graph_find(f.graph, "conv2"), 1)] = 0;
    assert_ok(plc_scorer_create(seen.session, f.channels, PLC_SCORE_L2, 0, &l2));
    assert_ok(plc_scorer_score(l2, 0, norms));
    assert_ok(plc_session_read_weights(seen.session, before));
    assert_ok(plc_scorer_create(seen.session, f.channels, PLC_SCORE_REDUNDANCY, 0, &scorer));
    assert_false(plc_scorer_observes(scorer));
    plc_scorer_set_probe(scorer, &images, kept);
    assert_ok(plc_scorer_score(scorer, 3, f.scores));
    assert_ok(plc_session_read_weights(seen.session, after));
    assert_memory_equal(before, after, n_floats * sizeof *before); // running statistics too
    // The session holds the batch in the loader's order, of which no sum depends but by rounding.
    assert_ok(plc_session_forward_watched(seen.session, 0, read_features, &seen));
    int n_alike = 0;
    for (int l = 0; l < 2; l++)
        for (int k = 0; k < layer_channels[l]; k++) {
            const double wanted = redundancy(seen.values[l], l, k, norms, kept);
            const double got = (double)score_of(layers[l], k);
            n_alike += wanted < 0.99;
            if (!(fabs(got - wanted) < 1e-4))
                fail_msg("%d lanes, %s channel %d: %g, expected %g", device->lanes, layers[l], k,
                         got, wanted);
        }
    assert_true(n_alike > DEPTH); // there is something to tell apart
    const float first = f.scores[n - 1];
    assert_ok(plc_scorer_score(scorer, 3, f.scores)); // the same probe: the same bits
    assert_true(first == f.scores[n - 1]);
    plc_scorer_destroy(&scorer);
    plc_scorer_destroy(&l2);
    free(norms);
    free(kept);
    free(before);
    free(after);
    free(seen.values[0]);
    free(seen.values[1]);
    pleach_session_destroy(&seen.session);
    pleach_device_close(&device);
}

// 12 images: the last block of 8 lanes is half empty, of 16 there is one with empty lanes.
static void redundancy_is_the_largest_correlation_with_a_stronger_kept_channel(void **state)
{
    const pleach_device_opts vector = {.mapping = PLEACH_MAPPING_VECTOR,
                                       .lanes = 8,
                                       .cache_dir = plc_test_cache()},
                             work_item = {.mapping = PLEACH_MAPPING_WORK_ITEM,
                                          .lanes = 16,
                                          .cache_dir = plc_test_cache()};

    (void)state;
    compare_redundancy(&vector);
    compare_redundancy(&work_item);
}

static void redundancy_of_more_products_than_are_indexed_is_refused(void **state)
{
    enum { BATCH_OF_16_BLOCKS = 64, LEAST = 11586 }; // 16 * LEAST * LEAST is above INT_MAX
    size_t bytes = 0;

    (void)state;
    assert_int_equal(score_wide(PLC_SCORE_REDUNDANCY, BATCH_OF_16_BLOCKS, LEAST, &bytes),
                     PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(ctx), "'wide' make 2147766336 products"));
    assert_non_null(strstr(pleach_error(ctx), "--score l2"));
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
        cmocka_unit_test(the_others_of_a_channel_are_not_listed_for_each),
        cmocka_unit_test(taylor_is_the_gradient_by_a_factor_of_the_channel),
        cmocka_unit_test(means_are_what_a_checkpoint_takes_and_gives_back),
        cmocka_unit_test(redundancy_is_the_largest_correlation_with_a_stronger_kept_channel),
        cmocka_unit_test(redundancy_of_more_products_than_are_indexed_is_refused),
        cmocka_unit_test(names_are_parsed_and_the_nearest_is_given),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
