// A run that is interrupted, killed and resumed from the command line ends with the bits of one that was not; and the
// exit codes of jobs.
#include "program.h"

#include <signal.h>
#include <sys/stat.h>

#define JOB                                                                                        \
    "compress --model cnn5 --limit 3000 --calibration 64 --batch 32 --epochs 4 --macs 0.5 "        \
    "--prune-epochs 2 --drop 0 --seed 3"

// Calls the program, sends it `signal` (a name) when the run's log is longer than `bytes`; its exit code, 128 and the
// signal's number where that has ended it.
static int call_and_signal(const char *words, const char *run, long bytes, const char *signal)
{
    char command[4 * MAX_PATH];

    snprintf(command, sizeof command,
             "cd %s && { '%s' %s >out 2>err </dev/null & } && child=$! && "
             "until test \"$(cat %s/log.jsonl 2>/dev/null | wc -c)\" -gt %ld; do "
             "kill -0 $child 2>/dev/null || break; sleep 0.01; done; "
             "kill -%s $child 2>/dev/null; wait $child",
             folder, program, words, run, bytes, signal);
    const int status = system(command);
    read_back("out", out);
    read_back("err", err);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static long log_bytes(const char *run)
{
    char path[MAX_PATH];
    struct stat info;

    snprintf(path, sizeof path, "%s/%s/log.jsonl", folder, run);
    assert_int_equal(stat(path, &info), 0);
    return (long)info.st_size;
}

static void assert_same_file(const char *a, const char *b)
{
    char command[MAX_PATH];

    snprintf(command, sizeof command, "cd %s && cmp %s %s", folder, a, b);
    assert_int_equal(system(command), 0);
}

static void an_interrupted_and_a_killed_run_go_on_to_the_same_bits(void **state)
{
    (void)state;
    assert_int_equal(call(JOB " --out whole"), 0);
    assert_int_equal(call_and_signal(JOB " --out parts", "parts", 10, "TERM"), 130);
    assert_non_null(strstr(err, "saving; once more ends it at once"));
    assert_non_null(strstr(err, "interrupted; go on with --resume parts"));
    // What was written behind the last checkpoint goes when the run goes on.
    assert_int_equal(
        call_and_signal("compress --resume parts", "parts", log_bytes("parts"), "KILL"), 137);
    assert_int_equal(call("compress --resume parts"), 0);
    assert_same_file("whole/model.safetensors", "parts/model.safetensors");
    assert_same_file("whole/model-folded.safetensors", "parts/model-folded.safetensors");
    assert_int_equal(call("compress --resume nowhere"), 2);
}

static void a_run_that_diverges_has_a_code_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(call("train --model cnn5 --limit 512 --calibration 64 --batch 32 --epochs 2 "
                          "--lr 100 --warmup 0 --weight-decay 1 --out diverged"),
                     5);
    assert_non_null(strstr(err, "--lr"));
}

// A series goes on with the run in which it was interrupted.
static void a_series_goes_on_where_it_was_interrupted(void **state)
{
    static const char job[] = "train --model cnn5 --limit 1000 --calibration 64 --batch 32 "
                              "--epochs 2 --seeds 2 --out series";

    (void)state;
    assert_int_equal(call_and_signal(job, "series/seed-1", 10, "HUP"), 130);
    assert_non_null(strstr(err, "the same command goes on"));
    assert_int_equal(call(job), 0);
    assert_non_null(strstr(out, "means over seeds"));
}

// A shell without job control starts what it puts into the background so that it ignores SIGINT.
static void a_signal_that_was_ignored_before_stays_ignored(void **state)
{
    (void)state;
    assert_int_equal(call_and_signal("train --model cnn5 --limit 1000 --calibration 64 --batch 32 "
                                     "--epochs 2 --out ignored",
                                     "ignored", 10, "INT"),
                     0);
    assert_null(strstr(err, "saving"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_and_a_killed_run_go_on_to_the_same_bits),
        cmocka_unit_test(a_run_that_diverges_has_a_code_of_its_own),
        cmocka_unit_test(a_series_goes_on_where_it_was_interrupted),
        cmocka_unit_test(a_signal_that_was_ignored_before_stays_ignored),
    };

    signal(SIGHUP, SIG_DFL); // the tests may run under nohup
    return cmocka_run_group_tests(tests, find_program, drop_folder);
}
