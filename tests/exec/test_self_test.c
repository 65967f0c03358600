// The self-test: a device that computes wrongly is named and refused, one that passed is remembered.
#include "context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <base/random.h>
#include <exec/expected.h>
#include <exec/self_test.h>
#include <faulty_cl.h>
#include <platform.h>

enum { N_IMAGES = 7 };

static char cache[64];
static int n_launches;

static cl_int CL_API_CALL count_launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                       const size_t *offset, const size_t *global,
                                       const size_t *local, cl_uint n_events,
                                       const cl_event *events, cl_event *event)
{
    n_launches++;
    return clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, n_events, events,
                                  event);
}

static plc_cl counting, skipping;

static int set_up(void **state)
{
    counting = skipping = plc_cl_loader;
    counting.clEnqueueNDRangeKernel = count_launch;
    skipping.clEnqueueNDRangeKernel = plc_skip_launch;
    strcpy(cache, "/tmp/pleach-self-test-XXXXXX");
    return mkdtemp(cache) && make_fixture(state) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", cache);
    return system(command) | drop_fixture(state);
}

static pleach_device *open_device(const plc_cl *cl, int lanes, int mapping, bool allow_broken)
{
    const pleach_device_opts opts = {
        .lanes = lanes, .mapping = mapping, .cache_dir = cache, .allow_broken = allow_broken};
    pleach_device *device = NULL;

    assert_ok(plc_kernels_open(ctx, cl, plc_test_device(), &opts, &device));
    return device;
}

static char *path_of(const pleach_device *device)
{
    char *path = NULL;

    assert_ok(plc_self_test_path(ctx, cache, device->info, device->lanes, device->vector_lanes,
                                 NULL, &path));
    return path;
}

static void forget(const pleach_device *device)
{
    char *path = path_of(device);

    assert_int_equal(unlink(path), 0);
    free(path);
}

// Launches that `part` took on a newly opened device.
static int count_launches(plc_self_test_part part)
{
    pleach_device *device = open_device(&counting, 8, PLEACH_MAPPING_VECTOR, false);

    n_launches = 0;
    assert_ok(plc_self_test_require(device, part));
    pleach_device_close(&device);
    return n_launches;
}

static void both_mappings_pass(void **state)
{
    // Those that other tests use too: each other one would be a minute of cold kernels.
    static const struct {
        int lanes, mapping;
    } cases[] = {
        {16, PLEACH_MAPPING_VECTOR}, {8, PLEACH_MAPPING_VECTOR}, {8, PLEACH_MAPPING_WORK_ITEM}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_device *device =
            open_device(&plc_cl_loader, cases[i].lanes, cases[i].mapping, false);
        plc_self_test_result result;
        char said[PLC_SELF_TEST_TEXT_MAX];

        assert_ok(plc_self_test_run(device, &result));
        plc_self_test_describe(&result, said, sizeof said);
        if (strcmp(said, "passed") != 0)
            fail_msg("%d lanes, mapping %d: %s", cases[i].lanes, cases[i].mapping, said);
        forget(device);
        pleach_device_close(&device);
    }
}

static void what_has_passed_does_not_run_again(void **state)
{
    (void)state;
    const int inference = count_launches(PLC_SELF_TEST_INFERENCE);

    assert_true(inference > 0);
    assert_int_equal(count_launches(PLC_SELF_TEST_INFERENCE), 0);
    assert_true(count_launches(PLC_SELF_TEST_TRAINING) > inference);
    assert_int_equal(count_launches(PLC_SELF_TEST_TRAINING), 0);
    assert_true(count_launches(PLC_SELF_TEST_FEW_IMAGES) > 0);
    assert_int_equal(count_launches(PLC_SELF_TEST_FEW_IMAGES), 0);
    assert_true(count_launches(PLC_SELF_TEST_REWRITE) > 0);
    assert_int_equal(count_launches(PLC_SELF_TEST_REWRITE), 0);
    assert_int_equal(count_launches(PLC_SELF_TEST_INFERENCE), 0); // the other parts kept it
}

static void other_drivers_lanes_and_kernels_are_tested_anew(void **state)
{
    (void)state;
    pleach_device *device = open_device(&plc_cl_loader, 8, PLEACH_MAPPING_VECTOR, false);
    pleach_device_info info = *device->info;
    char *paths[5] = {0};

    paths[0] = path_of(device);
    assert_ok(plc_self_test_path(ctx, cache, &info, 16, true, NULL, &paths[1]));
    assert_ok(plc_self_test_path(ctx, cache, &info, 8, false, NULL, &paths[2]));
    info.driver_version = "another";
    assert_ok(plc_self_test_path(ctx, cache, &info, 8, true, NULL, &paths[3]));
    setenv("PLEACH_CL_DIR", cache, 1); // where there are none
    paths[4] = path_of(device);
    unsetenv("PLEACH_CL_DIR");
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(paths[i], paths[j]);
    for (int i = 0; i < 5; i++)
        free(paths[i]);
    pleach_device_close(&device);
}

static void a_file_that_is_not_ours_means_test_again(void **state)
{
    static const char *const bad[] = {
        "",
        "pleach self-test 1",
        "pleach self-test 2\ninference: passed\n",
        "pleach self-test 1\ninference: passed",
        "pleach self-test 1\ninference: passed\ntraining: pass\n",
        "pleach self-test 1\ninference: failed: \n",
        "pleach self-test 1\nreduction: passed\ninference: passed\n",
    };
    const char with_nul[] = "pleach self-test 1\ninference: passed\n\0\n";
    plc_self_test_result result;
    char path[96];

    (void)state;
    snprintf(path, sizeof path, "%s/file", cache);
    for (size_t i = 0; i < sizeof bad / sizeof *bad + 1; i++) {
        const bool last = i == sizeof bad / sizeof *bad;
        assert_ok(plc_file_write_all(ctx, path, last ? with_nul : bad[i],
                                     last ? sizeof with_nul - 1 : strlen(bad[i])));
        assert_ok(plc_self_test_read(ctx, path, &result));
        if (result.passed[PLC_SELF_TEST_INFERENCE])
            fail_msg("believed: %s", last ? "a NUL" : bad[i]);
    }
    const char good[] = "pleach self-test 1\ninference: passed\ntraining: failed: x is 1\n";
    char said[64];
    assert_ok(plc_file_write_all(ctx, path, good, strlen(good)));
    assert_ok(plc_self_test_read(ctx, path, &result));
    assert_true(result.passed[PLC_SELF_TEST_INFERENCE]);
    plc_self_test_describe(&result, said, sizeof said);
    assert_string_equal(said, "failed: x is 1");
    assert_ok(plc_self_test_write(ctx, path, &result));
    plc_self_test_result again;
    assert_ok(plc_self_test_read(ctx, path, &again));
    assert_memory_equal(&again.passed, &result.passed, sizeof result.passed);
    assert_string_equal(again.failed[PLC_SELF_TEST_TRAINING], "x is 1");
}

// What went to the log.
static char logged[4096];

static void keep_log(void *user, pleach_log_level level, const char *text)
{
    (void)user;
    if (level == PLEACH_LOG_WARNING)
        snprintf(logged, sizeof logged, "%s", text);
}

static pleach_status make_session(pleach_device *device, pleach_session **session)
{
    pleach_graph *graph = NULL;

    assert_ok(pleach_graph_create(ctx, "cnn5", 1, 8, 8, 3, &graph));
    const pleach_status status = pleach_session_create(ctx, graph, device, 2, NULL, session);
    pleach_graph_destroy(&graph);
    return status;
}

static void a_device_that_computes_wrongly_is_refused_unless_it_is_allowed(void **state)
{
    (void)state;
    pleach_device *device = open_device(&skipping, 8, PLEACH_MAPPING_VECTOR, false);
    pleach_session *session = NULL;
    plc_self_test_result result;

    forget(device); // it has passed in the tests above
    assert_int_equal(make_session(device, &session), PLEACH_EDEVICE);
    assert_null(session);
    assert_non_null(strstr(pleach_error(ctx), "matrix product: forward in training: value 0 of"));
    assert_non_null(strstr(pleach_error(ctx), "expected"));
    assert_non_null(strstr(pleach_error(ctx), "--allow-broken"));
    assert_int_equal(pleach_device_memory_bytes(device), 0);
    char *path = path_of(device);
    assert_ok(plc_self_test_read(ctx, path, &result));
    assert_false(result.passed[PLC_SELF_TEST_TRAINING]);
    assert_non_null(strstr(result.failed[PLC_SELF_TEST_TRAINING], "matrix product"));
    free(path);
    pleach_device_close(&device);

    pleach_ctx_set_log(ctx, keep_log, NULL);
    device = open_device(&skipping, 8, PLEACH_MAPPING_VECTOR, true);
    assert_ok(make_session(device, &session));
    assert_non_null(strstr(logged, "computes wrongly"));
    pleach_ctx_set_log(ctx, NULL, NULL);
    pleach_session_destroy(&session);
    pleach_device_close(&device);

    device = open_device(&plc_cl_loader, 8, PLEACH_MAPPING_VECTOR, false); // a repaired driver
    assert_ok(make_session(device, &session));
    pleach_session_destroy(&session);
    pleach_device_close(&device);
}

// The host's gradients against the slope of its loss; the losses are those of the device, by the tests above.
static double loss_of(plc_expected *e, const int *labels)
{
    plc_expected_forward(e, true);
    plc_expected_loss(e, labels);
    return e->loss_sum / e->n_images;
}

static void expected_gradients_are_the_slope_of_the_expected_loss(void **state)
{
    (void)state;
    const plc_attrs conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 3},
                    linear = {.out_channels = 4, .bias = true};
    const int labels[N_IMAGES] = {0, 1, 2, 3, 0, 1, 2};
    const double step = 1e-5;
    pleach_graph *graph = NULL;
    plc_params_layout *layout = NULL;
    plc_expected *e = NULL;
    int at = 0;

    assert_ok(plc_graph_create(ctx, "chain", (plc_shape){2, 4, 3}, &graph));
    assert_ok(plc_graph_add(ctx, graph, "conv", "conv", &at, 1, &conv, &at));
    assert_ok(plc_graph_add(ctx, graph, "batch_norm", "norm", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "relu", "relu", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "flatten", "flat", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "linear", "fc", &at, 1, &linear, &at));
    assert_ok(plc_params_layout_create(ctx, graph, &layout));
    assert_ok(plc_expected_create(ctx, graph, layout, N_IMAGES, &e));
    for (int i = 0; i < layout->n_floats; i++)
        e->weights[i] =
            0.3 + 0.1 * (double)(plc_random_u32x4(1, PLC_STREAM_TEST, 0, (plc_u64)i).x % 7);
    for (int i = 0; i < N_IMAGES * plc_expected_size(e, 0); i++)
        e->values[0][i] = (double)(plc_random_u32x4(2, PLC_STREAM_TEST, 0, (plc_u64)i).x % 5) - 2.0;
    loss_of(e, labels);
    plc_expected_backward(e);
    for (int i = 0; i < layout->n_trainable; i++) {
        const double was = e->weights[i];
        e->weights[i] = was + step;
        const double above = loss_of(e, labels);
        e->weights[i] = was - step;
        const double below = loss_of(e, labels), slope = (above - below) / (2 * step);
        e->weights[i] = was;
        if (!(fabs(slope - e->grads[i]) <= 1e-6 * (1 + fabs(slope))))
            fail_msg("parameter %d: slope %g, gradient %g", i, slope, e->grads[i]);
    }
    plc_expected_destroy(&e);
    plc_params_layout_destroy(&layout);
    pleach_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_mappings_pass),
        cmocka_unit_test(what_has_passed_does_not_run_again),
        cmocka_unit_test(other_drivers_lanes_and_kernels_are_tested_anew),
        cmocka_unit_test(a_file_that_is_not_ours_means_test_again),
        cmocka_unit_test(a_device_that_computes_wrongly_is_refused_unless_it_is_allowed),
        cmocka_unit_test(expected_gradients_are_the_slope_of_the_expected_loss),
    };

    return cmocka_run_group_tests_name("self-test", tests, set_up, tear_down);
}
