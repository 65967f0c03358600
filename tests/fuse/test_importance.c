// Tests of src/fuse/importance.c: which blocks are chosen to go, and that a choice changes nothing.
#include <context.h>

#include <math.h>
#include <stdlib.h>

#include <exec/session.h>
#include <fuse/importance.h>
#include <platform.h>

enum { N_IMAGES = 300, SIDE = 8, BATCH = 32, WITHOUT_WORTH = 4 };

static pleach_device *device;
static pleach_session *session;
static plc_blocks *blocks;
static plc_split split = {.image_bytes = SIDE * SIDE, .n_images = N_IMAGES};

// A ResNet-20 as it begins, one of whose blocks adds nothing, and images of noise.
static int set_up(void **state)
{
    pleach_graph *graph = NULL;

    if (make_fixture(state) ||
        pleach_device_open(ctx, plc_test_device(), &(pleach_device_opts){.cache_dir = ""},
                           &device) != PLEACH_OK ||
        pleach_graph_create(ctx, "resnet20", 1, SIDE, SIDE, 10, &graph) != PLEACH_OK ||
        pleach_session_create(ctx, graph, device, BATCH, NULL, &session) != PLEACH_OK ||
        plc_blocks_find(ctx, session->graph, &blocks) != PLEACH_OK) {
        print_error("%s\n", pleach_error(ctx));
        return -1;
    }
    pleach_graph_destroy(&graph);
    split.images = malloc(N_IMAGES * SIDE * SIDE);
    split.labels = calloc(N_IMAGES, sizeof *split.labels);
    for (int i = 0; i < N_IMAGES * SIDE * SIDE; i++)
        split.images[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int i = 0; i < N_IMAGES; i++)
        split.labels[i] = (uint16_t)(i % 10);
    const int norm = blocks->items[WITHOUT_WORTH].gate; // its gamma and beta come first
    const plc_param *gamma = &session->graph->nodes[norm].params[0];
    return plc_buffer_fill(device, session->weights,
                           (size_t)session->layout->offsets[norm][0] * sizeof(float),
                           2 * plc_param_count(gamma) * sizeof(float), 0) != PLEACH_OK;
}

static int tear_down(void **state)
{
    free(split.images);
    free(split.labels);
    plc_blocks_destroy(&blocks);
    pleach_session_destroy(&session);
    pleach_device_close(&device);
    return drop_fixture(state);
}

static void importances_are_measured_on_a_part(void **state)
{
    plc_split many = {.n_images = 4000}, few = {.n_images = 100};

    (void)state;
    assert_int_equal(plc_importance_images(&many).n_images, 1000);
    assert_int_equal(plc_importance_images(&split).n_images, 256);
    assert_int_equal(plc_importance_images(&few).n_images, 100);
}

// The least by measuring all of them, then the least of what is left without it.
static void the_least_important_blocks_are_chosen(void **state)
{
    const plc_split images = plc_importance_images(&split);
    plc_block_choice choices[9];
    double before, after, losses[9];

    (void)state;
    assert_int_equal(blocks->n_items, 9);
    assert_ok(plc_importance_loss(session, &images, &before));
    for (int i = 0; i < 9; i++) {
        assert_ok(plc_gate_set(session, blocks->items[i].gate, 0));
        assert_ok(plc_importance_loss(session, &images, &losses[i]));
        assert_ok(plc_gate_set(session, blocks->items[i].gate, 1));
    }
    assert_true(fabs(losses[WITHOUT_WORTH] - before) < 1e-9);
    assert_ok(plc_blocks_choose(session, blocks, &split, &(plc_drop_opts){.n_drop = 1}, choices));
    int n_chosen = 0, chosen = -1;
    for (int i = 0; i < 9; i++) {
        assert_true(fabs(choices[i].importance - (losses[i] - before)) < 1e-12);
        n_chosen += choices[i].round >= 0;
        if (choices[i].round == 0)
            chosen = i;
    }
    assert_int_equal(n_chosen, 1);
    for (int i = 0; i < 9; i++)
        assert_true(losses[chosen] <= losses[i]);
    // The second one with the first one gone: no other was weaker when it was measured last.
    assert_ok(plc_blocks_choose(session, blocks, &split, &(plc_drop_opts){.n_drop = 2}, choices));
    for (int i = 0; i < 9; i++)
        if (choices[i].round == 1) {
            double first = NAN;
            assert_ok(plc_gate_set(session, blocks->items[chosen].gate, 0));
            assert_ok(plc_importance_loss(session, &images, &first));
            assert_ok(plc_gate_set(session, blocks->items[i].gate, 0));
            assert_ok(plc_importance_loss(session, &images, &after));
            assert_ok(plc_gate_set(session, blocks->items[i].gate, 1));
            assert_ok(plc_gate_set(session, blocks->items[chosen].gate, 1));
            assert_true(fabs(choices[i].importance - (after - first)) < 1e-6);
            assert_int_equal(choices[i].measured_in, 1);
            for (int j = 0; j < 9; j++)
                assert_true(choices[j].round >= 0 ||
                            choices[i].importance <= choices[j].importance);
        }
    assert_ok(plc_importance_loss(session, &images, &after));
    assert_true(after <= before && after >= before); // all gates are open again
}

// Without a number blocks go only as long as accuracy stays, and a network of chance has none to lose or keeps it.
static void accuracy_bounds_what_goes_by_itself(void **state)
{
    plc_block_choice choices[9];
    plc_metrics before, after;
    int n_free = 0, n_strict = 0;

    (void)state;
    assert_ok(plc_evaluate_split(session, &split, &before));
    assert_ok(plc_blocks_choose(session, blocks, &split,
                                &(plc_drop_opts){.n_drop = -1, .tolerance = 1}, choices));
    for (int i = 0; i < 9; i++)
        n_free += choices[i].round >= 0;
    assert_int_equal(n_free, 2); // a quarter of nine
    assert_ok(plc_blocks_choose(session, blocks, &split,
                                &(plc_drop_opts){.n_drop = -1, .tolerance = -1}, choices));
    for (int i = 0; i < 9; i++)
        n_strict += choices[i].round >= 0;
    assert_int_equal(n_strict, 0); // none raises accuracy by all there is
    assert_ok(plc_evaluate_split(session, &split, &after));
    assert_true(after.loss_sum <= before.loss_sum && after.loss_sum >= before.loss_sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(importances_are_measured_on_a_part),
        cmocka_unit_test(the_least_important_blocks_are_chosen),
        cmocka_unit_test(accuracy_bounds_what_goes_by_itself),
    };

    return cmocka_run_group_tests_name("importance", tests, set_up, tear_down);
}
