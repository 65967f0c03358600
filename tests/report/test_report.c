// Reports: JSON there and back, the log's curves, text tables, the page.
#include <report/report.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/chart.h>

static pleach_ctx *ctx;
static char folder[] = "/tmp/pleach-test-report-XXXXXX";
static int n_warnings;

static void count_warnings(void *user, pleach_log_level level, const char *text)
{
    (void)user, (void)text;
    n_warnings += level == PLEACH_LOG_WARNING;
}

static int make_fixture(void **state)
{
    (void)state;
    if (pleach_ctx_create(&ctx) != PLEACH_OK || !mkdtemp(folder))
        return -1;
    pleach_ctx_set_log(ctx, count_warnings, NULL);
    return 0;
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return rmdir(folder);
}

static char *path_of(const char *name)
{
    char *path = NULL;

    assert_int_equal(plc_path_join(ctx, folder, name, &path), PLEACH_OK);
    return path;
}

static char *write_file(const char *name, const char *content)
{
    char *path = path_of(name);

    assert_int_equal(plc_file_write_all(ctx, path, content, strlen(content)), PLEACH_OK);
    return path;
}

static void drop_file(char *path)
{
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void set_text(char **field, const char *text)
{
    assert_int_equal(plc_strdup(ctx, text, field), PLEACH_OK);
}

// A report with something in every field; `name` is that of its first network.
static void fill_report(plc_report *report, const char *name)
{
    plc_report_network *network = NULL;
    const plc_report_mask_update update = {.epoch = 3,
                                           .step = 429,
                                           .pl = 0.25,
                                           .macs = 31000000,
                                           .params = 200000,
                                           .n_pruned = 60,
                                           .flips = 9,
                                           .returns = 2};

    *report = (plc_report){
        .input = {1, 28, 28}, .n_classes = 10, .seed = UINT64_MAX, .epochs = 12, .batch = 128};
    set_text(&report->command, "compress");
    set_text(&report->model, "resnet20");
    set_text(&report->data, "fashion-mnist");
    set_text(&report->device.name, "device");
    set_text(&report->device.platform, "platform");
    set_text(&report->device.driver, "1.0");
    set_text(&report->device.mapping, "vector");
    report->device.lanes = 16;
    assert_int_equal(plc_report_add_network(ctx, report, name, &network), PLEACH_OK);
    network->accuracy = 0.9236;
    plc_wilson_interval(9236, 10000, network->interval);
    network->loss = 0.25;
    network->macs = 40551936;
    network->params = 272474;
    network->conv_layers = 21;
    network->latency_ms = 1.5;
    network->latency_batch = 128;
    network->images_per_second = 12345;
    network->train_seconds = 61;
    network->epochs = 12;
    assert_int_equal(plc_report_add_network(ctx, report, "fused", &network), PLEACH_OK);
    network->macs = 8000000;
    assert_int_equal(plc_report_set_channels(ctx, report, "layer1.0.conv1", 16, 9), PLEACH_OK);
    assert_int_equal(plc_report_add_mask_update(ctx, report, &update), PLEACH_OK);
    assert_int_equal(plc_report_add_mask_update(ctx, report, &update), PLEACH_OK);
    assert_int_equal(plc_report_add_block(ctx, report, "layer1.1.add", "drop", 0.0125), PLEACH_OK);
    assert_int_equal(plc_report_add_block(ctx, report, "layer1.2.add", "merge", 0.5), PLEACH_OK);
    report->method_cost.total_seconds = 1.25;
    report->method_cost.share_of_training = 0.0205;
    report->memory.device_peak_bytes = 1LL << 33;
    report->seconds = 75;
}

static void a_report_is_read_back_as_it_was_written(void **state)
{
    plc_report written = {0}, read = {0};
    char *path = path_of("report.json"), *first = NULL, *second = NULL;

    (void)state;
    fill_report(&written, "dense");
    assert_int_equal(plc_report_write_json(ctx, &written, path), PLEACH_OK);
    assert_int_equal(plc_report_read_json(ctx, path, &read), PLEACH_OK);
    assert_int_equal(plc_report_to_json(ctx, &written, &first), PLEACH_OK);
    assert_int_equal(plc_report_to_json(ctx, &read, &second), PLEACH_OK);
    assert_string_equal(first, second);
    assert_true(read.seed == UINT64_MAX);
    assert_true(read.memory.device_peak_bytes == 1LL << 33);
    assert_int_equal(read.n_networks, 2);
    assert_true(isnan(read.networks[1].accuracy));
    assert_string_equal(read.blocks[0].name, "layer1.1.add");
    assert_string_equal(read.blocks[0].action, "drop");
    assert_true(isnan(read.blocks[1].border_error));
    free(first);
    free(second);
    plc_report_finish(&written);
    plc_report_finish(&read);
    drop_file(path);
}

static void what_is_no_report_is_refused_by_file_and_key(void **state)
{
    static const struct {
        const char *content, *said;
    } cases[] = {
        {"", "line 1"},
        {"[]", "schema"},
        {"{\"schema\": \"pleach.run/9\"}", "pleach.run/9"},
        {"{\"schema\": \"pleach.run/1\", \"schema\": \"pleach.run/1\"}", "duplicate"},
        {"{\"schema\": \"pleach.run/1\", \"epochs\": \"many\"}", "'epochs' should be an integer"},
        {"{\"schema\": \"pleach.run/1\", \"epochs\": 3000000000}", "'epochs' should be an integer"},
        {"{\"schema\": \"pleach.run/1\", \"input\": [1, 2]}", "'input' should be three integers"},
        {"{\"schema\": \"pleach.run/1\", \"networks\": {}}", "'networks' should be a list"},
        {"{\"schema\": \"pleach.run/1\", \"networks\": [{\"name\": \"a\"}, 7]}",
         "'networks' should be an object"},
        {"{\"schema\": \"pleach.run/1\", \"networks\": [{\"name\": 7}]}",
         "'name' should be a text"},
        {"{\"schema\": \"pleach.run/1\", \"device\": 7}", "'device' should be an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = write_file("bad.json", cases[i].content);
        plc_report report = {0};

        if (plc_report_read_json(ctx, path, &report) != PLEACH_EINPUT)
            fail_msg("case %zu was read", i);
        if (!strstr(pleach_error(ctx), cases[i].said) || !strstr(pleach_error(ctx), path))
            fail_msg("case %zu: '%s' does not say '%s'", i, pleach_error(ctx), cases[i].said);
        assert_null(report.networks);
        drop_file(path);
    }
}

static void an_empty_report_is_fine(void **state)
{
    char *path =
        write_file("empty.json", "{\"schema\": \"pleach.run/1\", \"later\": {\"key\": 1}}");
    plc_report report = {0};
    plc_text text = {0};

    (void)state;
    assert_int_equal(plc_report_read_json(ctx, path, &report), PLEACH_OK);
    assert_int_equal(plc_report_print(ctx, &(plc_report_run){"empty", &report, NULL}, 1, &text),
                     PLEACH_OK);
    plc_text_finish(&text);
    plc_report_finish(&report);
    drop_file(path);
}

static void wilson_intervals_are_those_of_the_formula(void **state)
{
    static const double cases[][4] = {{8, 10, 0.4901625, 0.9433178},
                                      {10, 10, 0.7224672, 1.0},
                                      {0, 10, 0.0, 0.2775328},
                                      {9236, 10000, 0.9182294, 0.9286453}};
    double interval[2];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_wilson_interval(cases[i][0], cases[i][1], interval);
        if (!(fabs(interval[0] - cases[i][2]) <= 1e-6 && fabs(interval[1] - cases[i][3]) <= 1e-6))
            fail_msg("%g of %g: %.7f..%.7f", cases[i][0], cases[i][1], interval[0], interval[1]);
    }
    plc_wilson_interval(0, 0, interval);
    assert_true(isnan(interval[0]) && isnan(interval[1]));
}

static void a_torn_last_line_of_the_log_is_skipped_and_told(void **state)
{
    char *path = write_file(
        "log.jsonl",
        "{\"event\": \"epoch\", \"network\": \"\", \"phase\": \"dense\", \"epoch\": 1, \"loss\": "
        "2.5}\n"
        "{\"event\": \"masks\", \"flips\": 3}\n\n"
        "{\"event\": \"epoch\", \"network\": \"\", \"phase\": \"dense\", \"epoch\": 2, \"loss\"");
    plc_history history = {0};

    (void)state;
    n_warnings = 0;
    assert_int_equal(plc_history_read(ctx, path, &history), PLEACH_OK);
    assert_int_equal(history.n_items, 1);
    assert_int_equal(history.n_bad_lines, 1);
    assert_int_equal(n_warnings, 1);
    assert_true(history.items[0].loss == 2.5 && isnan(history.items[0].macs_kept));
    plc_history_finish(&history);
    drop_file(path);
}

static void an_epoch_that_is_done_again_replaces_what_came_after_it(void **state)
{
    plc_text text = {0};
    plc_history history = {0};
    char *path = NULL;
    static const struct {
        const char *network;
        int epoch;
        double loss;
    } lines[] = {{"", 1, 4}, {"", 2, 3}, {"", 3, 2}, {"scratch", 1, 5}, {"", 2, 30}, {"", 3, 20}};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        plc_text_printf(ctx, &text,
                        "{\"event\":\"epoch\",\"network\":\"%s\",\"epoch\":%d,\"loss\":%g}\n",
                        lines[i].network, lines[i].epoch, lines[i].loss);
    path = write_file("log.jsonl", text.data);
    assert_int_equal(plc_history_read(ctx, path, &history), PLEACH_OK);
    assert_int_equal(history.n_items, 4);
    assert_true(history.items[0].loss == 4 && history.items[1].loss == 5);
    assert_true(history.items[2].loss == 30 && history.items[3].loss == 20);
    plc_history_finish(&history);
    plc_text_finish(&text);
    drop_file(path);
}

static void a_table_is_aligned_and_plain_ascii(void **state)
{
    plc_table table = {0};
    plc_text text = {0};

    (void)state;
    plc_table_column(&table, 'l', "name");
    plc_table_column(&table, 'r', "n");
    plc_table_column(&table, 'l', "x");
    assert_int_equal(plc_table_cell(ctx, &table, "a\033[2J"), PLEACH_OK);
    assert_int_equal(plc_table_cell(ctx, &table, "%d", 1234), PLEACH_OK);
    assert_int_equal(plc_table_cell(ctx, &table, "%s", ""), PLEACH_OK);
    assert_int_equal(plc_table_cell(ctx, &table, "%s", "\xc3\xa9"), PLEACH_OK);
    assert_int_equal(plc_table_cell(ctx, &table, "%d", 5), PLEACH_OK);
    assert_int_equal(plc_table_cell(ctx, &table, "%s", "yes"), PLEACH_OK);
    assert_int_equal(plc_table_print(ctx, &table, &text), PLEACH_OK);
    assert_string_equal(text.data, "name      n  x\n"
                                   "-----  ----  ---\n"
                                   "a?[2J  1234\n"
                                   "??        5  yes\n");
    plc_text_finish(&text);
    plc_table_finish(&table);
}

static void the_printed_report_names_what_was_measured(void **state)
{
    plc_report report = {0};
    plc_text text = {0};
    static const char *const expected[] = {
        "resnet20 on fashion-mnist, 1 x 28 x 28, 10 classes; 12 epochs of batch 128",
        "92.36 %",
        "91.82..92.86",
        "40.6 M",
        "1.50 ms (128)",
        "1 of 2 dropped: layer1.1.add",
        "2 updates, 18 flips, 4 channels came back",
        "2.05 % of the training time"};

    (void)state;
    fill_report(&report, "dense");
    const plc_report_run runs[] = {{"runs/a", &report, NULL}, {"runs/b", &report, NULL}};
    assert_int_equal(plc_report_print(ctx, runs, 1, &text), PLEACH_OK);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text.data, expected[i]))
            fail_msg("'%s' is not in\n%s", expected[i], text.data);
    plc_text_finish(&text);
    assert_int_equal(plc_report_print(ctx, runs, 2, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, "runs/b  fused"));
    plc_text_finish(&text);
    plc_report_finish(&report);
}

static void the_page_is_complete_and_nothing_in_it_is_live(void **state)
{
    plc_report report = {0};
    plc_history history = {0};
    char *log = write_file(
        "log.jsonl",
        "{\"event\":\"epoch\",\"network\":\"\",\"phase\":\"</"
        "svg>\",\"epoch\":1,\"loss\":2.0,\"train_accuracy\":0.5,\"macs_kept\":1.0}\n"
        "{\"event\":\"epoch\",\"network\":\"'x\",\"phase\":\"p\",\"epoch\":1,\"loss\":1.5}\n");
    char *path = path_of("report.html"), *page = NULL;
    size_t size = 0, n_open = 0, n_close = 0;

    (void)state;
    fill_report(&report, "<script>alert(1)</script>&\"");
    assert_int_equal(plc_history_read(ctx, log, &history), PLEACH_OK);
    const plc_report_run run = {"<b>run</b>", &report, &history};
    assert_int_equal(plc_report_write_html(ctx, &run, 1, path), PLEACH_OK);
    assert_int_equal(plc_file_read(ctx, path, 1 << 20, &page, &size), PLEACH_OK);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<b>"));
    assert_null(strstr(page, "http"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"));
    assert_non_null(strstr(page, "&#39;x"));
    assert_non_null(strstr(page, "prefers-color-scheme"));
    assert_non_null(strstr(page, "Channels per layer"));
    for (const char *at = page; (at = strstr(at, "<svg")); at++)
        n_open++;
    for (const char *at = page; (at = strstr(at, "</svg>")); at++)
        n_close++;
    assert_true(n_open >= 6 && n_open == n_close);
    assert_non_null(strstr(page, "</html>"));
    assert_null(strstr(page, "nan"));
    free(page);
    plc_history_finish(&history);
    plc_report_finish(&report);
    drop_file(path);
    drop_file(log);
}

static void a_chart_without_a_number_is_left_out(void **state)
{
    const double x[] = {1, 2}, none[] = {NAN, NAN}, one[] = {NAN, 0.5};
    plc_chart chart = {.title = "t", .x_label = "x", .n_series = 1};
    plc_text text = {0};

    (void)state;
    chart.series[0] = (plc_chart_series){.name = "s", .x = x, .y = none, .n = 2};
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    assert_null(text.data);
    chart.series[0].y = one;
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, "<circle"));
    assert_null(strstr(text.data, "nan"));
    assert_null(strstr(text.data, "inf"));
    plc_text_finish(&text);
}

// A tick that adds less than a number's last bit would never end.
static void a_chart_of_values_that_hardly_differ_ends(void **state)
{
    const double x[] = {1, 2}, y[] = {2.302585092994045, 2.3025850929940455}, tiny[] = {1e-320, 1};
    plc_chart chart = {.title = "t", .x_label = "x", .n_series = 1};
    plc_text text = {0};

    (void)state;
    chart.series[0] = (plc_chart_series){.name = "s", .x = x, .y = y, .n = 2};
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    assert_true(text.length < 10000);
    plc_text_finish(&text);
    chart.logarithmic = true;
    chart.series[0].x = tiny;
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    plc_text_finish(&text);
}

static void a_chart_of_the_largest_numbers_ends(void **state)
{
    const double x[] = {0, 1, 2}, y[] = {-1e308, 1.7e308, 1e300};
    plc_chart chart = {.title = "t", .x_label = "x", .n_series = 1};
    plc_text text = {0};

    (void)state;
    chart.series[0] = (plc_chart_series){.name = "s", .x = x, .y = y, .n = 3};
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, ": 1e+300 at 2"));
    assert_null(strstr(text.data, "e+308"));
    assert_non_null(strstr(text.data, "e+300</text>")); // a tick
    plc_text_finish(&text);
}

static void a_logarithmic_chart_leaves_out_what_has_no_logarithm(void **state)
{
    const double x[] = {0.5, 0, 20, 1}, y[] = {3, 5, 700, -1};
    plc_chart chart = {.title = "t", .x_label = "x", .logarithmic = true, .n_series = 1};
    plc_text text = {0};
    int n_points = 0;

    (void)state;
    chart.series[0] = (plc_chart_series){.name = "s", .x = x, .y = y, .n = 4};
    assert_int_equal(plc_chart_draw(ctx, &chart, &text), PLEACH_OK);
    for (const char *at = text.data; (at = strstr(at, "<circle")); at++)
        n_points++;
    assert_int_equal(n_points, 2);
    assert_null(strstr(text.data, "nan"));
    assert_null(strstr(text.data, "inf"));
    assert_non_null(strstr(text.data, ">0.1</text>")); // decades around all points
    assert_non_null(strstr(text.data, ">100</text>"));
    assert_non_null(strstr(text.data, ">1000</text>"));
    plc_text_finish(&text);
}

static void a_bar_without_a_before_shows_one_number(void **state)
{
    const plc_chart_bar bars[] = {{.name = "a<b", .before = NAN, .after = 40, .colour = 2},
                                  {.name = "c", .before = NAN, .after = NAN}};
    plc_text text = {0};

    (void)state;
    assert_int_equal(plc_chart_draw_bars(ctx, "t", bars, 2, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, "a&lt;b"));
    assert_non_null(strstr(text.data, "<rect class='c2'"));
    assert_non_null(strstr(text.data, ">40</text>"));
    assert_null(strstr(text.data, "before"));
    assert_null(strstr(text.data, "nan"));
    plc_text_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read_back_as_it_was_written),
        cmocka_unit_test(what_is_no_report_is_refused_by_file_and_key),
        cmocka_unit_test(an_empty_report_is_fine),
        cmocka_unit_test(wilson_intervals_are_those_of_the_formula),
        cmocka_unit_test(a_torn_last_line_of_the_log_is_skipped_and_told),
        cmocka_unit_test(an_epoch_that_is_done_again_replaces_what_came_after_it),
        cmocka_unit_test(a_table_is_aligned_and_plain_ascii),
        cmocka_unit_test(the_printed_report_names_what_was_measured),
        cmocka_unit_test(the_page_is_complete_and_nothing_in_it_is_live),
        cmocka_unit_test(a_chart_without_a_number_is_left_out),
        cmocka_unit_test(a_chart_of_values_that_hardly_differ_ends),
        cmocka_unit_test(a_chart_of_the_largest_numbers_ends),
        cmocka_unit_test(a_logarithmic_chart_leaves_out_what_has_no_logarithm),
        cmocka_unit_test(a_bar_without_a_before_shows_one_number),
    };

    return cmocka_run_group_tests_name("report", tests, make_fixture, drop_fixture);
}
