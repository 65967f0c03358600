// The program as a user calls it: what it says, where it says it, and its exit code.
#include "program.h"

static void wrong_words_are_answered_with_the_nearest_and_code_2(void **state)
{
    static const struct {
        const char *words, *said;
    } cases[] = {
        {"trian", "unknown command 'trian'; did you mean 'train'?"},
        {"xyzzy", "unknown command 'xyzzy'; see"},
        {"bench train --tune fsat", "unknown value of --tune 'fsat'; did you mean 'fast'?"},
        {"devices --precision haf", "unknown value of --precision 'haf'; did you mean 'half'?"},
        {"", "no command"},
        {"train --epchs 3", "unknown option '--epchs'; did you mean '--epochs'?"},
        {"train --model resnet20 --epochs", "'--epochs' needs a value"},
        {"train --model resnet20 --epochs ten", "--epochs 'ten': a whole number"},
        {"train --model resnet20 --lr fast", "--lr 'fast': a number"},
        {"train --model resnet20 --no-nesterov=1", "takes no value"},
        {"train", "--model is missing"},
        {"train --resume runs/x --epochs 3", "--resume goes on with the options"},
        {"train --model resnet20 surplus", "unexpected argument 'surplus'"},
        {"train -x", "unknown option '-x'"},
        {"compress --l 0.1", "may mean several"},
        {"--sed 3 inspect resnet20", "did you mean '--seed'?"},
        {"inspect resnet2", "unknown model 'resnet2'; did you mean 'resnet20'?"},
        {"inspect resnet20 --input 32", "--input '32': channels x height x width"},
        {"inspect", "no MODEL"},
        {"inspect a b", "one MODEL"},
        {"export", "no MODEL"},
        {"export a.safetensors", "--onnx FILE is missing"},
        {"export a.safetensors --onnx b.onnx --opset 6", "--opset '6'"},
        {"ops surplus", "unexpected argument 'surplus'"},
        {"bench tarin", "did you mean 'train'?"},
        {"bench", "bench train"},
        {"bench devise", "did you mean 'device'?"},
        {"bench train infer", "unexpected argument 'infer'"},
        {"bench tune --tune off", "--tune off: everything is measured here"},
        {"bench ops --profile", "unknown option '--profile'"},
        {"bench compare --limit 0", "--limit '0': more than 0 seconds"},
        {"bench compare a.json --batch 3", "'a.json': with files nothing is measured"},
        {"bench compare --model resnet21", "did you mean 'resnet20'?"},
        {"bench compare a b c d e f g h i", "'i': at most 8 files"},
        {"devices --lanes 12", "--lanes 12: 4, 8, 16, 32 or 64"},
        {"devices --progress baar", "did you mean 'bar'?"},
        {"report", "no RUN"},
        {"sweep --model cnn5", "nothing varies"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int code = call(cases[i].words);

        if (code != 2 || strncmp(err, "pleach: error: ", 15) != 0 || !strstr(err, cases[i].said) ||
            *out)
            fail_msg("pleach %s: code %d, stdout '%s', stderr '%s', expected '%s'", cases[i].words,
                     code, out, err, cases[i].said);
    }
}

static void help_and_version_are_found_by_any_of_their_names(void **state)
{
    (void)state;
    assert_int_equal(call("help compress"), 0);
    assert_non_null(strstr(out, "--macs"));
    assert_int_equal(call("help"), 0);
    assert_non_null(strstr(out, "compress"));
    assert_int_equal(call("--versi"), 0);
    assert_int_equal(strncmp(out, "pleach ", 7), 0);
}

static void bad_input_is_named_with_code_3(void **state)
{
    static const struct {
        const char *words, *said;
    } cases[] = {
        {"eval nowhere.safetensors", "nowhere.safetensors"},
        {"inspect nowhere/model.safetensors", "nowhere/model.safetensors"},
        {"inspect nowhere.onnx", "nowhere.onnx"},
        {"inspect red\x1b.onnx", "red?.onnx"}, // a terminal would obey these
        {"inspect red\xc2\x9b.onnx", "red??.onnx"},
        {"export nowhere.safetensors --onnx out.onnx", "nowhere.safetensors"},
        {"report nowhere", "nowhere"},
        {"bench compare nowhere.json", "nowhere.json"},
        {"train --model cnn5 --data cifar10:nowhere --out run", "nowhere/data_batch_1.bin"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int code = call(cases[i].words);

        if (code != 3 || !strstr(err, cases[i].said))
            fail_msg("pleach %s: code %d, stderr '%s', expected '%s'", cases[i].words, code, err,
                     cases[i].said);
    }
}

static void an_unknown_device_is_answered_with_those_there_are_and_code_4(void **state)
{
    (void)state;
    assert_int_equal(call("--device nosuchdevice bench infer --model cnn5"), 4);
    assert_non_null(strstr(err, "nosuchdevice"));
}

static void halfs_are_refused_where_the_device_has_none_with_code_4(void **state)
{
    json_t *root = NULL, *device = NULL;
    int has_fp16 = 0;
    size_t i = 0;

    (void)state;
    if (call("devices --json") == 4)
        skip();
    root = parsed_output("pleach.devices/1");
    json_array_foreach(json_object_get(root, "devices"), i, device) has_fp16 |=
        json_is_true(json_object_get(device, "chosen")) &&
        json_is_true(json_object_get(device, "has_fp16"));
    json_decref(root);
    const int code = call("bench infer --model cnn5 --repeats 1 --precision half --json");
    if (has_fp16) {
        assert_int_equal(code, 0);
        assert_non_null(strstr(out, ", half\""));
        return;
    }
    assert_int_equal(code, 4);
    assert_non_null(strstr(err, "cl_khr_fp16"));
    assert_non_null(strstr(err, "--precision float"));
}

static void every_command_has_help_on_stdout(void **state)
{
    static const char *const commands[] = {
        "",          "devices",      "train",        "compress", "eval",        "inspect",
        "export",    "ops",          "bench",        "report",   "bench train", "bench infer",
        "bench ops", "bench device", "bench compare"};
    char words[64];

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        snprintf(words, sizeof words, "%s --help", commands[i]);
        assert_int_equal(call(words), 0);
        assert_non_null(strstr(out, "Usage: pleach"));
        assert_non_null(strstr(out, commands[i]));
        assert_string_equal(err, "");
    }
    assert_int_equal(call("--version"), 0);
    assert_non_null(strstr(out, "pleach 0."));
}

static void coverage_without_cases_says_where_they_come_from(void **state)
{
    (void)state;
    assert_int_equal(call("ops --coverage --tune off --cases /no/such/folder"), 3);
    assert_non_null(strstr(err, "/no/such/folder"));
    assert_non_null(strstr(err, "libonnx-testdata"));
    assert_int_equal(call("ops"), 0);
    assert_non_null(strstr(out, "ConvTranspose"));
}

static void inspect_counts_resnet20_without_a_device(void **state)
{
    json_t *root = NULL;

    (void)state;
    assert_int_equal(call("inspect resnet20 --input 3x32x32 --json"), 0);
    root = parsed_output("pleach.inspect/1");
    // He et al.'s 40.55 M multiplications and 269,722 parameters, and two 1x1 shortcuts (262,144 of them,
    // 2,560 weights and 192 of their batch norms).
    assert_int_equal(json_integer_value(json_object_get(root, "macs")), 40551040 + 262144);
    assert_int_equal(json_integer_value(json_object_get(root, "params")), 272474);
    assert_int_equal(json_integer_value(json_object_get(root, "conv_layers")), 21);
    json_decref(root);
    assert_int_equal(call("inspect resnet20"), 0);
    assert_non_null(strstr(out, "layer3.2.conv2"));
}

static void devices_are_listed_as_json_and_one_is_chosen(void **state)
{
    json_t *root = NULL, *device = NULL;
    size_t i = 0;
    int n_chosen = 0;

    (void)state;
    if (call("devices --json") == 4)
        skip(); // no device on this machine: said so, and the list is empty
    root = parsed_output("pleach.devices/1");
    json_array_foreach(json_object_get(root, "devices"), i, device)
    {
        n_chosen += json_is_true(json_object_get(device, "chosen"));
        assert_non_null(json_string_value(json_object_get(device, "self_test")));
    }
    assert_int_equal(n_chosen, 1);
    json_decref(root);
}

static void devices_are_tested_when_asked_and_the_result_is_remembered(void **state)
{
    char words[64];

    (void)state;
    if (call("devices --json") == 4)
        skip();                                        // no device on this machine
    snprintf(words, sizeof words, "%s/cache", folder); // nothing is known there
    setenv("XDG_CACHE_HOME", words, 1);
    assert_int_equal(call("devices"), 0);
    assert_non_null(strstr(out, "not run yet"));
    assert_int_equal(call("devices --test"), 0);
    assert_null(strstr(out, "failed"));
    assert_int_equal(call("devices"), 0);
    assert_non_null(strstr(out, "passed"));
    // Another layout is another question; no kind of device has this one unasked.
    assert_int_equal(call("devices --lanes 8 --mapping work-item"), 0);
    assert_non_null(strstr(out, "not run yet"));
    unsetenv("XDG_CACHE_HOME");
}

static void names_that_are_not_utf_8_stand_in_json_all_the_same(void **state)
{
    static const char bench[] =
        "{\"schema\": \"pleach.bench/1\", \"device\": {\"name\": \"d\"}, \"results\": []}";
    static const struct {
        const char *words, *said;
    } cases[] = {
        {"report run\xe9.json --json", "\"run\": \"run?.json\""},
        {"bench compare run\xe9.bench --json", "\"run?.bench\""},
        {"fpga export cnn5 --out board\xe9 --json", "\"folder\": \"board?\""},
    };

    (void)state;
    write_text("run\xe9.json", "{\"schema\": \"pleach.run/1\"}");
    write_text("run\xe9.bench", bench);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (call(cases[i].words) != 0 || !strstr(out, cases[i].said))
            fail_msg("pleach %s: '%s' '%s'", cases[i].words, out, err);
}

static void global_options_stand_before_or_after_the_command(void **state)
{
    static char first[MAX_OUTPUT];

    (void)state;
    assert_int_equal(call("--json inspect cnn5 --input 1x28x28"), 0);
    strcpy(first, out);
    assert_int_equal(call("inspect --input=1x28x28 --js cnn5"), 0);
    assert_string_equal(out, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_words_are_answered_with_the_nearest_and_code_2),
        cmocka_unit_test(help_and_version_are_found_by_any_of_their_names),
        cmocka_unit_test(bad_input_is_named_with_code_3),
        cmocka_unit_test(an_unknown_device_is_answered_with_those_there_are_and_code_4),
        cmocka_unit_test(halfs_are_refused_where_the_device_has_none_with_code_4),
        cmocka_unit_test(every_command_has_help_on_stdout),
        cmocka_unit_test(coverage_without_cases_says_where_they_come_from),
        cmocka_unit_test(inspect_counts_resnet20_without_a_device),
        cmocka_unit_test(devices_are_listed_as_json_and_one_is_chosen),
        cmocka_unit_test(devices_are_tested_when_asked_and_the_result_is_remembered),
        cmocka_unit_test(names_that_are_not_utf_8_stand_in_json_all_the_same),
        cmocka_unit_test(global_options_stand_before_or_after_the_command),
    };

    return cmocka_run_group_tests_name("cli", tests, find_program, drop_folder);
}
