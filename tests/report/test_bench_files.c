// Files of benchmark results as the library reads them: whole ones, torn ones, several in one.
#include <context.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <report/bench.h>

static char path[] = "/tmp/pleach-test-bench-XXXXXX";

static int make_file(void **state)
{
    const int file = mkstemp(path);

    return file < 0 || close(file) != 0 || make_fixture(state);
}

static int drop_file(void **state)
{
    return unlink(path) != 0 || drop_fixture(state);
}

static pleach_status read_text(const char *text, size_t size, plc_bench *bench)
{
    assert_ok(plc_file_write_all(ctx, path, text, size));
    return plc_bench_read(ctx, path, bench);
}

#define DEVICE(lanes, driver)                                                                      \
    "\"device\": {\"name\": \"d\", \"platform\": \"p\", \"driver\": \"" #driver                    \
    "\", \"lanes\": " #lanes ", \"mapping\": \"vector\"}"
#define DOCUMENT_BY(driver, lanes, results)                                                        \
    "{\"schema\": \"pleach.bench/1\", " DEVICE(lanes, driver) ", \"results\": [" results "]}"
#define DOCUMENT(lanes, results) DOCUMENT_BY(1, lanes, results)

static const char ops[] = DOCUMENT(
    16,
    "{\"kind\": \"ops\", \"model\": \"m\", \"input\": [1, 2, 3], \"batch\": 4, \"kernel_ms\": 5,"
    " \"roofline\": null, \"peaks\": {\"gflops\": 10, \"fma\": [{\"chains\": 8, \"gflops\": 10}],"
    " \"bandwidth\": [{\"bytes\": 64, \"copy_gb_s\": 1, \"read_gb_s\": 2, \"write_gb_s\": null}]},"
    " \"ops\": [{\"kernel\": \"k\", \"shape\": \"s\", \"runs\": 2, \"ms\": 5}]}");

static void a_result_is_read_as_it_is_written(void **state)
{
    plc_bench bench = {0};

    (void)state;
    assert_ok(read_text(ops, sizeof ops - 1, &bench));
    assert_int_equal(bench.n_results, 1);
    const plc_bench_result *result = &bench.results[0];
    assert_string_equal(bench.device.mapping, "vector");
    assert_int_equal(result->batch, 4);
    assert_true(isnan(result->roofline.share)); // the object is null
    assert_true(isnan(result->peaks.bandwidth[0].write_gb_s));
    assert_true(plc_peaks_bandwidth(&result->peaks, 0) == 2.0); // what is not known does not count
    json_t *again = plc_bench_result_to_json(result), *list = json_object_get(again, "ops");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "shape")), "s");
    assert_true(json_is_null(json_object_get(json_object_get(again, "roofline"), "ms")));
    json_decref(again);
    plc_bench_finish(&bench);
}

static void every_torn_file_is_refused(void **state)
{
    plc_bench bench = {0};

    (void)state;
    for (size_t size = 0; size < sizeof ops - 1; size++) {
        assert_int_equal(read_text(ops, size, &bench), PLEACH_EINPUT);
        assert_non_null(strstr(pleach_error(ctx), path));
        assert_int_equal(bench.n_results, 0);
    }
}

static void documents_of_one_device_may_follow_one_another(void **state)
{
    static const char two[] = DOCUMENT(16, "{\"kind\": \"device\"}") "\n" DOCUMENT(
        16, "{\"kind\": \"infer\", \"model\": \"m\", \"batch\": 1}") "\n",
                      other[] = DOCUMENT(16, "") "\n" DOCUMENT(8, ""),
                      updated[] = DOCUMENT(16, "") "\n" DOCUMENT_BY(2, 16, ""),
                      broken[] = DOCUMENT(16, "") "\n\nand more";
    plc_bench bench = {0};

    (void)state;
    assert_ok(read_text(two, sizeof two - 1, &bench));
    assert_int_equal(bench.n_results, 2);
    assert_string_equal(bench.results[1].kind, "infer");
    plc_bench_finish(&bench);
    assert_int_equal(read_text(other, sizeof other - 1, &bench), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "document 2 is of device 'd' (8 lanes"));
    assert_int_equal(read_text(updated, sizeof updated - 1, &bench), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "p, driver 2), those before it of"));
    assert_int_equal(read_text(broken, sizeof broken - 1, &bench), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "line 3"));
}

static void rows_of_a_group_stay_together(void **state)
{
    static const char first[] =
        DOCUMENT(16, "{\"kind\": \"device\", \"peaks\": {\"launch_us\": 5}},"
                     "{\"kind\": \"infer\", \"model\": \"m\", \"batch\": 1, \"kernel_ms\": 0},"
                     "{\"kind\": \"infer\", \"model\": \"m\", \"batch\": 1, \"kernel_ms\": 3},"
                     "{\"kind\": \"infer\", \"model\": \"m\", \"batch\": 1, \"kernel_ms\": 4}");
    static const char second[] =
        DOCUMENT(16, "{\"kind\": \"device\", \"peaks\": {\"gflops\": 2, \"launch_us\": 10}}");
    plc_bench files[2] = {{0}};
    plc_bench_rows rows = {0};

    (void)state;
    assert_ok(read_text(first, sizeof first - 1, &files[0]));
    assert_ok(read_text(second, sizeof second - 1, &files[1]));
    assert_ok(plc_bench_compare(ctx, files, 2, &rows));
    assert_int_equal(rows.n_items, 3);
    assert_string_equal(rows.items[0].measure, "launch, us");
    assert_true(rows.items[0].values[0] == 5.0 && rows.items[0].values[1] == 10.0);
    assert_string_equal(rows.items[1].measure, "GFLOPS"); // of the second file alone
    assert_true(isnan(rows.items[1].values[0]));
    assert_string_equal(rows.items[2].measure, "kernels, ms");
    assert_true(rows.items[2].values[0] == 4.0); // the last of its group
    plc_bench_rows_finish(&rows);
    plc_bench_finish(&files[0]);
    plc_bench_finish(&files[1]);
}

// A tick a step beyond the largest number is no larger than it: the axis would have no end.
static void a_page_of_absurd_peaks_ends(void **state)
{
    static const char absurd[] =
        DOCUMENT(16, "{\"kind\": \"device\", \"peaks\": {\"gflops\": 1.5e308,"
                     " \"bandwidth\": [{\"bytes\": 64, \"copy_gb_s\": 1}]}}");
    plc_bench bench = {0};
    plc_bench_rows rows = {0};

    (void)state;
    assert_ok(read_text(absurd, sizeof absurd - 1, &bench));
    assert_ok(plc_bench_compare(ctx, &bench, 1, &rows));
    assert_ok(plc_bench_write_html(ctx, NULL, &bench, 1, &rows, path));
    plc_bench_rows_finish(&rows);
    plc_bench_finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_read_as_it_is_written),
        cmocka_unit_test(every_torn_file_is_refused),
        cmocka_unit_test(documents_of_one_device_may_follow_one_another),
        cmocka_unit_test(rows_of_a_group_stay_together),
        cmocka_unit_test(a_page_of_absurd_peaks_ends),
    };

    return cmocka_run_group_tests_name("bench files", tests, make_file, drop_file);
}
