// `pleach bench` as a user calls it: its documents are complete and agree with themselves, files stand
// side by side, and bad ones are named.
#include "program.h"

#include <math.h>
#include <stdbool.h>

// How far a share of a measured peak may lie above 1: another program may have slowed the peak's
// measurement down, though it is taken before and after.
static const double most_share = 1.2;

static const json_t *only_result(const json_t *root, const char *kind)
{
    const json_t *results = json_object_get(root, "results");

    assert_int_equal(json_array_size(results), 1);
    const json_t *result = json_array_get(results, 0);
    assert_string_equal(json_string_value(json_object_get(result, "kind")), kind);
    assert_string_not_equal(
        json_string_value(json_object_get(json_object_get(root, "device"), "name")), "");
    return result;
}

// The number at "a.b"; NAN where it is null.
static double number(const json_t *object, const char *path)
{
    char first[64];
    const char *dot = strchr(path, '.');

    if (dot) {
        snprintf(first, sizeof first, "%.*s", (int)(dot - path), path);
        return number(json_object_get(object, first), dot + 1);
    }
    const json_t *value = json_object_get(object, path);
    if (!json_is_number(value) && !json_is_null(value))
        fail_msg("'%s' is no number", path);
    return json_is_null(value) ? (double)NAN : json_number_value(value);
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%.9g, expected %.9g", value, expected);
}

static void assert_share(double share)
{
    if (!(share >= 0 && share <= most_share))
        fail_msg("a share of %g", share);
}

static void check_peaks(const json_t *result)
{
    const json_t *row = NULL;
    size_t i = 0;
    double best = 0, last = 0;

    json_array_foreach(json_object_get(json_object_get(result, "peaks"), "fma"), i, row) best =
        fmax(best, number(row, "gflops"));
    assert_true(best > 0);
    assert_near(number(result, "peaks.gflops"), best, 1e-6);
    json_array_foreach(json_object_get(json_object_get(result, "peaks"), "bandwidth"), i, row)
    {
        assert_true(number(row, "bytes") > last);
        last = number(row, "bytes");
        assert_true(number(row, "copy_gb_s") > 0 && number(row, "read_gb_s") > 0 &&
                    number(row, "write_gb_s") > 0);
    }
    assert_true(last > 0);
    assert_true(number(result, "peaks.launch_us") > 0);
    assert_true(number(result, "peaks.launch_wait_us") > 0);
}

static void device_prints_its_peaks(void **state)
{
    json_t *root = NULL;

    (void)state;
    assert_int_equal(call("bench device --json"), 0);
    root = parsed_output("pleach.bench/1");
    check_peaks(only_result(root, "device"));
    json_decref(root);
}

static void check_op(const json_t *op, const json_t *peaks)
{
    const double flops = number(op, "flops"), executed = number(op, "executed_flops"),
                 ms = number(op, "ms");
    const char *bound = json_string_value(json_object_get(op, "bound"));

    assert_true(number(op, "runs") >= 1 && ms > 0 && number(op, "bytes") > 0);
    assert_near(number(op, "gflops"), 1e-6 * flops / ms, 1e-6);
    assert_near(number(op, "gb_s"), 1e-6 * number(op, "bytes") / ms, 1e-6);
    assert_share(number(op, "share"));
    assert_share(number(op, "peak_share"));
    if (strcmp(bound, "compute") == 0)
        assert_near(number(op, "peak_share"), 1e-6 * executed / ms / number(peaks, "gflops"), 1e-6);
    else
        assert_string_equal(bound, "memory");
}

static void check_ops(const char *words, int wanted_batch)
{
    json_t *root = NULL, *op = NULL, *seen = json_object();
    size_t i = 0;
    double ms = 0, share = 0, bytes = 0;
    char name[128];

    assert_int_equal(call(words), 0);
    root = parsed_output("pleach.bench/1");
    const json_t *result = only_result(root, "ops");
    check_peaks(result);
    assert_int_equal(json_integer_value(json_object_get(result, "batch")), wanted_batch);
    json_array_foreach(json_object_get(result, "ops"), i, op)
    {
        check_op(op, json_object_get(result, "peaks"));
        ms += number(op, "ms");
        share += number(op, "share");
        bytes += number(op, "bytes");
        snprintf(name, sizeof name, "%s %s %s", json_string_value(json_object_get(op, "kernel")),
                 json_string_value(json_object_get(op, "shape")),
                 json_string_value(json_object_get(op, "pass")));
        assert_null(json_object_get(seen, name)); // one row each
        json_object_set_new(seen, name, json_true());
    }
    assert_near(ms, number(result, "kernel_ms"), 1e-6);
    assert_near(share, 1, 1e-6);
    assert_near(bytes, number(result, "bytes_per_step"), 1e-6);
    assert_share(number(result, "roofline.share"));
    // What cnn5 is made of: forward, both gradients, batch norm, loss, update.
    static const char *const expected[] = {"conv_forward 3->16 3x3 s1 16x16 forward",
                                           "conv_grad_weight 3->16 3x3 s1 16x16 backward",
                                           "bn_apply 16x16x16 forward",
                                           "max_pool_backward 16x16x16->8x8 backward",
                                           "softmax_cross_entropy 10 classes backward",
                                           "augment 3x16x16 input",
                                           "sgd_step 98970 weights update"};
    for (i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!json_object_get(seen, expected[i]))
            fail_msg("no row '%s' in\n%s", expected[i], out);
    json_decref(seen);
    json_decref(root);
}

static void ops_has_one_row_per_kernel_and_shape(void **state)
{
    (void)state;
    check_ops("bench ops --model cnn5 --input 3x16x16 --batch 20 --json", 20);
}

static void check_speed(const char *words, const char *kind, bool measured)
{
    json_t *root = NULL;

    assert_int_equal(call(words), 0);
    root = parsed_output("pleach.bench/1");
    const json_t *r = only_result(root, kind);
    assert_true(number(r, "images_per_second.best") >= number(r, "images_per_second.median"));
    assert_near(number(r, "latency_ms") * number(r, "images_per_second.median"),
                1e3 * number(r, "batch"), 1e-6);
    assert_near(number(r, "wall_ms") * number(r, "images_per_second.best"),
                1e3 * number(r, "batch"), 1e-6);
    assert_true(number(r, "step_ms.p50") > 0);
    assert_true(number(r, "step_ms.p50") <= number(r, "step_ms.p90"));
    assert_true(number(r, "step_ms.steps") >= 10);
    assert_true(number(r, "start.create_seconds") >= number(r, "start.build_seconds"));
    assert_true(number(r, "start.first_step_seconds") >= number(r, "start.create_seconds"));
    assert_true(number(r, "start.programs_compiled") + number(r, "start.programs_cached") > 0);
    assert_true(number(r, "bytes_per_step") > number(r, "least_bytes_per_step"));
    assert_true(number(r, "least_bytes_per_step") > 0);
    const double joules = number(r, "joules_per_image");
    assert_true(isnan(joules) || joules > 0);
    assert_int_equal(isnan(number(r, "kernel_ms")), !measured);
    assert_int_equal(isnan(number(r, "roofline.share")), !measured);
    assert_int_equal(isnan(number(r, "peaks.gflops")), !measured);
    assert_int_equal(json_array_size(json_object_get(r, "profile")) > 0, measured);
    if (measured) {
        check_peaks(r);
        assert_share(number(r, "roofline.share"));
        assert_near(number(r, "roofline.share") * number(r, "wall_ms"), number(r, "roofline.ms"),
                    1e-6);
    }
    json_decref(root);
}

static void train_and_infer_tell_speed_latency_start_and_traffic(void **state)
{
    (void)state;
    check_speed("bench train --model cnn5 --input 3x16x16 --batch 20 --repeats 2 --profile "
                "--roofline --json",
                "train", true);
    check_speed("bench infer --model cnn5 --input 3x16x16 --batch 1 --repeats 1 --json", "infer",
                false);
}

static void another_network_is_timed_in_turns(void **state)
{
    json_t *root = NULL;

    (void)state;
    assert_int_equal(call("bench infer --model cnn5 --beside resnet20 --input 3x16x16 --batch 1 "
                          "--repeats 1 --json"),
                     0);
    root = parsed_output("pleach.bench/1");
    const json_t *beside = json_object_get(only_result(root, "infer"), "beside");
    assert_string_equal(json_string_value(json_object_get(beside, "model")), "resnet20");
    assert_true(number(beside, "ratio") > 0);
    json_decref(root);
    assert_int_equal(call("bench infer --model cnn5 --beside resnet21 --input 3x16x16"), 2);
    assert_non_null(strstr(err, "resnet21"));
    assert_int_equal(call("bench train --beside resnet20"), 2);
}

static void the_text_names_what_is_not_available(void **state)
{
    static const char *const expected[] = {"images/s at best", "p90", "programs compiled",
                                           "with everything fused", "energy: "};

    (void)state;
    assert_int_equal(call("bench infer --model cnn5 --input 3x16x16 --batch 2 --repeats 1"), 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(out, expected[i]))
            fail_msg("'%s' is not in\n%s", expected[i], out);
}

static const char first_file[] =
    "{\"schema\": \"pleach.bench/1\", \"device\": {\"name\": \"<one>\", \"lanes\": 16},\n"
    "\"results\": [{\"kind\": \"train\", \"model\": \"resnet20\", \"input\": [3, 32, 32],\n"
    "  \"batch\": 128, \"images_per_second\": {\"best\": 500, \"median\": 400}},\n"
    " {\"kind\": \"device\", \"peaks\": {\"gflops\": 100, \"fma\": [], \"bandwidth\":\n"
    "  [{\"bytes\": 4096, \"copy_gb_s\": 20, \"read_gb_s\": 10, \"write_gb_s\": null}]}}]}";
static const char second_file[] =
    "{\"schema\": \"pleach.bench/1\", \"unknown\": 1, \"device\": {\"name\": \"two\"},\n"
    "\"results\": [{\"kind\": \"train\", \"model\": \"resnet20\", \"input\": [3, 32, 32],\n"
    "  \"batch\": 128, \"images_per_second\": {\"best\": 750, \"median\": 700}},\n"
    " {\"kind\": \"ops\", \"model\": \"resnet20\", \"input\": [3, 32, 32], \"batch\": 8,\n"
    "  \"kernel_ms\": 3, \"peaks\": {\"gflops\": 200, \"bandwidth\":\n"
    "   [{\"bytes\": 4096, \"copy_gb_s\": 40, \"read_gb_s\": 10, \"write_gb_s\": 1}]},\n"
    "  \"ops\": [{\"kernel\": \"conv\", \"shape\": \"1->2 & more\", \"ms\": 3, \"gflops\": 60,\n"
    "   \"flops\": 9e7, \"executed_flops\": 5e6, \"bytes\": 1e6}, {\"kernel\": \"fill\", \"ms\": "
    "1, \"bytes\": 10}]},\n"
    " {\"kind\": \"of the future\"}]}";

static void files_stand_side_by_side(void **state)
{
    json_t *root = NULL, *row = NULL;
    size_t i = 0;
    int n_found = 0;

    (void)state;
    write_text("a.json", first_file);
    write_text("b.json", second_file);
    assert_int_equal(call("bench compare a.json b.json --json"), 0);
    assert_non_null(strstr(err, "of the future"));
    root = parsed_output("pleach.bench-compare/1");
    assert_int_equal(json_array_size(json_object_get(root, "files")), 2);
    json_array_foreach(json_object_get(root, "rows"), i, row)
    {
        const json_t *values = json_object_get(row, "values");

        assert_int_equal(json_array_size(values), 2);
        if (strcmp(json_string_value(json_object_get(row, "measure")), "images/s, median") == 0) {
            assert_string_equal(json_string_value(json_object_get(row, "group")),
                                "train resnet20 3x32x32, batch 128");
            assert_near(json_number_value(json_array_get(values, 0)), 400, 1e-9);
            assert_near(json_number_value(json_array_get(values, 1)), 700, 1e-9);
            n_found++;
        }
        if (strcmp(json_string_value(json_object_get(row, "group")), "device") == 0)
            assert_true(json_is_null(json_array_get(values, 1)));
    }
    assert_int_equal(n_found, 1);
    json_decref(root);
    assert_int_equal(call("bench compare a.json b.json"), 0);
    assert_non_null(strstr(out, "1.75"));
    assert_non_null(strstr(out, "conv 1->2 & more, ms"));
}

static void the_page_of_a_comparison_is_self_contained(void **state)
{
    static char page[MAX_OUTPUT];
    int n_svg = 0;

    (void)state;
    write_text("a.json", first_file);
    write_text("b&b.json", second_file);
    assert_int_equal(call("bench compare a.json 'b&b.json' --html side.html"), 0);
    assert_non_null(strstr(out, "page: side.html"));
    read_back("side.html", page);
    for (const char *at = page; (at = strstr(at, "<svg viewBox")); at++)
        n_svg++;
    assert_int_equal(n_svg, 5); // bars of train, device and ops, a roofline of each device
    assert_non_null(strstr(page, "&lt;one&gt;"));
    assert_non_null(strstr(page, "b&amp;b.json"));
    assert_non_null(strstr(page, "conv 1-&gt;2 &amp; more: 1.667 at 5"));
    assert_null(strstr(page, "<one>"));
    assert_null(strstr(page, "http"));
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "inf,"));
    assert_non_null(strstr(page, "</html>"));
}

static void what_was_measured_can_be_compared(void **state)
{
    (void)state;
    assert_int_equal(call("bench infer --model cnn5 --input 3x16x16 --batch 2 --repeats 1 --json"),
                     0);
    write_text("a.json", out);
    assert_int_equal(call("bench compare a.json a.json"), 0);
    assert_non_null(strstr(out, "infer cnn5 3x16x16, batch 2  images/s, best"));
    assert_non_null(strstr(out, "1.00"));
    assert_null(strstr(out, " -\n"));
}

static void bad_files_are_named_with_the_place(void **state)
{
    static const struct {
        const char *content, *said;
    } cases[] = {
        {"", "line 1"},
        {"images per second: many", "line 1, column"},
        {"{\"schema\": \"pleach.bench/1\",\n\"results\": [", "line 2"},
        {"[]", "schema is ''"},
        {"{\"schema\": \"pleach.run/1\"}", "'pleach.run/1', expected 'pleach.bench/1'"},
        {"{\"schema\": \"pleach.bench/1\", \"schema\": \"pleach.bench/1\"}", "duplicate"},
        {"{\"schema\": \"pleach.bench/1\"}", "'results' should be a list"},
        {"{\"schema\": \"pleach.bench/1\", \"results\": [3]}", "result 1: key 'kind'"},
        {"{\"schema\": \"pleach.bench/1\", \"results\": [{\"kind\": \"infer\"}]}",
         "result 1: key 'model' is missing"},
        {"{\"schema\": \"pleach.bench/1\", \"results\": [{\"kind\": \"device\"}, "
         "{\"kind\": \"ops\", \"model\": \"m\", \"batch\": -1}]}",
         "result 2: key 'batch'"},
        {"{\"schema\": \"pleach.bench/1\", \"results\": [{\"kind\": \"ops\", \"model\": 5}]}",
         "result 1: key 'model' should be a text"},
        {"{\"schema\": \"pleach.bench/1\", \"results\": [{\"kind\": \"train\", \"model\": \"m\", "
         "\"batch\": 1, \"step_ms\": {\"p50\": \"fast\"}}]}",
         "key 'p50' should be a number"},
        {"{\"schema\": \"pleach.bench/1\", \"device\": 3, \"results\": []}", "key 'device'"},
    };

    (void)state;
    write_text("good.json", first_file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("bad.json", cases[i].content);
        const int code = call("bench compare good.json bad.json --html page.html");

        if (code != 3 || !strstr(err, "'bad.json'") || !strstr(err, cases[i].said) || *out)
            fail_msg("%s\ncode %d, stderr '%s', expected '%s'", cases[i].content, code, err,
                     cases[i].said);
        char path[MAX_PATH];
        snprintf(path, sizeof path, "%s/page.html", folder);
        assert_int_not_equal(access(path, F_OK), 0); // nothing is written
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_prints_its_peaks),
        cmocka_unit_test(ops_has_one_row_per_kernel_and_shape),
        cmocka_unit_test(train_and_infer_tell_speed_latency_start_and_traffic),
        cmocka_unit_test(another_network_is_timed_in_turns),
        cmocka_unit_test(the_text_names_what_is_not_available),
        cmocka_unit_test(files_stand_side_by_side),
        cmocka_unit_test(the_page_of_a_comparison_is_self_contained),
        cmocka_unit_test(what_was_measured_can_be_compared),
        cmocka_unit_test(bad_files_are_named_with_the_place),
    };

    return cmocka_run_group_tests_name("bench", tests, find_program, drop_folder);
}
