// What is kept trains as if what is pruned were not there: gradients of the masked network, compacted, are those
// of the compacted network, bit for bit.
#include <context.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <base/random.h>
#include <exec/session.h>
#include <platform.h>
#include <prune/pruner.h>
#include <random_graph.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <rewrite/on_host.h>

enum { BATCH = 11, CLASSES = 10, SIZE = 8, CHANNELS = 3 }; // a last block with empty lanes

static pleach_device *device;

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = plc_test_cache(), .tune = PLEACH_TUNE_OFF};

    if (make_fixture(state) != 0)
        return -1;
    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    return 0;
}

static int tear_down(void **state)
{
    pleach_device_close(&device);
    return drop_fixture(state);
}

// Gradients of one step, in an array of all parameters' size; 0 where nothing is trained.
static float *gradients(pleach_session *session)
{
    static unsigned char images[BATCH * CHANNELS * SIZE * SIZE];
    int labels[BATCH];
    float *grads = NULL;

    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (unsigned char)plc_random_u32x4(1, PLC_STREAM_TEST, 7, i).x;
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % CLASSES;
    assert_ok(plc_session_upload(session, images, labels, BATCH, NULL));
    assert_ok(plc_session_train(session, 0));
    assert_ok(plc_alloc(ctx, (size_t)session->layout->n_floats, sizeof *grads, &grads));
    assert_ok(plc_buffer_read(device, session->grads, 0,
                              (size_t)session->layout->n_trainable * sizeof *grads, grads));
    return grads;
}

static void compare(const char *model, const pleach_session *compacted, const float *expected,
                    const float *found)
{
    const plc_params_layout *layout = compacted->layout;
    bool differ = false;

    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_node *node = &compacted->graph->nodes[place->node];
        for (int j = 0; node->params[place->param].trainable && j < place->count; j++) {
            const float a = expected[place->offset + j], b = found[place->offset + j];
            if (!(a >= b && a <= b)) // as bits, but for the sign of zeros
                fail_msg("%s: %s of '%s', %d: %.9g masked, %.9g compacted", model,
                         node->params[place->param].name, node->name, j, (double)a, (double)b);
            differ |= a < 0 || a > 0;
        }
    }
    assert_true(differ);
}

// Takes graph.
static void check(pleach_graph *graph)
{
    pleach_graph *small = NULL;
    plc_channels *channels = NULL;
    plc_edits *edits = NULL;
    plc_pruner *pruner = NULL;
    pleach_session *masked = NULL, *compacted = NULL;
    unsigned char *mask = NULL;
    float *whole = NULL, *gathered = NULL, *found = NULL;
    const pleach_session_opts opts = {.seed = 3};

    assert_ok(plc_channels_create(ctx, graph, &channels));
    assert_ok(plc_random_mask(ctx, channels, 5, 0.6, &mask));
    assert_ok(pleach_session_create(ctx, graph, device, BATCH, &opts, &masked));
    assert_ok(plc_pruner_create(masked, channels, &pruner));
    assert_ok(plc_pruner_set_masks(pruner, mask));
    assert_ok(plc_compact_describe(ctx, graph, channels, mask, &small, &edits));
    assert_ok(plc_rewrite_session(masked, small, edits, false, &compacted));
    whole = gradients(masked);
    found = gradients(compacted);
    assert_ok(plc_edits_apply_on_host(ctx, graph, masked->layout, whole, edits, small,
                                      compacted->layout, &gathered));
    compare(graph->name, compacted, gathered, found);
    free(whole);
    free(gathered);
    free(found);
    free(mask);
    plc_pruner_destroy(&pruner);
    pleach_session_destroy(&compacted);
    pleach_session_destroy(&masked);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&small);
    pleach_graph_destroy(&graph);
}

static void check_model(const char *model)
{
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, model, CHANNELS, SIZE, SIZE, CLASSES, &graph));
    check(graph);
}

// A convolution (or its transpose), another operator, and only then the batch norm that its mask stands behind.
static void operators_before_the_batch_norm(void **state)
{
    static const struct {
        const char *producer, *op;
        plc_attrs attrs;
    } cases[] = {
        {"conv", "leaky_relu", {.alpha = 0.1f}},
        {"conv", "tanh", {.alpha = 0}},
        {"conv", "prelu", {.alpha = 0}},
        {"conv", "pad", {.pad = {1, 0}, .pad_after = {0, 1}}},
        {"conv", "max_pool", {.kernel = {2, 2}, .stride = {2, 2}}},
        {"conv_transpose", NULL, {.alpha = 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const plc_attrs conv = {
            .out_channels = 12, .kernel = {3, 3}, .pad = {1, 1}, .pad_after = {1, 1}};
        const plc_attrs fc = {.out_channels = CLASSES, .bias = true};
        pleach_graph *g = NULL;
        int node = 0;

        assert_ok(plc_graph_create(ctx, cases[i].op ? cases[i].op : cases[i].producer,
                                   (plc_shape){CHANNELS, SIZE, SIZE}, &g));
        assert_ok(plc_graph_add(ctx, g, "conv", "stem", &node, 1, &conv, &node));
        assert_ok(plc_graph_add(ctx, g, "batch_norm", "stem.bn", &node, 1, NULL, &node));
        assert_ok(plc_graph_add(ctx, g, "relu", "stem.relu", &node, 1, NULL, &node));
        assert_ok(plc_graph_add(ctx, g, cases[i].producer, "producer", &node, 1, &conv, &node));
        if (cases[i].op)
            assert_ok(plc_graph_add(ctx, g, cases[i].op, "op", &node, 1, &cases[i].attrs, &node));
        assert_ok(plc_graph_add(ctx, g, "batch_norm", "bn", &node, 1, NULL, &node));
        assert_ok(plc_graph_add(ctx, g, "relu", "relu", &node, 1, NULL, &node));
        assert_ok(plc_graph_add(ctx, g, "global_avg_pool", "pool", &node, 1, NULL, &node));
        assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1, &fc, &node));
        check(g);
    }
}

static void residual_blocks(void **state)
{
    (void)state;
    check_model("resnet20");
}

static void convolutions_in_a_row(void **state)
{
    (void)state;
    check_model("cnn5");
}

static void depthwise_layers(void **state)
{
    (void)state;
    check_model("mobilenet_v2");
}

// Both layers that make a pruned channel of an inverted residual learn: the depthwise one and the one before it.
static void pruned_depthwise_channels_learn(void **state)
{
    enum { HIDDEN = 6, PRUNED = 3 };
    const plc_attrs expand = {.out_channels = HIDDEN, .kernel = {1, 1}};
    const plc_attrs depthwise = {.out_channels = HIDDEN,
                                 .kernel = {3, 3},
                                 .pad = {1, 1},
                                 .pad_after = {1, 1},
                                 .groups = HIDDEN};
    const plc_attrs relu6 = {.alpha = 0, .beta = 6}, fc = {.out_channels = CLASSES, .bias = true};
    pleach_graph *g = NULL;
    plc_channels *channels = NULL;
    plc_pruner *pruner = NULL;
    pleach_session *session = NULL;
    unsigned char *mask = NULL;
    int node = 0, first, second;

    (void)state;
    assert_ok(plc_graph_create(ctx, "inverted", (plc_shape){CHANNELS, SIZE, SIZE}, &g));
    assert_ok(plc_graph_add(ctx, g, "conv", "expand", &node, 1, &expand, &first));
    assert_ok(plc_graph_add(ctx, g, "batch_norm", "bn1", &first, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "clip", "clip", &node, 1, &relu6, &node));
    assert_ok(plc_graph_add(ctx, g, "conv", "depthwise", &node, 1, &depthwise, &second));
    assert_ok(plc_graph_add(ctx, g, "batch_norm", "bn2", &second, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "relu", "relu", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "global_avg_pool", "pool", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1, &fc, &node));
    assert_ok(plc_channels_create(ctx, g, &channels));
    assert_ok(plc_random_mask(ctx, channels, 5, 0, &mask));
    for (int c = 0; c < PRUNED; c++)
        mask[plc_channels_class(channels, first, c)] = 0;
    assert_ok(
        pleach_session_create(ctx, g, device, BATCH, &(pleach_session_opts){.seed = 3}, &session));
    assert_ok(plc_pruner_create(session, channels, &pruner));
    assert_ok(plc_pruner_set_masks(pruner, mask));
    float *grads = gradients(session);
    for (int i = 0; i < 2; i++) {
        const float *of = grads + session->layout->offsets[i ? second : first][0];
        const int n = i ? 9 : CHANNELS;
        for (int c = 0; c < HIDDEN; c++) {
            float sum = 0;
            for (int j = 0; j < n; j++)
                sum += of[c * n + j] * of[c * n + j];
            if (!(sum > 0))
                fail_msg("layer %d, channel %d learns nothing", i, c);
        }
    }
    free(grads);
    free(mask);
    plc_pruner_destroy(&pruner);
    pleach_session_destroy(&session);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&g);
}

static void concatenations(void **state)
{
    (void)state;
    if (plc_test_is_quick())
        plc_test_skip("too slow a platform for densenet40");
    check_model("densenet40");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_blocks),
        cmocka_unit_test(convolutions_in_a_row),
        cmocka_unit_test(concatenations),
        cmocka_unit_test(depthwise_layers),
        cmocka_unit_test(pruned_depthwise_channels_learn),
        cmocka_unit_test(operators_before_the_batch_norm),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
