// The tuner: answers before times, what is known is not measured again, and files that are not trusted.
#include "context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/file.h>
#include <base/memory.h>
#include <kernel/kernels.h>
#include <kernel/sources.h>
#include <kernel/tuner.h>
#include <kernel/tuning_file.h>
#include <kernel/tuning_json.h>
#include <platform.h>

enum { N = 4096, GROUP_ITEMS = 64 };

static const char source[] =
    "__kernel void twice(__global const float *x, __global float *y)\n"
    "{ const size_t i = get_global_id(0); y[i] = 2.0f * x[i]; }\n"
    "__kernel void twice_slowly(__global const float *x, volatile __global float *y)\n"
    "{ const size_t i = get_global_id(0); for (int r = 0; r < 400; r++) y[i] = 2.0f * x[i]; }\n"
    "__kernel void almost_twice(__global const float *x, __global float *y)\n"
    "{ const size_t i = get_global_id(0); y[i] = 2.0001f * x[i]; }\n"
    "__kernel void twice_but_the_last(__global const float *x, __global float *y)\n"
    "{ const size_t i = get_global_id(0); y[i] = i == 4095 ? NAN : 2.0f * x[i]; }\n";

static char folder[] = "/tmp/pleach-tuner-XXXXXX", cache[128], sources[128];
static char warning[4096]; // the last one
static plc_cl counting;    // the loader's functions; launches are counted
static int n_launches;

static cl_int CL_API_CALL count_launch(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                       const size_t *offset, const size_t *global,
                                       const size_t *local, cl_uint n_wait, const cl_event *wait,
                                       cl_event *event)
{
    n_launches++;
    return clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, n_wait, wait,
                                  event);
}

static void keep_warning(void *user, pleach_log_level level, const char *text)
{
    (void)user;
    if (level == PLEACH_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", text);
}

static int set_up(void **state)
{
    char path[192];

    if (make_fixture(state) != 0 || !mkdtemp(folder))
        return -1;
    snprintf(sources, sizeof sources, "%s/cl", folder);
    snprintf(path, sizeof path, "%s/twice.cl", sources);
    pleach_ctx_set_log(ctx, keep_warning, NULL);
    counting = plc_cl_loader;
    counting.clEnqueueNDRangeKernel = count_launch;
    setenv("PLEACH_CL_DIR", sources, 1);
    return mkdir(sources, 0700) != 0 ||
           plc_file_write_all(ctx, path, source, strlen(source)) != PLEACH_OK;
}

static int tear_down(void **state)
{
    char command[192];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) != 0 || drop_fixture(state) != 0;
}

// An empty cache for each test.
static int new_cache(void **state)
{
    static int n;

    (void)state;
    snprintf(cache, sizeof cache, "%s/cache%d", folder, n++);
    warning[0] = '\0';
    return 0;
}

static pleach_device *open_device(int mode)
{
    const pleach_device_opts opts = {.cache_dir = cache, .tune = mode};
    pleach_device *device = NULL;

    assert_ok(plc_kernels_open(ctx, &counting, plc_test_device(), &opts, &device));
    return device;
}

// A candidate is a kernel and a work-group size.
typedef struct way {
    const char *kernel;
    size_t group;
} way;

static pleach_status append_way(plc_launch_list *list, const void *user, int candidate,
                                plc_buffer *const *buffers)
{
    pleach_status status = PLEACH_OK;
    const way *ways = user;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "twice", ways[candidate].kernel, "", &launch));
    plc_launch_arg_buffer(launch, buffers[0]);
    plc_launch_arg_buffer(launch, buffers[1]);
    plc_launch_items(launch, N);
    launch->local[0] = ways[candidate].group;
done:
    return status;
}

static plc_tune_problem make_problem(const way *ways, const char *const *names, int n)
{
    return (plc_tune_problem){.operation = "double",
                              .shape = "4096 floats",
                              .names = names,
                              .n_candidates = n,
                              .append = append_way,
                              .user = ways,
                              .buffer_floats = {N, N},
                              .n_buffers = 2,
                              .result = 1};
}

static const char *const slow_and_fast[] = {"slow", "fast"};
static const way slow_and_fast_ways[] = {{"twice_slowly", GROUP_ITEMS}, {"twice", GROUP_ITEMS}};

// Opens a device, asks, ends the session, closes; returns the answer and counts launches.
static int ask(int mode, const plc_tune_problem *problem)
{
    pleach_device *device = open_device(mode);
    int chosen = -1;

    n_launches = 0;
    assert_ok(plc_tuner_choose(device, problem, &chosen));
    plc_tuner_end_session(device);
    pleach_device_close(&device);
    return chosen;
}

static void the_fastest_is_chosen_and_the_file_names_all_times(void **state)
{
    (void)state;
    const plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);
    pleach_device *device = open_device(PLEACH_TUNE_FAST);
    plc_tuning file = {0};
    char mapping[PLC_FORMAT_MAX];
    int chosen = -1;

    assert_ok(plc_tuner_choose(device, &problem, &chosen));
    assert_int_equal(chosen, 1);
    plc_tuner_end_session(device);
    assert_ok(plc_tuning_read(ctx, plc_tuner_path(device->tuner), &file));
    plc_tuning_mapping(device, mapping);
    const plc_tuning_entry *entry = plc_tuning_find(&file, "double", "4096 floats", mapping);
    assert_non_null(entry);
    assert_int_equal(entry->n_candidates, 2);
    assert_string_equal(entry->candidates[entry->chosen].name, "fast");
    assert_string_equal(entry->candidates[1 - entry->chosen].name, "slow");
    assert_true(entry->candidates[entry->chosen].ms < entry->candidates[1 - entry->chosen].ms);
    plc_tuning_finish(&file);
    pleach_device_close(&device);
}

static void what_cannot_be_written_is_not_said_to_be_kept(void **state)
{
    (void)state;
    const plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);
    pleach_device *device = open_device(PLEACH_TUNE_FAST);
    char path[192];
    int chosen = -1;

    snprintf(path, sizeof path, "%s/tuning", cache);
    assert_ok(plc_file_write_all(ctx, path, "", 0)); // no folder
    assert_ok(plc_tuner_choose(device, &problem, &chosen));
    assert_true(plc_tuner_is_kept(device->tuner)); // nothing has failed yet
    plc_tuner_end_session(device);
    assert_false(plc_tuner_is_kept(device->tuner));
    assert_non_null(strstr(warning, "tuning is not kept"));
    pleach_device_close(&device);
}

// Asks for candidates of which the first is right; returns the reason of number `index`, "" for none.
static const char *reason_of(const plc_tune_problem *problem, int mode, int index)
{
    static char reason[PLC_TUNING_MAX_TEXT + 1];
    pleach_device *device = open_device(mode);
    int chosen = -1;

    assert_ok(plc_tuner_choose(device, problem, &chosen));
    const plc_tuner_answer answer = plc_tuner_get(device->tuner, 0);
    assert_string_equal(answer.source, "measured");
    assert_null(answer.entry->candidates[chosen].rejected);
    const char *rejected = answer.entry->candidates[index].rejected;
    snprintf(reason, sizeof reason, "%s", rejected ? rejected : "");
    pleach_device_close(&device);
    return reason;
}

static void wrong_candidates_are_rejected_with_the_reason(void **state)
{
    (void)state;
    static const char *const names[] = {"right", "almost", "not a number"};
    static const way ways[] = {{"twice_slowly", GROUP_ITEMS},
                               {"almost_twice", GROUP_ITEMS},
                               {"twice_but_the_last", GROUP_ITEMS}};
    plc_tune_problem problem = make_problem(ways, names, 3);

    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FAST, 1), "wrong result"));
    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FAST, 2), "at 4095 of 4096"));
    problem.tolerance = 1e-3; // is of choices that change bits
    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FAST, 1), "wrong result"));
    problem.changes_bits = true;
    assert_string_equal(reason_of(&problem, PLEACH_TUNE_FULL, 1), "");
    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FULL, 2), "at 4095 of 4096"));
    problem.tolerance = 1e-6;
    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FULL, 1), "wrong result"));
}

static void candidates_that_cannot_be_launched_are_rejected(void **state)
{
    (void)state;
    static const char *const names[] = {"too large", "right", "missing"};
    static const way ways[] = {{"twice", (size_t)1 << 40}, {"twice", GROUP_ITEMS}, {"thrice", 1}};
    const plc_tune_problem problem = make_problem(ways, names, 3),
                           none = make_problem(ways, names, 1);

    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FAST, 0), "needs work-groups of"));
    assert_non_null(strstr(reason_of(&problem, PLEACH_TUNE_FAST, 2), "no kernel 'thrice'"));
    assert_int_equal(ask(PLEACH_TUNE_FAST, &problem), 1);
    assert_int_equal(ask(PLEACH_TUNE_FULL, &none), 0); // nothing works: the caller will be told why
}

static void off_is_the_first_candidate_and_measures_nothing(void **state)
{
    (void)state;
    const plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);
    char path[192];

    assert_int_equal(ask(PLEACH_TUNE_OFF, &problem), 0);
    assert_int_equal(n_launches, 0);
    snprintf(path, sizeof path, "%s/tuning", cache);
    assert_false(plc_file_exists(path));
}

static void a_second_opening_reads_the_file_and_measures_nothing(void **state)
{
    (void)state;
    const plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);
    static const char *const other_names[] = {"slow", "another"};
    plc_tune_problem other = make_problem(slow_and_fast_ways, other_names, 2);

    assert_int_equal(ask(PLEACH_TUNE_FAST, &problem), 1);
    assert_true(n_launches > 0);
    assert_int_equal(ask(PLEACH_TUNE_FAST, &problem), 1);
    assert_int_equal(n_launches, 0);
    assert_int_equal(ask(PLEACH_TUNE_OFF, &problem), 1);
    assert_int_equal(n_launches, 0);
    assert_int_equal(ask(PLEACH_TUNE_FULL, &problem), 1); // measures what is known
    assert_true(n_launches > 0);
    assert_int_equal(ask(PLEACH_TUNE_OFF, &other), 0); // the file names no candidate of these
    other.shape = "other floats";
    assert_int_equal(ask(PLEACH_TUNE_FAST, &other), 1);
    assert_int_equal(ask(PLEACH_TUNE_OFF, &problem), 1); // what stood in the file stays there
}

// As POCL_MAX_PTHREAD_COUNT or a container changes it.
static void each_number_of_compute_units_has_its_file(void **state)
{
    pleach_device *device = open_device(PLEACH_TUNE_FAST);
    char *all = NULL, *one_more = NULL;

    (void)state;
    assert_ok(plc_tuning_path(device, cache, &all));
    device->info->compute_units++;
    assert_ok(plc_tuning_path(device, cache, &one_more));
    assert_string_not_equal(all, one_more);
    free(all);
    free(one_more);
    pleach_device_close(&device);
}

static void a_process_measures_a_problem_once(void **state)
{
    (void)state;
    const plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);
    pleach_device *device = open_device(PLEACH_TUNE_FULL);
    int chosen = -1;

    assert_ok(plc_tuner_choose(device, &problem, &chosen));
    n_launches = 0;
    assert_ok(plc_tuner_choose(device, &problem, &chosen));
    assert_int_equal(chosen, 1);
    assert_int_equal(n_launches, 0);
    assert_int_equal(plc_tuner_count(device->tuner), 1);
    pleach_device_close(&device);
}

static void what_changes_bits_is_measured_only_when_asked_for(void **state)
{
    (void)state;
    plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);

    problem.changes_bits = true;
    assert_int_equal(ask(PLEACH_TUNE_FAST, &problem), 0);
    assert_int_equal(n_launches, 0);
    assert_int_equal(ask(PLEACH_TUNE_FULL, &problem), 1);
    assert_true(n_launches > 0);
    assert_int_equal(ask(PLEACH_TUNE_FAST, &problem), 1); // from the file
    assert_int_equal(n_launches, 0);
}

static void what_needs_gigabytes_is_not_measured(void **state)
{
    (void)state;
    plc_tune_problem problem = make_problem(slow_and_fast_ways, slow_and_fast, 2);

    problem.buffer_floats[0] = ((size_t)1 << 28) + 1;
    assert_int_equal(ask(PLEACH_TUNE_FULL, &problem), 0);
    assert_int_equal(n_launches, 0);
}

static void entries_survive_the_file(void **state)
{
    (void)state;
    pleach_device *device = open_device(PLEACH_TUNE_OFF);
    plc_tuning tuning = {0}, read = {0};
    plc_tuning_entry entry = {0};
    const char *path = plc_tuner_path(device->tuner);

    assert_ok(plc_strdup(ctx, "conv \"forward\"", &entry.operation));
    assert_ok(plc_strdup(ctx, "3x3 \\ 32x32", &entry.shape));
    assert_ok(plc_strdup(ctx, "vector 16", &entry.mapping));
    assert_ok(plc_tuning_entry_add(ctx, &entry, "tile 4x6", 0.0, "two\nlines"));
    assert_ok(plc_tuning_entry_add(ctx, &entry, "tile 4x4", 0.125, NULL));
    entry.chosen = 1;
    assert_ok(plc_tuning_put(ctx, &tuning, &entry));
    assert_ok(plc_tuning_write(device, path, &tuning));
    assert_ok(plc_tuning_read(ctx, path, &read));
    const plc_tuning_entry *found =
        plc_tuning_find(&read, "conv \"forward\"", "3x3 \\ 32x32", "vector 16");
    assert_non_null(found);
    assert_int_equal(found->n_candidates, 2);
    assert_string_equal(found->candidates[found->chosen].name, "tile 4x4");
    assert_true(found->candidates[found->chosen].ms == 0.125);
    assert_string_equal(found->candidates[1 - found->chosen].rejected, "two lines");
    assert_null(plc_tuning_find(&read, "conv \"forward\"", "3x3 \\ 32x32", "vector 8"));
    plc_tuning_finish(&tuning);
    plc_tuning_finish(&read);
    pleach_device_close(&device);
}

#define HEAD "{\"schema\": \"pleach.tuning/1\", \"entries\": ["
#define KEY "\"operation\": \"double\", \"shape\": \"4096 floats\", \"mapping\": \"vector 16\""
#define GOOD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"a\": 1}}"

// `text` must be refused with a warning that names the file and `place`, and put aside whole.
static void refuse(const char *text, size_t length, const char *place)
{
    pleach_device *device = open_device(PLEACH_TUNE_OFF);
    char path[512], bad[528], *kept = NULL;
    size_t kept_length = 0;

    snprintf(path, sizeof path, "%s", plc_tuner_path(device->tuner));
    snprintf(bad, sizeof bad, "%s.bad", path);
    pleach_device_close(&device);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_ok(plc_make_dirs(ctx, path));
    *slash = '/';
    assert_ok(plc_file_write_all(ctx, path, text, length));
    warning[0] = '\0';
    device = open_device(PLEACH_TUNE_OFF);
    pleach_device_close(&device);
    if (!strstr(warning, path) || !strstr(warning, place))
        fail_msg("'%s' is expected in the warning of %.200s: %s", place, text, warning);
    assert_false(plc_file_exists(path));
    assert_ok(plc_file_read(ctx, bad, length, &kept, &kept_length));
    assert_int_equal(kept_length, length);
    assert_memory_equal(kept, text, length);
    free(kept);
}

static void hostile_files_are_put_aside_with_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"", "line 1"},
        {HEAD GOOD, "line 1"},
        {"{\n\"schema\": nothing}", "line 2"},
        {"[]", "\"schema\""},
        {"{\"schema\": \"pleach.tuning/2\", \"entries\": []}", "\"schema\""},
        {"{\"schema\": \"pleach.tuning/1\", \"entries\": {}}", "\"entries\""},
        {"{\"schema\": \"pleach.tuning/1\", \"schema\": \"pleach.tuning/1\", \"entries\": []}",
         "duplicate"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"chosen\": \"a\", \"ms\": {\"a\": 1}}]}", "duplicate"},
        {HEAD GOOD ", 7]}", "entries[1]"},
        {HEAD GOOD ", " GOOD "]}", "entries[1]"},
        {HEAD "{\"operation\": 7}]}", "entries[0].operation"},
        {HEAD "{\"operation\": \"\"}]}", "entries[0].operation"},
        {HEAD "{\"operation\": \"\\u001b[2J\"}]}", "entries[0].operation"},
        {HEAD "{\"operation\": \"\\u00e9\"}]}", "entries[0].operation"},
        {HEAD "{" KEY ", \"chosen\": \"b\", \"ms\": {\"a\": 1}}]}", "entries[0].chosen"},
        {HEAD "{" KEY ", \"chosen\": 1, \"ms\": {\"a\": 1}}]}", "entries[0].chosen"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"a\": -1}}]}", "entries[0].ms"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"a\": 1e300}}]}", "entries[0].ms"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"a\": true}}]}", "entries[0].ms"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"\\u0007\": 1}}]}", "entries[0].ms"},
        {HEAD "{" KEY ", \"chosen\": \"a\"}]}", "entries[0].ms"},
        {HEAD "{" KEY ", \"chosen\": \"b\", \"ms\": {\"a\": 1}, \"rejected\": {\"b\": \"x\"}}]}",
         "entries[0].chosen"},
        {HEAD "{" KEY ", \"chosen\": \"a\", \"ms\": {\"a\": 1}, \"rejected\": {\"b\": 1}}]}",
         "entries[0].rejected"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, strlen(cases[i].text), cases[i].place);
    refuse(HEAD "\0]}", sizeof HEAD + 2, "line 1");
}

static void a_file_out_of_bounds_is_put_aside(void **state)
{
    (void)state;
    enum { HUGE_BYTES = 5 << 20, N_CANDIDATES = 65, DEPTH = 100000 };
    char *huge = malloc(HUGE_BYTES);
    size_t length = 0;

    assert_non_null(huge);
    memset(huge, ' ', HUGE_BYTES);
    refuse(huge, HUGE_BYTES, "bytes");
    memset(huge, '[', DEPTH);
    refuse(huge, DEPTH, "line 1");
    length = (size_t)sprintf(huge, HEAD "{" KEY ", \"chosen\": \"c0\", \"ms\": {");
    for (int i = 0; i < N_CANDIDATES; i++)
        length += (size_t)sprintf(huge + length, "%s\"c%d\": 1", i ? ", " : "", i);
    length += (size_t)sprintf(huge + length, "}}]}");
    refuse(huge, length, "entries[0].ms");
    length = (size_t)sprintf(huge, HEAD "{\"operation\": \"");
    memset(huge + length, 'x', PLC_TUNING_MAX_TEXT + 1);
    length += PLC_TUNING_MAX_TEXT + 1;
    length += (size_t)sprintf(huge + length, "\"}]}");
    refuse(huge, length, "entries[0].operation");
    free(huge);
}

static void shipped_defaults_can_be_read(void **state)
{
    (void)state;
    int n = 0;

    for (const plc_source *file = plc_shipped_tuning; file->name; file++, n++) {
        plc_tuning tuning = {0};
        char kind[PLC_FORMAT_MAX];

        assert_ok(plc_tuning_parse(ctx, file->name, file->text, strlen(file->text), &tuning));
        assert_ok(plc_tuning_parse_kind(ctx, file->text, strlen(file->text), kind));
        assert_true(strlen(kind) > 0 && tuning.n_items > 0);
        plc_tuning_finish(&tuning);
    }
    assert_true(n > 0);
}

static void sizes_share_a_class_up_to_the_next_power_of_two(void **state)
{
    (void)state;
    assert_int_equal(plc_tune_round(1), 1);
    assert_int_equal(plc_tune_round(5), 8);
    assert_int_equal(plc_tune_round(64), 64);
    assert_int_equal(plc_tune_round(65), 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_fastest_is_chosen_and_the_file_names_all_times, new_cache),
        cmocka_unit_test_setup(what_cannot_be_written_is_not_said_to_be_kept, new_cache),
        cmocka_unit_test_setup(wrong_candidates_are_rejected_with_the_reason, new_cache),
        cmocka_unit_test_setup(candidates_that_cannot_be_launched_are_rejected, new_cache),
        cmocka_unit_test_setup(off_is_the_first_candidate_and_measures_nothing, new_cache),
        cmocka_unit_test_setup(a_second_opening_reads_the_file_and_measures_nothing, new_cache),
        cmocka_unit_test_setup(each_number_of_compute_units_has_its_file, new_cache),
        cmocka_unit_test_setup(a_process_measures_a_problem_once, new_cache),
        cmocka_unit_test_setup(what_changes_bits_is_measured_only_when_asked_for, new_cache),
        cmocka_unit_test_setup(what_needs_gigabytes_is_not_measured, new_cache),
        cmocka_unit_test_setup(entries_survive_the_file, new_cache),
        cmocka_unit_test_setup(hostile_files_are_put_aside_with_a_warning, new_cache),
        cmocka_unit_test_setup(a_file_out_of_bounds_is_put_aside, new_cache),
        cmocka_unit_test(shipped_defaults_can_be_read),
        cmocka_unit_test(sizes_share_a_class_up_to_the_next_power_of_two),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
