// The choice of a device by words, and quirks, on lists that no machine has.
#include <context.h>

#include <string.h>
#include <device/list.h>
#include <device/quirks.h>

static pleach_device_info listed[] = {
    {.platform = 0,
     .platform_name = "Intel(R) FPGA Emulation Platform for OpenCL(TM)",
     .name = "Intel(R) FPGA Emulation Device",
     .driver_version = "2024.18.12",
     .kind = "accelerator"},
    {.platform = 1,
     .platform_name = "Portable Computing Language",
     .name = "pthread-Intel(R) Xeon(R) Processor",
     .driver_version = "3.1",
     .kind = "cpu"},
    {.platform = 2,
     .platform_name = "Oclgrind",
     .name = "Oclgrind Simulator",
     .driver_version = "Oclgrind 21.10",
     .kind = "gpu"},
    {.platform = 3,
     .platform_name = "Intel(R) OpenCL",
     .name = "Intel(R) Xeon(R) Processor",
     .driver_version = "2026.22",
     .kind = "cpu"},
    {.platform = 4,
     .platform_name = "Xilinx",
     .name = "xilinx_u250",
     .driver_version = "1.0",
     .kind = "accelerator"},
};

enum { N_WITH_BOARD = sizeof listed / sizeof listed[0], N_LISTED = N_WITH_BOARD - 1 };

// The platform of the device that `choice` names among the first n of the list, -1 if none is.
static int platform_of(const char *choice, int n)
{
    const plc_device_table table = {.list = {.items = listed, .n_items = n}};
    int chosen = -1;

    if (plc_device_table_choose(ctx, &table, choice, &chosen) != PLEACH_OK)
        return -1;
    return listed[chosen].platform;
}

static void a_platforms_name_counts_more_than_a_devices(void **state)
{
    (void)state;
    assert_int_equal(platform_of("intel", N_LISTED), 3);
    assert_int_equal(platform_of("INTEL(R) OpenCL", N_LISTED), 3);
    assert_int_equal(platform_of("intel", N_LISTED - 1), 1); // only a device is called so
    assert_int_equal(platform_of("xeon", N_LISTED), 1);      // the first of two
    assert_int_equal(platform_of("portable", N_LISTED), 1);
    assert_int_equal(platform_of("arm", N_LISTED), -1);
}

static void an_emulator_is_never_taken_unasked(void **state)
{
    (void)state;
    assert_int_equal(platform_of(NULL, N_LISTED), 1);
    assert_int_equal(platform_of("", 1), -1);
    assert_int_equal(platform_of("gpu", N_LISTED), -1);
    assert_int_equal(platform_of("intel", 1), 0);
    assert_int_equal(platform_of("fpga emul", N_LISTED), 0);
    assert_int_equal(platform_of("fpga", N_LISTED), 0);
    assert_int_equal(platform_of("fpga", N_WITH_BOARD), 4);
    assert_int_equal(platform_of("accelerator", N_WITH_BOARD), 4);
    assert_int_equal(platform_of("oclgrind", N_LISTED), 2);
    assert_int_equal(platform_of("2:0", N_LISTED), 2);
}

static void what_cannot_be_used_is_taken_only_by_its_own_name(void **state)
{
    bool unavailable[N_WITH_BOARD] = {0};
    const plc_device_table table = {.list = {.items = listed, .n_items = N_WITH_BOARD},
                                    .unavailable = unavailable};
    int chosen = -1;

    (void)state;
    unavailable[1] = true;
    assert_ok(plc_device_table_choose(ctx, &table, NULL, &chosen));
    assert_int_equal(listed[chosen].platform, 3);
    assert_ok(plc_device_table_choose(ctx, &table, "1:0", &chosen));
    assert_int_equal(listed[chosen].platform, 1);
    listed[3].cl_version = "OpenCL 1.1 old";
    assert_ok(plc_device_table_choose(ctx, &table, "cpu", &chosen)); // which opening refuses
    assert_int_equal(listed[chosen].platform, 1);
    unavailable[4] = true;
    assert_ok(plc_device_table_choose(ctx, &table, "fpga", &chosen)); // no emulator for a board
    assert_int_equal(listed[chosen].platform, 4);
    assert_ok(plc_device_table_choose(ctx, &table, "portable", &chosen));
    assert_int_equal(listed[chosen].platform, 1);
    listed[3].cl_version = NULL;
    assert_ok(plc_device_table_choose(ctx, &table, "xeon", &chosen));
    assert_int_equal(listed[chosen].platform, 3);
    unavailable[1] = false;
    assert_ok(plc_device_table_choose(ctx, &table, "cpu", &chosen));
    assert_int_equal(listed[chosen].platform, 1);
    listed[3].cl_version = NULL;
}

static void kinds_are_words_of_any_case_and_numbers_are_no_names(void **state)
{
    (void)state;
    assert_int_equal(platform_of("CPU", N_LISTED), 1);
    assert_int_equal(platform_of("GPU", N_LISTED), -1);
    assert_int_equal(platform_of("Fpga", N_WITH_BOARD), 4);
    assert_int_equal(platform_of("u250", N_WITH_BOARD), 4);
    assert_int_equal(platform_of("250", N_WITH_BOARD), 4);
    assert_int_equal(platform_of("2", N_WITH_BOARD), -1);
    assert_non_null(strstr(pleach_error(ctx), "PLATFORM:INDEX"));
}

static void quirks_belong_to_one_platform_and_driver(void **state)
{
    pleach_device_info next = listed[2];

    (void)state;
    assert_true(plc_quirks_of(&listed[0]).emulates);
    assert_true(plc_quirks_of(&listed[1]).keeps_binaries);
    assert_false(plc_quirks_of(&listed[1]).emulates);
    assert_true(plc_quirks_of(&listed[2]).emulates);
    assert_string_equal(plc_quirks_of(&listed[2]).build_options, " -cl-opt-disable -Drestrict=");
    next.driver_version = "Oclgrind 22.1";
    assert_string_equal(plc_quirks_of(&next).build_options, "");
    assert_true(plc_quirks_of(&next).emulates);
    assert_false(plc_quirks_of(&listed[3]).emulates || plc_quirks_of(&listed[3]).keeps_binaries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platforms_name_counts_more_than_a_devices),
        cmocka_unit_test(an_emulator_is_never_taken_unasked),
        cmocka_unit_test(what_cannot_be_used_is_taken_only_by_its_own_name),
        cmocka_unit_test(kinds_are_words_of_any_case_and_numbers_are_no_names),
        cmocka_unit_test(quirks_belong_to_one_platform_and_driver),
    };

    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
