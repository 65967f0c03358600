// Devices that give a kernel less than they promise in general: a driver's answers to
// clGetKernelWorkGroupInfo bound what a session launches, or the session is refused with both numbers.
#include "context.h"

#include <string.h>

#include <graph/graph.h>
#include <kernel/kernels.h>
#include <pleach/session.h>
#include <faulty_cl.h>
#include <platform.h>

enum { LANES = 8, BATCH = 3, SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 4 };

// What the driver says of every kernel; 0: the truth.
static size_t most_items;
static cl_ulong local_bytes;
static size_t most_launched; // items of the largest work-group so far

static cl_int CL_API_CALL bounded(cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what,
                                  size_t size, void *value, size_t *needed)
{
    const cl_int error =
        plc_faulty_cl.clGetKernelWorkGroupInfo(kernel, id, what, size, value, needed);

    if (what == CL_KERNEL_WORK_GROUP_SIZE && most_items)
        memcpy(value, &most_items, sizeof most_items);
    if (what == CL_KERNEL_LOCAL_MEM_SIZE && local_bytes)
        memcpy(value, &local_bytes, sizeof local_bytes);
    return error;
}

static cl_int CL_API_CALL measured(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                   const size_t *offset, const size_t *global, const size_t *local,
                                   cl_uint n_events, const cl_event *events, cl_event *event)
{
    const size_t items = local[0] * local[1] * local[2];

    if (items > most_launched)
        most_launched = items;
    return plc_faulty_cl.clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local,
                                                n_events, events, event);
}

static plc_cl bounded_cl;

static int set_up(void **state)
{
    bounded_cl = plc_faulty_cl;
    bounded_cl.clGetKernelWorkGroupInfo = bounded;
    bounded_cl.clEnqueueNDRangeKernel = measured;
    return make_fixture(state);
}

static int promise_nothing(void **state)
{
    (void)state;
    most_items = 0;
    local_bytes = 0;
    most_launched = 0;
    return 0;
}

static pleach_graph *small_network(void)
{
    const plc_attrs conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 6},
                    linear = {.out_channels = CLASSES, .bias = true};
    pleach_graph *graph = NULL;
    int at = 0;

    assert_ok(plc_graph_create(ctx, "small", (plc_shape){1, SIDE, SIDE}, &graph));
    assert_ok(plc_graph_add(ctx, graph, "conv", "conv", &at, 1, &conv, &at));
    assert_ok(plc_graph_add(ctx, graph, "batch_norm", "norm", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "relu", "relu", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "global_avg_pool", "pool", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "flatten", "flat", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "linear", "fc", &at, 1, &linear, &at));
    return graph;
}

// Logits of a few images on a device of the work-item mapping as bounded as it is now.
static pleach_status predict(float *logits)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_opts opts = {.lanes = LANES,
                                     .mapping = PLEACH_MAPPING_WORK_ITEM,
                                     .cache_dir = plc_test_cache(),
                                     .tune = PLEACH_TUNE_OFF};
    unsigned char images[BATCH * PIXELS];
    pleach_graph *graph = small_network();
    pleach_device *device = NULL;
    pleach_session *session = NULL;

    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (unsigned char)(i * 37 % 251);
    TRY(plc_kernels_open(ctx, &bounded_cl, plc_test_device(), &opts, &device));
    TRY(pleach_session_create(ctx, graph, device, BATCH,
                              &(pleach_session_opts){.inference_only = true}, &session));
    TRY(pleach_session_predict(session, images, BATCH, logits));
done:
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    pleach_device_close(&device);
    return status;
}

static void a_kernel_that_takes_few_items_is_launched_with_few(void **state)
{
    float free_logits[BATCH * CLASSES], bounded_logits[BATCH * CLASSES];

    (void)state;
    assert_ok(predict(free_logits));
    assert_true(most_launched > LANES); // or the bound below would bound nothing
    most_launched = 0;
    most_items = LANES;
    assert_ok(predict(bounded_logits));
    assert_int_equal(most_launched, LANES);
    assert_memory_equal(free_logits, bounded_logits, sizeof free_logits);
}

static void a_kernel_that_takes_fewer_items_than_lanes_is_named_with_both_numbers(void **state)
{
    float logits[BATCH * CLASSES];

    (void)state;
    most_items = LANES / 2;
    assert_int_equal(predict(logits), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(ctx), "needs work-groups of 8 items"));
    assert_non_null(strstr(pleach_error(ctx), "at most 4"));
    assert_non_null(strstr(pleach_error(ctx), "--lanes"));
    assert_int_equal(plc_live_objects, 0);
}

static void a_kernel_that_needs_more_local_memory_than_there_is_is_named(void **state)
{
    float logits[BATCH * CLASSES];

    (void)state;
    local_bytes = (cl_ulong)1 << 40;
    assert_int_equal(predict(logits), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(ctx), "needs 1099511627776 bytes of local memory"));
    assert_int_equal(plc_live_objects, 0);
}

static void a_driver_that_does_not_answer_is_reported_with_the_kernel(void **state)
{
    float logits[BATCH * CLASSES];

    (void)state;
    plc_faults =
        (plc_fault){.call = PLC_CALL_clGetKernelWorkGroupInfo, .at = 1, .error = CL_INVALID_KERNEL};
    assert_int_equal(predict(logits), PLEACH_EDEVICE);
    plc_faults_clear();
    assert_non_null(strstr(pleach_error(ctx), "clGetKernelWorkGroupInfo"));
    assert_non_null(strstr(pleach_error(ctx), "kernel '"));
    assert_int_equal(plc_live_objects, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_kernel_that_takes_few_items_is_launched_with_few, promise_nothing),
        cmocka_unit_test_setup(
            a_kernel_that_takes_fewer_items_than_lanes_is_named_with_both_numbers, promise_nothing),
        cmocka_unit_test_setup(a_kernel_that_needs_more_local_memory_than_there_is_is_named,
                               promise_nothing),
        cmocka_unit_test_setup(a_driver_that_does_not_answer_is_reported_with_the_kernel,
                               promise_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, drop_fixture);
}
