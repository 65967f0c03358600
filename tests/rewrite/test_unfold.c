// Tests of src/rewrite/unfold.c: batch norms that were folded away come back and the function stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <graph/op.h>
#include <prune/pruner.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <rewrite/fold.h>
#include <rewrite/unfold.h>
#include <train/trainer.h>
#include <context.h>
#include <difference.h>
#include <platform.h>
#include <random_graph.h>

enum { BATCH = 6, N_IMAGES = 24, N_SEEDS = 8, MAX_IMAGE = 3 * 13 * 13, MAX_CLASSES = 8 };
static const double TOLERANCE = 1e-4; // of the largest logit

static pleach_device *device;

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = plc_test_cache()};

    return make_fixture(state) != 0 ||
           pleach_device_open(ctx, plc_test_device(), &opts, &device) != PLEACH_OK;
}

static int tear_down(void **state)
{
    pleach_device_close(&device);
    return drop_fixture(state);
}

// A random network with all of its batch norms folded that can be, on the device.
static pleach_session *folded_session(unsigned seed)
{
    pleach_graph *graph = NULL, *folded = NULL;
    plc_edits *edits = NULL;
    pleach_session *session = NULL, *trains = NULL;
    float *weights = NULL;

    assert_ok(plc_random_graph(ctx, seed, &graph));
    assert_ok(plc_random_params(ctx, graph, seed, &weights));
    assert_ok(pleach_session_create(ctx, graph, device, BATCH, NULL, &session));
    assert_ok(plc_session_write_weights(session, weights));
    assert_ok(plc_fold_describe(ctx, graph, &folded, &edits, NULL));
    assert_ok(plc_rewrite_session(session, folded, edits, false, &trains));
    free(weights);
    pleach_session_destroy(&session);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&folded);
    pleach_graph_destroy(&graph);
    return trains;
}

static plc_split noise_split(const pleach_session *session)
{
    static unsigned char images[N_IMAGES * MAX_IMAGE];
    static uint16_t labels[N_IMAGES];
    const plc_shape in = session->graph->nodes[0].shape;
    const size_t bytes = (size_t)in.c * (size_t)in.h * (size_t)in.w;

    for (size_t i = 0; i < N_IMAGES * bytes; i++)
        images[i] = (unsigned char)plc_random_u32x4(3, PLC_STREAM_TEST, 1, i).x;
    return (plc_split){
        .images = images, .labels = labels, .image_bytes = bytes, .n_images = N_IMAGES};
}

static int predict(pleach_session *session, float logits[BATCH * MAX_CLASSES])
{
    const plc_split split = noise_split(session);

    assert_ok(pleach_session_predict(session, split.images, BATCH, logits));
    return session->graph->nodes[session->graph->n_nodes - 1].shape.c;
}

static void assert_same_function(unsigned seed, pleach_session *a, pleach_session *b)
{
    float of_a[BATCH * MAX_CLASSES], of_b[BATCH * MAX_CLASSES];
    const int n = BATCH * predict(a, of_a);

    assert_int_equal(n, BATCH * predict(b, of_b));
    const double difference = plc_difference_of_floats(of_a, of_b, (size_t)n);
    if (!(difference <= TOLERANCE))
        fail_msg("seed %u: logits differ by %g of the largest", seed, difference);
}

// As --unfold does it; *watched (the caller's) keeps the statistics.
static pleach_session *unfold(pleach_session *session, pleach_session **watched)
{
    const plc_split split = noise_split(session);
    pleach_graph *watching = NULL, *unfolded = NULL;
    plc_edits *edits = NULL;
    pleach_session *result = NULL;

    assert_ok(plc_unfold_watch(ctx, session->graph, &watching, &edits));
    assert_ok(plc_rewrite_session(session, watching, edits, false, watched));
    assert_ok(plc_estimate_statistics(*watched, &split, 1, 1));
    assert_ok(plc_rewrite_apply(session, *watched, edits));
    plc_edits_destroy(&edits);
    assert_ok(plc_unfold_describe(ctx, session->graph, watching, &unfolded, &edits));
    assert_ok(plc_rewrite_session(*watched, unfolded, edits, false, &result));
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&unfolded);
    pleach_graph_destroy(&watching);
    return result;
}

static void the_function_stays(void **state)
{
    int n_put_in = 0;

    (void)state;
    for (unsigned seed = 0; seed < plc_test_cases(N_SEEDS); seed++) {
        pleach_session *before = folded_session(seed), *watched = NULL;
        const int n = plc_unfold_count(before->graph);
        pleach_session *after = unfold(before, &watched);

        assert_int_equal(plc_graph_count_op(after->graph, "batch_norm"),
                         plc_graph_count_op(before->graph, "batch_norm") + n);
        assert_int_equal(plc_unfold_count(after->graph), 0);
        assert_same_function(seed, before, watched);
        assert_same_function(seed, before, after);
        n_put_in += n;
        pleach_session_destroy(&after);
        pleach_session_destroy(&watched);
        pleach_session_destroy(&before);
    }
    assert_true(n_put_in > 0);
}

// gamma is the root of what was measured, not of what stands in a new batch norm.
static void statistics_are_those_of_the_images(void **state)
{
    pleach_session *before = folded_session(1), *watched = NULL;
    pleach_session *after = unfold(before, &watched);
    const pleach_graph *graph = after->graph;
    float *weights = calloc((size_t)after->layout->n_floats, sizeof *weights);
    int n_usual = 0, n = 0;

    (void)state;
    assert_non_null(weights);
    assert_ok(plc_session_read_weights(after, weights));
    for (int i = 1; i < graph->n_nodes; i++) {
        const int conv = graph->nodes[i].n_inputs ? graph->nodes[i].inputs[0] : 0;
        enum { GAMMA, BETA, MEAN, VARIANCE };

        if (!plc_graph_is(graph, i, "batch_norm") || !strstr(graph->nodes[i].name, ".bn"))
            continue;
        assert_true(plc_graph_is(graph, conv, "conv"));
        assert_false(graph->nodes[conv].attrs.bias);
        for (int k = 0; k < graph->nodes[i].shape.c; k++, n++) {
            const float gamma = weights[after->layout->offsets[i][GAMMA] + k];
            const float variance = weights[after->layout->offsets[i][VARIANCE] + k];

            assert_true(fabs((double)gamma - sqrt((double)variance + 1e-5)) < 1e-4 * gamma);
            n_usual += fabs((double)variance - 1.0) < 1e-3;
        }
    }
    assert_true(n > 0 && n_usual < n);
    free(weights);
    pleach_session_destroy(&after);
    pleach_session_destroy(&watched);
    pleach_session_destroy(&before);
}

static void what_was_unfolded_can_be_pruned(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < plc_test_cases(3); seed++) {
        pleach_session *before = folded_session(seed), *watched = NULL, *small = NULL;
        pleach_session *after = unfold(before, &watched);
        plc_channels *channels = NULL;
        unsigned char *mask = NULL;
        pleach_graph *graph = NULL;
        plc_edits *edits = NULL;
        plc_pruner *pruner = NULL;

        assert_ok(plc_channels_create(ctx, after->graph, &channels));
        assert_ok(plc_random_mask(ctx, channels, seed, 0.4, &mask));
        assert_ok(plc_compact_describe(ctx, after->graph, channels, mask, &graph, &edits));
        assert_ok(plc_rewrite_session(after, graph, edits, false, &small));
        assert_ok(plc_pruner_create(after, channels, &pruner));
        assert_ok(plc_pruner_set_masks(pruner, mask));
        assert_true(pleach_graph_macs(graph) < pleach_graph_macs(after->graph));
        assert_same_function(seed, after, small);
        plc_pruner_destroy(&pruner);
        pleach_session_destroy(&small);
        plc_edits_destroy(&edits);
        pleach_graph_destroy(&graph);
        free(mask);
        plc_channels_destroy(&channels);
        pleach_session_destroy(&after);
        pleach_session_destroy(&watched);
        pleach_session_destroy(&before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_stays),
        cmocka_unit_test(statistics_are_those_of_the_images),
        cmocka_unit_test(what_was_unfolded_can_be_pruned),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
