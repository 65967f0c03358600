// The price of a network in milliseconds: the grid, interpolation, the file, and what it says of whole networks.
#include <context.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <kernel/kernels.h>
#include <price/latency.h>
#include <price/latency_table.h>
#include <rewrite/compact.h>
#include <platform.h>
#include <random_graph.h>

enum { SMALL = 12 };

static pleach_device *device;
static char folder[64];

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = folder, .tune = PLEACH_TUNE_OFF};

    strcpy(folder, "/tmp/pleach-latency-XXXXXX");
    if (make_fixture(state) != 0 || !mkdtemp(folder))
        return -1;
    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    pleach_device_close(&device);
    return system(command) != 0 || drop_fixture(state);
}

static pleach_graph *build(const char *model, int size)
{
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, model, 3, size, size, 10, &graph));
    return graph;
}

static void grid_neighbours_enclose_every_count(void **state)
{
    static const int units[] = {1, 8, 16};
    int low, high;

    (void)state;
    for (int u = 0; u < 3; u++)
        for (int n = 1; n < 3000; n++) {
            const int rounded = (n + units[u] - 1) / units[u] * units[u];
            plc_latency_grid(n, units[u], &low, &high);
            if (low > rounded || high < rounded || low % units[u] || high % units[u] ||
                2 * high > 4 * low)
                fail_msg("n %d, unit %d: %d to %d", n, units[u], low, high);
            if (low < high) { // nothing of the grid lies between
                int l, h;
                plc_latency_grid(low, units[u], &l, &h);
                assert_true(l == low && h == low);
                plc_latency_grid(high, units[u], &l, &h);
                assert_true(l == high && h == high);
            }
        }
    plc_latency_grid(20, 1, &low, &high);
    assert_true(low == 16 && high == 24);
    plc_latency_grid(3, 1, &low, &high);
    assert_true(low == 3 && high == 3);
    plc_latency_grid(5, 1, &low, &high);
    assert_true(low == 4 && high == 6);
    plc_latency_grid(17, 16, &low, &high);
    assert_true(low == 32 && high == 32);
}

static void a_second_opening_measures_nothing(void **state)
{
    pleach_graph *graph = build("resnet20", SMALL);
    plc_latency *latency = NULL;
    double first = 0, again = 0;

    (void)state;
    assert_ok(plc_latency_open(device, 2, &latency));
    assert_int_equal(plc_latency_batch(latency), 2);
    assert_ok(plc_latency_of_graph(latency, graph, NULL, NULL, &first));
    assert_true(plc_latency_n_measured(latency) > 10 && first > 0);
    const int n_measured = plc_latency_n_measured(latency);
    assert_ok(plc_latency_of_graph(latency, graph, NULL, NULL, &again));
    assert_int_equal(plc_latency_n_measured(latency), n_measured);
    assert_true(first == again);
    plc_latency_close(&latency);

    assert_ok(plc_latency_open(device, 2, &latency));
    assert_ok(plc_latency_of_graph(latency, graph, NULL, NULL, &again));
    assert_int_equal(plc_latency_n_measured(latency), 0);
    assert_true(first == again); // to the last bit: what is kept is what was used
    plc_latency_close(&latency);
    pleach_graph_destroy(&graph);
}

// The path of the only file in the folder "latency".
static void find_file(char path[256])
{
    char command[128];

    snprintf(command, sizeof command, "ls '%s'/latency/*.json", folder);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    assert_non_null(fgets(path, 256, list));
    pclose(list);
    path[strcspn(path, "\n")] = '\0';
}

static void between_grid_points_times_are_linear(void **state)
{
    pleach_graph *graph = NULL;
    plc_latency *latency = NULL;
    plc_latency_table table = {0};
    char path[256];
    int at = 0;

    (void)state;
    // 8 images leave no batch lane of 4 empty: one channel costs one channel there.
    const pleach_device_opts opts = {.cache_dir = folder,
                                     .mapping = PLEACH_MAPPING_WORK_ITEM,
                                     .lanes = 4,
                                     .tune = PLEACH_TUNE_OFF};
    pleach_device *plain = NULL;
    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &plain));
    assert_ok(plc_graph_create(ctx, "two", (plc_shape){3, 6, 6}, &graph));
    assert_ok(plc_graph_add(ctx, graph, "conv", "a", &at, 1,
                            &(plc_attrs){.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 5}, &at));
    assert_ok(plc_graph_add(ctx, graph, "conv", "b", &at, 1,
                            &(plc_attrs){.kernel = {1, 1}, .out_channels = 20}, &at));
    double total = 0;
    assert_ok(plc_latency_open(plain, 8, &latency));
    assert_ok(plc_latency_of_graph(latency, graph, NULL, NULL, &total));
    plc_latency_close(&latency);
    find_file(path);
    assert_ok(plc_latency_table_read(ctx, path, &table));
    const plc_latency_row *row =
        plc_latency_table_row(&table, "conv 1x1 s1x1 p0x0 d1x1 6x6, batch 8", "work-item 4");
    assert_non_null(row);
    const double a = plc_latency_table_find(row, 4, 16)->ms,
                 b = plc_latency_table_find(row, 4, 24)->ms,
                 c = plc_latency_table_find(row, 6, 16)->ms,
                 d = plc_latency_table_find(row, 6, 24)->ms;
    const plc_latency_row *images = plc_latency_table_row(
        &table, "conv 3x3 s1x1 p1x1 d1x1 of images 6x6, batch 8", "work-item 4");
    assert_non_null(images);
    const double e = plc_latency_table_find(images, 3, 4)->ms,
                 f = plc_latency_table_find(images, 3, 6)->ms,
                 start = plc_latency_table_find(
                             plc_latency_table_row(&table, "start, batch 8", "work-item 4"), 1, 1)
                             ->ms;
    assert_true(fabs(total - (a + b + c + d) / 4 - (e + f) / 2 - start) < 1e-12);
    assert_int_equal(images->n_points, 2);
    plc_latency_table_finish(&table);
    pleach_graph_destroy(&graph);
    pleach_device_close(&plain);
}

static void a_damaged_file_is_put_aside_and_made_anew(void **state)
{
    static const char *const damages[] = {
        "{",
        "[]",
        "{\"schema\": \"pleach.latency/2\", \"steps\": []}",
        "{\"schema\": \"pleach.latency/1\", \"steps\": [{\"step\": \"a\", \"mapping\": \"b\", "
        "\"ms\": {\"16\": 1}}]}",
        "{\"schema\": \"pleach.latency/1\", \"steps\": [{\"step\": \"a\", \"mapping\": \"b\", "
        "\"ms\": {\"1->1\": -1}}]}",
        "{\"schema\": \"pleach.latency/1\", \"steps\": [{\"step\": \"\", \"mapping\": \"b\", "
        "\"ms\": {}}]}"};
    char path[256], aside[300];

    (void)state;
    find_file(path);
    snprintf(aside, sizeof aside, "%s.bad", path);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        plc_latency_table table = {0};
        plc_latency *latency = NULL;
        assert_ok(plc_file_write_all(ctx, path, damages[i], strlen(damages[i])));
        assert_ok(plc_latency_open(device, 2, &latency));
        plc_latency_close(&latency);
        if (plc_file_exists(path) || !plc_file_exists(aside))
            fail_msg("damage %zu was taken for a table", i);
        assert_int_equal(unlink(aside), 0);
        assert_ok(plc_latency_table_put(ctx, &table, "a", "b", (plc_latency_point){1, 2, 0.5}));
        assert_ok(plc_latency_table_write(device, path, &table));
        plc_latency_table_finish(&table);
        assert_ok(plc_latency_table_read(ctx, path, &table));
        assert_int_equal(table.n_rows, 1);
        plc_latency_table_finish(&table);
    }
}

static void two_writers_keep_what_both_have_measured(void **state)
{
    plc_latency_table one = {0}, other = {0}, both = {0};
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/elsewhere/table.json", folder);
    assert_ok(plc_latency_table_put(ctx, &one, "a", "m", (plc_latency_point){1, 2, 0.5}));
    assert_ok(plc_latency_table_put(ctx, &one, "a", "m", (plc_latency_point){1, 3, 0.25}));
    assert_ok(plc_latency_table_put(ctx, &other, "a", "m", (plc_latency_point){1, 2, 0.75}));
    assert_ok(plc_latency_table_put(ctx, &other, "b", "m", (plc_latency_point){7, 7, 1e-3}));
    assert_ok(plc_latency_table_write(device, path, &one));
    assert_ok(plc_latency_table_write(device, path, &other));
    assert_ok(plc_latency_table_read(ctx, path, &both));
    assert_int_equal(both.n_rows, 2);
    const plc_latency_row *a = plc_latency_table_row(&both, "a", "m");
    assert_true(plc_latency_table_find(a, 1, 2)->ms == 0.75);
    assert_true(plc_latency_table_find(a, 1, 3)->ms == 0.25);
    assert_null(plc_latency_table_row(&both, "a", "other mapping"));
    plc_latency_table_finish(&one);
    plc_latency_table_finish(&other);
    plc_latency_table_finish(&both);
}

// Every kind of step that there is can be priced, dense and compacted, and alone as small as one node.
static void every_network_has_a_price(void **state)
{
    plc_latency *latency = NULL;

    (void)state;
    assert_ok(plc_latency_open(device, 3, &latency));
    for (unsigned seed = 0; seed < plc_test_cases(8); seed++) {
        pleach_graph *graph = NULL;
        plc_channels *channels = NULL;
        unsigned char *mask = NULL;
        double dense = 0, pruned = 0;
        assert_ok(plc_random_graph(ctx, seed, &graph));
        assert_ok(plc_channels_create(ctx, graph, &channels));
        assert_ok(plc_random_mask(ctx, channels, seed, 0.5, &mask));
        assert_ok(plc_latency_of_graph(latency, graph, NULL, NULL, &dense));
        assert_ok(plc_latency_of_graph(latency, graph, channels, mask, &pruned));
        assert_true(dense > 0 && pruned > 0);
        free(mask);
        plc_channels_destroy(&channels);
        pleach_graph_destroy(&graph);
    }
    plc_latency_close(&latency);
}

// Predicted over measured, of the network compacted to a random mask.
static double ratio_of(plc_latency *latency, const pleach_graph *graph, unsigned seed, double share)
{
    pleach_graph *small = NULL;
    plc_channels *channels = NULL;
    plc_edits *edits = NULL;
    unsigned char *mask = NULL;
    double predicted = 0, measured = 0;

    assert_ok(plc_channels_create(ctx, graph, &channels));
    assert_ok(plc_random_mask(ctx, channels, seed, share, &mask));
    assert_ok(plc_compact_describe(ctx, graph, channels, mask, &small, &edits));
    assert_ok(plc_latency_of_graph(latency, graph, channels, mask, &predicted));
    assert_ok(plc_latency_measure(latency, small, true, &measured));
    print_message("batch %d, %2.0f %% pruned: predicted %.4f ms, measured %.4f ms, %+.1f %%\n",
                  plc_latency_batch(latency), 100 * share, predicted, measured,
                  100 * (predicted / measured - 1));
    free(mask);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&small);
    return predicted / measured;
}

// Loose, because other programs run beside tests; a table that has mixed up steps is off by more.
static void predictions_are_near_what_is_measured(void **state)
{
    static const int batches[] = {1, 64};
    static const double shares[] = {0.0, 0.3, 0.6, 0.9};
    const double most = 3;

    (void)state;
    if (plc_test_is_quick())
        plc_test_skip("too slow a platform for batches of 64");
    for (int b = 0; b < 2; b++) {
        pleach_graph *graph = build("resnet20", 16);
        plc_latency *latency = NULL;
        assert_ok(plc_latency_open(device, batches[b], &latency));
        for (unsigned seed = 0; seed < 4; seed++) {
            const double ratio = ratio_of(latency, graph, seed, shares[seed]);
            assert_true(ratio < most && ratio > 1 / most);
        }
        print_message("batch %d: %d points measured\n", batches[b],
                      plc_latency_n_measured(latency));
        plc_latency_close(&latency);
        pleach_graph_destroy(&graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_neighbours_enclose_every_count),
        cmocka_unit_test(a_second_opening_measures_nothing),
        cmocka_unit_test(between_grid_points_times_are_linear),
        cmocka_unit_test(a_damaged_file_is_put_aside_and_made_anew),
        cmocka_unit_test(two_writers_keep_what_both_have_measured),
        cmocka_unit_test(every_network_has_a_price),
        cmocka_unit_test(predictions_are_near_what_is_measured),
    };

    return cmocka_run_group_tests_name("latency", tests, set_up, tear_down);
}
