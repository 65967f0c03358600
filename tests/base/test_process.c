// Other programs: how they end is told, they end in time, and nothing of them is left.
#include "context.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <base/file.h>
#include <base/process.h>

enum { MAX_BYTES = 4096 };

static const double long_seconds = 20; // much less than the programs below take that do not end
static char folder[] = "/tmp/pleach-test-process-XXXXXX";
static char out_path[64], err_path[64];

static int set_up(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    snprintf(err_path, sizeof err_path, "%s/err", folder);
    return make_fixture(state);
}

static int tear_down(void **state)
{
    unlink(out_path);
    unlink(err_path);
    return rmdir(folder) != 0 || drop_fixture(state);
}

static plc_process_result run_script(const char *script, double limit, const volatile int *stop)
{
    const char *const words[] = {"sh", "-c", script, NULL};
    const plc_process process = {.path = "/bin/sh",
                                 .argv = words,
                                 .out = out_path,
                                 .err = err_path,
                                 .limit_seconds = limit,
                                 .stop = stop};
    plc_process_result result;

    assert_ok(plc_process_run(ctx, &process, &result));
    return result;
}

static void assert_file(const char *path, const char *expected)
{
    char *text = NULL;
    size_t size = 0;

    assert_ok(plc_file_read(ctx, path, MAX_BYTES, &text, &size));
    assert_string_equal(text, expected);
    free(text);
}

static void an_exit_code_and_both_outputs_are_kept(void **state)
{
    (void)state;
    plc_process_result result = run_script("echo one; echo two >&2; exit 3", 0, NULL);
    assert_int_equal(result.end, PLC_PROCESS_EXITED);
    assert_int_equal(result.code, 3);
    assert_file(out_path, "one\n");
    assert_file(err_path, "two\n");
    result = run_script("printf x; cat", long_seconds, NULL); // its standard input is empty
    assert_int_equal(result.end, PLC_PROCESS_EXITED);
    assert_int_equal(result.code, 0);
    assert_file(out_path, "x"); // what was there before is replaced
    assert_file(err_path, "");
}

static void the_signal_that_ends_a_program_is_named(void **state)
{
    const plc_process process = {0};
    char text[128];

    (void)state;
    const plc_process_result result = run_script("kill -SEGV $$", 0, NULL);
    assert_int_equal(result.end, PLC_PROCESS_SIGNALLED);
    assert_int_equal(result.code, SIGSEGV);
    plc_process_describe(&process, &result, text, sizeof text);
    assert_string_equal(text, "ended by signal 11 (Segmentation fault)");
}

static void a_program_over_its_limit_is_killed(void **state)
{
    const plc_process process = {.limit_seconds = 0.2};
    char text[128];

    (void)state;
    // One that does not listen to what asks it to end.
    const plc_process_result result =
        run_script("trap '' TERM INT; while :; do sleep 60; done", process.limit_seconds, NULL);
    assert_int_equal(result.end, PLC_PROCESS_OVER_LIMIT);
    assert_true(result.seconds >= process.limit_seconds && result.seconds < long_seconds);
    plc_process_describe(&process, &result, text, sizeof text);
    assert_string_equal(text, "over the limit of 0.2 s");
}

// Every program that was started holds the writing end of a pipe open while it lives.
static void assert_nothing_is_left(const char *script, double limit)
{
    int ends[2];
    char byte = 0;

    assert_int_equal(pipe(ends), 0);
    const plc_process_result result = run_script(script, limit, NULL);
    assert_int_equal(result.end, limit > 0 ? PLC_PROCESS_OVER_LIMIT : PLC_PROCESS_EXITED);
    close(ends[1]);
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 1000 * (int)long_seconds), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void what_a_program_has_started_ends_with_it(void **state)
{
    (void)state;
    assert_nothing_is_left("sleep 60 & sleep 60", 0.2);
    assert_nothing_is_left("sleep 60 & exit 0", 0);
}

static volatile int stop;

static void set_stop(int number)
{
    (void)number;
    stop = 1;
}

static void a_signal_to_this_process_stops_the_program(void **state)
{
    const struct sigaction action = {.sa_handler = set_stop};
    const struct itimerval soon = {.it_value = {.tv_usec = 200000}};

    (void)state;
    stop = 0;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    const plc_process_result result = run_script("sleep 60", 0, &stop);
    assert_int_equal(result.end, PLC_PROCESS_STOPPED);
    assert_true(result.seconds < long_seconds);
}

static void signals_that_are_ignored_here_are_not_there(void **state)
{
    (void)state;
    signal(SIGINT, SIG_IGN);
    const plc_process_result result = run_script("kill -INT $$; exit 0", 0, NULL);
    signal(SIGINT, SIG_DFL);
    assert_int_equal(result.end, PLC_PROCESS_SIGNALLED);
    assert_int_equal(result.code, SIGINT);
}

static void an_end_is_kept_where_this_process_ignores_those_of_children(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    const plc_process_result result = run_script("exit 3", long_seconds, NULL);
    assert_ptr_equal(signal(SIGCHLD, SIG_DFL), SIG_IGN);
    assert_int_equal(result.end, PLC_PROCESS_EXITED);
    assert_int_equal(result.code, 3);
}

static void what_cannot_be_started_is_named(void **state)
{
    const char *const words[] = {"nothing", NULL};
    plc_process process = {.path = "/nowhere/nothing", .argv = words};
    plc_process_result result;

    (void)state;
    assert_int_equal(plc_process_run(ctx, &process, &result), PLEACH_EIO);
    assert_non_null(strstr(pleach_error(ctx), "/nowhere/nothing"));
    assert_non_null(strstr(pleach_error(ctx), strerror(ENOENT)));
    process = (plc_process){.path = "/bin/sh", .argv = words, .out = "/nowhere/out"};
    assert_int_equal(plc_process_run(ctx, &process, &result), PLEACH_EIO);
    assert_non_null(strstr(pleach_error(ctx), "/nowhere/out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_code_and_both_outputs_are_kept),
        cmocka_unit_test(the_signal_that_ends_a_program_is_named),
        cmocka_unit_test(a_program_over_its_limit_is_killed),
        cmocka_unit_test(what_a_program_has_started_ends_with_it),
        cmocka_unit_test(a_signal_to_this_process_stops_the_program),
        cmocka_unit_test(signals_that_are_ignored_here_are_not_there),
        cmocka_unit_test(an_end_is_kept_where_this_process_ignores_those_of_children),
        cmocka_unit_test(what_cannot_be_started_is_named),
    };

    return cmocka_run_group_tests_name("process", tests, set_up, tear_down);
}
