// Steps: what the kernels of a step absorb, in training and in inference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <exec/steps.h>

static pleach_ctx *ctx;

static int add(pleach_graph *graph, const char *op, const int *inputs, int n,
               const plc_attrs *attrs)
{
    const plc_attrs none = {0};
    char name[] = "a";
    int node;

    name[0] = (char)('a' + graph->n_nodes);
    if (plc_graph_add(ctx, graph, op, name, inputs, n, attrs ? attrs : &none, &node) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    return node;
}

// input 0, conv 1, batch norm 2, clip 3, conv 4, batch norm 5, add 6 of it and 3, ReLU 7.
static pleach_graph *block(void)
{
    const plc_attrs conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 4};
    const plc_attrs six = {.alpha = 0, .beta = 6};
    pleach_graph *graph = NULL;

    if (plc_graph_create(ctx, "block", (plc_shape){3, 8, 8}, &graph) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    int x = add(graph, "conv", &(int){0}, 1, &conv);
    x = add(graph, "batch_norm", &x, 1, NULL);
    const int shortcut = add(graph, "clip", &x, 1, &six);
    x = add(graph, "conv", &shortcut, 1, &conv);
    x = add(graph, "batch_norm", &x, 1, NULL);
    x = add(graph, "add", (int[]){x, shortcut}, 2, NULL);
    add(graph, "relu", &x, 1, NULL);
    return graph;
}

static void expect_step(const plc_step *step, int node, int batch_norm, int add_to, int output,
                        float low, float high)
{
    assert_int_equal(step->node, node);
    assert_int_equal(step->batch_norm, batch_norm);
    assert_int_equal(step->add, add_to);
    assert_int_equal(step->output, output);
    assert_true(step->clip.on && step->clip.low == low && step->clip.high == high);
}

static void training_absorbs_add_and_clip_into_batch_norm(void **state)
{
    (void)state;
    pleach_graph *graph = block();
    plc_steps steps;

    assert_int_equal(plc_steps_create(ctx, graph, true, &steps), PLEACH_OK);
    assert_int_equal(steps.n_items, 4);
    assert_false(steps.items[0].clip.on);
    expect_step(&steps.items[1], 2, PLC_NO_NODE, PLC_NO_NODE, 3, 0, 6);
    expect_step(&steps.items[3], 5, PLC_NO_NODE, 3, 7, 0, INFINITY);
    assert_true(steps.has_value[1] && !steps.has_value[2] && steps.has_value[3]);
    plc_steps_finish(&steps);
    pleach_graph_destroy(&graph);
}

static void inference_absorbs_all_into_the_convolution(void **state)
{
    (void)state;
    pleach_graph *graph = block();
    plc_steps steps;

    assert_int_equal(plc_steps_create(ctx, graph, false, &steps), PLEACH_OK);
    assert_int_equal(steps.n_items, 2);
    expect_step(&steps.items[0], 1, 2, PLC_NO_NODE, 3, 0, 6);
    expect_step(&steps.items[1], 4, 5, 3, 7, 0, INFINITY);
    plc_steps_finish(&steps);
    pleach_graph_destroy(&graph);
}

// A clip of a value that something else reads too is a step of its own.
static void what_others_read_is_not_absorbed(void **state)
{
    (void)state;
    const plc_attrs six = {.alpha = 0, .beta = 6};
    pleach_graph *graph = NULL;
    plc_steps steps;

    assert_int_equal(plc_graph_create(ctx, "shared", (plc_shape){3, 8, 8}, &graph), PLEACH_OK);
    const int norm = add(graph, "batch_norm", &(int){0}, 1, NULL);
    const int clipped = add(graph, "clip", &norm, 1, &six);
    add(graph, "add", (int[]){clipped, norm}, 2, NULL);
    assert_int_equal(plc_steps_create(ctx, graph, true, &steps), PLEACH_OK);
    assert_int_equal(steps.n_items, 3);
    assert_false(steps.items[0].clip.on);
    assert_true(steps.has_value[norm]);
    plc_steps_finish(&steps);
    pleach_graph_destroy(&graph);
}

static int open_context(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) != PLEACH_OK;
}

static int close_context(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_absorbs_add_and_clip_into_batch_norm),
        cmocka_unit_test(inference_absorbs_all_into_the_convolution),
        cmocka_unit_test(what_others_read_is_not_absorbed),
    };

    return cmocka_run_group_tests(tests, open_context, close_context);
}
