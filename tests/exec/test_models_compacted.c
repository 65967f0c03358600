// Masked and compacted networks of the models that users know give the same bits: bottlenecks, inverted residuals,
// concatenations, large linear layers, both stems.
#include <context.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <base/random.h>
#include <exec/session.h>
#include <kernel/kernels.h>
#include <platform.h>
#include <prune/pruner.h>
#include <random_graph.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>

enum { BATCH = 3, CLASSES = 10, SMALL = 32, LARGE = 64 };

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

// Logits of inference, which is on channel lanes where the device has them, or of a training pass.
static void logits_of(pleach_session *session, const unsigned char *images, bool training,
                      float logits[BATCH * CLASSES])
{
    if (!training) {
        assert_ok(pleach_session_predict(session, images, BATCH, logits));
        return;
    }
    assert_ok(plc_session_upload(session, images, NULL, BATCH, NULL));
    assert_ok(plc_session_forward(session, 0));
    assert_ok(plc_session_read_logits(session, true, BATCH, logits));
}

static void compare(const char *model, int size, pleach_session *masked, pleach_session *compacted)
{
    float a[BATCH * CLASSES], b[BATCH * CLASSES];
    const size_t n_bytes = (size_t)(BATCH * 3 * size * size);
    unsigned char *images = NULL;
    bool differ = false;

    assert_ok(plc_alloc(ctx, n_bytes, 1, &images));
    for (size_t i = 0; i < n_bytes; i++)
        images[i] = (unsigned char)plc_random_u32x4(1, PLC_STREAM_TEST, 7, i).x;
    for (int training = 0; training < 2; training++) {
        logits_of(masked, images, training, a);
        logits_of(compacted, images, training, b);
        for (int i = 0; i < BATCH * CLASSES; i++) {
            if (memcmp(&a[i], &b[i], sizeof a[i]) != 0)
                fail_msg("%s at %d, %s, logit %d: %.9g and %.9g", model, size,
                         training ? "training" : "inference", i, (double)a[i], (double)b[i]);
            differ |= a[i] != a[0];
        }
    }
    assert_true(differ);
    free(images);
}

// A network compacted by another mask.
static void make_another(pleach_session *masked, const pleach_graph *graph,
                         const plc_channels *channels)
{
    pleach_graph *small = NULL;
    plc_edits *edits = NULL;
    pleach_session *compacted = NULL;
    unsigned char *mask = NULL;

    assert_ok(plc_random_mask(ctx, channels, 6, 0.4, &mask));
    assert_ok(plc_compact_describe(ctx, graph, channels, mask, &small, &edits));
    assert_ok(plc_rewrite_session(masked, small, edits, false, &compacted));
    pleach_session_destroy(&compacted);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&small);
    free(mask);
}

static void check(const char *model, int size)
{
    pleach_graph *graph = NULL, *small = NULL;
    plc_channels *channels = NULL;
    plc_edits *edits = NULL;
    plc_pruner *pruner = NULL;
    pleach_session *masked = NULL, *compacted = NULL;
    unsigned char *mask = NULL;
    const pleach_session_opts opts = {.seed = 3};

    assert_ok(pleach_graph_create(ctx, model, 3, size, size, CLASSES, &graph));
    assert_ok(plc_channels_create(ctx, graph, &channels));
    assert_ok(plc_random_mask(ctx, channels, 5, 0.6, &mask));
    assert_ok(pleach_session_create(ctx, graph, device, BATCH, &opts, &masked));
    assert_ok(plc_pruner_create(masked, channels, &pruner));
    assert_ok(plc_pruner_set_masks(pruner, mask));
    assert_ok(plc_compact_describe(ctx, graph, channels, mask, &small, &edits));
    assert_true(pleach_graph_macs(small) < pleach_graph_macs(graph) / 2);
    // Sizes are arguments: the kernels that made another one make this one too.
    make_another(masked, graph, channels);
    const plc_build_counts before = plc_kernels_counts(device);
    assert_ok(plc_rewrite_session(masked, small, edits, false, &compacted));
    const plc_build_counts after = plc_kernels_counts(device);
    assert_memory_equal(&before, &after, sizeof before);
    compare(model, size, masked, compacted);
    plc_pruner_destroy(&pruner);
    pleach_session_destroy(&compacted);
    pleach_session_destroy(&masked);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&small);
    pleach_graph_destroy(&graph);
    free(mask);
}

static void basic_blocks(void **state)
{
    (void)state;
    check("resnet18", LARGE);
    if (!plc_test_is_quick())
        check("resnet34", SMALL);
}

static void bottlenecks(void **state)
{
    (void)state;
    if (plc_test_is_quick())
        plc_test_skip("too slow a platform for resnet50");
    check("resnet50", LARGE);
    check("resnet50", SMALL);
}

static void inverted_residuals(void **state)
{
    (void)state;
    check("mobilenet_v2", LARGE);
    check("mobilenet_v2", SMALL);
}

static void concatenations(void **state)
{
    (void)state;
    if (plc_test_is_quick())
        plc_test_skip("too slow a platform for densenet121");
    check("densenet121", LARGE);
    check("densenet121", SMALL);
}

static void large_linear_layers(void **state)
{
    (void)state;
    if (plc_test_is_quick())
        plc_test_skip("too slow a platform for vgg16_bn");
    check("vgg16_bn", SMALL);
    check("vgg16_bn", LARGE); // 2 x 2 pixels to flatten
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_blocks),        cmocka_unit_test(bottlenecks),
        cmocka_unit_test(inverted_residuals),  cmocka_unit_test(concatenations),
        cmocka_unit_test(large_linear_layers),
    };

    return cmocka_run_group_tests_name("masked and compacted models", tests, set_up, tear_down);
}
