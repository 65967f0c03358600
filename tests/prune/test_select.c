// Tests of src/prune/select.c and of the counts in src/price/macs.c that it searches with.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <fuse/blocks.h>
#include <graph/kept.h>
#include <price/macs.h>
#include <prune/select.h>
#include <rewrite/compact.h>

#include "random_graph.h"
#include <context.h>

enum { N_SEEDS = 60, MAX_GROUPS = 64 };

// A graph, its channels and a score per class.
typedef struct subject {
    pleach_graph *graph;
    plc_channels *channels;
    float *scores;
    int n_classes;
} subject;

// A number from 0 to 1 that depends on n alone (the finalizer of MurmurHash3).
static float hashed(unsigned n)
{
    n = (n ^ n >> 16) * 0x85ebca6bu;
    n = (n ^ n >> 13) * 0xc2b2ae35u;
    return (float)((n ^ n >> 16) >> 8) / 16777216;
}

// Scores of update number `step`: the same tendency every time, with some noise.
static void set_scores(subject *s, unsigned step)
{
    for (int c = 0; c < s->n_classes; c++)
        s->scores[c] = hashed((unsigned)c + 1) + 0.2f * hashed((unsigned)c * 1000 + step + 1);
}

static subject take(pleach_graph *graph)
{
    subject s = {.graph = graph};

    assert_ok(plc_channels_create(ctx, graph, &s.channels));
    s.n_classes = plc_channels_n_classes(s.channels);
    assert_ok(plc_alloc(ctx, (size_t)s.n_classes, sizeof *s.scores, &s.scores));
    set_scores(&s, 0);
    return s;
}

static subject take_model(const char *model)
{
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, model, 3, 32, 32, 10, &graph));
    return take(graph);
}

static void finish(subject *s)
{
    free(s->scores);
    plc_channels_destroy(&s->channels);
    pleach_graph_destroy(&s->graph);
}

// With a budget of MACs unless `opts` has budgets of its own.
static plc_selection choose_within(const subject *s, const unsigned char *mask, plc_budget budget,
                                   plc_select_opts opts)
{
    plc_selection selection;

    if (opts.n_budgets == 0) {
        opts.budgets = &budget;
        opts.n_budgets = 1;
    }
    assert_ok(plc_select(ctx, s->graph, s->channels, s->scores, mask, &opts, &selection));
    return selection;
}

// At a target for MACs.
static plc_selection choose(const subject *s, const unsigned char *mask, double target,
                            plc_select_opts opts)
{
    return choose_within(s, mask, (plc_budget){.target = target}, opts);
}

static void masked_cost_is_the_cost_of_the_compacted_graph(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL, *compacted = NULL;
        plc_edits *edits = NULL;
        unsigned char *mask = NULL;
        plc_cost masked = {0};
        assert_ok(plc_random_graph(ctx, seed, &graph));
        subject s = take(graph);
        assert_ok(plc_random_mask(ctx, s.channels, seed, 0.5, &mask));
        assert_ok(plc_masked_cost(ctx, graph, s.channels, mask, &masked));
        assert_ok(plc_compact_describe(ctx, graph, s.channels, mask, &compacted, &edits));
        plc_cost cost = plc_graph_cost(compacted);
        if (cost.macs != masked.macs || cost.params != masked.params || cost.bytes != masked.bytes)
            fail_msg("seed %u: %lld MACs masked, %lld compacted", seed, masked.macs, cost.macs);
        free(mask);
        plc_edits_destroy(&edits);
        pleach_graph_destroy(&compacted);
        finish(&s);
    }
}

static void costs_of_known_layers_are_right(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_cost *table = NULL, sum = {0};

    assert_ok(plc_cost_table(ctx, s.graph, &table));
    for (int i = 0; i < s.graph->n_nodes; i++)
        sum.macs += table[i].macs;
    assert_int_equal(sum.macs, pleach_graph_macs(s.graph));
    assert_int_equal(table[plc_graph_find(s.graph, "conv1")].macs, 32 * 32 * 16 * 27);
    assert_int_equal(table[plc_graph_find(s.graph, "layer2.0.conv1")].macs, 16 * 16 * 32 * 16 * 9);
    assert_int_equal(table[plc_graph_find(s.graph, "fc")].macs, 640);
    assert_int_equal(table[plc_graph_find(s.graph, "fc")].params, 650);
    assert_int_equal(table[plc_graph_find(s.graph, "bn1")].params, 32);
    assert_int_equal(table[plc_graph_find(s.graph, "relu")].bytes, 2 * 4 * 16 * 32 * 32);
    assert_int_equal(table[plc_graph_find(s.graph, "flatten")].bytes, 0); // a view
    free(table);
    finish(&s);
}

static void the_target_is_just_met(void **state)
{
    (void)state;
    static const char *const models[] = {"resnet20", "vgg16", "densenet40"};
    static const double targets[] = {1, 0.7, 0.5, 0.2, 0.05};

    for (int m = 0; m < 3; m++)
        for (int i = 0; i < 10; i++) {
            subject s = take_model(models[m]);
            const plc_budget budget = {.target = targets[i / 2],
                                       .kind = i % 2 ? PLC_BUDGET_PARAMS : PLC_BUDGET_MACS};
            plc_selection sel = choose_within(&s, NULL, budget, (plc_select_opts){.rank = i % 2});
            long long dense = i % 2 ? pleach_graph_params(s.graph) : pleach_graph_macs(s.graph);
            long long cost = i % 2 ? sel.params : sel.macs;
            plc_cost check = {0};
            assert_ok(plc_masked_cost(ctx, s.graph, s.channels, sel.mask, &check));
            assert_int_equal(check.macs, sel.macs);
            assert_int_equal(check.params, sel.params);
            assert_true(sel.reached && (double)cost <= budget.target * (double)dense);
            // One channel more would cost more: a step of any of these is below 2 % of the network.
            assert_true((double)cost >= (budget.target - 0.02) * (double)dense);
            assert_int_equal(sel.flips, sel.n_prunable - sel.n_kept);
            assert_int_equal(sel.returns, 0);
            plc_selection_finish(&sel);
            finish(&s);
        }
}

static void a_target_of_one_keeps_everything(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_selection sel = choose(&s, NULL, 1, (plc_select_opts){.band = 0});

    assert_true(sel.pl == 0 && sel.flips == 0 && sel.n_kept == sel.n_prunable);
    assert_int_equal(sel.n_prunable, 3 * (16 + 32 + 64) + 16 + 32 + 64);
    plc_selection_finish(&sel);
    finish(&s);
}

static void weaker_channels_of_a_group_leave_first(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_selection sel = choose(&s, NULL, 0.4, (plc_select_opts){.band = 0});

    for (int g = 0; g < plc_channels_n_groups(s.channels); g++) {
        const plc_group *group = plc_channels_group(s.channels, g);
        for (int i = 0; i < group->n_classes; i++)
            for (int j = 0; j < group->n_classes; j++)
                if (!sel.mask[group->classes[i]] && sel.mask[group->classes[j]])
                    assert_true(s.scores[group->classes[i]] <= s.scores[group->classes[j]]);
    }
    plc_selection_finish(&sel);
    finish(&s);
}

static int count_kept(const subject *s, const unsigned char *mask, int g)
{
    const plc_group *group = plc_channels_group(s->channels, g);
    int n = 0;

    for (int i = 0; i < group->n_classes; i++)
        n += mask[group->classes[i]];
    return n;
}

static void groups_keep_what_the_options_say(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    const char *keep[] = {"layer1.1.conv1", "layer3.2.add"};
    plc_selection one = choose(&s, NULL, 1e-6, (plc_select_opts){.band = 0});
    plc_selection five = choose(&s, NULL, 1e-6, (plc_select_opts){.min_channels = 5});
    plc_selection ratio = choose(&s, NULL, 1e-6, (plc_select_opts){.max_ratio = 0.75});
    plc_selection fours = choose(&s, NULL, 0.4, (plc_select_opts){.round_to = 4});
    plc_selection kept = choose(&s, NULL, 1e-6, (plc_select_opts){.keep = keep, .n_keep = 2});
    int a = plc_channels_class(s.channels, plc_graph_find(s.graph, keep[0]), 0);
    int b = plc_channels_class(s.channels, plc_graph_find(s.graph, keep[1]), 0);

    assert_false(one.reached || five.reached || ratio.reached || kept.reached);
    assert_true(one.pl == 1);
    assert_true(fours.reached && fours.n_kept < fours.n_prunable);
    for (int g = 0; g < plc_channels_n_groups(s.channels); g++) {
        const plc_group *group = plc_channels_group(s.channels, g);
        int n = group->n_classes;
        bool named =
            g == plc_channels_group_of(s.channels, a) || g == plc_channels_group_of(s.channels, b);
        assert_int_equal(count_kept(&s, one.mask, g), group->frozen ? n : 1);
        assert_int_equal(count_kept(&s, five.mask, g), group->frozen ? n : 5);
        assert_int_equal(count_kept(&s, ratio.mask, g), group->frozen ? n : n / 4);
        assert_int_equal(count_kept(&s, kept.mask, g), group->frozen || named ? n : 1);
        assert_true(group->frozen || count_kept(&s, fours.mask, g) % 4 == 0);
    }
    plc_selection_finish(&one);
    plc_selection_finish(&five);
    plc_selection_finish(&ratio);
    plc_selection_finish(&fours);
    plc_selection_finish(&kept);
    finish(&s);
}

// `s` without the classes that are 0 in `mask`, and what each of its groups has lost.
static subject compact(const subject *s, const unsigned char *mask, plc_settled *settled)
{
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;

    assert_ok(plc_compact_describe(ctx, s->graph, s->channels, mask, &graph, &edits));
    plc_edits_destroy(&edits);
    subject small = take(graph);
    for (int node = 0; node < graph->n_nodes; node++) {
        const int at = plc_graph_find(s->graph, graph->nodes[node].name);
        for (int c = 0, channel = 0; c < s->graph->nodes[at].shape.c; c++) {
            const int k = plc_channels_class(s->channels, at, c);
            if (mask[k])
                small.scores[plc_channels_class(small.channels, node, channel++)] = s->scores[k];
        }
    }
    for (int g = 0; g < plc_channels_n_groups(small.channels); g++) {
        const char *first = graph->nodes[plc_channels_group(small.channels, g)->first_node].name;
        const int k = plc_channels_class(s->channels, plc_graph_find(s->graph, first), 0);
        const int old = plc_channels_group_of(s->channels, k);
        const plc_group *group = plc_channels_group(s->channels, old);
        for (int i = 0; i < group->n_classes; i++)
            if (!mask[group->classes[i]]) {
                settled[g].n_classes++;
                settled[g].scores += (double)s->scores[group->classes[i]];
            }
    }
    return small;
}

static void what_has_left_for_good_changes_no_rank(void **state)
{
    static const plc_select_opts all[] = {
        {.band = 0.03}, {.band = 0.1}, {.max_ratio = 0.75}, {.min_channels = 3}};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        subject s = take_model("resnet20");
        plc_settled settled[MAX_GROUPS] = {{0}};
        const double dense = (double)plc_graph_cost(s.graph).macs;
        plc_selection first = choose(&s, NULL, 0.6, all[i]);
        for (int k = 0; k < s.n_classes; k++) // they shall not come back
            if (!first.mask[k])
                s.scores[k] *= 1e-3f;
        assert_true(plc_channels_n_groups(s.channels) <= MAX_GROUPS);
        subject small = compact(&s, first.mask, settled);
        plc_select_opts opts = all[i];
        opts.settled = settled;
        opts.n_settled = first.n_prunable - first.n_kept;
        plc_selection whole = choose(&s, first.mask, 0.4, all[i]);
        plc_selection left =
            choose_within(&small, NULL, (plc_budget){.target = 0.4, .dense = dense}, opts);
        assert_true(whole.reached && left.reached);
        assert_true(whole.n_kept < first.n_kept);
        assert_int_equal(whole.n_kept, left.n_kept);
        assert_true(whole.pl == left.pl);
        assert_true(whole.macs == left.macs && whole.params == left.params);
        plc_selection_finish(&first);
        plc_selection_finish(&whole);
        plc_selection_finish(&left);
        finish(&small);
        finish(&s);
    }
}

// One channel would be a convolution as any other, which may be computed with other bits.
static void depthwise_layers_keep_two_channels(void **state)
{
    (void)state;
    subject s = take_model("mobilenet_v2");
    plc_selection sel = choose(&s, NULL, 1e-6, (plc_select_opts){.band = 0});
    int n_depthwise = 0;

    for (int i = 0; i < s.graph->n_nodes; i++) {
        if (s.graph->nodes[i].attrs.groups < 2)
            continue;
        n_depthwise++;
        const int g = plc_channels_group_of(s.channels, plc_channels_class(s.channels, i, 0));
        assert_int_equal(count_kept(&s, sel.mask, g), 2);
    }
    assert_true(n_depthwise > 10);
    plc_selection_finish(&sel);
    finish(&s);
}

static void the_last_channel_of_a_group_is_its_strongest(void **state)
{
    (void)state;
    subject s = take_model("vgg16");
    plc_selection sel = choose(&s, NULL, 1e-6, (plc_select_opts){.band = 0});

    for (int g = 0; g < plc_channels_n_groups(s.channels); g++) {
        const plc_group *group = plc_channels_group(s.channels, g);
        if (group->frozen)
            continue;
        for (int i = 0; i < group->n_classes; i++)
            for (int j = 0; j < group->n_classes; j++)
                assert_true(!sel.mask[group->classes[i]] ||
                            s.scores[group->classes[i]] >= s.scores[group->classes[j]]);
    }
    plc_selection_finish(&sel);
    finish(&s);
}

// Flips over ten updates with the given band at one target.
static int flips_over_updates(double band)
{
    subject s = take_model("resnet20");
    unsigned char *mask = NULL;
    int flips = 0;

    for (unsigned step = 0; step < 10; step++) {
        set_scores(&s, step);
        plc_selection sel = choose(&s, mask, 0.5, (plc_select_opts){.band = band});
        assert_true(sel.reached);
        flips += step > 0 ? sel.flips : 0;
        free(mask);
        mask = sel.mask;
        sel.mask = NULL;
        plc_selection_finish(&sel);
    }
    free(mask);
    finish(&s);
    return flips;
}

// What is left where no target can be met shows which groups may be empty.
static void only_groups_that_may_lose_everything(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_blocks *blocks = NULL;
    int *block_of = NULL;
    const int n_groups = plc_channels_n_groups(s.channels);
    bool *may_empty = calloc((size_t)n_groups, sizeof *may_empty);
    const char *keep[] = {"layer1.0.conv1"};

    assert_non_null(may_empty);
    assert_ok(plc_blocks_find(ctx, s.graph, &blocks));
    assert_ok(plc_blocks_of_groups(ctx, s.graph, s.channels, blocks, &block_of));
    for (int g = 0; g < n_groups; g++)
        may_empty[g] = block_of[g] >= 0;
    for (int i = 0; i < 4; i++) {
        const double nearly_nothing = 1e-6;
        const plc_select_opts opts = {.rank = i == 3 ? PLC_RANK_MACS : PLC_RANK_SCORE,
                                      .may_empty = may_empty,
                                      .min_channels = i == 1 ? 2 : 0,
                                      .keep = keep,
                                      .n_keep = i == 2};
        plc_selection selection = choose(&s, NULL, nearly_nothing, opts);
        for (int g = 0; g < n_groups; g++) {
            const plc_group *group = plc_channels_group(s.channels, g);
            const bool kept_by_name =
                i == 2 &&
                g == plc_channels_group_of(
                         s.channels,
                         plc_channels_class(s.channels, plc_graph_find(s.graph, keep[0]), 0));
            int n_kept = 0;
            for (int k = 0; k < group->n_classes; k++)
                n_kept += selection.mask[group->classes[k]];
            assert_int_equal(n_kept, group->frozen || kept_by_name ? group->n_classes
                                     : i == 1                      ? 2
                                                                   : !may_empty[g]);
        }
        // Chosen again from the empty groups: nothing pretends that their channels cost nothing.
        plc_selection again = choose(&s, selection.mask, nearly_nothing, opts);
        assert_int_equal(again.flips, 0);
        plc_selection_finish(&again);
        plc_selection_finish(&selection);
    }
    free(block_of);
    free(may_empty);
    plc_blocks_destroy(&blocks);
    finish(&s);
}

static void a_wider_band_flips_fewer_channels(void **state)
{
    (void)state;
    int none = flips_over_updates(0), narrow = flips_over_updates(0.03),
        wide = flips_over_updates(0.1);

    assert_true(none > narrow);
    assert_true(narrow > wide);
}

static void a_pruned_channel_that_grows_comes_back_only_past_the_band(void **state)
{
    (void)state;
    subject s = take_model("cnn5");
    plc_select_opts opts = {.band = 0.1};
    plc_selection first = choose(&s, NULL, 0.5, opts);
    int weak = -1;

    for (int c = 0; c < s.n_classes && weak < 0; c++)
        if (!first.mask[c])
            weak = c;
    s.scores[weak] = 100; // the strongest of all
    plc_selection second = choose(&s, first.mask, 0.5, opts);
    assert_int_equal(second.mask[weak], 1);
    assert_true(second.returns >= 1 && second.flips >= second.returns);

    set_scores(&s, 0);
    plc_selection third = choose(&s, first.mask, 0.5, opts); // nothing changed
    assert_int_equal(third.flips, 0);
    plc_selection_finish(&first);
    plc_selection_finish(&second);
    plc_selection_finish(&third);
    finish(&s);
}

static void equal_scores_rank_by_class_number(void **state)
{
    (void)state;
    subject s = take_model("resnet20");

    for (int c = 0; c < s.n_classes; c++)
        s.scores[c] = 1;
    plc_selection a = choose(&s, NULL, 0.5, (plc_select_opts){.band = 0});
    plc_selection b = choose(&s, NULL, 0.5, (plc_select_opts){.band = 0});
    assert_memory_equal(a.mask, b.mask, (size_t)s.n_classes);
    for (int c = 1; c < s.n_classes; c++) {
        int g = plc_channels_group_of(s.channels, c);
        if (g == plc_channels_group_of(s.channels, c - 1) &&
            !plc_channels_group(s.channels, g)->frozen)
            assert_true(a.mask[c] >= a.mask[c - 1]);
    }
    plc_selection_finish(&a);
    plc_selection_finish(&b);
    finish(&s);
}

// The index of the group that the node's channels belong to.
static int group_of(const subject *s, const char *node)
{
    const int class_id = plc_channels_class(s->channels, plc_graph_find(s->graph, node), 0);

    return plc_channels_group_of(s->channels, class_id);
}

static double *group_costs(const subject *s, plc_price_fn *price, void *user)
{
    const plc_pricing pricing = {s->graph, s->channels, price, user};
    unsigned char *all = NULL;
    double *costs = NULL;

    assert_ok(plc_alloc(ctx, (size_t)plc_channels_n_groups(s->channels), sizeof *costs, &costs));
    assert_ok(plc_random_mask(ctx, s->channels, 1, 0, &all));
    assert_ok(plc_group_costs(ctx, &pricing, all, NULL, costs));
    free(all);
    return costs;
}

// MACs grow with a group's channels on each side of a layer, so half of a group costs half.
static void a_channel_costs_its_share_of_each_of_its_layers(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    double *costs = group_costs(&s, plc_price_macs, ctx);
    const double conv = 16 * 9 * 32 * 32;

    // Made by one layer, read by one.
    assert_true(fabs(costs[group_of(&s, "layer1.0.conv1")] - conv) < 1e-6);
    // Made by conv1 and three blocks, read by these and by both convolutions of layer2.0 with their stride.
    const double trunk = 3 * 9 * 32 * 32 + 6 * conv + 32 * 9 * 16 * 16 + 32 * 16 * 16;
    assert_true(fabs(costs[group_of(&s, "conv1")] - trunk / 9) < 1e-6);
    free(costs);
    finish(&s);
}

// A branch that settled down to one channel may still go whole: that channel has a price, as it had before.
static void the_last_channel_of_a_branch_costs_as_the_others_did(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_settled settled[MAX_GROUPS] = {{0}};
    unsigned char *mask = NULL;
    bool may_empty[MAX_GROUPS] = {false};
    double costs[MAX_GROUPS];

    assert_ok(plc_random_mask(ctx, s.channels, 1, 0, &mask));
    const plc_group *group = plc_channels_group(s.channels, group_of(&s, "layer1.1.conv1"));
    for (int i = 1; i < group->n_classes; i++)
        mask[group->classes[i]] = 0;
    subject small = compact(&s, mask, settled);
    const int g = group_of(&small, "layer1.1.conv1");
    const plc_pricing pricing = {small.graph, small.channels, plc_price_macs, ctx};
    memset(mask, 1, (size_t)small.n_classes);
    assert_ok(plc_group_costs(ctx, &pricing, mask, may_empty, costs));
    assert_true(costs[g] == 0);
    may_empty[g] = true;
    assert_ok(plc_group_costs(ctx, &pricing, mask, may_empty, costs));
    assert_true(fabs(costs[g] - 16 * 9 * 32 * 32) < 1e-6);
    free(mask);
    finish(&small);
    finish(&s);
}

// What has gone for good does not come back, however strong it has become.
static void pruned_for_good_never_returns(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_selection first = choose(&s, NULL, 0.3, (plc_select_opts){.band = 0});

    for (int k = 0; k < s.n_classes; k++)
        s.scores[k] = first.mask[k] ? 1 : 100;
    plc_selection again = choose(&s, first.mask, 0.9, (plc_select_opts){.band = 0});
    plc_selection gone =
        choose(&s, first.mask, 0.9, (plc_select_opts){.band = 0, .for_good = true});
    assert_true(again.returns > 0);
    assert_int_equal(gone.returns, 0);
    assert_memory_equal(gone.mask, first.mask, (size_t)s.n_classes);
    plc_selection_finish(&first);
    plc_selection_finish(&again);
    plc_selection_finish(&gone);
    finish(&s);
}

// Among equals of a network whose layers cost the same each keeps about the same share.
static void ranking_by_macs_empties_no_stage_before_others(void **state)
{
    (void)state;
    static const char *const nodes[] = {"conv1",          "layer1.1.conv1", "layer2.1.conv1",
                                        "layer2.1.conv2", "layer3.1.conv1", "layer3.1.conv2"};
    subject s = take_model("resnet20");
    unsigned char *mask = NULL;

    for (int c = 0; c < s.n_classes; c++)
        s.scores[c] = 1;
    for (int update = 0; update < 4; update++) {
        plc_selection sel = choose(&s, mask, 0.25, (plc_select_opts){.rank = PLC_RANK_MACS});
        free(mask);
        mask = sel.mask;
        sel.mask = NULL;
        plc_selection_finish(&sel);
    }
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        const int g = group_of(&s, nodes[i]);
        const double share =
            (double)count_kept(&s, mask, g) / plc_channels_group(s.channels, g)->n_classes;
        if (share < 0.3 || share > 0.7)
            fail_msg("%s keeps %g", nodes[i], share);
    }
    free(mask);
    finish(&s);
}

static void a_fraction_refers_to_the_dense_network_that_is_given(void **state)
{
    (void)state;
    subject s = take_model("cnn5");
    long long dense = 2 * pleach_graph_macs(s.graph);
    plc_selection sel = choose_within(&s, NULL, (plc_budget){.target = 0.5, .dense = (double)dense},
                                      (plc_select_opts){.rank = 0});

    assert_int_equal(sel.macs, dense / 2);
    plc_selection_finish(&sel);
    finish(&s);
}

// A device on which every value's channel takes as long as its pixels, and each layer 1 more.
static pleach_status made_up_latency(void *user, const pleach_graph *graph,
                                     const plc_channels *channels, const unsigned char *mask,
                                     double *total_ms)
{
    int *n_calls = user;

    ++*n_calls;
    *total_ms = 0;
    for (int i = 1; i < graph->n_nodes; i++) {
        const plc_shape *shape = &graph->nodes[i].shape;
        const double ms =
            plc_graph_is(graph, i, "conv")
                ? 1 + plc_kept_count(channels, graph, mask, i) * (double)(shape->h * shape->w)
                : 0;
        *total_ms += ms;
    }
    return PLEACH_OK;
}

static void all_budgets_are_met_and_one_of_them_just(void **state)
{
    (void)state;
    static const double shares[][3] = {
        {0.3, 0.9, 0.9}, {0.9, 0.3, 0.9}, {0.9, 0.9, 0.3}, {0.5, 0.5, 0.5}, {1, 1, 0.2}};
    subject s = take_model("resnet20");
    int n_calls = 0;
    double dense_ms = 0;
    unsigned char *all = NULL;

    assert_ok(plc_random_mask(ctx, s.channels, 1, 0, &all));
    assert_ok(made_up_latency(&n_calls, s.graph, s.channels, all, &dense_ms));
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const plc_budget budgets[] = {
            {.kind = PLC_BUDGET_MACS, .target = shares[i][0]},
            {.kind = PLC_BUDGET_PARAMS, .target = shares[i][1]},
            {.kind = PLC_BUDGET_LATENCY, .target = shares[i][2], .dense = i % 2 ? dense_ms : 0}};
        plc_selection sel = choose(&s, NULL, 1,
                                   (plc_select_opts){.budgets = budgets,
                                                     .n_budgets = 3,
                                                     .latency = made_up_latency,
                                                     .latency_user = &n_calls});
        const double left[] = {(double)sel.macs / (double)pleach_graph_macs(s.graph) - shares[i][0],
                               (double)sel.params / (double)pleach_graph_params(s.graph) -
                                   shares[i][1],
                               sel.latency_ms / dense_ms - shares[i][2]};
        assert_true(sel.reached);
        assert_true(left[0] <= 0 && left[1] <= 0 && left[2] <= 0);
        assert_true(left[0] > -0.02 || left[1] > -0.02 || left[2] > -0.02);
        plc_selection_finish(&sel);
    }
    free(all);
    finish(&s);
}

static void without_a_budget_everything_is_kept(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    plc_selection sel;

    assert_ok(
        plc_select(ctx, s.graph, s.channels, s.scores, NULL, &(plc_select_opts){.band = 0}, &sel));
    assert_true(sel.reached && sel.pl == 0 && sel.n_kept == sel.n_prunable);
    plc_selection_finish(&sel);
    finish(&s);
}

// What saves more time leaves first, but no group to the end: a channel of few is worth more.
static void ranking_by_latency_takes_slow_channels_first(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    int n_calls = 0;
    double *costs = group_costs(&s, made_up_latency, &n_calls);
    const int fast = group_of(&s, "layer3.2.conv1"), slow = group_of(&s, "layer1.0.conv1");

    // Only the layer that makes the channel is slower for it, of two that it is part of.
    assert_true(fabs(costs[slow] - 32 * 32 / 2.0) < 1e-6);
    for (int c = 0; c < s.n_classes; c++)
        s.scores[c] = 1;
    plc_selection sel =
        choose(&s, NULL, 0.6,
               (plc_select_opts){
                   .rank = PLC_RANK_LATENCY, .latency = made_up_latency, .latency_user = &n_calls});
    const double kept_fast = count_kept(&s, sel.mask, fast) / 64.0;
    const double kept_slow = count_kept(&s, sel.mask, slow) / 16.0;
    if (kept_fast < 2 * kept_slow || kept_slow < 0.1)
        fail_msg("fast %g, slow %g", kept_fast, kept_slow);
    plc_selection_finish(&sel);
    free(costs);
    finish(&s);
}

static void wrong_options_and_scores_are_refused(void **state)
{
    (void)state;
    subject s = take_model("resnet20");
    const char *keep[] = {"layer1.0.conv3"};
    const plc_budget zero = {.target = 0}, more = {.target = 1.5}, nan = {.target = NAN};
    const struct {
        plc_select_opts opts;
        const char *expected;
    } cases[] = {
        {{.budgets = &zero, .n_budgets = 1}, "target is 0"},
        {{.budgets = &more, .n_budgets = 1}, "target is 1.5"},
        {{.budgets = &nan, .n_budgets = 1}, "target is"},
        {{.band = -0.1}, "band is -0.1"},
        {{.max_ratio = 2}, "max ratio is 2"},
        {{.min_channels = -1}, "min channels is -1"},
        {{.round_to = -4}, "round to is -4"},
        {{.keep = keep, .n_keep = 1}, "did you mean 'layer1.0.conv1'?"},
    };
    plc_selection sel;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(plc_select(ctx, s.graph, s.channels, s.scores, NULL, &cases[i].opts, &sel),
                         PLEACH_EUSAGE);
        if (!strstr(pleach_error(ctx), cases[i].expected))
            fail_msg("expected '%s': %s", cases[i].expected, pleach_error(ctx));
    }
    s.scores[plc_channels_class(s.channels, plc_graph_find(s.graph, "layer1.0.conv1"), 3)] = NAN;
    assert_int_equal(
        plc_select(ctx, s.graph, s.channels, s.scores, NULL, &(plc_select_opts){.band = 0}, &sel),
        PLEACH_EDIVERGED);
    assert_non_null(strstr(pleach_error(ctx), "channel 3 of group 'layer1.0.conv1'"));
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_cost_is_the_cost_of_the_compacted_graph),
        cmocka_unit_test(costs_of_known_layers_are_right),
        cmocka_unit_test(the_target_is_just_met),
        cmocka_unit_test(a_target_of_one_keeps_everything),
        cmocka_unit_test(weaker_channels_of_a_group_leave_first),
        cmocka_unit_test(groups_keep_what_the_options_say),
        cmocka_unit_test(what_has_left_for_good_changes_no_rank),
        cmocka_unit_test(the_last_channel_of_a_group_is_its_strongest),
        cmocka_unit_test(depthwise_layers_keep_two_channels),
        cmocka_unit_test(only_groups_that_may_lose_everything),
        cmocka_unit_test(a_wider_band_flips_fewer_channels),
        cmocka_unit_test(a_pruned_channel_that_grows_comes_back_only_past_the_band),
        cmocka_unit_test(equal_scores_rank_by_class_number),
        cmocka_unit_test(a_channel_costs_its_share_of_each_of_its_layers),
        cmocka_unit_test(the_last_channel_of_a_branch_costs_as_the_others_did),
        cmocka_unit_test(pruned_for_good_never_returns),
        cmocka_unit_test(ranking_by_macs_empties_no_stage_before_others),
        cmocka_unit_test(a_fraction_refers_to_the_dense_network_that_is_given),
        cmocka_unit_test(all_budgets_are_met_and_one_of_them_just),
        cmocka_unit_test(without_a_budget_everything_is_kept),
        cmocka_unit_test(ranking_by_latency_takes_slow_channels_first),
        cmocka_unit_test(wrong_options_and_scores_are_refused),
    };

    return cmocka_run_group_tests_name("select", tests, make_fixture, drop_fixture);
}
