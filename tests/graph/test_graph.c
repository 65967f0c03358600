// Tests of src/graph and of the operators' shape and channel rules.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <graph/channels.h>
#include <graph/kept.h>
#include <graph/op.h>

#include "random_graph.h"

enum { N_SEEDS = 60 };

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

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(ctx));                                          \
    } while (0)

static void assert_error_has(const char *text)
{
    if (!strstr(pleach_error(ctx), text))
        fail_msg("expected '%s' in the error: %s", text, pleach_error(ctx));
}

static pleach_graph *new_graph(int c, int h, int w)
{
    pleach_graph *graph = NULL;

    assert_ok(plc_graph_create(ctx, "test", (plc_shape){c, h, w}, &graph));
    return graph;
}

static int add(pleach_graph *graph, const char *op, const char *name, int input, plc_attrs attrs)
{
    int node = -1;

    assert_ok(plc_graph_add(ctx, graph, op, name, &input, 1, &attrs, &node));
    return node;
}

static int conv(pleach_graph *graph, const char *name, int input, int filters, int groups)
{
    return add(
        graph, "conv", name, input,
        (plc_attrs){.kernel = {3, 3}, .pad = {1, 1}, .out_channels = filters, .groups = groups});
}

static int join(pleach_graph *graph, const char *op, const char *name, int a, int b)
{
    int node = -1;

    assert_ok(plc_graph_add(ctx, graph, op, name, (int[]){a, b}, 2, NULL, &node));
    return node;
}

static plc_channels *channels_of(const pleach_graph *graph)
{
    plc_channels *channels = NULL;

    assert_ok(plc_channels_create(ctx, graph, &channels));
    return channels;
}

static void zero_attributes_mean_the_usual_defaults(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(3, 8, 8);
    int c = add(graph, "conv", "c", 0, (plc_attrs){.kernel = {3, 3}, .out_channels = 4});
    int b = add(graph, "batch_norm", "b", c, (plc_attrs){.kernel = {9, 9}});
    const plc_attrs *a = &graph->nodes[c].attrs;

    assert_true(a->stride[0] == 1 && a->dilation[1] == 1 && a->groups == 1 && a->pad[0] == 0);
    assert_true(graph->nodes[c].shape.c == 4 && graph->nodes[c].shape.h == 6);
    assert_true(graph->nodes[b].attrs.eps == 1e-5f && graph->nodes[b].attrs.momentum == 0.1f);
    assert_int_equal(graph->nodes[b].attrs.kernel[0], 0); // not read: not kept
    pleach_graph_destroy(&graph);
}

static void nodes_that_do_not_fit_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *op, *name;
        int inputs[2], n_inputs;
        plc_attrs attrs;
        const char *expected;
    } cases[] = {
        {"conv", "x", {0}, 1, {.kernel = {3, 3}}, "0 output channels"},
        {"conv",
         "x",
         {0},
         1,
         {.kernel = {9, 3}, .out_channels = 1},
         "spans 9 pixels along the height"},
        {"conv", "x", {0}, 1, {.kernel = {5, 5}, .dilation = {2, 2}, .out_channels = 1}, "spans 9"},
        {"conv", "x", {0}, 1, {.kernel = {3, -3}, .out_channels = 1}, "kernel is -3"},
        {"conv",
         "x",
         {0},
         1,
         {.kernel = {3, 3}, .stride = {-1, 1}, .out_channels = 1},
         "stride is -1"},
        {"conv", "x", {0}, 1, {.kernel = {3, 3}, .pad = {0, 1 << 20}, .out_channels = 1}, "pad is"},
        {"conv",
         "x",
         {0},
         1,
         {.kernel = {3, 3}, .groups = 4, .out_channels = 8},
         "4 groups do not divide"},
        {"conv", "x", {0}, 1, {.kernel = {1, 1}, .out_channels = INT32_MAX}, "product at most"},
        {"conv",
         "x",
         {0},
         1,
         {.kernel = {8, 8}, .out_channels = INT32_MAX / 4},
         "more than 2147483647"},
        {"conv", "x", {0}, 0, {.kernel = {1, 1}, .out_channels = 1}, "0 inputs, expected 1"},
        {"linear", "x", {0}, 1, {.out_channels = 3}, "expected a vector"},
        {"add", "x", {0}, 1, {.groups = 0}, "1 inputs, expected 2"},
        {"add", "x", {0, 1}, 2, {.groups = 0}, "'input' is 3 x 8 x 8, 'small' is 5 x 4 x 4"},
        {"concat", "x", {0, 1}, 2, {.groups = 0}, "'small' is 4 x 4"},
        {"concat", "x", {0}, 0, {.groups = 0}, "0 inputs, expected at least 1"},
        {"max_pool", "x", {0}, 1, {.kernel = {2, 2}, .pad = {2, 2}}, "padding alone"},
        {"max_pool",
         "x",
         {0},
         1,
         {.kernel = {2, 2}, .pad = {1, 1}, .pad_more = {INT32_MAX, 0}},
         "pad_more is"},
        {"max_pool",
         "x",
         {1},
         1,
         {.kernel = {2, 2}, .pad = {1, 1}, .dilation = {5, 5}},
         "padding alone"},
        {"batch_norm", "x", {0}, 1, {.eps = -1}, "eps is -1"},
        {"batch_norm", "x", {0}, 1, {.momentum = 2}, "momentum is 2"},
        {"relu", "x", {2}, 1, {.groups = 0}, "node 2, but only nodes 0 to 1"},
        {"relu", "x", {-1}, 1, {.groups = 0}, "node -1"},
        {"relu", "small", {0}, 1, {.groups = 0}, "another node has this name"},
        {"relu", "", {0}, 1, {.groups = 0}, "0 bytes"},
        {"relu", "a\nb", {0}, 1, {.groups = 0}, "control character"},
        {"input", "x", {0}, 0, {.groups = 0}, "a graph has one input"},
        {"rellu", "x", {0}, 1, {.groups = 0}, "did you mean 'relu'?"},
        {"attention", "x", {0}, 1, {.groups = 0}, "unknown operator 'attention'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_graph *graph = new_graph(3, 8, 8);
        add(graph, "conv", "small", 0,
            (plc_attrs){.kernel = {2, 2}, .stride = {2, 2}, .out_channels = 5});
        int status = plc_graph_add(ctx, graph, cases[i].op, cases[i].name, cases[i].inputs,
                                   cases[i].n_inputs, &cases[i].attrs, NULL);
        if (status != PLEACH_EGRAPH)
            fail_msg("case %zu (%s): status %d", i, cases[i].expected, status);
        assert_error_has(cases[i].expected);
        assert_int_equal(graph->n_nodes, 2);
        pleach_graph_destroy(&graph);
    }
}

static void a_pool_gives_the_floor_of_its_windows(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(2, 7, 8);
    int p = add(graph, "max_pool", "p", 0,
                (plc_attrs){.kernel = {3, 2}, .stride = {2, 2}, .pad = {1, 0}});
    int q = add(graph, "avg_pool", "q", 0, (plc_attrs){.kernel = {2, 3}, .stride = {2, 2}});

    assert_true(graph->nodes[p].shape.h == 4 && graph->nodes[p].shape.w == 4);
    assert_true(graph->nodes[q].shape.h == 3 && graph->nodes[q].shape.w == 3);
    pleach_graph_destroy(&graph);
}

static void check_finds_what_was_broken_by_hand(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(3, 8, 8);
    int c = conv(graph, "c", 0, 4, 1), d = conv(graph, "d", c, 4, 1);

    assert_ok(plc_graph_check(ctx, graph));
    assert_int_equal(graph->nodes[c].n_params, 1);
    graph->nodes[d].inputs[0] = d;
    assert_int_equal(plc_graph_check(ctx, graph), PLEACH_EGRAPH);
    graph->nodes[d].inputs[0] = c;
    graph->nodes[d].name[0] = 'c';
    assert_int_equal(plc_graph_check(ctx, graph), PLEACH_EGRAPH);
    assert_error_has("two nodes are named 'c'");
    pleach_graph_destroy(&graph);
}

static void random_graphs_use_every_operator(void **state)
{
    (void)state;
    int n_ops = 0;
    const struct op *const *table = plc_op_table(&n_ops);
    bool used[64] = {false};

    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        assert_ok(plc_graph_check(ctx, graph));
        for (int i = 0; i < graph->n_nodes; i++)
            for (int j = 0; j < n_ops; j++)
                used[j] |= graph->nodes[i].op == table[j];
        pleach_graph_destroy(&graph);
    }
    for (int j = 0; j < n_ops; j++)
        if (!used[j])
            fail_msg("no random graph uses %s", table[j]->name);
}

static void assert_same_graph(const pleach_graph *a, const pleach_graph *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int i = 0; i < a->n_nodes; i++) {
        const plc_node *x = &a->nodes[i], *y = &b->nodes[i];
        assert_ptr_equal(x->op, y->op);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->n_inputs, y->n_inputs);
        assert_memory_equal(x->inputs, y->inputs, (size_t)x->n_inputs * sizeof *x->inputs);
        assert_memory_equal(&x->shape, &y->shape, sizeof x->shape);
        assert_memory_equal(x->attrs.kernel, y->attrs.kernel, offsetof(plc_attrs, bias));
        assert_true(x->attrs.bias == y->attrs.bias && x->attrs.eps == y->attrs.eps &&
                    x->attrs.momentum == y->attrs.momentum);
        assert_int_equal(x->n_params, y->n_params);
    }
}

static void a_graph_survives_json_and_copying(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL, *back = NULL, *copy = NULL;
        char *text = NULL;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        assert_ok(plc_graph_to_json(ctx, graph, &text));
        assert_ok(plc_graph_from_json(ctx, text, strlen(text), &back));
        assert_ok(plc_graph_copy(ctx, graph, &copy));
        assert_same_graph(graph, back);
        assert_same_graph(graph, copy);
        free(text);
        pleach_graph_destroy(&copy);
        pleach_graph_destroy(&back);
        pleach_graph_destroy(&graph);
    }
}

static void every_float_survives_json(void **state)
{
    const float floats[] = {-FLT_MAX, -0.33333334f, -FLT_MIN, -FLT_TRUE_MIN, -0.0f,
                            0,        1e-40f,       FLT_MIN,  0.1f,          FLT_MAX};
    enum { N = sizeof floats / sizeof *floats };
    pleach_graph *graph = new_graph(1, 2, 2), *back = NULL;
    char *text = NULL;

    (void)state;
    for (int i = 0; i + 1 < N; i++) {
        char name[16];

        snprintf(name, sizeof name, "clip%d", i);
        add(graph, "clip", name, i, (plc_attrs){.alpha = floats[i], .beta = floats[i + 1]});
    }
    assert_ok(plc_graph_to_json(ctx, graph, &text));
    assert_ok(plc_graph_from_json(ctx, text, strlen(text), &back));
    for (int i = 0; i + 1 < N; i++) { // as bits: -0 is not 0
        assert_memory_equal(&back->nodes[1 + i].attrs.alpha, &floats[i], sizeof *floats);
        assert_memory_equal(&back->nodes[1 + i].attrs.beta, &floats[i + 1], sizeof *floats);
    }
    free(text);
    pleach_graph_destroy(&back);
    pleach_graph_destroy(&graph);
}

#define HEAD "{\"format\":\"pleach.graph/1\",\"name\":\"n\",\"input\":[3,8,8],\"nodes\":["

static void bad_json_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "line"},
        {"[]", "\"format\" must be a string"},
        {"{\"format\":\"pleach.graph/2\"}", "format is \"pleach.graph/2\""},
        {"{\"format\":\"a\",\"format\":\"b\"}", "duplicate"},
        {"{\"format\":\"pleach.graph/1\",\"name\":\"n\",\"input\":[3,8],\"nodes\":[]}",
         "\"input\" must be"},
        {"{\"format\":\"pleach.graph/1\",\"name\":\"n\",\"input\":[3,8,0],\"nodes\":[]}",
         "3 x 8 x 0"},
        {"{\"format\":\"pleach.graph/1\",\"name\":\"n\",\"input\":[3,8,99999999999],\"nodes\":[]}",
         "2147483647"},
        {"{\"format\":\"pleach.graph/"
         "1\",\"name\":\"n\",\"input\":[2147483647,2147483647,2147483647],"
         "\"nodes\":[]}",
         "product at most"},
        {"{\"format\":\"pleach.graph/1\",\"name\":\"n\",\"input\":[3,8,8],\"nodes\":{}}",
         "\"nodes\" must be"},
        {HEAD "3]}", "node 1 ('?'): \"name\" must be a string"},
        {HEAD "{\"name\":\"r\",\"inputs\":[]}]}", "node 1 ('r'): \"op\" must be a string"},
        {HEAD "{\"name\":\"r\",\"op\":\"relu\"}]}", "\"inputs\" must be"},
        {HEAD "{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[0]}]}", "\"inputs\" must be"},
        {HEAD "{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[\"r\"]}]}",
         "no earlier node is named 'r'"},
        {HEAD "{\"name\":\"r\",\"op\":\"reluu\",\"inputs\":[\"input\"]}]}", "did you mean 'relu'?"},
        {HEAD "{\"name\":\"r\",\"op\":\"relu\",\"inputs\":[\"input\"],\"kernel\":[1,1]}]}",
         "operator 'relu' has no attribute \"kernel\""},
        {HEAD "{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],\"kernel\":3}]}",
         "array of 2 integers"},
        {HEAD
         "{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],\"kernel\":[3,3],\"bias\":1}]}",
         "\"bias\" must be true or false"},
        {HEAD "{\"name\":\"c\",\"op\":\"conv\",\"inputs\":[\"input\"],\"kernel\":[3,-3]}]}",
         "kernel is -3"},
        {HEAD "{\"name\":\"b\",\"op\":\"batch_norm\",\"inputs\":[\"input\"],\"eps\":1e300}]}",
         "a number that a float holds"},
        {HEAD
         "{\"name\":\"b\",\"op\":\"batch_norm\",\"inputs\":[\"input\"],\"eps\":3.4028236e38}]}",
         "a number that a float holds"},
        {HEAD "{\"name\":\"b\",\"op\":\"batch_norm\",\"inputs\":[\"input\"],\"eps\":\"1\"}]}",
         "a number that a float holds"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_graph *graph = NULL;
        int status = plc_graph_from_json(ctx, cases[i].text, strlen(cases[i].text), &graph);
        if (status != PLEACH_EINPUT && status != PLEACH_EGRAPH)
            fail_msg("%s: status %d", cases[i].text, status);
        assert_null(graph);
        assert_error_has(cases[i].expected);
    }
}

static void damaged_json_never_does_harm(void **state)
{
    (void)state;
    pleach_graph *graph = NULL;
    char *text = NULL;

    assert_ok(plc_random_graph(ctx, 7, &graph));
    assert_ok(plc_graph_to_json(ctx, graph, &text));
    pleach_graph_destroy(&graph);
    size_t length = strlen(text);
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_not_equal(plc_graph_from_json(ctx, text, cut, &graph), PLEACH_OK);
        assert_null(graph);
    }
    for (size_t at = 0; at < length; at++)
        for (const char *c = "09-]\"\\\x80"; *c; c++) {
            char kept = text[at];
            text[at] = *c;
            if (plc_graph_from_json(ctx, text, length, &graph) == PLEACH_OK)
                assert_ok(plc_graph_check(ctx, graph));
            pleach_graph_destroy(&graph);
            text[at] = kept;
        }
    free(text);
}

static void layout_puts_trainable_parameters_first_without_gaps(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL;
        plc_params_layout *layout = NULL;
        int at = 0;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        assert_ok(plc_params_layout_create(ctx, graph, &layout));
        for (int i = 0; i < layout->n_places; i++) {
            const plc_param_place *p = &layout->places[i];
            const plc_param *param = &graph->nodes[p->node].params[p->param];
            assert_int_equal(p->offset, at);
            assert_int_equal(p->offset, layout->offsets[p->node][p->param]);
            assert_int_equal(p->count, plc_param_count(param));
            assert_int_equal(param->trainable, p->offset < layout->n_trainable);
            at += p->count;
        }
        assert_int_equal(at, layout->n_floats);
        assert_int_equal(layout->n_trainable, pleach_graph_params(graph));
        plc_params_layout_destroy(&layout);
        pleach_graph_destroy(&graph);
    }
}

static void parameters_are_named_after_their_node(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(1, 2, 2);
    char text[PLC_PARAM_NAME_MAX];

    add(graph, "batch_norm", "layer1.bn", 0, (plc_attrs){0});
    plc_param_name(&graph->nodes[1], 3, text, sizeof text);
    assert_string_equal(text, "layer1.bn.running_var");
    pleach_graph_destroy(&graph);
}

static void depthwise_output_leaves_with_its_input_channel(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(1, 4, 4);
    int a = conv(graph, "a", 0, 3, 1), d = conv(graph, "d", a, 6, 3);
    conv(graph, "end", d, 2, 1);
    plc_channels *channels = channels_of(graph);

    for (int k = 0; k < 6; k++)
        assert_int_equal(plc_channels_class(channels, d, k),
                         plc_channels_class(channels, a, k / 2));
    assert_int_equal(plc_channels_n_classes(channels), 1 + 3 + 2);
    assert_int_equal(graph->nodes[d].params[0].axis[1], PLC_AXIS_NONE);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

static void grouped_convolution_loses_equal_numbers_from_every_group(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(1, 4, 4);
    int a = conv(graph, "a", 0, 6, 1), g = conv(graph, "g", a, 4, 2);
    conv(graph, "end", g, 2, 1);
    plc_channels *channels = channels_of(graph);

    for (int j = 0; j < 3; j++)
        assert_int_equal(plc_channels_class(channels, a, j),
                         plc_channels_class(channels, a, 3 + j));
    for (int j = 0; j < 2; j++)
        assert_int_equal(plc_channels_class(channels, g, j),
                         plc_channels_class(channels, g, 2 + j));
    assert_int_equal(plc_channels_n_classes(channels), 1 + 3 + 2 + 2);
    assert_int_equal(plc_channels_n_groups(channels), 4);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

static void concat_takes_ranges_and_flatten_takes_planes(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(1, 2, 3);
    int a = conv(graph, "a", 0, 2, 1), b = conv(graph, "b", 0, 3, 1);
    int c = join(graph, "concat", "c", a, b);
    int f = add(graph, "flatten", "f", c, (plc_attrs){0});
    add(graph, "linear", "fc", f, (plc_attrs){.out_channels = 2});
    plc_channels *channels = channels_of(graph);

    assert_int_equal(plc_channels_class(channels, c, 1), plc_channels_class(channels, a, 1));
    assert_int_equal(plc_channels_class(channels, c, 4), plc_channels_class(channels, b, 2));
    for (int i = 0; i < 30; i++)
        assert_int_equal(plc_channels_class(channels, f, i),
                         plc_channels_class(channels, c, i / 6));
    assert_int_equal(plc_channels_n_groups(channels), 4); // input, a, b, logits
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

static void sums_tie_a_trunk_and_freezing_spreads_through_it(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(4, 4, 4);
    int a = conv(graph, "a", 0, 4, 1), s = join(graph, "add", "s", 0, a);
    int b = conv(graph, "b", s, 5, 1);
    conv(graph, "end", b, 2, 1);
    plc_channels *channels = channels_of(graph);
    int trunk = plc_channels_group_of(channels, plc_channels_class(channels, a, 0));
    int inner = plc_channels_group_of(channels, plc_channels_class(channels, b, 0));

    assert_true(plc_channels_group(channels, trunk)->frozen); // tied to the image
    assert_int_equal(plc_channels_group(channels, trunk)->first_node, 0);
    assert_false(plc_channels_group(channels, inner)->frozen);
    assert_int_equal(plc_channels_group(channels, inner)->n_classes, 5);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

static void count_log(void *user, pleach_log_level level, const char *text)
{
    (void)level;
    if (strstr(text, "without a channel rule"))
        ++*(int *)user;
}

static void an_operator_without_a_rule_freezes_what_it_touches_and_says_so(void **state)
{
    (void)state;
    pleach_graph *graph = new_graph(1, 4, 4);
    int a = conv(graph, "a", 0, 3, 1), r = add(graph, "relu", "r", a, (plc_attrs){0}), n_logged = 0;
    int b = conv(graph, "b", r, 3, 1);
    conv(graph, "end", b, 2, 1);
    struct op unknown = *graph->nodes[r].op;
    unknown.channels = NULL;
    graph->nodes[r].op = &unknown;
    pleach_ctx_set_log(ctx, count_log, &n_logged);
    plc_channels *channels = channels_of(graph);
    pleach_ctx_set_log(ctx, NULL, NULL);

    assert_int_equal(n_logged, 1);
    for (int i = 0; i < plc_channels_n_groups(channels); i++) {
        const plc_group *group = plc_channels_group(channels, i);
        assert_int_equal(group->frozen, group->first_node != b);
    }
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&graph);
}

// Two classes are in one group exactly when they have the same values and the same freedom.
static void groups_are_the_classes_of_the_same_values(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        plc_channels *channels = channels_of(graph);
        int n = plc_channels_n_classes(channels), last = -1;
        bool *touches = NULL; // [class][node]
        assert_ok(plc_alloc(ctx, (size_t)n * (size_t)graph->n_nodes, 1, &touches));
        for (int i = 0; i < graph->n_nodes; i++)
            for (int c = 0; c < graph->nodes[i].shape.c; c++) {
                int k = plc_channels_class(channels, i, c);
                assert_true(k <= last + 1); // numbered in order of the first element
                last = k > last ? k : last;
                touches[k * graph->n_nodes + i] = true;
            }
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) {
                int ga = plc_channels_group_of(channels, a),
                    gb = plc_channels_group_of(channels, b);
                bool same = memcmp(&touches[a * graph->n_nodes], &touches[b * graph->n_nodes],
                                   (size_t)graph->n_nodes) == 0 &&
                            plc_channels_group(channels, ga)->frozen ==
                                plc_channels_group(channels, gb)->frozen;
                if ((ga == gb) != same)
                    fail_msg("seed %u: classes %d and %d", seed, a, b);
            }
        free(touches);
        plc_channels_destroy(&channels);
        pleach_graph_destroy(&graph);
    }
}

static void a_mask_that_keeps_all_changes_no_attribute(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL;
        unsigned char *mask = NULL;
        int *kept = NULL, n_kept = 0;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        plc_channels *channels = channels_of(graph);
        assert_ok(plc_random_mask(ctx, channels, seed, 0, &mask));
        for (int i = 0; i < graph->n_nodes; i++) {
            plc_attrs attrs = plc_kept_attrs(channels, graph, mask, i);
            assert_memory_equal(&attrs, &graph->nodes[i].attrs, offsetof(plc_attrs, bias));
            for (int p = 0; p < graph->nodes[i].n_params; p++) {
                assert_ok(plc_kept_indices(ctx, channels, graph, mask, i, p, 0, &kept, &n_kept));
                assert_null(kept);
                assert_int_equal(n_kept, graph->nodes[i].params[p].dims[0]);
            }
        }
        free(mask);
        plc_channels_destroy(&channels);
        pleach_graph_destroy(&graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_attributes_mean_the_usual_defaults),
        cmocka_unit_test(nodes_that_do_not_fit_are_refused_by_name),
        cmocka_unit_test(a_pool_gives_the_floor_of_its_windows),
        cmocka_unit_test(check_finds_what_was_broken_by_hand),
        cmocka_unit_test(random_graphs_use_every_operator),
        cmocka_unit_test(a_graph_survives_json_and_copying),
        cmocka_unit_test(every_float_survives_json),
        cmocka_unit_test(bad_json_is_refused_with_its_place),
        cmocka_unit_test(damaged_json_never_does_harm),
        cmocka_unit_test(layout_puts_trainable_parameters_first_without_gaps),
        cmocka_unit_test(parameters_are_named_after_their_node),
        cmocka_unit_test(depthwise_output_leaves_with_its_input_channel),
        cmocka_unit_test(grouped_convolution_loses_equal_numbers_from_every_group),
        cmocka_unit_test(concat_takes_ranges_and_flatten_takes_planes),
        cmocka_unit_test(sums_tie_a_trunk_and_freezing_spreads_through_it),
        cmocka_unit_test(an_operator_without_a_rule_freezes_what_it_touches_and_says_so),
        cmocka_unit_test(groups_are_the_classes_of_the_same_values),
        cmocka_unit_test(a_mask_that_keeps_all_changes_no_attribute),
    };

    return cmocka_run_group_tests_name("graph", tests, make_fixture, drop_fixture);
}
