// Summaries: runs grouped by their settings, means over seeds with intervals.
#include <report/summary.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

enum { N_RUNS = 5 };

static pleach_ctx *ctx;

static int make_context(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) == PLEACH_OK ? 0 : -1;
}

static int drop_context(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return 0;
}

static char *copy(const char *text)
{
    char *made = NULL;

    assert_int_equal(plc_strdup(ctx, text, &made), PLEACH_OK);
    return made;
}

static void make_report(plc_report *report, const char *options, double accuracy, int flips)
{
    plc_report_network *network = NULL;
    const plc_report_mask_update updates[] = {{.flips = flips, .returns = 1}, {.flips = flips + 2}};

    *report = (plc_report){.command = copy("compress"),
                           .model = copy("resnet20"),
                           .data = copy("fashion-mnist"),
                           .options = copy(options),
                           .epochs = 12,
                           .batch = 128};
    assert_int_equal(plc_report_add_network(ctx, report, "pruned", &network), PLEACH_OK);
    network->accuracy = 0.5;
    network->epochs = 3;
    assert_int_equal(plc_report_add_network(ctx, report, "fused", &network), PLEACH_OK);
    network->accuracy = accuracy;
    network->interval[0] = accuracy - 0.01;
    network->interval[1] = accuracy + 0.01;
    network->macs = 6000000;
    network->epochs = 12;
    for (int i = 0; i < 2; i++)
        assert_int_equal(plc_report_add_mask_update(ctx, report, &updates[i]), PLEACH_OK);
}

// Two settings: band 0.03, the default, with three seeds, and band 0 with two.
static void make_runs(plc_report *reports, plc_report_run *runs)
{
    static const double accuracies[N_RUNS] = {0.91, 0.90, 0.92, 0.93, 0.94};

    for (int i = 0; i < N_RUNS; i++) {
        make_report(&reports[i], i % 2 ? "--macs 0.2 --band 0" : "--macs 0.2", accuracies[i],
                    i % 2 ? 20 : 10);
        reports[i].seed = (unsigned long long)i;
        runs[i] = (plc_report_run){"run", &reports[i], NULL};
    }
}

static void finish_runs(plc_report *reports)
{
    for (int i = 0; i < N_RUNS; i++)
        plc_report_finish(&reports[i]);
}

static void means_are_over_runs_that_differ_in_the_seed_alone(void **state)
{
    plc_report reports[N_RUNS];
    plc_report_run runs[N_RUNS];
    plc_summary s;

    (void)state;
    make_runs(reports, runs);
    assert_true(plc_summary_suits(runs, N_RUNS));
    assert_int_equal(plc_summary_create(ctx, runs, N_RUNS, &s), PLEACH_OK);
    assert_int_equal(s.n_groups, 2);
    assert_int_equal(s.n_rows, 4);
    assert_string_equal(s.labels[0], "band 0.03");
    assert_string_equal(s.labels[1], "band 0");
    assert_string_equal(s.option, "band");
    assert_true(fabs(s.values[0] - 0.03) < 1e-12 && fabs(s.values[1]) < 1e-12);
    assert_true(fabs(s.flips[0] - 11) < 1e-9 && fabs(s.flips[1] - 21) < 1e-9);
    assert_true(fabs(s.returns[0] - 0.5) < 1e-9);
    const plc_summary_row *row = &s.rows[1];
    assert_string_equal(row->network, "fused");
    assert_true(row->final && !s.rows[0].final);
    assert_int_equal(row->n_seeds, 3);
    // 0.91, 0.92, 0.94: mean 0.92333, deviation 0.0152753; t of two degrees of freedom is 4.303
    assert_true(fabs(row->accuracy - 0.923333333) < 1e-8);
    assert_true(fabs(row->interval[0] - (0.923333333 - 4.303 * 0.015275252 / sqrt(3))) < 1e-6);
    assert_true(fabs(row->interval[1] - (0.923333333 + 4.303 * 0.015275252 / sqrt(3))) < 1e-6);
    assert_true(fabs(row->macs - 6e6) < 1e-3);
    plc_summary_finish(&s);
    finish_runs(reports);
}

static void one_seed_keeps_the_interval_of_its_images(void **state)
{
    plc_report report;
    plc_summary s;

    (void)state;
    make_report(&report, "", 0.9, 3);
    const plc_report_run run = {"run", &report, NULL};
    assert_false(plc_summary_suits(&run, 1));
    assert_int_equal(plc_summary_create(ctx, &run, 1, &s), PLEACH_OK);
    assert_string_equal(s.labels[0], "");
    assert_null(s.option);
    assert_true(fabs(s.rows[1].interval[0] - 0.89) < 1e-12);
    assert_true(isnan(plc_student_half_width(1.0, 1)));
    plc_summary_finish(&s);
    plc_report_finish(&report);
}

// Flags have no value of their own, and the same run twice is no second seed.
static void flags_tell_runs_apart_and_a_seed_counts_once(void **state)
{
    static const char *const options[] = {"", "--no-nesterov", "--no-nesterov --weight-decay 0.001",
                                          "--no-nesterov"};
    static const char *const labels[] = {"no-nesterov false, weight-decay 5e-4",
                                         "no-nesterov true, weight-decay 5e-4",
                                         "no-nesterov true, weight-decay 0.001"};
    plc_report reports[4];
    plc_report_run runs[4];
    plc_summary s;

    (void)state;
    for (int i = 0; i < 4; i++) {
        make_report(&reports[i], options[i], 0.9 + 0.01 * i, 3);
        runs[i] = (plc_report_run){"run", &reports[i], NULL};
    }
    assert_int_equal(plc_summary_create(ctx, runs, 4, &s), PLEACH_OK);
    assert_int_equal(s.n_groups, 3);
    for (int g = 0; g < 3; g++)
        assert_string_equal(s.labels[g], labels[g]);
    for (size_t i = 0; i < s.n_rows; i++)
        assert_int_equal(s.rows[i].n_seeds, 1);
    plc_summary_finish(&s);
    for (int i = 0; i < 4; i++)
        plc_report_finish(&reports[i]);
}

static void a_network_that_a_report_names_often_counts_once(void **state)
{
    plc_report reports[2];
    plc_report_run runs[2];
    plc_report_network *again = NULL;
    plc_summary s;

    (void)state;
    for (int i = 0; i < 2; i++) {
        make_report(&reports[i], "", 0.9 + 0.02 * i, 3);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(plc_report_add_network(ctx, &reports[i], "fused", &again), PLEACH_OK);
            again->accuracy = 0.1;
        }
        reports[i].seed = (unsigned long long)i;
        runs[i] = (plc_report_run){"run", &reports[i], NULL};
    }
    assert_int_equal(plc_summary_create(ctx, runs, 2, &s), PLEACH_OK);
    assert_int_equal(s.n_rows, 2);
    assert_int_equal(s.rows[1].n_seeds, 2);
    assert_true(fabs(s.rows[1].accuracy - 0.91) < 1e-12);
    plc_summary_finish(&s);
    for (int i = 0; i < 2; i++)
        plc_report_finish(&reports[i]);
}

static void the_report_of_several_runs_shows_means_and_curves(void **state)
{
    plc_report reports[N_RUNS];
    plc_report_run runs[N_RUNS];
    plc_text text = {0};
    plc_summary s;

    (void)state;
    make_runs(reports, runs);
    assert_int_equal(plc_report_print(ctx, runs, N_RUNS, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, "means over seeds"));
    assert_non_null(strstr(text.data, "92.33 %"));
    plc_text_finish(&text);
    assert_int_equal(plc_summary_create(ctx, runs, N_RUNS, &s), PLEACH_OK);
    assert_int_equal(plc_summary_draw(ctx, &s, &text), PLEACH_OK);
    assert_non_null(strstr(text.data, "Accuracy over --band"));
    assert_non_null(strstr(text.data, "Masks that changed"));
    plc_text_finish(&text);
    plc_summary_finish(&s);
    finish_runs(reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_over_runs_that_differ_in_the_seed_alone),
        cmocka_unit_test(one_seed_keeps_the_interval_of_its_images),
        cmocka_unit_test(flags_tell_runs_apart_and_a_seed_counts_once),
        cmocka_unit_test(a_network_that_a_report_names_often_counts_once),
        cmocka_unit_test(the_report_of_several_runs_shows_means_and_curves),
    };

    return cmocka_run_group_tests(tests, make_context, drop_context);
}
