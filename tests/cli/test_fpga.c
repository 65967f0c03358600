// `pleach fpga` and --binary as a user calls them: the files, what is refused, a network that runs on them.
#include "program.h"

static bool exists(const char *name)
{
    char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void wrong_words_are_answered(void **state)
{
    static const struct {
        const char *words, *said;
        int code;
    } cases[] = {
        {"fpga", "`pleach fpga export MODEL --out DIR`", 2},
        {"fpga exprot", "unknown action of fpga 'exprot'; did you mean 'export'?", 2},
        {"fpga export resnet20", "--out DIR is missing", 2},
        {"fpga export resnet2 --out x", "did you mean 'resnet20'?", 2},
        {"fpga export a b --out x", "unexpected argument 'b'", 2},
        {"fpga export resnet20 --out x --tile 9x2", "--tile '9x2': channels x pixels", 2},
        {"fpga export resnet20 --out x --tile 8", "--tile '8'", 2},
        {"fpga export resnet20 --out x --lanes 32", "32 lanes: the vector mapping takes", 2},
        {"fpga export resnet20 --out x --mapping work-item", "leave out --mapping", 2},
        {"fpga export resnet20 --out x --precision half", "leave out --mapping", 2},
        {"fpga build board --out x", "--out is of `pleach fpga export`", 2},
        {"fpga build board --tile 4x4", "--tile is of `pleach fpga export`", 2},
        {"fpga build nowhere", "nowhere/pleach.cl: cannot open", 3},
        {"eval m.safetensors --manifest x.json", "cannot open", 3},
        {"bench device --manifest x.json", "--binary FILE holds, which is missing", 2},
        {"bench device --binary nowhere.bin", "nowhere.bin: cannot open", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (call(cases[i].words) != cases[i].code || !strstr(err, cases[i].said))
            fail_msg("`%s`: %s", cases[i].words, err);
        assert_false(exists("x"));
    }
}

static void an_export_needs_no_device_and_tells_what_it_wrote(void **state)
{
    json_t *root, *kernels;
    const char *vendors = getenv("OCL_ICD_VENDORS");
    char *kept = vendors ? strdup(vendors) : NULL;

    (void)state;
    setenv("OCL_ICD_VENDORS", "/nowhere", 1);
    assert_int_equal(call("fpga export cnn5 --out board --lanes 4 --tile 2x1 --json"), 0);
    if (kept)
        setenv("OCL_ICD_VENDORS", kept, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(kept);
    root = parsed_output("pleach.export/1");
    kernels = json_object_get(root, "kernels");
    assert_true(json_integer_value(kernels) >= 5 && json_integer_value(kernels) < 12);
    assert_int_equal(json_integer_value(json_object_get(root, "lanes")), 4);
    json_decref(root);
    assert_true(exists("board/pleach.cl") && exists("board/pleach.json") &&
                exists("board/build.sh"));
}

static void only_an_export_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(call("fpga export cnn5 --out board"), 0);
    assert_int_equal(call("fpga export cnn5 --out board"), 0);
    assert_non_null(strstr(out, "16 lanes, tile 8x2"));
    write_text("note", "mine");
    assert_int_equal(call("fpga export cnn5 --out ."), 2);
    assert_non_null(strstr(err, "no export of pleach; choose a new folder"));
    assert_true(exists("note"));
}

static void a_network_runs_on_kernels_built_ahead(void **state)
{
    (void)state;
    assert_int_equal(call("fpga export cnn5 --input 1x8x8 --out board --lanes 4 --tile 2x1"), 0);
    if (call("fpga build board") != 0)
        fail_msg("%s", err);
    assert_true(exists("board/pleach.bin"));
    if (call("bench infer --model cnn5 --input 1x8x8 --batch 8 --repeats 1 "
             "--binary board/pleach.bin") != 0)
        fail_msg("%s", err);
    assert_non_null(strstr(err, "4 lanes, vector, kernels of board/pleach.bin"));
    // Training was not exported.
    assert_int_equal(call("bench train --model cnn5 --input 1x8x8 --batch 8 --repeats 1 "
                          "--binary board/pleach.bin"),
                     4);
    assert_non_null(strstr(err, "`pleach fpga export MODEL --training` of this network"));
    // One image has kernels of its own.
    assert_int_equal(call("bench infer --model cnn5 --input 1x8x8 --batch 1 --repeats 1 "
                          "--binary board/pleach.bin"),
                     4);
    assert_non_null(strstr(err, "with this command's --batch"));
    assert_non_null(strstr(err, "below 4 images"));
    // A new export takes the old kernels away: they are not its own.
    assert_int_equal(call("fpga export cnn5 --input 1x8x8 --out board --lanes 8"), 0);
    assert_false(exists("board/pleach.bin"));
}

static void the_script_says_how_it_is_called(void **state)
{
    char command[2 * MAX_PATH];

    (void)state;
    assert_int_equal(call("fpga export cnn5 --out board"), 0);
    snprintf(command, sizeof command, "%s/board/build.sh --help | grep -q 'vitis TARGET'", folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command,
             "PATH=/usr/bin:/bin %s/board/build.sh board 2>&1 | grep -q "
             "'no aoc in PATH'",
             folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_words_are_answered),
        cmocka_unit_test(an_export_needs_no_device_and_tells_what_it_wrote),
        cmocka_unit_test(only_an_export_is_replaced),
        cmocka_unit_test(a_network_runs_on_kernels_built_ahead),
        cmocka_unit_test(the_script_says_how_it_is_called),
    };

    return cmocka_run_group_tests(tests, find_program, drop_folder);
}
