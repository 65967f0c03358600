// `pleach bench compare` over the devices of this machine as a user calls it: what is measured can be sent
// on, and a device that fails is named with what went wrong.
#include "program.h"

#include <glob.h>
#include <stdbool.h>

#define NETWORK " --model cnn5 --input 3x16x16 --batch 2 --repeats 1"

static char words[2 * MAX_PATH];

// The words for `pleach bench compare` over the device that the tests are to use, or over all.
static const char *compare_words(const char *options)
{
    snprintf(words, sizeof words, "bench compare%s%s" NETWORK " %s",
             plc_test_device() ? " --devices " : "", plc_test_device() ? plc_test_device() : "",
             options);
    return words;
}

static int compare(const char *options)
{
    return call(compare_words(options));
}

// How many files of the test's folder a pattern matches.
static size_t count_files(const char *pattern)
{
    char path[MAX_PATH];
    glob_t found;

    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    if (glob(path, 0, NULL, &found) != 0)
        return 0;
    const size_t n = found.gl_pathc;
    globfree(&found);
    return n;
}

static int find_program_and_device(void **state)
{
    if (find_program(state) != 0)
        return -1;
    unsetenv("PLEACH_DEVICE"); // the choice is the command's own
    return 0;
}

static bool there_is_none(void)
{
    char choice[MAX_PATH] = "";

    if (plc_test_device())
        snprintf(choice, sizeof choice, "--device %s ", plc_test_device());
    snprintf(words, sizeof words, "%sdevices --json", choice);
    return call(words) == 4;
}

static void check_document(const char *path)
{
    static const char *const kinds[] = {"train", "infer"};
    char whole[MAX_PATH];

    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    json_t *root = json_load_file(whole, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "schema")), "pleach.bench/1");
    const json_t *results = json_object_get(root, "results");
    assert_int_equal(json_array_size(results), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *result = json_array_get(results, i);

        assert_string_equal(json_string_value(json_object_get(result, "kind")), kinds[i]);
        assert_int_equal(json_integer_value(json_object_get(result, "batch")), 2);
    }
    json_decref(root);
}

static void every_device_is_measured_into_a_file_that_can_be_sent(void **state)
{
    const json_t *device = NULL;
    size_t i = 0;
    char file[1024] = "";

    (void)state;
    if (there_is_none())
        skip();
    assert_int_equal(compare("--out all --limit 3600 --json"), 0);
    json_t *root = parsed_output("pleach.bench-compare/1");
    const json_t *devices = json_object_get(root, "devices");
    assert_true(json_array_size(devices) > 0);
    assert_int_equal(json_array_size(json_object_get(root, "files")), json_array_size(devices));
    json_array_foreach(devices, i, device)
    {
        assert_true(json_is_null(json_object_get(device, "failed")));
        snprintf(file, sizeof file, "%s", json_string_value(json_object_get(device, "file")));
        check_document(file);
        snprintf(words, sizeof words, "device %s ",
                 json_string_value(json_object_get(device, "id")));
        assert_non_null(strstr(err, words)); // progress
    }
    assert_int_equal(count_files("all/*"), json_array_size(devices) + 1); // nothing else but
    assert_int_equal(count_files("all/compare.html"), 1);
    json_decref(root);
    snprintf(words, sizeof words, "bench compare %s %s", file, file);
    assert_int_equal(call(words), 0);
    assert_non_null(strstr(out, "train cnn5 3x16x16, batch 2"));
    assert_non_null(strstr(out, "infer cnn5 3x16x16, batch 2"));
}

static void the_table_has_the_devices_and_their_speed(void **state)
{
    static char page[MAX_OUTPUT];

    (void)state;
    if (there_is_none() || plc_test_is_quick()) // measures all of it once more
        skip();
    assert_int_equal(compare("--out tables --limit 3600 --html side.html --progress none"), 0);
    assert_non_null(strstr(out, "tables/"));
    assert_non_null(strstr(out, "images/s, best"));
    assert_non_null(strstr(out, "page: side.html"));
    assert_null(strstr(err, "device "));
    read_back("side.html", page);
    assert_non_null(strstr(page, "tables/"));
    assert_non_null(strstr(page, "<svg viewBox"));
}

// Runs over the devices must fail; each then has no file and a reason that begins with `expected`.
static void assert_all_fail(const char *options, const char *expected)
{
    const json_t *device = NULL;
    size_t i = 0;

    assert_int_equal(compare(options), 4);
    assert_non_null(strstr(err, "devices failed"));
    json_t *root = parsed_output("pleach.bench-compare/1");
    assert_int_equal(json_array_size(json_object_get(root, "files")), 0);
    assert_true(json_array_size(json_object_get(root, "devices")) > 0);
    json_array_foreach(json_object_get(root, "devices"), i, device)
    {
        const char *failed = json_string_value(json_object_get(device, "failed"));

        assert_true(json_is_null(json_object_get(device, "file")));
        if (!failed || strncmp(failed, expected, strlen(expected)) != 0)
            fail_msg("'%s', expected '%s'", failed ? failed : "", expected);
    }
    json_decref(root);
}

static void what_takes_longer_than_the_limit_is_ended_and_named(void **state)
{
    static char page[MAX_OUTPUT];

    (void)state;
    if (there_is_none())
        skip();
    assert_all_fail("--out limited --limit 0.001 --json",
                    "self-test failed: over the limit of 0.001 s, see limited/");
    assert_true(count_files("limited/*.log") > 0);
    assert_int_equal(count_files("limited/*.part"), 0);
    // The page of an earlier call would show the device as measured.
    read_back("limited/compare.html", page);
    assert_non_null(strstr(page, "over the limit of 0.001 s"));
}

// A copy of the kernels in which whatever is stored is a quarter too large.
static void spoil_kernels(void)
{
    const char *end = strstr(__FILE__, "tests/cli/");
    char command[4 * MAX_PATH];

    assert_non_null(end);
    snprintf(command, sizeof command,
             "cp -r '%.*scl' %s/wrong && cd %s/wrong && cp lanes.h before && "
             "sed -i 's/(\\*(to) = (value))/(*(to) = (value) * 1.25f)/' lanes.h && "
             "! cmp -s before lanes.h",
             (int)(end - __FILE__), __FILE__, folder, folder);
    assert_int_equal(system(command), 0);
}

static void a_device_that_computes_wrongly_is_named_and_not_timed(void **state)
{
    (void)state;
    if (there_is_none() || plc_test_is_quick()) // all kernels of the self-test are built for it
        skip();
    spoil_kernels();
    setenv("PLEACH_CL_DIR", "wrong", 1);
    // An earlier call's results would be taken for those of this one.
    assert_all_fail("--out all --json", "self-test failed: matrix product: ");
    unsetenv("PLEACH_CL_DIR");
    assert_int_equal(count_files("all/*.json"), 0);
    assert_null(strstr(err, ": train"));
}

static void a_device_that_is_not_there_is_answered_with_code_4(void **state)
{
    (void)state;
    if (there_is_none())
        skip();
    assert_int_equal(call("bench compare --devices 97:0 --out none"), 4);
    assert_non_null(strstr(err, "no device matches '97:0'; there are: "));
    assert_string_equal(out, "");
    assert_int_equal(call("bench compare --devices , --out none"), 2);
    assert_non_null(strstr(err, "--devices ',' names none"));
    assert_int_equal(count_files("none"), 0);
}

static void kernels_built_ahead_go_to_the_children(void **state)
{
    (void)state;
    if (there_is_none())
        skip();
    assert_int_equal(
        call("fpga export cnn5 --input 3x16x16 --batch 2 --lanes 4 --tile 2x1 --out board"), 0);
    snprintf(words, sizeof words, "fpga build board%s%s", plc_test_device() ? " --device " : "",
             plc_test_device() ? plc_test_device() : "");
    if (call(words) != 0)
        fail_msg("%s", err);
    const int code = compare("--out ahead --binary board/pleach.bin --json");
    if (code == 2) { // several devices cannot share them
        assert_non_null(strstr(err, "holds kernels of one device"));
        return;
    }
    assert_int_equal(code, 4); // training was not exported
    assert_non_null(strstr(out, "board/pleach.bin has no kernel"));
    assert_non_null(strstr(out, "infer cnn5 3x16x16, batch 2"));
}

static void an_interrupt_ends_the_children_too(void **state)
{
    static char said[MAX_OUTPUT];
    char command[4 * MAX_PATH];

    (void)state;
    if (there_is_none())
        skip();
    // Once the first child's files are there, its parent watches for signals.
    snprintf(command, sizeof command,
             "exec 2>/dev/null; cd %s && { '%s' %s 2>said & } && parent=$! && "
             "until ls ended/*.log >ls; do kill -0 $parent || exit 1; sleep 0.05; done && "
             "read child </proc/$parent/task/$parent/children; " // a line without an end
             "tr '\\0' ' ' </proc/$child/cmdline >words; kill -TERM $parent; "
             "wait $parent; code=$?; rm ls; test -n \"$child\" && ! kill -0 $child && exit $code",
             folder, program, compare_words("--out ended --lanes 8 --external-data"));
    const int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    read_back("said", said);
    assert_non_null(strstr(said, "interrupted; what was measured before is in 'ended'"));
    assert_int_equal(count_files("ended/*"), 0);
    read_back("words", said); // of the child: what this call was told of devices and files
    assert_non_null(strstr(said, " --lanes 8 "));
    assert_non_null(strstr(said, " --external-data "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_device_is_measured_into_a_file_that_can_be_sent),
        cmocka_unit_test(the_table_has_the_devices_and_their_speed),
        cmocka_unit_test(what_takes_longer_than_the_limit_is_ended_and_named),
        cmocka_unit_test(a_device_that_computes_wrongly_is_named_and_not_timed),
        cmocka_unit_test(a_device_that_is_not_there_is_answered_with_code_4),
        cmocka_unit_test(kernels_built_ahead_go_to_the_children),
        cmocka_unit_test(an_interrupt_ends_the_children_too),
    };

    return cmocka_run_group_tests_name("bench devices", tests, find_program_and_device,
                                       drop_folder);
}
