// Tests of src/fuse/plan*.c and of what candidates.c counts: the choice, its file, savings of real networks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <base/memory.h>
#include <base/random.h>
#include <fuse/candidates.h>
#include <fuse/plan_json.h>
#include <graph/op.h>
#include <price/macs.h>
#include <context.h>

enum { N_TABLES = 300, MOST_BLOCKS = 8 };

static unsigned pick(unsigned seed, unsigned draw, unsigned n)
{
    return (unsigned)plc_random_u32x4(seed, PLC_STREAM_TEST, draw, 0).x % n;
}

// A table of whole numbers, so that sums are exact; some actions are impossible, save nothing, make the loss
// fall, or are not measured.
static plc_plan draw_plan(unsigned seed)
{
    plc_plan plan = {.n_blocks = 1 + (int)pick(seed, 0, MOST_BLOCKS), .total = 1000};

    assert_ok(plc_strdup(ctx, "random", &plan.model));
    assert_ok(plc_strdup(ctx, "macs", &plan.cost));
    plan.budget = 1000 - (double)pick(seed, 1, 350);
    assert_ok(plc_alloc(ctx, MOST_BLOCKS, sizeof *plan.blocks, &plan.blocks));
    for (int i = 0; i < plan.n_blocks; i++) {
        char name[16];
        snprintf(name, sizeof name, "b%d", i);
        assert_ok(plc_strdup(ctx, name, &plan.blocks[i].name));
        plan.blocks[i].effects[PLC_ACTION_KEEP].possible = true;
        for (unsigned a = PLC_ACTION_DROP; a < PLC_N_ACTIONS; a++) {
            const unsigned draw = 10 + 10 * (unsigned)i + 4 * a;
            plan.blocks[i].effects[a] =
                (plc_effect){.possible = pick(seed, draw, 5) > 0,
                             .importance = (double)pick(seed, draw + 1, 40) - 4,
                             .saving = (double)pick(seed, draw + 2, 60) - 8};
            if (pick(seed, draw + 3, 10) == 0)
                plan.blocks[i].effects[a].importance = NAN;
        }
    }
    return plan;
}

// What the choice is judged by, as one number: importance, then actions, then rise. All are whole numbers.
static double worth_of(const plc_plan *plan)
{
    double importance = 0, rise = 0, n_actions = 0;

    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_effect *effect = &plan->blocks[i].effects[plan->blocks[i].action];
        importance += fmax(effect->importance, 0);
        rise += effect->importance;
        n_actions += plan->blocks[i].action != PLC_ACTION_KEEP;
    }
    return (importance * 1e4 + n_actions) * 1e6 + rise;
}

// The next combination of actions; false after the last.
static bool next(plc_plan *plan)
{
    for (int i = 0; i < plan->n_blocks; i++) {
        if (++plan->blocks[i].action < PLC_N_ACTIONS)
            return true;
        plan->blocks[i].action = PLC_ACTION_KEEP;
    }
    return false;
}

static bool is_allowed(const plc_plan *plan)
{
    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_effect *effect = &plan->blocks[i].effects[plan->blocks[i].action];
        if (plan->blocks[i].action != PLC_ACTION_KEEP &&
            (!effect->possible || effect->saving <= 0 || isnan(effect->importance)))
            return false;
    }
    return true;
}

// The best among all combinations within the budget, or of the least cost.
static double search(plc_plan plan, double *least_cost)
{
    double best = INFINITY;
    plc_plan_block blocks[MOST_BLOCKS];

    memcpy(blocks, plan.blocks, (size_t)plan.n_blocks * sizeof *blocks);
    plan.blocks = blocks;
    *least_cost = INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < plan.n_blocks; i++)
            blocks[i].action = PLC_ACTION_KEEP;
        do {
            if (!is_allowed(&plan))
                continue;
            if (pass == 0)
                *least_cost = fmin(*least_cost, plc_plan_cost(&plan));
            else if (plc_plan_cost(&plan) <= fmax(plan.budget, *least_cost))
                best = fmin(best, worth_of(&plan));
        } while (next(&plan));
    }
    return best;
}

static void the_choice_is_the_best_of_all(void **state)
{
    (void)state;
    int n_out_of_reach = 0, n_merged = 0;

    for (unsigned seed = 0; seed < N_TABLES; seed++) {
        plc_plan plan = draw_plan(seed);
        double least_cost;
        const double best = search(plan, &least_cost);
        assert_ok(plc_plan_choose(ctx, &plan));
        assert_true(is_allowed(&plan));
        if (worth_of(&plan) != best || plc_plan_cost(&plan) > fmax(plan.budget, least_cost))
            fail_msg("table %u: %.17g at cost %g, the best is %.17g within %g", seed,
                     worth_of(&plan), plc_plan_cost(&plan), best, fmax(plan.budget, least_cost));
        n_out_of_reach += least_cost > plan.budget;
        for (int i = 0; i < plan.n_blocks; i++)
            n_merged += plan.blocks[i].action == PLC_ACTION_MERGE;
        plc_plan_finish(&plan);
    }
    assert_true(n_out_of_reach > 20 && n_out_of_reach < N_TABLES - 20 && n_merged > 20);
}

// Real numbers, as latencies are: so many choices that they are thinned. The budget is kept, and no choice
// that differs in two blocks is within it and better by more than thinning may cost.
static void many_blocks_of_any_cost_stay_within_the_budget(void **state)
{
    (void)state;
    enum { N = 60 };
    plc_plan plan = {.n_blocks = N};

    assert_ok(plc_strdup(ctx, "macs", &plan.cost));
    assert_ok(plc_alloc(ctx, N, sizeof *plan.blocks, &plan.blocks));
    for (unsigned i = 0; i < N; i++)
        for (unsigned a = PLC_ACTION_DROP; a < PLC_N_ACTIONS; a++) {
            const plc_u32x4 r = plc_random_u32x4(5, PLC_STREAM_TEST, i, a);
            plan.blocks[i].effects[a] =
                (plc_effect){true, (double)r.x / 4294967296.0, 0.1 + (double)r.y / 4294967296.0};
            plan.total += 1.0;
        }
    plan.budget = plan.total - 20;
    assert_ok(plc_plan_choose(ctx, &plan));
    assert_true(plc_plan_cost(&plan) <= plan.budget + 1e-9);
    const double chosen = worth_of(&plan) / 1e10;
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++) {
            const plc_action a = plan.blocks[i].action, b = plan.blocks[j].action;
            for (int k = 0; k < PLC_N_ACTIONS * PLC_N_ACTIONS; k++) {
                plan.blocks[i].action = (plc_action)(k % PLC_N_ACTIONS);
                plan.blocks[j].action = (plc_action)(k / PLC_N_ACTIONS);
                if (plc_plan_cost(&plan) <= plan.budget)
                    assert_true(worth_of(&plan) / 1e10 > chosen - 2e-3);
            }
            plan.blocks[i].action = a;
            plan.blocks[j].action = b;
        }
    plc_plan_finish(&plan);
}

static plc_plan plan_of(const char *model, const char *cost_name)
{
    pleach_graph *graph = NULL;
    plc_blocks *blocks = NULL;
    plc_fuse_cost cost;
    plc_plan plan;

    assert_ok(pleach_graph_create(ctx, model, 3, 32, 32, 10, &graph));
    assert_ok(plc_blocks_find(ctx, graph, &blocks));
    assert_ok(plc_fuse_cost_named(ctx, cost_name, &cost));
    assert_ok(plc_plan_create(ctx, graph, blocks, &cost, &plan));
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
    return plan;
}

static void a_block_saves_what_its_layers_cost(void **state)
{
    (void)state;
    plc_plan macs = plan_of("resnet20", "macs"), layers = plan_of("resnet20", "layers");

    assert_int_equal(macs.n_blocks, 9);
    assert_string_equal(macs.blocks[0].name, "layer1.0.add");
    for (int i = 0; i < 9; i++) {
        const plc_effect *drop = &macs.blocks[i].effects[PLC_ACTION_DROP];
        const plc_effect *merge = &macs.blocks[i].effects[PLC_ACTION_MERGE];
        const bool projects = i == 3 || i == 6;
        // Two 3x3 layers, of which a projection's first has half the channels in; all planes cost alike.
        assert_true(drop->saving == (projects ? 1.5 : 2) * 9 * 16 * 16 * 32 * 32);
        assert_true(merge->possible && layers.blocks[i].effects[PLC_ACTION_MERGE].saving == 1);
        // 25 taps for 18; behind a stride of 2 the first layer's kernel grows to 3 + 2 * 2 = 7.
        const double composed = projects ? 0.5 * 49 : 25;
        assert_true(merge->saving == drop->saving - composed * 16 * 16 * 32 * 32);
        assert_true(merge->saving < 0);
        assert_true(layers.blocks[i].effects[PLC_ACTION_DROP].saving == 2);
        assert_true(isnan(drop->importance));
    }
    plc_plan_finish(&macs);
    plc_plan_finish(&layers);
}

// An inverted residual of expansion t costs 2tcc + 9tc a pixel, the 3x3 layer that replaces it 9cc: a merge pays
// at t = 6. A bottleneck costs 17ww, the 3x3 layer of its 4w channels 144ww.
static void merges_pay_in_inverted_residuals_not_in_bottlenecks(void **state)
{
    (void)state;
    pleach_graph *graph = NULL;
    plc_plan mobile = plan_of("mobilenet_v2", "macs"), resnet = plan_of("resnet50", "macs");

    assert_ok(pleach_graph_create(ctx, "mobilenet_v2", 3, 32, 32, 10, &graph));
    assert_int_equal(mobile.n_blocks, 10);
    for (int i = 0; i < mobile.n_blocks; i++) {
        const plc_shape s = graph->nodes[plc_graph_find(graph, mobile.blocks[i].name)].shape;
        const plc_effect *merge = &mobile.blocks[i].effects[PLC_ACTION_MERGE];
        assert_true(merge->possible);
        assert_true(merge->saving == (12.0 * s.c * s.c + 54.0 * s.c - 9.0 * s.c * s.c) * s.h * s.w);
        mobile.blocks[i].effects[PLC_ACTION_MERGE].importance = 0.01;
        mobile.blocks[i].effects[PLC_ACTION_DROP].importance = 1;
    }
    mobile.budget = 0;
    for (int i = 0; i < mobile.n_blocks; i++)
        mobile.budget += mobile.blocks[i].effects[PLC_ACTION_MERGE].saving;
    mobile.budget = mobile.total - mobile.budget;
    assert_ok(plc_plan_choose(ctx, &mobile));
    for (int i = 0; i < mobile.n_blocks; i++)
        assert_int_equal(mobile.blocks[i].action, PLC_ACTION_MERGE);
    assert_int_equal(resnet.n_blocks, 16);
    for (int i = 0; i < resnet.n_blocks; i++) {
        assert_true(resnet.blocks[i].effects[PLC_ACTION_MERGE].possible);
        assert_true(resnet.blocks[i].effects[PLC_ACTION_MERGE].saving < 0);
    }
    pleach_graph_destroy(&graph);
    plc_plan_finish(&mobile);
    plc_plan_finish(&resnet);
}

static void a_chain_is_merged_whole_or_not_at_all(void **state)
{
    (void)state;
    pleach_graph *graph = NULL;
    plc_blocks *blocks = NULL;
    bool seconds[32];
    int x, y;
    const plc_attrs wide = {.kernel = {1, 1}, .out_channels = 12},
                    middle = {.kernel = {3, 3}, .pad = {1, 1}, .groups = 12, .out_channels = 12},
                    narrow = {.kernel = {1, 1}, .out_channels = 2};

    for (int with_pool = 0; with_pool < 2; with_pool++) {
        assert_ok(plc_graph_create(ctx, "test", (plc_shape){2, 6, 6}, &graph));
        assert_ok(plc_graph_add(ctx, graph, "relu", "x", (int[]){0}, 1, NULL, &x));
        assert_ok(plc_graph_add(ctx, graph, "conv", "expand", &x, 1, &wide, &y));
        assert_ok(plc_graph_add(ctx, graph, "batch_norm", "n1", &y, 1, NULL, &y));
        assert_ok(plc_graph_add(ctx, graph, "relu", "r1", &y, 1, NULL, &y));
        if (with_pool) // not linear: the middle is no end of a pair any more
            assert_ok(plc_graph_add(ctx, graph, "max_pool", "pool", &y, 1,
                                    &(plc_attrs){.kernel = {3, 3}, .pad = {1, 1}}, &y));
        assert_ok(plc_graph_add(ctx, graph, "conv", "middle", &y, 1, &middle, &y));
        assert_ok(plc_graph_add(ctx, graph, "relu", "r2", &y, 1, NULL, &y));
        assert_ok(plc_graph_add(ctx, graph, "conv", "reduce", &y, 1, &narrow, &y));
        assert_ok(plc_graph_add(ctx, graph, "batch_norm", "n3", &y, 1, NULL, &y));
        assert_ok(plc_graph_add(ctx, graph, "add", "add", (int[]){y, x}, 2, NULL, &y));
        assert_ok(plc_blocks_find(ctx, graph, &blocks));
        assert_int_equal(blocks->n_items, 1);
        assert_int_equal(plc_block_mark_merge(graph, &blocks->items[0], seconds), !with_pool);
        for (int i = 0; i < graph->n_nodes; i++)
            assert_int_equal(seconds[i],
                             !with_pool && (strcmp(graph->nodes[i].name, "middle") == 0 ||
                                            strcmp(graph->nodes[i].name, "reduce") == 0));
        if (!with_pool) {
            pleach_graph *merged = NULL;
            assert_ok(
                plc_block_rewritten(ctx, graph, &blocks->items[0], PLC_ACTION_MERGE, &merged));
            assert_int_equal(plc_graph_count_op(merged, "conv"), 1);
            assert_int_equal(pleach_graph_macs(merged), 9 * 2 * 2 * 36);
            pleach_graph_destroy(&merged);
        }
        plc_blocks_destroy(&blocks);
        pleach_graph_destroy(&graph);
    }
}

static char path[64];

static void write_text(const char *text)
{
    assert_ok(plc_file_write_all(ctx, path, text, strlen(text)));
}

static void a_plan_is_read_back_and_its_actions_taken(void **state)
{
    (void)state;
    plc_plan plan = plan_of("resnet20", "macs"), again = plan_of("resnet20", "macs"), read;

    plan.blocks[1].action = PLC_ACTION_DROP;
    plan.blocks[4].action = PLC_ACTION_MERGE;
    assert_ok(plc_plan_write(ctx, &plan, path));
    assert_ok(plc_plan_read(ctx, path, &read));
    assert_ok(plc_plan_take_actions(ctx, &read, path, false, &again));
    for (int i = 0; i < 9; i++)
        assert_int_equal(again.blocks[i].action, plan.blocks[i].action);
    plc_plan_finish(&read);
    plc_plan_finish(&again);
    plc_plan_finish(&plan);
}

static void a_wrong_plan_is_named_with_its_place(void **state)
{
    (void)state;
#define PLAN(blocks) "{\"schema\": \"pleach.plan/1\", \"blocks\": " blocks "}"
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"{", "line 1"},
        {"{\"schema\": \"pleach.plan/2\"}", "schema is 'pleach.plan/2'"},
        {PLAN("3"), "'blocks' must be a list"},
        {PLAN("[{\"name\": \"layer1.0.add\"}]"), "blocks[0] has no text 'action'"},
        {PLAN("[{\"name\": \"layer1.0.add\", \"action\": \"dropp\"}]"), "did you mean 'drop'"},
        {PLAN("[{\"name\": \"layer1.0.ad\", \"action\": \"drop\"}]"),
         "did you mean 'layer1.0.add'"},
        {PLAN("[{\"name\": \"layer1.0.add\", \"action\": \"drop\"},"
              " {\"name\": \"layer1.0.add\", \"action\": \"keep\"}]"),
         "blocks[1]: 'layer1.0.add' is there before, as blocks[0]"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_plan plan = plan_of("resnet20", "macs"), read;
        write_text(cases[i].text);
        pleach_status status = plc_plan_read(ctx, path, &read);
        if (status == PLEACH_OK)
            status = plc_plan_take_actions(ctx, &read, path, false, &plan);
        assert_int_equal(status, PLEACH_EINPUT);
        if (!strstr(pleach_error(ctx), cases[i].error) || !strstr(pleach_error(ctx), path))
            fail_msg("case %zu: %s", i, pleach_error(ctx));
        plc_plan_finish(&read);
        plc_plan_finish(&plan);
    }
}

static void a_block_that_is_gone_is_skipped_where_it_may_be(void **state)
{
    (void)state;
    plc_plan plan = plan_of("resnet20", "macs"), read;

    write_text(PLAN("[{\"name\": \"layer9.add\", \"action\": \"drop\"},"
                    " {\"name\": \"layer2.1.add\", \"action\": \"drop\"}]"));
    assert_ok(plc_plan_read(ctx, path, &read));
    assert_ok(plc_plan_take_actions(ctx, &read, path, true, &plan));
    assert_int_equal(plan.blocks[4].action, PLC_ACTION_DROP);
    plc_plan_finish(&read);
    plc_plan_finish(&plan);
}

static void the_table_names_every_block(void **state)
{
    (void)state;
    plc_plan plan = plan_of("resnet20", "layers");
    plc_text text = {0};

    plan.blocks[2].action = PLC_ACTION_DROP;
    plan.blocks[2].effects[PLC_ACTION_DROP].importance = 0.125;
    assert_ok(plc_plan_print(ctx, &plan, &text));
    assert_non_null(strstr(text.data, "layer1.2.add  drop          0.1250             2"));
    assert_non_null(strstr(text.data, "layer3.2.add  keep"));
    assert_non_null(strstr(text.data, "layers: 19 of 21"));
    plc_text_finish(&text);
    plc_plan_finish(&plan);
}

static int set_up(void **state)
{
    strcpy(path, "/tmp/pleach-plan-XXXXXX");
    const int file = mkstemp(path);

    return file < 0 || close(file) != 0 || make_fixture(state) != 0;
}

static int tear_down(void **state)
{
    return unlink(path) != 0 || drop_fixture(state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_is_the_best_of_all),
        cmocka_unit_test(many_blocks_of_any_cost_stay_within_the_budget),
        cmocka_unit_test(a_block_saves_what_its_layers_cost),
        cmocka_unit_test(merges_pay_in_inverted_residuals_not_in_bottlenecks),
        cmocka_unit_test(a_chain_is_merged_whole_or_not_at_all),
        cmocka_unit_test(a_plan_is_read_back_and_its_actions_taken),
        cmocka_unit_test(a_wrong_plan_is_named_with_its_place),
        cmocka_unit_test(a_block_that_is_gone_is_skipped_where_it_may_be),
        cmocka_unit_test(the_table_names_every_block),
    };

    return cmocka_run_group_tests_name("plan", tests, set_up, tear_down);
}
