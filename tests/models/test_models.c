// Tests of src/models: sizes known from the literature, names, channel groups counted by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <graph/channels.h>
#include <graph/op.h>
#include <models/models.h>

static pleach_ctx *ctx;

static int make_fixture(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) != PLEACH_OK;
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return 0;
}

static pleach_graph *build(const char *model, int channels, int size)
{
    pleach_graph *graph = NULL;

    if (pleach_graph_create(ctx, model, channels, size, size, 10, &graph) != PLEACH_OK)
        fail_msg("%s: %s", model, pleach_error(ctx));
    return graph;
}

static int count_op(const pleach_graph *graph, const char *op)
{
    int n = 0;

    for (int i = 0; i < graph->n_nodes; i++)
        n += strcmp(graph->nodes[i].op->name, op) == 0;
    return n;
}

// MACs at 3 x 32 x 32 as the literature rounds them: ResNet-20 41 M, 56 126 M, 110 254 M (identity
// shortcuts there), VGG-16 314 M, DenseNet-40 0.53 GFLOP. Parameters with projections: 0.27, 0.86,
// 1.73, 14.7 and 1.02 M. Groups: free ones.
static const struct {
    const char *model;
    long long macs, params;
    int n_convs, n_groups;
} known[] = {
    {"cnn5", 3982592, 98970, 4, 4},
    {"resnet20", 40813184, 272474, 21, 3 + 9},
    {"resnet32", 69124736, 466906, 33, 3 + 15},
    {"resnet44", 97436288, 661338, 45, 3 + 21},
    {"resnet56", 125747840, 855770, 57, 3 + 27},
    {"resnet110", 253149824, 1730714, 111, 3 + 54},
    {"vgg16", 313201664, 14724042, 13, 13},
    {"densenet40", 264812928, 1019722, 39, 3 * (1 + 12)},
};
enum { N_KNOWN = sizeof known / sizeof *known };

static void sizes_and_groups_are_those_of_the_literature(void **state)
{
    (void)state;
    for (int i = 0; i < N_KNOWN; i++) {
        pleach_graph *graph = build(known[i].model, 3, 32);
        plc_channels *channels = NULL;
        int n_free = 0;
        assert_int_equal(plc_channels_create(ctx, graph, &channels), PLEACH_OK);
        for (int g = 0; g < plc_channels_n_groups(channels); g++)
            n_free += !plc_channels_group(channels, g)->frozen;
        assert_int_equal(pleach_graph_macs(graph), known[i].macs);
        assert_int_equal(pleach_graph_params(graph), known[i].params);
        assert_int_equal(count_op(graph, "conv"), known[i].n_convs);
        assert_int_equal(n_free, known[i].n_groups);
        assert_int_equal(graph->nodes[graph->n_nodes - 1].shape.c, 10);
        plc_channels_destroy(&channels);
        pleach_graph_destroy(&graph);
    }
}

// Parameters as torchvision counts them, with 1000 classes at 224 x 224; MACs as it gives GFLOPS, in M.
static const struct {
    const char *model, *some_node;
    long long params;
    int mega_macs;
} imagenet[] = {
    {"resnet18", "layer2.0.downsample.1", 11689512, 1814},
    {"resnet34", "layer3.5.conv2", 21797672, 3664},
    {"resnet50", "layer4.2.bn3", 25557032, 4089},
    {"mobilenet_v2", "features.17.conv.2", 3504872, 301},
    {"densenet121", "features.denseblock4.denselayer16.conv2", 7978856, 2834},
    {"vgg16_bn", "features.40", 138365992, 15470},
};
enum { N_IMAGENET = sizeof imagenet / sizeof *imagenet };

static void networks_of_imagenet_are_as_large_as_torchvisions(void **state)
{
    (void)state;
    for (int i = 0; i < N_IMAGENET; i++) {
        pleach_graph *graph = NULL;
        if (pleach_graph_create(ctx, imagenet[i].model, 3, 224, 224, 1000, &graph) != PLEACH_OK)
            fail_msg("%s: %s", imagenet[i].model, pleach_error(ctx));
        if (pleach_graph_params(graph) != imagenet[i].params ||
            llabs(pleach_graph_macs(graph) / 1000000 - imagenet[i].mega_macs) > 1)
            fail_msg("%s: %lld parameters, %lld MACs", imagenet[i].model,
                     pleach_graph_params(graph), pleach_graph_macs(graph));
        if (plc_graph_find(graph, imagenet[i].some_node) == PLC_NO_NODE)
            fail_msg("%s has no '%s'", imagenet[i].model, imagenet[i].some_node);
        pleach_graph_destroy(&graph);
    }
}

static void their_stems_keep_the_size_of_small_images(void **state)
{
    (void)state;
    static const char *const stems[] = {"relu",         "relu",           "relu",
                                        "features.0.2", "features.relu0", "features.2"};

    for (int i = 0; i < N_IMAGENET; i++) {
        pleach_graph *small = build(imagenet[i].model, 3, 32),
                     *large = build(imagenet[i].model, 3, 64);
        const plc_shape *stem = &small->nodes[plc_graph_find(small, stems[i])].shape;
        assert_true(stem->h == 32 && stem->w == 32);
        if (i + 1 < N_IMAGENET) // VGG's stem is the same for all
            assert_int_equal(large->nodes[plc_graph_find(large, stems[i])].shape.h, 32);
        assert_int_equal(small->nodes[small->n_nodes - 1].shape.c, 10);
        pleach_graph_destroy(&large);
        pleach_graph_destroy(&small);
    }
}

// Nothing but images and logits is frozen: an operator without a rule would freeze its neighbours.
static void all_their_channels_can_be_pruned(void **state)
{
    (void)state;
    for (int i = 0; i < N_IMAGENET; i++) {
        pleach_graph *graph = build(imagenet[i].model, 3, 32);
        plc_channels *channels = NULL;
        int n_frozen = 0;
        assert_int_equal(plc_channels_create(ctx, graph, &channels), PLEACH_OK);
        for (int g = 0; g < plc_channels_n_groups(channels); g++)
            n_frozen += plc_channels_group(channels, g)->frozen;
        assert_int_equal(n_frozen, 2);
        plc_channels_destroy(&channels);
        pleach_graph_destroy(&graph);
    }
}

static void models_survive_json(void **state)
{
    (void)state;
    for (int i = 0; i < N_KNOWN; i++) {
        pleach_graph *graph = build(known[i].model, 1, 28), *back = NULL;
        char *text = NULL, *again = NULL;
        assert_int_equal(plc_graph_to_json(ctx, graph, &text), PLEACH_OK);
        assert_int_equal(plc_graph_from_json(ctx, text, strlen(text), &back), PLEACH_OK);
        assert_int_equal(plc_graph_to_json(ctx, back, &again), PLEACH_OK);
        assert_string_equal(text, again);
        free(text);
        free(again);
        pleach_graph_destroy(&back);
        pleach_graph_destroy(&graph);
    }
}

static void resnet_is_named_like_pytorch(void **state)
{
    (void)state;
    static const char *const names[] = {"conv1",
                                        "bn1",
                                        "relu",
                                        "layer1.0.conv1",
                                        "layer1.0.bn1",
                                        "layer1.0.relu2",
                                        "layer1.2.bn2",
                                        "layer2.0.shortcut.0",
                                        "layer2.0.shortcut.1",
                                        "layer3.0.shortcut.0",
                                        "layer3.2.conv2",
                                        "fc"};
    pleach_graph *graph = build("resnet20", 3, 32);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (plc_graph_find(graph, names[i]) == PLC_NO_NODE)
            fail_msg("resnet20 has no '%s'", names[i]);
    assert_int_equal(plc_graph_find(graph, "layer1.0.shortcut.0"), PLC_NO_NODE);
    pleach_graph_destroy(&graph);
}

// The trunk of a stage: stem or projection, the second convolution of every block, what is added.
static void a_resnet_trunk_is_one_group_across_its_stage(void **state)
{
    (void)state;
    static const char *const trunk[] = {"layer2.0.bn2", "layer2.0.shortcut.1", "layer2.1.add",
                                        "layer2.2.conv2", "layer2.2.relu2"};
    pleach_graph *graph = build("resnet20", 3, 32);
    plc_channels *channels = NULL;

    assert_int_equal(plc_channels_create(ctx, graph, &channels), PLEACH_OK);
    int first = plc_channels_class(channels, plc_graph_find(graph, "layer2.0.conv2"), 3);
    for (size_t i = 0; i < sizeof trunk / sizeof *trunk; i++)
        assert_int_equal(plc_channels_class(channels, plc_graph_find(graph, trunk[i]), 3), first);
    assert_int_not_equal(plc_channels_class(channels, plc_graph_find(graph, "layer2.1.conv1"), 3),
                         first);
    assert_int_not_equal(plc_channels_class(channels, plc_graph_find(graph, "layer1.2.add"), 3),
                         first);
    assert_int_equal(
        plc_channels_group(channels, plc_channels_group_of(channels, first))->n_classes, 32);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

static void vgg_leaves_out_the_pool_that_a_small_image_cannot_take(void **state)
{
    (void)state;
    pleach_graph *at32 = build("vgg16", 3, 32), *at28 = build("vgg16", 1, 28);

    assert_int_equal(count_op(at32, "max_pool"), 5);
    assert_int_equal(count_op(at28, "max_pool"), 4);
    assert_int_equal(at28->nodes[plc_graph_find(at28, "classifier")].params[0].dims[1], 512);
    pleach_graph_destroy(&at28);
    pleach_graph_destroy(&at32);
}

static void cnn5_comes_near_the_macs_that_are_asked(void **state)
{
    (void)state;
    for (long long macs = 1000000; macs < 500000000; macs = macs * 7 / 3) {
        pleach_graph *graph = NULL;
        plc_shape input = {1, 28, 28};
        assert_int_equal(plc_model_cnn5_for_macs(ctx, input, 10, macs, &graph), PLEACH_OK);
        long long found = pleach_graph_macs(graph);
        if (llabs(found - macs) > macs * 3 / 100)
            fail_msg("asked for %lld MACs, found %lld", macs, found);
        pleach_graph_destroy(&graph);
    }
}

static void an_unknown_model_is_answered_with_the_nearest(void **state)
{
    (void)state;
    pleach_graph *graph = NULL;

    assert_int_equal(pleach_graph_create(ctx, "resnet57", 3, 32, 32, 10, &graph), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(ctx), "did you mean 'resnet56'?"));
    assert_int_equal(pleach_graph_create(ctx, "inception", 3, 32, 32, 10, &graph), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(ctx), "densenet40"));
    assert_null(graph);
}

static void an_impossible_size_is_refused_by_name(void **state)
{
    (void)state;
    static const int sizes[][3] = {
        {3, 0, 10}, {0, 32, 10}, {3, 3, 10}, {3, 32, 0}, {3, 1 << 30, 10}};
    pleach_graph *graph = NULL;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int status = pleach_graph_create(ctx, "densenet40", sizes[i][0], sizes[i][1], sizes[i][1],
                                         sizes[i][2], &graph);
        assert_int_equal(status, PLEACH_EGRAPH);
        assert_null(graph);
        assert_non_null(strstr(pleach_error(ctx), "densenet40 for"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_groups_are_those_of_the_literature),
        cmocka_unit_test(networks_of_imagenet_are_as_large_as_torchvisions),
        cmocka_unit_test(their_stems_keep_the_size_of_small_images),
        cmocka_unit_test(all_their_channels_can_be_pruned),
        cmocka_unit_test(models_survive_json),
        cmocka_unit_test(resnet_is_named_like_pytorch),
        cmocka_unit_test(a_resnet_trunk_is_one_group_across_its_stage),
        cmocka_unit_test(vgg_leaves_out_the_pool_that_a_small_image_cannot_take),
        cmocka_unit_test(cnn5_comes_near_the_macs_that_are_asked),
        cmocka_unit_test(an_unknown_model_is_answered_with_the_nearest),
        cmocka_unit_test(an_impossible_size_is_refused_by_name),
    };

    return cmocka_run_group_tests_name("models", tests, make_fixture, drop_fixture);
}
