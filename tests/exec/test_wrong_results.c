// Drivers that compute wrongly: every kernel that the self-test launches is broken in three ways in turn,
// and the self-test must say so.
#include "context.h"

#include <stdlib.h>
#include <string.h>

#include <exec/self_test.h>
#include <faulty_cl.h>
#include <platform.h>

static const char *const wrong_names[PLC_N_WRONGS] = {
    [PLC_WRONG_SKIPPED] = "skipped",
    [PLC_WRONG_FIRST_GROUP] = "only its first group executed",
    [PLC_WRONG_BIT] = "one bit of its result flipped",
};

static pleach_device *open_device(int lanes, int mapping)
{
    const pleach_device_opts opts = {
        .lanes = lanes, .mapping = mapping, .cache_dir = plc_test_cache()};
    pleach_device *device = NULL;

    assert_ok(plc_kernels_open(ctx, &plc_faulty_cl, plc_test_device(), &opts, &device));
    return device;
}

// True when the fault found something to act on; then the self-test must have found the fault.
static bool plant(pleach_device *device, const char *kernel, plc_wrong wrong)
{
    plc_self_test_result result;
    char said[PLC_SELF_TEST_TEXT_MAX];

    plc_faults = (plc_fault){.kernel = kernel, .wrong = wrong};
    assert_ok(plc_self_test_run(device, &result));
    const int n_planted = plc_faults.n_planted;
    plc_faults_clear();
    plc_self_test_describe(&result, said, sizeof said);
    if (n_planted > 0 && strncmp(said, "failed: ", 8) != 0)
        fail_msg("%s %s (%d times): the self-test says '%s'", kernel, wrong_names[wrong], n_planted,
                 said);
    if (n_planted > 0)
        print_message("  %s %s -> %s\n", kernel, wrong_names[wrong], said);
    return n_planted > 0;
}

static void check_device(int lanes, int mapping)
{
    pleach_device *device = open_device(lanes, mapping);
    plc_self_test_result result;
    int n_planted = 0;

    plc_launched_clear();
    assert_ok(plc_self_test_run(device, &result));
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        assert_true(result.passed[i]);
    assert_true(plc_n_launched >= 15); // kernels of every operator that it covers
    for (int i = 0; i < plc_n_launched; i++) {
        char kernel[PLC_KERNEL_NAME_MAX];

        strcpy(kernel, plc_launched[i]);
        if (!plant(device, kernel, PLC_WRONG_SKIPPED))
            fail_msg("%s: no fault could be planted", kernel);
        // A whole network in one launch: what it wrote first has been read when it is done, and one group does it all.
        if (strcmp(kernel, "channel_network") == 0)
            continue;
        if (!plant(device, kernel, PLC_WRONG_BIT))
            fail_msg("%s: no fault could be planted", kernel);
        n_planted += 2 + plant(device, kernel, PLC_WRONG_FIRST_GROUP);
    }
    assert_true(n_planted > 40);
    assert_ok(plc_self_test_run(device, &result)); // nothing stays behind
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        assert_true(result.passed[i]);
    pleach_device_close(&device);
    assert_int_equal(plc_live_objects, 0);
}

static void every_kernel_that_computes_wrongly_is_found_in_vectors(void **state)
{
    (void)state;
    check_device(16, PLEACH_MAPPING_VECTOR);
}

static void every_kernel_that_computes_wrongly_is_found_in_work_items(void **state)
{
    (void)state;
    check_device(8, PLEACH_MAPPING_WORK_ITEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_that_computes_wrongly_is_found_in_vectors),
        cmocka_unit_test(every_kernel_that_computes_wrongly_is_found_in_work_items),
    };

    return cmocka_run_group_tests_name("wrong results", tests, make_fixture, drop_fixture);
}
