// Tests of the describing half of src/rewrite: edits applied and networks evaluated on the host.
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
#include <graph/op.h>
#include <price/macs.h>
#include <rewrite/compact.h>
#include <rewrite/drop.h>
#include <rewrite/fold.h>

#include "difference.h"
#include "evaluate.h"
#include "random_graph.h"
#include <context.h>

enum { N_SEEDS = 60 };

// A network with parameters and an image, and what a rewrite made of it.
typedef struct subject {
    pleach_graph *graph, *rewritten;
    plc_channels *channels;
    plc_edits *edits;
    float *params, *new_params, *image;
} subject;

static subject take(pleach_graph *graph, unsigned seed)
{
    subject s = {.graph = graph};
    const plc_shape *x = &graph->nodes[0].shape;
    int n = x->c * x->h * x->w;

    assert_ok(plc_channels_create(ctx, graph, &s.channels));
    assert_ok(plc_random_params(ctx, graph, seed, &s.params));
    assert_ok(plc_alloc(ctx, (size_t)n, sizeof *s.image, &s.image));
    for (int i = 0; i < n; i++)
        s.image[i] = sinf((float)i * 1.7f);
    return s;
}

static subject take_random(unsigned seed)
{
    pleach_graph *graph = NULL;

    assert_ok(plc_random_graph(ctx, seed, &graph));
    return take(graph, seed);
}

static subject take_resnet(void)
{
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, "resnet20", 1, 8, 8, 10, &graph));
    return take(graph, 1);
}

static void drop_rewritten(subject *s)
{
    free(s->new_params);
    s->new_params = NULL;
    plc_edits_destroy(&s->edits);
    pleach_graph_destroy(&s->rewritten);
}

static void finish(subject *s)
{
    drop_rewritten(s);
    free(s->image);
    free(s->params);
    plc_channels_destroy(&s->channels);
    pleach_graph_destroy(&s->graph);
}

static float scale_of(const subject *s, const plc_params_layout *old, int norm, int k)
{
    const float *gamma = s->params + old->offsets[norm][0],
                *var = s->params + old->offsets[norm][3];

    return gamma[k] / sqrtf(var[k] + s->graph->nodes[norm].attrs.eps);
}

// One edit as its header says it, element by element.
static void apply_edit(const subject *s, const plc_edit *e, const plc_params_layout *old, float *to)
{
    const plc_node *node = &s->graph->nodes[e->from_node];
    const plc_param *new_param = &s->rewritten->nodes[e->node].params[e->param];
    int rest = 1, old_columns = 1;

    for (int i = 2; i < new_param->n_dims; i++)
        rest *= new_param->dims[i];
    if (e->from_param >= 0 && node->params[e->from_param].n_dims > 1)
        old_columns = node->params[e->from_param].dims[1];
    for (int i = 0; i < e->n_kept[0]; i++)
        for (int j = 0; j < e->n_kept[1]; j++)
            for (int r = 0; r < rest; r++, to++) {
                int row = e->kept[0] ? e->kept[0][i] : i, column = e->kept[1] ? e->kept[1][j] : j;
                float from = 0;
                if (e->from_param >= 0)
                    from = s->params[old->offsets[e->from_node][e->from_param] +
                                     (row * old_columns + column) * rest + r];
                *to = from;
                if (e->kind == PLC_EDIT_GATHER)
                    continue;
                float scale = scale_of(s, old, e->norm, row);
                const float *norm = s->params + old->offsets[e->norm][2];
                if (e->kind == PLC_EDIT_FOLD_WEIGHT)
                    *to = from * scale;
                else
                    *to = s->params[old->offsets[e->norm][1] + row] + (from - norm[row]) * scale;
            }
}

static void apply(subject *s)
{
    plc_params_layout *old = NULL, *new = NULL;

    assert_ok(plc_graph_check(ctx, s->rewritten));
    assert_ok(plc_params_layout_create(ctx, s->graph, &old));
    assert_ok(plc_params_layout_create(ctx, s->rewritten, &new));
    assert_ok(plc_alloc(ctx, (size_t) new->n_floats, sizeof *s->new_params, &s->new_params));
    assert_int_equal(s->edits->n_items, new->n_places);
    for (int i = 0; i < new->n_places; i++) {
        const plc_edit *e = &s->edits->items[i];
        assert_true(e->node == new->places[i].node && e->param == new->places[i].param);
        assert_int_equal(e->from_node, s->edits->from_nodes[e->node]);
        assert_true(e->kind != PLC_EDIT_GATHER || e->from_param >= 0);
        apply_edit(s, e, old, s->new_params + new->places[i].offset);
    }
    plc_params_layout_destroy(&old);
    plc_params_layout_destroy(&new);
}

// Largest difference of the logits relative to their largest.
static double difference(const subject *s, const unsigned char *mask, const double *gates)
{
    double *before = NULL, *after = NULL;
    int n = s->graph->nodes[s->graph->n_nodes - 1].shape.c;

    assert_int_equal(n, s->rewritten->nodes[s->rewritten->n_nodes - 1].shape.c);
    assert_ok(plc_evaluate(ctx, s->graph, s->params, s->image, s->channels, mask, gates, &before));
    assert_ok(plc_evaluate(ctx, s->rewritten, s->new_params, s->image, NULL, NULL, NULL, &after));
    const double worst = plc_difference(before, after, (size_t)n);
    free(before);
    free(after);
    return worst;
}

static void compacted_network_gives_the_same_bits_as_the_masked_one(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 2 * N_SEEDS; seed++) {
        subject s = take_random(seed);
        unsigned char *mask = NULL;
        assert_ok(plc_random_mask(ctx, s.channels, seed, seed % 2 ? 0.4 : 0.9, &mask));
        assert_ok(plc_compact_describe(ctx, s.graph, s.channels, mask, &s.rewritten, &s.edits));
        apply(&s);
        if (difference(&s, mask, NULL) != 0)
            fail_msg("seed %u: logits differ by %g", seed, difference(&s, mask, NULL));
        free(mask);
        finish(&s);
    }
}

static void compaction_keeps_names_and_nodes(void **state)
{
    (void)state;
    subject s = take_resnet();
    unsigned char *mask = NULL;

    assert_ok(plc_random_mask(ctx, s.channels, 3, 0.5, &mask));
    assert_ok(plc_compact_describe(ctx, s.graph, s.channels, mask, &s.rewritten, &s.edits));
    assert_int_equal(s.rewritten->n_nodes, s.graph->n_nodes);
    for (int i = 0; i < s.graph->n_nodes; i++) {
        assert_string_equal(s.rewritten->nodes[i].name, s.graph->nodes[i].name);
        assert_int_equal(s.edits->from_nodes[i], i);
    }
    assert_true(pleach_graph_macs(s.rewritten) < pleach_graph_macs(s.graph) / 2);
    free(mask);
    finish(&s);
}

static void a_compacted_network_can_be_compacted_again(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        subject first = take_random(seed);
        unsigned char *mask = NULL, *second_mask = NULL;
        assert_ok(plc_random_mask(ctx, first.channels, seed, 0.5, &mask));
        assert_ok(plc_compact_describe(ctx, first.graph, first.channels, mask, &first.rewritten,
                                       &first.edits));
        subject second = take(first.rewritten, seed + 1000);
        first.rewritten = NULL;
        assert_ok(plc_random_mask(ctx, second.channels, seed, 0.5, &second_mask));
        assert_ok(plc_compact_describe(ctx, second.graph, second.channels, second_mask,
                                       &second.rewritten, &second.edits));
        apply(&second);
        if (difference(&second, second_mask, NULL) != 0)
            fail_msg("seed %u: logits differ", seed);
        free(mask);
        free(second_mask);
        finish(&second);
        finish(&first);
    }
}

static void a_mask_that_empties_a_trunk_or_thaws_a_group_is_refused(void **state)
{
    (void)state;
    subject s = take_resnet();
    unsigned char *mask = NULL;

    assert_ok(plc_random_mask(ctx, s.channels, 3, 0, &mask));
    mask[0] = 0; // the image
    assert_int_equal(plc_compact_describe(ctx, s.graph, s.channels, mask, &s.rewritten, &s.edits),
                     PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "group 'input': the mask keeps 0 of 1"));
    mask[0] = 1;
    for (int c = 0; c < 16; c++)
        mask[plc_channels_class(s.channels, plc_graph_find(s.graph, "conv1"), c)] = 0;
    assert_int_equal(plc_compact_describe(ctx, s.graph, s.channels, mask, &s.rewritten, &s.edits),
                     PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "'conv1': the mask leaves it no channels"));
    assert_true(!s.rewritten && !s.edits);
    free(mask);
    finish(&s);
}

// Every inner group of a ResNet's branches emptied alone and all together, other channels pruned as well:
// with the branches' gates at 0 before, the same function of the image. Its cost is known beforehand.
static void an_emptied_branch_goes_whole(void **state)
{
    (void)state;
    subject s = take_resnet();
    plc_blocks *blocks = NULL;
    double *gates = NULL;
    const int n = plc_channels_n_groups(s.channels);
    int *block_of = NULL;

    assert_ok(plc_blocks_find(ctx, s.graph, &blocks));
    assert_ok(plc_alloc(ctx, (size_t)s.graph->n_nodes, sizeof *gates, &gates));
    assert_ok(plc_blocks_of_groups(ctx, s.graph, s.channels, blocks, &block_of));
    for (int i = 0; i <= blocks->n_items; i++) {
        unsigned char *mask = NULL;
        plc_cost cost = {0};
        int n_emptied = 0;
        assert_ok(plc_random_mask(ctx, s.channels, (unsigned)i, 0.4, &mask));
        for (int j = 0; j < s.graph->n_nodes; j++)
            gates[j] = 1;
        for (int g = 0; g < n; g++) {
            const plc_group *group = plc_channels_group(s.channels, g);
            if (block_of[g] < 0 || (i < blocks->n_items && block_of[g] != i))
                continue;
            n_emptied++;
            for (int k = 0; k < group->n_classes; k++)
                mask[group->classes[k]] = 0;
            gates[blocks->items[block_of[g]].gate] = 0;
        }
        assert_int_equal(n_emptied, i < blocks->n_items ? 1 : blocks->n_items);
        assert_ok(plc_compact_describe(ctx, s.graph, s.channels, mask, &s.rewritten, &s.edits));
        assert_int_equal(plc_graph_count_op(s.rewritten, "add"), blocks->n_items - n_emptied);
        assert_ok(plc_masked_cost(ctx, s.graph, s.channels, mask, &cost));
        assert_int_equal(cost.macs, pleach_graph_macs(s.rewritten));
        assert_int_equal(cost.params, pleach_graph_params(s.rewritten));
        apply(&s);
        if (difference(&s, mask, gates) != 0)
            fail_msg("block %d: logits differ by %g", i, difference(&s, mask, gates));
        drop_rewritten(&s);
        free(mask);
    }
    free(block_of);
    free(gates);
    plc_blocks_destroy(&blocks);
    finish(&s);
}

static void folding_changes_no_logit(void **state)
{
    (void)state;
    const double tolerance = 1e-5; // method section 7; folded weights are floats
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        subject s = take_random(seed);
        int n_folded = 0, n_norms = 0;
        assert_ok(plc_fold_describe(ctx, s.graph, &s.rewritten, &s.edits, &n_folded));
        for (int i = 0; i < s.rewritten->n_nodes; i++)
            n_norms += strcmp(s.rewritten->nodes[i].op->name, "batch_norm") == 0;
        // each follows a layer of its own in these graphs; a transposed one has no bias that could take it
        assert_int_equal(n_norms, plc_graph_count_op(s.graph, "conv_transpose"));
        assert_int_equal(s.graph->n_nodes - s.rewritten->n_nodes, n_folded);
        apply(&s);
        if (difference(&s, NULL, NULL) > tolerance)
            fail_msg("seed %u: logits differ by %g", seed, difference(&s, NULL, NULL));
        finish(&s);
    }
}

static void folding_leaves_a_norm_whose_layer_others_read(void **state)
{
    (void)state;
    pleach_graph *graph = NULL, *folded = NULL;
    plc_edits *edits = NULL;
    int n_folded = -1;

    assert_ok(pleach_graph_create(ctx, "densenet40", 3, 32, 32, 10, &graph));
    assert_ok(plc_fold_describe(ctx, graph, &folded, &edits, &n_folded));
    // conv1 feeds a batch norm and a concat; each convolution a concat; each transition a pool.
    assert_int_equal(n_folded, 0);
    assert_int_equal(folded->n_nodes, graph->n_nodes);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&folded);
    pleach_graph_destroy(&graph);
}

// Every block of a ResNet dropped alone, its gate at zero before: the same function of the image.
static void dropping_a_faded_block_changes_no_logit(void **state)
{
    (void)state;
    subject s = take_resnet();
    plc_blocks *blocks = NULL;
    double *gates = NULL;

    assert_ok(plc_blocks_find(ctx, s.graph, &blocks));
    assert_ok(plc_alloc(ctx, (size_t)s.graph->n_nodes, sizeof *gates, &gates));
    for (int i = 0; i < blocks->n_items; i++) {
        const plc_block *b = &blocks->items[i];
        for (int j = 0; j < s.graph->n_nodes; j++)
            gates[j] = j != b->gate;
        assert_ok(plc_drop_describe(ctx, s.graph, b->add, b->shortcut, &s.rewritten, &s.edits));
        // The branch, the add and, if it does nothing, the ReLU.
        assert_int_equal(s.graph->n_nodes - s.rewritten->n_nodes,
                         b->n_branch_nodes + 1 + b->vanishes);
        apply(&s);
        if (difference(&s, NULL, gates) != 0)
            fail_msg("block %d: logits differ by %g", i, difference(&s, NULL, gates));
        drop_rewritten(&s);
    }
    free(gates);
    plc_blocks_destroy(&blocks);
    finish(&s);
}

static void blocks_drop_one_after_another_down_to_the_projections(void **state)
{
    (void)state;
    subject s = take_resnet();
    int n_dropped = 0;

    for (;;) {
        plc_blocks *blocks = NULL;
        assert_ok(plc_blocks_find(ctx, s.graph, &blocks));
        if (blocks->n_items == 0) {
            plc_blocks_destroy(&blocks);
            break;
        }
        const plc_block *b = &blocks->items[blocks->n_items - 1];
        assert_ok(plc_drop_describe(ctx, s.graph, b->add, b->shortcut, &s.rewritten, &s.edits));
        apply(&s);
        plc_blocks_destroy(&blocks);
        subject next = take(s.rewritten, 1);
        s.rewritten = NULL;
        finish(&s);
        s = next;
        n_dropped++;
    }
    int n_convs = 0;
    for (int i = 0; i < s.graph->n_nodes; i++)
        n_convs += strcmp(s.graph->nodes[i].op->name, "conv") == 0;
    assert_int_equal(n_dropped, 9);
    assert_int_equal(n_convs, 3); // the stem and two projections
    finish(&s);
}

static void dropping_what_is_no_block_is_refused(void **state)
{
    (void)state;
    subject s = take_resnet();
    int add = plc_graph_find(s.graph, "layer1.0.add");

    assert_int_equal(plc_drop_describe(ctx, s.graph, add, 0, &s.rewritten, &s.edits),
                     PLEACH_EGRAPH);
    assert_int_equal(plc_drop_describe(ctx, s.graph, 1, 0, &s.rewritten, &s.edits), PLEACH_EGRAPH);
    assert_int_equal(plc_drop_describe(ctx, s.graph, -1, 0, &s.rewritten, &s.edits), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "is not an add"));
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compacted_network_gives_the_same_bits_as_the_masked_one),
        cmocka_unit_test(compaction_keeps_names_and_nodes),
        cmocka_unit_test(a_compacted_network_can_be_compacted_again),
        cmocka_unit_test(a_mask_that_empties_a_trunk_or_thaws_a_group_is_refused),
        cmocka_unit_test(an_emptied_branch_goes_whole),
        cmocka_unit_test(folding_changes_no_logit),
        cmocka_unit_test(folding_leaves_a_norm_whose_layer_others_read),
        cmocka_unit_test(dropping_a_faded_block_changes_no_logit),
        cmocka_unit_test(blocks_drop_one_after_another_down_to_the_projections),
        cmocka_unit_test(dropping_what_is_no_block_is_refused),
    };

    return cmocka_run_group_tests_name("describe", tests, make_fixture, drop_fixture);
}
