// Memory that a session cannot have is refused, and the advice holds.
#include "context.h"

#include <limits.h>
#include <string.h>

#include <exec/limits.h>
#include <graph/graph.h>
#include <half_device.h>
#include <ops/channel_network.h>
#include <platform.h>

enum {
    SIDE = 64,
    CHANNELS = 16,
    IMAGE_KIB = CHANNELS * SIDE * SIDE * 4 / 1024
}; // of the widest value

static pleach_graph *make_graph(void)
{
    const plc_attrs narrower = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = CHANNELS - 1},
                    conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = CHANNELS},
                    linear = {.out_channels = 3, .bias = true};
    pleach_graph *graph = NULL;
    int at = 0;

    assert_ok(plc_graph_create(ctx, "wide", (plc_shape){1, SIDE, SIDE}, &graph));
    assert_ok(plc_graph_add(ctx, graph, "conv", "narrower", &at, 1, &narrower, &at));
    assert_ok(plc_graph_add(ctx, graph, "conv", "conv", &at, 1, &conv, &at));
    assert_ok(plc_graph_add(ctx, graph, "global_avg_pool", "pool", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "flatten", "flat", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, graph, "linear", "fc", &at, 1, &linear, &at));
    return graph;
}

static pleach_device *open_device(int mapping, int lanes)
{
    const pleach_device_opts opts = {.lanes = lanes, .mapping = mapping, .tune = PLEACH_TUNE_OFF};
    pleach_device *device = NULL;

    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    return device;
}

// An inference of `batch` images where the device allocates so much at once.
static pleach_status create(int mapping, int lanes, int batch, size_t most_kib)
{
    pleach_device *device = open_device(mapping, lanes);
    pleach_graph *graph = make_graph();
    pleach_session *session = NULL;

    device->info->max_allocation_bytes = most_kib * 1024;
    const pleach_status status = pleach_session_create(
        ctx, graph, device, batch, &(pleach_session_opts){.inference_only = true}, &session);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    pleach_device_close(&device);
    return status;
}

static void assert_text(const char *text)
{
    if (!strstr(pleach_error(ctx), text))
        fail_msg("'%s' does not say '%s'", pleach_error(ctx), text);
}

static void the_batch_that_a_message_advises_fits(void **state)
{
    static const struct {
        int mapping;
        int lanes, batch, images; // so many images of the widest value fit
        const char *advice;
        int fits, fitting_lanes; // the advice; 0: none that keeps the images
    } cases[] = {
        {PLEACH_MAPPING_VECTOR, 4, 16, 10, "use a --batch of at most 8", 8, 4},
        {PLEACH_MAPPING_WORK_ITEM, 8, 32, 31, "use a --batch of at most 24", 24, 8},
        {PLEACH_MAPPING_VECTOR, 8, 5, 3, "use a --batch of at most 3", 3, 8}, // on channel lanes
        {PLEACH_MAPPING_WORK_ITEM, 8, 8, 6, "use a --batch of at most 4 with --lanes 4", 4, 4},
        {PLEACH_MAPPING_VECTOR, 4, 4, 3, "use smaller images", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t most = (size_t)cases[i].images * IMAGE_KIB + 1; // what lies behind a value
        assert_int_equal(create(cases[i].mapping, cases[i].lanes, cases[i].batch, most),
                         PLEACH_ENOMEM);
        assert_text(cases[i].advice);
        assert_text("can be had at once on");
        if (cases[i].fits == 0)
            continue;
        assert_ok(create(cases[i].mapping, cases[i].fitting_lanes, cases[i].fits, most));
        assert_int_equal(create(cases[i].mapping, cases[i].fitting_lanes, cases[i].fits + 1, most),
                         PLEACH_ENOMEM);
    }
}

static void weights_that_do_not_fit_are_no_matter_of_the_batch(void **state)
{
    (void)state;
    assert_int_equal(create(PLEACH_MAPPING_VECTOR, 4, 4, 0), PLEACH_ENOMEM);
    assert_text("'weights' needs");
    assert_null(strstr(pleach_error(ctx), "batch"));
}

static void images_that_do_not_fit_are_told_with_a_batch_that_does(void **state)
{
    enum { BATCH = 100, MOST_KIB = BATCH * SIDE * SIDE / 1024 - 1 };

    (void)state;
    assert_int_equal(create(PLEACH_MAPPING_VECTOR, 4, BATCH, MOST_KIB), PLEACH_ENOMEM);
    assert_text("one batch of images needs 409600 bytes");
    assert_text("use a --batch of at most 99");
}

// Enough of a session for a limit.
static pleach_session of_batch(pleach_device *device, int batch)
{
    return (pleach_session){.ctx = ctx,
                            .device = device,
                            .batch = batch,
                            .n_blocks = (batch + device->lanes - 1) / device->lanes};
}

static void a_value_beyond_the_kernels_indexes_is_named_so(void **state)
{
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, 4);
    pleach_session session = of_batch(device, 64);
    plc_buffer value = {.name = "value", .bytes = (size_t)INT_MAX * 2 * sizeof(float)};

    (void)state;
    value.bytes = value.bytes / 64 * 64; // whole images
    assert_int_equal(plc_check_value(&session, &value, SIZE_MAX, false), PLEACH_ENOMEM);
    assert_text("kernels index 8589934588; use a --batch of at most 32");
    pleach_device_close(&device);
}

static void floats_have_four_bytes_on_a_device_of_halfs(void **state)
{
    const pleach_device_opts opts = {.precision = PLEACH_PRECISION_HALF};
    pleach_device *device = NULL;
    const plc_buffer floats = {.name = "workspace", .bytes = (size_t)INT_MAX * sizeof(float)},
                     more = {.name = "workspace", .bytes = floats.bytes + 1};

    (void)state;
    assert_ok(plc_open_with_halfs(ctx, &opts, &device));
    const pleach_session session = of_batch(device, 1);
    assert_ok(plc_check_floats(&session, &floats, SIZE_MAX));
    assert_int_equal(plc_check_floats(&session, &more, SIZE_MAX), PLEACH_ENOMEM);
    pleach_device_close(&device);
}

static void a_batch_that_cannot_be_smaller_is_not_to_be(void **state)
{
    static const struct {
        int lanes, batch;
        const char *advice;
    } cases[] = {
        {8, 24, "use a smaller --batch than 17"},
        {8, 9, "use a smaller --batch than 9"},
        {8, 8, "use fewer --lanes than 8 or smaller images"},
        {4, 1, "; use smaller images"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pleach_device *device = open_device(PLEACH_MAPPING_WORK_ITEM, cases[i].lanes);
        const pleach_session session = of_batch(device, cases[i].batch);
        const size_t there = device->info->global_memory_bytes;
        assert_ok(plc_check_total(&session, there - device->memory_bytes));
        assert_int_equal(plc_check_total(&session, there + 1), PLEACH_ENOMEM);
        assert_text(cases[i].advice);
        pleach_device_close(&device);
    }
}

static void scratch_beyond_the_kernels_indexes_is_refused(void **state)
{
    pleach_device *device = open_device(PLEACH_MAPPING_WORK_ITEM, 4);
    int offsets[] = {-1, -1, -1}, offset = -1;
    plc_lower lower = {.ctx = ctx, .device = device, .scratch_offsets = offsets};

    (void)state;
    assert_ok(plc_lower_scratch(&lower, 0, INT_MAX - 1, &offset));
    assert_ok(plc_lower_scratch(&lower, 1, 1, &offset));
    assert_int_equal(offset, INT_MAX - 1);
    assert_int_equal(plc_lower_scratch(&lower, 2, 1, &offset), PLEACH_ENOMEM);
    assert_text("need 2147483648 floats, kernels index 2147483647");
    pleach_device_close(&device);
}

// How many launches stand for all of an inference.
static int count_joined(const pleach_session *session, const plc_channel_memory *memory)
{
    plc_launch_list joined;
    plc_buffer *launches = NULL, *progress = NULL;

    plc_launch_list_init(&joined, session->device);
    assert_ok(plc_channel_network_join(&session->infer, memory, &joined, &launches, &progress));
    const int n = joined.n_items;
    plc_launch_list_finish(&joined);
    plc_buffer_destroy(session->device, &launches);
    plc_buffer_destroy(session->device, &progress);
    return n;
}

static void a_network_whose_values_lie_far_apart_is_not_joined(void **state)
{
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, 8);
    pleach_graph *graph = make_graph();
    pleach_session *session = NULL;

    (void)state;
    assert_ok(pleach_session_create(ctx, graph, device, 1,
                                    &(pleach_session_opts){.inference_only = true}, &session));
    const plc_tensor *values = session->infer_values.items;
    const plc_channel_memory memory = {
        .slab = session->slabs.items[0],
        .input = values[0].buffer,
        .logits = values[graph->n_nodes - 1].buffer,
        .prepared = session->scratch_infer,
    };
    assert_int_equal(count_joined(session, &memory), 1);
    assert_ptr_equal(values[1].buffer->parent, memory.slab);
    values[1].buffer->offset_bytes = ((size_t)INT_MAX + 1) * sizeof(float);
    assert_int_equal(count_joined(session, &memory), 0);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    pleach_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_that_a_message_advises_fits),
        cmocka_unit_test(weights_that_do_not_fit_are_no_matter_of_the_batch),
        cmocka_unit_test(images_that_do_not_fit_are_told_with_a_batch_that_does),
        cmocka_unit_test(a_value_beyond_the_kernels_indexes_is_named_so),
        cmocka_unit_test(floats_have_four_bytes_on_a_device_of_halfs),
        cmocka_unit_test(a_batch_that_cannot_be_smaller_is_not_to_be),
        cmocka_unit_test(scratch_beyond_the_kernels_indexes_is_refused),
        cmocka_unit_test(a_network_whose_values_lie_far_apart_is_not_joined),
    };

    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
