// The ONNX project's own cases (Debian: libonnx-testdata): models of single operators with inputs and outputs.
//
// Every case whose file is accepted must give the expected outputs, on the device and in double precision on the host;
// what is refused must be refused with a reason. What was read is then written and read again, and must give the same.
// With PLEACH_ONNX_KEEP=FOLDER the files written stay there for others to read (tools/check-onnx).
#include <context.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <io/onnx.h>
#include <run/onnx_cases.h>

#include "evaluate.h"
#include "onnx_path.h"
#include "platform.h"

#define TOLERANCE 1e-4
enum { MAX_PATH = 1000, MAX_FILE = 1 << 26, LEAST_PASSED = 300 };

static pleach_device *device;

static void expect_on_host(const plc_onnx_case_run *run, const plc_model_file *network)
{
    const size_t n = run->n_images * run->n_out;
    float *found = calloc(n + 1, sizeof *found);

    assert_non_null(found);
    for (size_t i = 0; i < run->n_images; i++) {
        double *y = NULL;

        assert_ok(plc_evaluate(ctx, network->graph, network->weights, run->x + i * run->n_in, NULL,
                               NULL, NULL, &y));
        for (size_t j = 0; j < run->n_out; j++)
            found[i * run->n_out + j] = (float)y[j];
        free(y);
    }
    const double off = plc_onnx_case_difference(found, run->expected, n);
    if (!(off < TOLERANCE))
        fail_msg("%s output %d: off by %g on the host", run->name, run->output, off);
    free(found);
}

static void keep(const plc_onnx_case_run *run)
{
    const char *folder = getenv("PLEACH_ONNX_KEEP");
    char file[MAX_PATH], *bytes = NULL;
    size_t size = 0;

    if (!folder)
        return;
    snprintf(file, sizeof file, "%s/%.100s.%d.onnx", folder, strrchr(run->name, '/') + 1,
             run->output);
    assert_ok(plc_file_read(ctx, path, MAX_FILE, &bytes, &size));
    assert_ok(plc_file_write_all(ctx, file, bytes, size));
    free(bytes);
}

static pleach_status check(void *user, const plc_onnx_case_run *run)
{
    const plc_onnx_write_opts opts = {0};
    plc_model_file again = {0};

    (void)user;
    expect_on_host(run, run->read);
    const pleach_status status =
        plc_onnx_write(ctx, path, run->read->graph, run->read->layout, run->read->weights, &opts);
    if (status == PLEACH_EGRAPH) // it has no ONNX form
        return PLEACH_OK;
    assert_int_equal(status, PLEACH_OK);
    keep(run);
    assert_ok(plc_onnx_read_as(ctx, path, false, &again));
    expect_on_host(run, &again);
    plc_model_file_finish(&again);
    return PLEACH_OK;
}

static void count(void *user, const plc_onnx_case *found)
{
    ((int *)user)[found->verdict]++;
    if (found->verdict == PLC_ONNX_CASE_WRONG)
        printf("WRONG %s: off by %g\n", found->name, found->difference);
    if (found->verdict == PLC_ONNX_CASE_REFUSED)
        assert_true(strlen(found->why) > 10);
}

static void cases_that_are_read_give_the_expected_output(void **state)
{
    int counts[3] = {0};
    const plc_onnx_cases_opts opts = {.report = count, .check = check, .user = counts};

    (void)state;
    if (access(PLC_ONNX_CASES_FOLDER, R_OK) != 0)
        skip();
    assert_ok(plc_onnx_cases_run(ctx, device, &opts));
    printf("%d cases passed, %d refused, %d wrong\n", counts[PLC_ONNX_CASE_PASSED],
           counts[PLC_ONNX_CASE_REFUSED], counts[PLC_ONNX_CASE_WRONG]);
    assert_int_equal(counts[PLC_ONNX_CASE_WRONG], 0);
    assert_true(counts[PLC_ONNX_CASE_PASSED] >= LEAST_PASSED);
}

static void a_folder_without_cases_is_refused(void **state)
{
    int counts[3] = {0};
    const plc_onnx_cases_opts opts = {
        .folder = "/tmp/no-such-folder", .report = count, .user = counts};

    (void)state;
    assert_int_equal(plc_onnx_cases_run(ctx, device, &opts), PLEACH_EIO);
    assert_non_null(strstr(pleach_error(ctx), "libonnx-testdata"));
}

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = plc_test_cache()};

    return make_path(state) ||
           pleach_device_open(ctx, plc_test_device(), &opts, &device) != PLEACH_OK;
}

static int tear_down(void **state)
{
    pleach_device_close(&device);
    return drop_path(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_that_are_read_give_the_expected_output),
        cmocka_unit_test(a_folder_without_cases_is_refused),
    };

    return cmocka_run_group_tests_name("onnx_cases", tests, set_up, tear_down);
}
