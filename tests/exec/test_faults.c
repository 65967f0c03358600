// Calls that fail: creating a session, a training step, inference, pruning and compaction, with call
// number 1, 2, 3 ... of each OpenCL function failing in turn. Every failure must name the call and its
// object and leave nothing behind; the device goes on as if nothing had been.
#include "context.h"

#include <stdlib.h>
#include <string.h>

#include <prune/pruner.h>
#include <prune/scores.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <train/optimizer.h>
#include <faulty_cl.h>
#include <random_graph.h>
#include <platform.h>

enum { BATCH = 5, SIDE = 6, CLASSES = 3, PIXELS = SIDE * SIDE, MOST_WEIGHTS = 1 << 16 };

// What a scenario leaves when it succeeds; the same bits every time.
typedef struct outcome {
    plc_metrics metrics;
    float logits[BATCH * CLASSES];
    float weights[MOST_WEIGHTS]; // of the compacted network, after a step
} outcome;

typedef struct fixture {
    pleach_device *device;
    pleach_graph *graph;
    plc_channels *channels;
    unsigned char *mask;
    unsigned char images[BATCH * PIXELS];
    int labels[BATCH];
    outcome good, got;
    int n_live; // objects of the device alone
    size_t n_bytes;
} fixture;

static fixture f;

// All that a scenario makes.
typedef struct scene {
    pleach_session *session, *compacted;
    plc_optimizer *optimizer;
    plc_scorer *scorer;
    plc_pruner *pruner;
    pleach_graph *small;
    plc_edits *edits;
} scene;

static pleach_status train_step(pleach_session *session, unsigned step)
{
    pleach_status status = PLEACH_OK;
    cl_event uploaded = NULL;

    TRY(plc_session_upload(session, f.images, f.labels, BATCH, &uploaded));
    TRY(plc_session_train(session, step));
    TRY(plc_device_flush(session->device));
    TRY(plc_device_wait(session->device, &uploaded));
done:
    plc_device_drop_event(session->device, &uploaded);
    return status;
}

static pleach_status run_scene(scene *s, outcome *outcome)
{
    pleach_status status = PLEACH_OK;
    const plc_optimizer_opts sgd = {.kind = PLC_OPTIMIZER_SGD};
    float scores[256];

    TRY(pleach_session_create(ctx, f.graph, f.device, BATCH, NULL, &s->session));
    TRY(plc_optimizer_create(s->session, &sgd, &s->optimizer));
    TRY(train_step(s->session, 0));
    TRY(plc_optimizer_step(s->optimizer, 0.1f, 0.9f));
    TRY(plc_session_read_metrics(s->session, 0, 1, &outcome->metrics));
    TRY(pleach_session_predict(s->session, f.images, BATCH, outcome->logits));
    assert_true(plc_channels_n_classes(f.channels) <= 256);
    TRY(plc_scorer_create(s->session, f.channels, PLC_SCORE_L2, 0, &s->scorer));
    TRY(plc_scorer_score(s->scorer, 0, scores));
    TRY(plc_pruner_create(s->session, f.channels, &s->pruner));
    TRY(plc_pruner_set_masks(s->pruner, f.mask));
    TRY(plc_compact_describe(ctx, f.graph, f.channels, f.mask, &s->small, &s->edits));
    TRY(plc_rewrite_session(s->session, s->small, s->edits, false, &s->compacted));
    TRY(train_step(s->compacted, 1));
    assert_true(s->compacted->layout->n_floats <= MOST_WEIGHTS);
    TRY(plc_session_read_weights(s->compacted, outcome->weights));
done:
    return status;
}

static pleach_status run_scenario(outcome *outcome)
{
    scene s = {0};

    memset(outcome, 0, sizeof *outcome);
    const pleach_status status = run_scene(&s, outcome);
    plc_scorer_destroy(&s.scorer);
    plc_pruner_destroy(&s.pruner);
    plc_optimizer_destroy(&s.optimizer);
    pleach_session_destroy(&s.compacted);
    pleach_session_destroy(&s.session);
    plc_edits_destroy(&s.edits);
    pleach_graph_destroy(&s.small);
    return status;
}

static int set_up(void **state)
{
    const pleach_device_opts opts = {.lanes = 8, .mapping = PLEACH_MAPPING_VECTOR, .cache_dir = ""};
    const plc_attrs conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 6},
                    linear = {.out_channels = CLASSES, .bias = true};
    static const char *const middle[] = {"batch_norm",      "relu",   "conv", "batch_norm", "relu",
                                         "global_avg_pool", "flatten"};
    static const char *const names[] = {"norm1", "relu1", "conv2", "norm2",
                                        "relu2", "pool",  "flat"};
    int at = 0;

    if (make_fixture(state) != 0)
        return -1;
    assert_ok(plc_kernels_open(ctx, &plc_faulty_cl, plc_test_device(), &opts, &f.device));
    assert_ok(plc_graph_create(ctx, "tiny", (plc_shape){1, SIDE, SIDE}, &f.graph));
    assert_ok(plc_graph_add(ctx, f.graph, "conv", "conv1", &at, 1, &conv, &at));
    for (size_t i = 0; i < sizeof middle / sizeof *middle; i++)
        assert_ok(plc_graph_add(ctx, f.graph, middle[i], names[i], &at, 1,
                                strcmp(middle[i], "conv") == 0 ? &conv : NULL, &at));
    assert_ok(plc_graph_add(ctx, f.graph, "linear", "fc", &at, 1, &linear, &at));
    assert_ok(plc_channels_create(ctx, f.graph, &f.channels));
    assert_ok(plc_random_mask(ctx, f.channels, 1, 0.5, &f.mask));
    for (size_t i = 0; i < sizeof f.images; i++)
        f.images[i] = (unsigned char)(i * 37 % 251);
    for (int i = 0; i < BATCH; i++)
        f.labels[i] = i % CLASSES;
    assert_ok(run_scenario(&f.good)); // the device's own programs are built from here on
    f.n_live = plc_live_objects;
    f.n_bytes = pleach_device_memory_bytes(f.device);
    return 0;
}

static int tear_down(void **state)
{
    free(f.mask);
    plc_channels_destroy(&f.channels);
    pleach_graph_destroy(&f.graph);
    pleach_device_close(&f.device);
    return plc_live_objects != 0 || drop_fixture(state);
}

// What a failure's text must hold besides the call's name.
static const char *object_of(plc_call call)
{
    switch (call) {
    case PLC_CALL_clCreateBuffer:
    case PLC_CALL_clCreateSubBuffer:
    case PLC_CALL_clEnqueueReadBuffer:
    case PLC_CALL_clEnqueueWriteBuffer:
    case PLC_CALL_clEnqueueFillBuffer:
    case PLC_CALL_clEnqueueCopyBuffer:
        return "buffer '";
    case PLC_CALL_clCreateKernel:
    case PLC_CALL_clSetKernelArg:
    case PLC_CALL_clEnqueueNDRangeKernel:
        return "kernel '";
    default:
        return "";
    }
}

// Cleaning up calls these too, and then has nobody to tell.
static bool may_be_ignored(plc_call call)
{
    return strncmp(plc_call_names[call], "clRelease", 9) == 0 || call == PLC_CALL_clFinish ||
           call == PLC_CALL_clWaitForEvents;
}

static void check_nothing_left(const char *label, int at)
{
    if (plc_live_objects != f.n_live || pleach_device_memory_bytes(f.device) != f.n_bytes)
        fail_msg("%s, call %d: %d objects and %zu bytes are left, expected %d and %zu", label, at,
                 plc_live_objects, pleach_device_memory_bytes(f.device), f.n_live, f.n_bytes);
}

static bool is_memory(cl_int error)
{
    return error == CL_OUT_OF_RESOURCES || error == CL_OUT_OF_HOST_MEMORY ||
           error == CL_MEM_OBJECT_ALLOCATION_FAILURE;
}

// Plants `fault` and runs; false when the scenario ended before the call that was to fail.
static bool survive(plc_fault fault)
{
    const char *label = fault.any ? "any function" : plc_call_names[fault.call];

    plc_faults = fault;
    const pleach_status status = run_scenario(&f.got);
    const plc_fault left = plc_faults;
    plc_faults_clear();
    check_nothing_left(label, fault.at);
    if (left.n_planted == 0 || status == PLEACH_OK) {
        if (left.n_planted && !may_be_ignored(left.failed))
            fail_msg("%s, call %d: the failure went unnoticed", label, fault.at);
        assert_int_equal(status, PLEACH_OK);
        assert_memory_equal(&f.got, &f.good, sizeof f.good);
        return left.n_planted > 0;
    }
    // A device that is lost while something is released is noticed by the next call.
    const bool by_another = fault.lost && may_be_ignored(left.failed);
    const char *text = pleach_error(ctx), *name = plc_call_names[left.failed];
    if (status != (is_memory(fault.error) ? PLEACH_ENOMEM : PLEACH_EDEVICE) ||
        (!by_another && (!strstr(text, name) || !strstr(text, object_of(left.failed)))) ||
        !strstr(text, plc_cl_error_name(fault.error)))
        fail_msg("%s, call %d (%s): status '%s', text '%s'", label, fault.at, name,
                 pleach_status_text(status), text);
    return true;
}

static void works_as_before(void)
{
    assert_ok(run_scenario(&f.got));
    assert_memory_equal(&f.got, &f.good, sizeof f.good);
}

static void every_call_may_fail(void **state)
{
    (void)state;
    const cl_int errors[] = {CL_INVALID_OPERATION, CL_OUT_OF_RESOURCES};
    int n_faults = 0;

    for (int call = 0; call < PLC_N_CALLS; call++) {
        int at = 1;

        while (survive((plc_fault){.call = (plc_call)call, .at = at, .error = errors[at % 2]}))
            at++;
        works_as_before();
        if (at > 1)
            print_message("  %s: %d calls\n", plc_call_names[call], at - 1);
        n_faults += at - 1;
    }
    assert_true(n_faults > 900);
}

// From some call on nothing works, as when a GPU resets or is unplugged.
static void a_device_may_be_lost_at_any_time(void **state)
{
    (void)state;
    const cl_int errors[] = {CL_DEVICE_NOT_AVAILABLE, CL_OUT_OF_RESOURCES};
    int at = 1;

    while (survive((plc_fault){.any = true, .lost = true, .at = at, .error = errors[at % 2]}))
        at++;
    assert_true(at > 900);
    works_as_before();
}

static void memory_may_run_out_at_any_allocation(void **state)
{
    (void)state;
    const plc_call calls[] = {PLC_CALL_clCreateBuffer, PLC_CALL_clCreateSubBuffer};

    for (int i = 0; i < 2; i++) {
        int at = 1;

        while (survive(
            (plc_fault){.call = calls[i], .at = at, .error = CL_MEM_OBJECT_ALLOCATION_FAILURE}))
            at++;
        assert_true(at > 10);
    }
    works_as_before();
}

static void a_launch_that_the_driver_refuses_names_kernel_and_group(void **state)
{
    (void)state;
    plc_faults = (plc_fault){
        .call = PLC_CALL_clEnqueueNDRangeKernel, .at = 1, .error = CL_INVALID_WORK_GROUP_SIZE};
    assert_int_equal(run_scenario(&f.got), PLEACH_EDEVICE);
    plc_faults_clear();
    assert_non_null(strstr(pleach_error(ctx), "CL_INVALID_WORK_GROUP_SIZE"));
    assert_non_null(strstr(pleach_error(ctx), "kernel 'augment'"));
    assert_non_null(strstr(pleach_error(ctx), "groups of 1x1x1"));
    works_as_before();
}

static void the_last_made_part_of_a_buffer_is_released_first(void **state)
{
    (void)state;
    const int n_parts = plc_n_calls[PLC_CALL_clCreateSubBuffer];

    plc_n_early_releases = 0;
    works_as_before();
    assert_true(plc_n_calls[PLC_CALL_clCreateSubBuffer] > n_parts + 10);
    assert_int_equal(plc_n_early_releases, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail),
        cmocka_unit_test(a_device_may_be_lost_at_any_time),
        cmocka_unit_test(memory_may_run_out_at_any_allocation),
        cmocka_unit_test(a_launch_that_the_driver_refuses_names_kernel_and_group),
        cmocka_unit_test(the_last_made_part_of_a_buffer_is_released_first),
    };

    return cmocka_run_group_tests_name("faults", tests, set_up, tear_down);
}
