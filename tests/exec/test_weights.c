// Tests of src/exec/weights.c: what weights begin with.
#include <context.h>

#include <stdlib.h>

#include <exec/session.h>
#include <platform.h>

static pleach_device *device;

static int open_device(void **state)
{
    return make_fixture(state) ||
           pleach_device_open(ctx, plc_test_device(), NULL, &device) != PLEACH_OK;
}

static int close_device(void **state)
{
    pleach_device_close(&device);
    return drop_fixture(state);
}

static pleach_session *session_of(const char *op)
{
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;
    int node = 0;

    assert_ok(plc_graph_create(ctx, "one", (plc_shape){2, 3, 3}, &graph));
    assert_ok(plc_graph_add(ctx, graph, op, "node", &node, 1, NULL, &node));
    assert_ok(pleach_session_create(ctx, graph, device, 2,
                                    &(pleach_session_opts){.inference_only = true}, &session));
    pleach_graph_destroy(&graph);
    return session;
}

// Factors begin with one and shifts with zero: the network lets its input through.
static void factors_begin_with_one(void **state)
{
    static const char *const ops[] = {"affine", "batch_norm"};
    const unsigned char images[2 * 18] = {1, 2, 3, 4, 5};
    float logits[2 * 18];

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        pleach_session *session = session_of(ops[i]);

        assert_ok(pleach_session_predict(session, images, 2, logits));
        for (int j = 0; j < 2 * 18; j++)
            assert_float_equal(logits[j], images[j] / 255.0f, 1e-6);
        pleach_session_destroy(&session);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_begin_with_one),
    };

    return cmocka_run_group_tests_name("weights", tests, open_device, close_device);
}
