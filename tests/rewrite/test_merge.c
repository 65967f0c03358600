// Tests of src/rewrite/merge.c on the device: what is merged gives the logits of what was faded out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <fuse/importance.h>
#include <graph/op.h>
#include <rewrite/apply.h>
#include <rewrite/fold.h>
#include <rewrite/merge.h>
#include <context.h>
#include <difference.h>
#include <platform.h>
#include <random_graph.h>

enum { BATCH = 3, N_CLASSES = 4, N_SEEDS = 12 };
static const double TOLERANCE = 1e-5; // method section 7, of the largest logit

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

static int add(pleach_graph *graph, const char *op, const char *name, int a, int b,
               const plc_attrs *attrs)
{
    int node = -1;

    assert_ok(plc_graph_add(ctx, graph, op, name, (int[]){a, b}, b < 0 ? 1 : 2, attrs, &node));
    return node;
}

static unsigned pick(unsigned seed, unsigned draw, unsigned n)
{
    return (unsigned)plc_random_u32x4(seed, PLC_STREAM_TEST, draw, 0).x % n;
}

// Layers that merge: 2 or 3 convolutions behind `x`. Which of them have a bias, a batch norm behind and an
// activation depends on the seed.
typedef struct layer {
    int kernel, stride, pad, groups, filters;
} layer;

static int add_layers(pleach_graph *graph, unsigned seed, int x, const layer *layers, int n)
{
    char name[32];

    for (int i = 0; i < n; i++) {
        const layer *l = &layers[i];
        const unsigned draw = 10 * (unsigned)i;
        const plc_attrs attrs = {.kernel = {l->kernel, l->kernel},
                                 .stride = {l->stride, l->stride},
                                 .pad = {l->pad, l->pad},
                                 .groups = l->groups,
                                 .out_channels = l->filters,
                                 .bias = pick(seed, draw + 1, 2) == 0};
        snprintf(name, sizeof name, "conv%d", i);
        x = add(graph, "conv", name, x, -1, &attrs);
        snprintf(name, sizeof name, "norm%d", i);
        if (pick(seed, draw + 2, 4) > 0)
            x = add(graph, "batch_norm", name, x, -1, NULL);
        snprintf(name, sizeof name, "relu%d", i);
        if (i < n - 1 && pick(seed, draw + 3, 4) > 0)
            x = add(graph, "relu", name, x, -1, NULL);
    }
    return x;
}

// stem -> relu -> layers [+ the stem] -> relu -> classes. 6 channels reach the layers.
static pleach_graph *make_graph(unsigned seed, const layer *layers, int n, bool shortcut)
{
    pleach_graph *graph = NULL;
    const plc_attrs stem = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 6};
    const plc_shape input = {2, 8 + (int)pick(seed, 100, 4), 8 + (int)pick(seed, 101, 4)};

    assert_ok(plc_graph_create(ctx, "merge", input, &graph));
    const int x = add(graph, "relu", "relu", add(graph, "conv", "stem", 0, -1, &stem), -1, NULL);
    int y = add_layers(graph, seed, x, layers, n);
    if (shortcut)
        y = add(graph, "add", "add", y, x, NULL);
    y = add(graph, "relu", "last", y, -1, NULL);
    y = add(graph, "flatten", "flat", add(graph, "global_avg_pool", "pool", y, -1, NULL), -1, NULL);
    add(graph, "linear", "fc", y, -1, &(plc_attrs){.out_channels = N_CLASSES, .bias = true});
    return graph;
}

static pleach_session *make_session(const pleach_graph *graph, unsigned seed)
{
    pleach_session *session = NULL;
    float *weights = NULL;

    assert_ok(pleach_session_create(ctx, graph, device, BATCH, NULL, &session));
    assert_ok(plc_random_params(ctx, graph, seed, &weights));
    assert_ok(plc_session_write_weights(session, weights));
    free(weights);
    return session;
}

typedef struct logits {
    float of[BATCH * N_CLASSES];
} logits;

static logits run(pleach_session *session)
{
    const plc_shape input = session->graph->nodes[0].shape;
    unsigned char images[BATCH * 2 * 12 * 12];
    logits l;

    for (int i = 0; i < BATCH * input.c * input.h * input.w; i++)
        images[i] = (unsigned char)plc_random_u32x4(9, PLC_STREAM_TEST, 7, (unsigned)i).x;
    assert_ok(pleach_session_predict(session, images, BATCH, l.of));
    return l;
}

static double difference(const logits *a, const logits *b)
{
    return plc_difference_of_floats(a->of, b->of, BATCH * N_CLASSES);
}

static void assert_near(const char *what, unsigned seed, const logits *a, const logits *b)
{
    if (!(difference(a, b) <= TOLERANCE))
        fail_msg("%s, seed %u: logits differ by %g of the largest", what, seed, difference(a, b));
}

// Replaces *session by the rewritten one. Takes graph and edits.
static void rewrite(pleach_session **session, pleach_graph *graph, plc_edits *edits,
                    bool inference_only)
{
    pleach_session *new = NULL;

    assert_ok(plc_rewrite_session(*session, graph, edits, inference_only, &new));
    pleach_session_destroy(session);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    *session = new;
}

// Everything that ends a pair becomes ready to fade; then all gates are 0.
static void fade_out(pleach_session **session)
{
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    plc_pair pair;
    bool seconds[64] = {false};
    const float zero = 0.0f;

    for (int i = 0; i < (*session)->graph->n_nodes; i++)
        seconds[i] = plc_pair_find((*session)->graph, i, &pair) &&
                     strcmp((*session)->graph->nodes[pair.first].name, "stem") != 0;
    assert_ok(plc_fade_describe(ctx, (*session)->graph, seconds, true, &graph, &edits));
    rewrite(session, graph, edits, false);
    for (int i = 0; i < (*session)->graph->n_nodes; i++)
        if (plc_graph_is((*session)->graph, i, "fading_relu"))
            assert_ok(plc_buffer_write(device, (*session)->gates, (size_t)i * sizeof zero,
                                       sizeof zero, &zero));
    plc_session_touch(*session);
}

// Merges until one layer is left; returns how often.
static int merge_all(pleach_session **session)
{
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    plc_pair pair;
    int n = 0;

    for (int i = 0; i < (*session)->graph->n_nodes; i++) {
        const pleach_graph *of = (*session)->graph;
        if (!plc_pair_find(of, i, &pair) || strcmp(of->nodes[pair.first].name, "stem") == 0)
            continue;
        assert_ok(plc_merge_describe(ctx, of, i, &graph, &edits));
        rewrite(session, graph, edits, false);
        n++;
        i = 0;
    }
    return n;
}

static void fold_and_join(pleach_session **session, int n_expected)
{
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    int n_joined = 0;

    assert_ok(plc_fold_describe(ctx, (*session)->graph, &graph, &edits, NULL));
    rewrite(session, graph, edits, true);
    assert_ok(plc_join_describe(ctx, (*session)->graph, &graph, &edits, &n_joined));
    assert_int_equal(n_joined, n_expected);
    assert_int_equal(plc_graph_count_op(graph, "add"), 0);
    rewrite(session, graph, edits, true);
}

// The largest step of one training step of all weights of `node`: what is merged must train on.
static void assert_trains(pleach_session *session, const char *name)
{
    const plc_shape input = session->graph->nodes[0].shape;
    const int node = plc_graph_find(session->graph, name);
    const plc_param *weight = &session->graph->nodes[node].params[0];
    const size_t n = plc_param_count(weight);
    const int labels[BATCH] = {0, 1, 2};
    unsigned char images[BATCH * 2 * 12 * 12];
    float *gradient = calloc(n, sizeof *gradient), length = 0;

    assert_non_null(gradient);
    for (int i = 0; i < BATCH * input.c * input.h * input.w; i++)
        images[i] = (unsigned char)(i * 7);
    assert_ok(plc_session_upload(session, images, labels, BATCH, NULL));
    assert_ok(plc_session_train(session, 0));
    assert_ok(plc_buffer_read(device, session->grads,
                              (size_t)session->layout->offsets[node][0] * sizeof *gradient,
                              n * sizeof *gradient, gradient));
    for (size_t i = 0; i < n; i++)
        length += fabsf(gradient[i]);
    free(gradient);
    assert_true(isfinite(length) && length > 0);
}

static void check(const char *what, unsigned seed, const layer *layers, int n, bool shortcut)
{
    pleach_graph *graph = make_graph(seed, layers, n, shortcut);
    pleach_session *session = make_session(graph, seed);
    char name[32];

    fade_out(&session);
    const logits faded = run(session);
    assert_int_equal(merge_all(&session), n - 1);
    const logits merged = run(session);
    assert_near(what, seed, &faded, &merged);
    snprintf(name, sizeof name, "conv%d", n - 1);
    assert_true(plc_graph_find(session->graph, name) != PLC_NO_NODE);
    if (shortcut) {
        pleach_session *folded = session;
        fold_and_join(&folded, 1);
        const logits joined = run(folded);
        assert_near("joined", seed, &faded, &joined);
        session = folded;
    } else {
        assert_trains(session, name);
    }
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
}

static void two_convolutions_are_one(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < plc_test_cases(N_SEEDS); seed++) {
        layer layers[2];
        for (unsigned i = 0; i < 2; i++) {
            const int kernel = 1 + 2 * (int)pick(seed, 50 + 10 * i, 3);
            layers[i] = (layer){.kernel = kernel,
                                .stride = 1 + (int)pick(seed, 51 + 10 * i, 2),
                                .pad = (int)pick(seed, 52 + 10 * i, (unsigned)kernel / 2 + 1),
                                .groups = 1,
                                .filters = 2 + (int)pick(seed, 53 + 10 * i, 7)};
            if (layers[i].kernel > 2 * layers[i].pad + 2)
                layers[i].pad = kernel / 2; // planes of 8 pixels do not vanish
        }
        check("pair", seed, layers, 2, false);
    }
}

static void the_identity_joins_a_merged_block(void **state)
{
    (void)state;
    const layer layers[] = {{3, 1, 1, 1, 9}, {3, 1, 1, 1, 6}};

    for (unsigned seed = 0; seed < plc_test_cases(4); seed++)
        check("block", seed, layers, 2, true);
}

static void a_bottleneck_is_one_convolution_of_its_middle_kernel(void **state)
{
    (void)state;
    const layer identity[] = {{1, 1, 0, 1, 3}, {3, 1, 1, 1, 3}, {1, 1, 0, 1, 6}};
    const layer strided[] = {{1, 1, 0, 1, 4}, {3, 2, 1, 1, 5}, {1, 1, 0, 1, 8}};

    for (unsigned seed = 0; seed < plc_test_cases(4); seed++) {
        check("bottleneck", seed, identity, 3, true);
        check("strided bottleneck", seed, strided, 3, false);
    }
}

static void an_inverted_residual_is_one_dense_convolution(void **state)
{
    (void)state;
    const layer identity[] = {{1, 1, 0, 1, 12}, {3, 1, 1, 12, 12}, {1, 1, 0, 1, 6}};
    const layer strided[] = {{1, 1, 0, 1, 12}, {3, 2, 1, 12, 24}, {1, 1, 0, 1, 5}};

    for (unsigned seed = 0; seed < plc_test_cases(4); seed++) {
        check("inverted residual", seed, identity, 3, true);
        check("strided inverted residual", seed, strided, 3, false);
    }
}

static void groups_that_both_keep_apart_stay(void **state)
{
    (void)state;
    static const struct {
        layer layers[2];
        int groups;
    } cases[] = {
        {{{3, 1, 1, 6, 6}, {3, 1, 1, 6, 6}}, 6}, {{{3, 1, 1, 2, 12}, {3, 1, 1, 4, 8}}, 2},
        {{{1, 1, 0, 3, 6}, {3, 2, 1, 2, 4}}, 1}, {{{3, 1, 1, 6, 12}, {1, 1, 0, 1, 5}}, 1},
        {{{3, 2, 1, 6, 6}, {3, 1, 1, 3, 9}}, 3},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        check("groups", i, cases[i].layers, 2, false);
        pleach_graph *graph = make_graph(i, cases[i].layers, 2, false);
        pleach_session *session = make_session(graph, i);
        fade_out(&session);
        merge_all(&session);
        const int node = plc_graph_find(session->graph, "conv1");
        assert_int_equal(session->graph->nodes[node].attrs.groups, cases[i].groups);
        pleach_session_destroy(&session);
        pleach_graph_destroy(&graph);
    }
}

// With the activation as it was the padding makes the only difference, and it is one.
static void moved_padding_changes_borders_alone(void **state)
{
    (void)state;
    const layer layers[] = {{3, 1, 1, 1, 5}, {3, 1, 0, 1, 6}},
                padded[] = {{3, 1, 1, 1, 5}, {3, 1, 1, 1, 6}};

    for (int moves = 0; moves < 2; moves++) {
        pleach_graph *graph = make_graph(1, moves ? padded : layers, 2, false), *fading = NULL;
        pleach_session *session = make_session(graph, 1);
        plc_edits *edits = NULL;
        bool seconds[64] = {false};
        const logits before = run(session);
        seconds[plc_graph_find(graph, "conv1")] = true;
        assert_ok(plc_fade_describe(ctx, graph, seconds, true, &fading, &edits));
        assert_int_equal(fading->n_nodes, graph->n_nodes);
        rewrite(&session, fading, edits, false);
        const logits after = run(session);
        if (moves)
            assert_true(difference(&before, &after) > 1e-4);
        else
            assert_near("unmoved", 1, &before, &after);
        pleach_session_destroy(&session);
        pleach_graph_destroy(&graph);
    }
}

static void what_is_not_ready_is_refused(void **state)
{
    (void)state;
    const layer layers[] = {{3, 1, 1, 1, 5}, {3, 1, 1, 1, 6}};
    pleach_graph *graph = make_graph(1, layers, 2, false), *merged = NULL;
    plc_edits *edits = NULL;
    bool seconds[64] = {false};
    const int second = plc_graph_find(graph, "conv1");

    assert_int_equal(plc_merge_describe(ctx, graph, second, &merged, &edits), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "describe its fade first"));
    assert_int_equal(plc_merge_describe(ctx, graph, 2, &merged, &edits), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "is no convolution behind another one"));
    assert_int_equal(plc_merge_describe(ctx, graph, -1, &merged, &edits), PLEACH_EGRAPH);
    seconds[2] = true;
    assert_int_equal(plc_fade_describe(ctx, graph, seconds, true, &merged, &edits), PLEACH_EGRAPH);
    assert_true(!merged && !edits);
    pleach_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_convolutions_are_one),
        cmocka_unit_test(the_identity_joins_a_merged_block),
        cmocka_unit_test(a_bottleneck_is_one_convolution_of_its_middle_kernel),
        cmocka_unit_test(an_inverted_residual_is_one_dense_convolution),
        cmocka_unit_test(groups_that_both_keep_apart_stay),
        cmocka_unit_test(moved_padding_changes_borders_alone),
        cmocka_unit_test(what_is_not_ready_is_refused),
    };

    return cmocka_run_group_tests_name("merge", tests, set_up, tear_down);
}
