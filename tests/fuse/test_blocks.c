// Tests of src/fuse/blocks.c: which adds are residual blocks, and what is said of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fuse/blocks.h>
#include <graph/op.h>
#include <context.h>

static plc_blocks *blocks_of(const pleach_graph *graph)
{
    plc_blocks *blocks = NULL;

    assert_ok(plc_blocks_find(ctx, graph, &blocks));
    return blocks;
}

// A graph made by hand, one node after the other.
static int add(pleach_graph *graph, const char *op, const char *name, int a, int b)
{
    int node = -1;
    plc_attrs attrs = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 4};

    assert_ok(plc_graph_add(ctx, graph, op, name, (int[]){a, b}, b < 0 ? 1 : 2, &attrs, &node));
    return node;
}

static pleach_graph *new_graph(void)
{
    pleach_graph *graph = NULL;

    assert_ok(plc_graph_create(ctx, "test", (plc_shape){4, 6, 6}, &graph));
    return graph;
}

static void every_block_of_a_resnet_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int n_blocks;
    } cases[] = {
        {"resnet20", 9}, {"resnet56", 27}, {"resnet110", 54}, {"vgg16", 0}, {"densenet40", 0}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_graph *graph = NULL;
        assert_ok(pleach_graph_create(ctx, cases[i].model, 3, 32, 32, 10, &graph));
        plc_blocks *blocks = blocks_of(graph);
        assert_int_equal(blocks->n_items, cases[i].n_blocks);
        plc_blocks_destroy(&blocks);
        pleach_graph_destroy(&graph);
    }
}

static void an_identity_block_vanishes_and_a_projection_stays(void **state)
{
    (void)state;
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, "resnet20", 3, 32, 32, 10, &graph));
    plc_blocks *blocks = blocks_of(graph);
    for (int i = 0; i < blocks->n_items; i++) {
        const plc_block *b = &blocks->items[i];
        bool projection = i == 3 || i == 6; // the first of the second and third stage
        assert_int_equal(b->identity, !projection);
        assert_int_equal(b->vanishes, !projection);
        assert_int_equal(b->n_branch_nodes, 5);
        assert_int_equal(b->n_shortcut_nodes, projection ? 2 : 0);
        assert_int_equal(b->gate, b->branch);
        assert_non_null(strstr(graph->nodes[b->gate].name, ".bn2"));
        assert_non_null(strstr(graph->nodes[b->relu].name, ".relu2"));
    }
    assert_string_equal(graph->nodes[blocks->items[3].branch_nodes[0]].name, "layer2.0.conv1");
    assert_string_equal(graph->nodes[blocks->items[3].shortcut_nodes[0]].name,
                        "layer2.0.shortcut.0");
    assert_string_equal(graph->nodes[blocks->items[1].shortcut].name, "layer1.0.relu2");
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

// The image may be negative: the ReLU after the add still works once the branch is gone.
static void a_relu_after_a_signed_shortcut_is_needed(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int c = add(graph, "conv", "c", 0, -1), n = add(graph, "batch_norm", "n", c, -1);
    int s = add(graph, "add", "s", 0, n);
    add(graph, "relu", "r", s, -1);
    plc_blocks *blocks = blocks_of(graph);

    assert_int_equal(blocks->n_items, 1);
    assert_true(blocks->items[0].identity);
    assert_false(blocks->items[0].vanishes);
    assert_true(blocks->items[0].branch == n && blocks->items[0].shortcut == 0);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

// A clip from 0 makes the shortcut non-negative as a ReLU does, one from below 0 does not.
static void a_relu_after_a_clipped_shortcut_goes_where_it_was_clipped_at_zero(void **state)
{
    (void)state;
    for (int below = 0; below < 2; below++) {
        const plc_attrs bounds = {.alpha = below ? -0.5f : 0.0f, .beta = 6};
        pleach_graph *graph = new_graph();
        int x = 0;
        assert_ok(plc_graph_add(ctx, graph, "clip", "x", &(int){0}, 1, &bounds, &x));
        int c = add(graph, "conv", "c", x, -1), n = add(graph, "batch_norm", "n", c, -1);
        int s = add(graph, "add", "s", x, n);
        add(graph, "relu", "r", s, -1);
        plc_blocks *blocks = blocks_of(graph);

        assert_int_equal(blocks->n_items, 1);
        assert_true(blocks->items[0].vanishes == !below);
        plc_blocks_destroy(&blocks);
        pleach_graph_destroy(&graph);
    }
}

static void a_block_without_a_relu_vanishes(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int c = add(graph, "conv", "c", 0, -1), n = add(graph, "batch_norm", "n", c, -1);
    int s = add(graph, "add", "s", n, 0);
    add(graph, "conv", "end", s, -1);
    plc_blocks *blocks = blocks_of(graph);

    assert_int_equal(blocks->items[0].relu, PLC_NO_NODE);
    assert_true(blocks->items[0].vanishes);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

static void a_branch_that_others_read_is_no_block(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int c = add(graph, "conv", "c", 0, -1), n = add(graph, "batch_norm", "n", c, -1);
    int s = add(graph, "add", "s", 0, n);
    add(graph, "concat", "end", s, c); // reads the inside of the branch
    plc_blocks *blocks = blocks_of(graph);

    assert_int_equal(blocks->n_items, 0);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

static void an_add_without_layers_is_no_block(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int r = add(graph, "relu", "r", 0, -1), s = add(graph, "add", "s", r, 0);
    add(graph, "add", "t", s, s);
    plc_blocks *blocks = blocks_of(graph);

    assert_int_equal(blocks->n_items, 0);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

static void the_gate_may_stand_before_a_relu_or_a_pool(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int x = add(graph, "relu", "x", 0, -1);
    int c = add(graph, "conv", "c", x, -1), n = add(graph, "batch_norm", "n", c, -1);
    int p = add(graph, "max_pool", "p", add(graph, "relu", "r", n, -1), -1);
    int s = add(graph, "add", "s", x, p);
    int d = add(graph, "conv", "d", s, -1);
    add(graph, "add", "t", s, d);
    plc_blocks *blocks = blocks_of(graph);

    assert_int_equal(blocks->n_items, 2);
    assert_int_equal(blocks->items[0].gate, n);
    assert_int_equal(blocks->items[1].gate, PLC_NO_NODE); // a convolution without a batch norm
    assert_int_equal(blocks->items[1].branch, d);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

// Sums of sums read by sums: paths double at every node, time must not.
static void deep_sums_take_no_exponential_time(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph();
    int at = add(graph, "relu", "x", 0, -1);
    char name[16];

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "s%d", i);
        at = add(graph, "add", name, at, at);
    }
    int c = add(graph, "conv", "c", at, -1), n = add(graph, "batch_norm", "n", c, -1);
    add(graph, "relu", "r", add(graph, "add", "s", at, n), -1);
    plc_blocks *blocks = blocks_of(graph);
    assert_int_equal(blocks->n_items, 1);
    assert_true(blocks->items[0].vanishes);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_of_a_resnet_is_found),
        cmocka_unit_test(an_identity_block_vanishes_and_a_projection_stays),
        cmocka_unit_test(a_relu_after_a_signed_shortcut_is_needed),
        cmocka_unit_test(a_relu_after_a_clipped_shortcut_goes_where_it_was_clipped_at_zero),
        cmocka_unit_test(a_block_without_a_relu_vanishes),
        cmocka_unit_test(a_branch_that_others_read_is_no_block),
        cmocka_unit_test(an_add_without_layers_is_no_block),
        cmocka_unit_test(the_gate_may_stand_before_a_relu_or_a_pool),
        cmocka_unit_test(deep_sums_take_no_exponential_time),
    };

    return cmocka_run_group_tests_name("blocks", tests, make_fixture, drop_fixture);
}
