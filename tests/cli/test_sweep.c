// `pleach sweep` and --seeds as a user calls them.
#include "program.h"

#include <stdbool.h>

static char words[MAX_PATH];

static int sweep(const char *what)
{
    snprintf(words, sizeof words,
             "%s --epochs 2 --limit 256 --calibration 64 --batch 64 --drop 0 --progress none "
             "--out %s/sweep",
             what, folder);
    return call(words);
}

static bool exists(const char *name)
{
    char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void values_and_seeds_become_runs_and_a_summary(void **state)
{
    (void)state;
    if (sweep("sweep --model cnn5 --macs 0.5 --band 0,0.1 --seeds 2") != 0)
        fail_msg("%s", err);
    assert_non_null(strstr(err, "run 4 of 4"));
    assert_non_null(strstr(out, "means over seeds"));
    assert_non_null(strstr(out, "band 0.1  fused"));
    assert_true(exists("sweep/band-0.1-seed-1/report.json"));
    assert_true(exists("sweep/report.html"));
}

static void the_same_command_keeps_what_is_done_and_another_is_refused(void **state)
{
    (void)state;
    char *before = strdup(out);
    assert_non_null(before);
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.5 --band 0,0.1 --seeds 2"), 0);
    assert_string_equal(before, out); // times too: nothing ran again
    free(before);
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.4 --band 0,0.1 --seeds 2"), 2);
    assert_non_null(strstr(err, "another --macs"));
}

static void what_cannot_vary_is_refused(void **state)
{
    (void)state;
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.5"), 2);
    assert_non_null(strstr(err, "nothing varies"));
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.5 --band 0,x"), 2);
    assert_non_null(strstr(err, "--band 'x': a number"));
    assert_int_equal(sweep("compress --model cnn5 --macs 0.5 --band 0,0.1"), 2);
    assert_non_null(strstr(err, "--band '0,0.1': a number"));
    assert_int_equal(sweep("compress --model cnn5 --macs 0.5 --seeds 0"), 2);
    assert_non_null(strstr(err, "--seeds '0'"));
}

// Not when its turn comes, after others have trained.
static void what_one_run_would_refuse_is_refused_before_the_first(void **state)
{
    (void)state;
    assert_int_equal(call("sweep --model cnn5 --macs 0.5,5 --out refused"), 2);
    assert_non_null(strstr(err, "--macs 5"));
    assert_null(strstr(err, "run 1 of"));
    assert_int_equal(call("sweep --model cnn5 --macs 0.5 --score l2,tailor --out refused"), 2);
    assert_non_null(strstr(err, "'taylor'"));
    assert_null(strstr(err, "run 1 of"));
    assert_int_equal(call("train --model cnn5 --epochs 0 --seeds 2 --out refused"), 2);
    assert_null(strstr(err, "run 1 of"));
    assert_false(exists("refused"));
}

static void what_is_done_is_shown_also_when_a_later_run_fails(void **state)
{
    (void)state;
    write_text("sweep/band-0.1-seed-1/config.json", "{");
    snprintf(words, sizeof words, "%s/sweep/report.html", folder);
    assert_int_equal(unlink(words), 0);
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.5 --band 0,0.1 --seeds 2"), 3);
    assert_non_null(strstr(err, "error: "));
    assert_non_null(strstr(err, "band-0.1-seed-1/config.json"));
    assert_non_null(strstr(out, "means over seeds"));
    assert_true(exists("sweep/report.html"));
}

// Which a run finds out alone.
static void a_target_out_of_reach_ends_its_own_run_alone(void **state)
{
    (void)state;
    assert_int_equal(sweep("sweep --model cnn5 --macs 0.5,0.0001,0.6 --max-ratio 0.9"), 2);
    assert_non_null(strstr(err, "--macs 0.0001 cannot be reached"));
    assert_non_null(strstr(err, "1 of 3 runs have failed"));
    assert_true(exists("sweep/macs-0.6-seed-0/report.json"));
}

static void networks_vary_and_a_folder_may_have_a_comma(void **state)
{
    (void)state;
    if (call("sweep --model cnn5,resnet20 --macs 0.5 --epochs 2 --limit 64 --calibration 32 "
             "--batch 32 --drop 0 --progress none --out s,3") != 0)
        fail_msg("%s", err);
    assert_true(exists("s,3/model-cnn5-seed-0/report.json"));
    assert_true(exists("s,3/model-resnet20-seed-0/report.json"));
}

static void a_run_and_a_series_do_not_share_a_folder(void **state)
{
    (void)state;
    assert_int_equal(call("train --model cnn5 --seeds 2 --out sweep/band-0-seed-0"), 2);
    assert_non_null(strstr(err, "'sweep/band-0-seed-0' holds a run already"));
    assert_false(exists("sweep/band-0-seed-0/seed-0"));
    assert_int_equal(call("train --model cnn5 --out sweep"), 2);
    assert_non_null(strstr(err, "'sweep' holds report.html of other runs"));
    assert_false(exists("sweep/config.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_seeds_become_runs_and_a_summary),
        cmocka_unit_test(the_same_command_keeps_what_is_done_and_another_is_refused),
        cmocka_unit_test(what_cannot_vary_is_refused),
        cmocka_unit_test(what_one_run_would_refuse_is_refused_before_the_first),
        cmocka_unit_test(what_is_done_is_shown_also_when_a_later_run_fails),
        cmocka_unit_test(a_target_out_of_reach_ends_its_own_run_alone),
        cmocka_unit_test(networks_vary_and_a_folder_may_have_a_comma),
        cmocka_unit_test(a_run_and_a_series_do_not_share_a_folder),
    };

    return cmocka_run_group_tests(tests, find_program, drop_folder);
}
