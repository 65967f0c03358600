// Drivers that break while a device is opened: facts that cannot be, missing and broken platforms, calls
// that fail.
#include "context.h"

#include <stdio.h>
#include <string.h>

#include <exec/self_test.h>
#include <kernel/kernels.h>
#include <faulty_cl.h>

static pleach_status open_device(const plc_cl *cl, pleach_device **device)
{
    const pleach_device_opts opts = {.cache_dir = ""};

    *device = NULL;
    return plc_kernels_open(ctx, cl, NULL, &opts, device);
}

// Facts. The driver gives `value` when it is asked for `lied_about`.
static cl_device_info lied_about;
static unsigned long long lie;

static cl_int CL_API_CALL lie_about(cl_device_id id, cl_device_info what, size_t size, void *value,
                                    size_t *needed)
{
    if (what != lied_about)
        return clGetDeviceInfo(id, what, size, value, needed);
    memset(value, 0, size);
    memcpy(value, &lie, size < sizeof lie ? size : sizeof lie); // little-endian machines
    return CL_SUCCESS;
}

static void facts_that_cannot_be_are_put_right_or_refused(void **state)
{
    static const struct {
        const char *name;
        cl_device_info what;
        unsigned long long value;
        const char *said; // NULL: the device works
    } cases[] = {
        {"no alignment", CL_DEVICE_MEM_BASE_ADDR_ALIGN, 0, NULL},
        {"alignment of a bit", CL_DEVICE_MEM_BASE_ADDR_ALIGN, 1, NULL},
        {"alignment that is no multiple of a float", CL_DEVICE_MEM_BASE_ADDR_ALIGN, 8 * 30 + 8,
         NULL},
        {"no units", CL_DEVICE_MAX_COMPUTE_UNITS, 0, NULL},
        {"no vector", CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 0, NULL},
        {"huge vector", CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 0xffffffff, NULL},
        {"wide vector", CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 1 << 20, NULL},
        {"vector of 12", CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 12, NULL},
        {"no local memory", CL_DEVICE_LOCAL_MEM_SIZE, 0, NULL},
        {"groups of one item", CL_DEVICE_MAX_WORK_GROUP_SIZE, 1, NULL},
        {"rows of one item", CL_DEVICE_MAX_WORK_ITEM_SIZES, 1, NULL},
        {"groups of no item", CL_DEVICE_MAX_WORK_GROUP_SIZE, 0, "work-groups of no item"},
        {"no allocation", CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0, "at most 0 bytes at once"},
        {"tiny allocation", CL_DEVICE_MAX_MEM_ALLOC_SIZE, 64, "at most 64 bytes at once"},
        {"no memory", CL_DEVICE_GLOBAL_MEM_SIZE, 0, "has 0"},
        {"not available", CL_DEVICE_AVAILABLE, 0, "is not available; choose another"},
    };
    plc_cl cl = plc_faulty_cl;

    (void)state;
    cl.clGetDeviceInfo = lie_about;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_device *device = NULL;
        lied_about = cases[i].what;
        lie = cases[i].value;
        pleach_status status = open_device(&cl, &device);
        // Planning memory and cutting launches is what facts are used for.
        if (status == PLEACH_OK)
            status = plc_self_test_require(device, PLC_SELF_TEST_TRAINING);
        if (cases[i].said ? status == PLEACH_OK || !strstr(pleach_error(ctx), cases[i].said)
                          : status != PLEACH_OK)
            fail_msg("%s: status '%s', text '%s'", cases[i].name, pleach_status_text(status),
                     pleach_error(ctx));
        pleach_device_close(&device);
        assert_int_equal(plc_live_objects, 0);
    }
}

// A name in Latin 1.
static cl_int CL_API_CALL odd_name(cl_device_id id, cl_device_info what, size_t size, void *value,
                                   size_t *needed)
{
    const cl_int error = clGetDeviceInfo(id, what, size, value, needed);

    if (error == CL_SUCCESS && what == CL_DEVICE_NAME && value)
        *(char *)value = '\xe9';
    return error;
}

static cl_int CL_API_CALL old_version(cl_device_id id, cl_device_info what, size_t size,
                                      void *value, size_t *needed)
{
    static const char version[] = "OpenCL 1.1 of 2010";

    if (what != CL_DEVICE_VERSION)
        return clGetDeviceInfo(id, what, size, value, needed);
    if (needed)
        *needed = sizeof version;
    if (value)
        memcpy(value, version, size);
    return CL_SUCCESS;
}

static void what_is_older_than_the_kernels_is_refused(void **state)
{
    plc_cl cl = plc_faulty_cl;
    pleach_device *device = NULL;

    (void)state;
    cl.clGetDeviceInfo = old_version;
    assert_int_equal(open_device(&cl, &device), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(ctx), "offers OpenCL 1.1, 1.2 is needed"));
    assert_int_equal(plc_live_objects, 0);
}

static void texts_that_are_no_utf_8_are_mended(void **state)
{
    plc_cl cl = plc_faulty_cl;
    pleach_device *device = NULL;

    (void)state;
    cl.clGetDeviceInfo = odd_name;
    assert_ok(open_device(&cl, &device));
    assert_int_equal(device->info->name[0], '?');
    pleach_device_close(&device);
}

static cl_int CL_API_CALL no_platforms(cl_uint n, cl_platform_id *ids, cl_uint *count)
{
    (void)n, (void)ids;
    *count = 0;
    return -1001; // CL_PLATFORM_NOT_FOUND_KHR
}

static cl_int CL_API_CALL no_devices(cl_platform_id id, cl_device_type type, cl_uint n,
                                     cl_device_id *ids, cl_uint *count)
{
    (void)id, (void)type, (void)n, (void)ids;
    *count = 0;
    return CL_DEVICE_NOT_FOUND;
}

// Two of the loader's first platform: the first of them is broken.
static cl_int CL_API_CALL twice(cl_uint n, cl_platform_id *ids, cl_uint *count)
{
    const cl_int error = clGetPlatformIDs(n, ids, count);

    ids[1] = ids[0];
    *count = 2;
    return error;
}

static int n_asked;

static cl_int CL_API_CALL first_is_broken(cl_platform_id id, cl_device_type type, cl_uint n,
                                          cl_device_id *ids, cl_uint *count)
{
    return n_asked++ == 0 ? CL_OUT_OF_HOST_MEMORY : clGetDeviceIDs(id, type, n, ids, count);
}

static void without_devices_the_text_says_what_to_install(void **state)
{
    plc_cl none = plc_faulty_cl, empty = plc_faulty_cl;
    pleach_device *device = NULL;

    (void)state;
    none.clGetPlatformIDs = no_platforms;
    empty.clGetDeviceIDs = no_devices;
    assert_int_equal(open_device(&none, &device), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(ctx), "pocl-opencl-icd"));
    assert_int_equal(open_device(&empty, &device), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(ctx), "pocl-opencl-icd"));
}

static char logged[4096];

static void keep_log(void *user, pleach_log_level level, const char *text)
{
    (void)user;
    if (level == PLEACH_LOG_WARNING)
        snprintf(logged, sizeof logged, "%s", text);
}

static void a_broken_platform_does_not_hide_the_others(void **state)
{
    plc_cl cl = plc_faulty_cl;
    pleach_device *device = NULL;

    (void)state;
    cl.clGetPlatformIDs = twice;
    cl.clGetDeviceIDs = first_is_broken;
    pleach_ctx_set_log(ctx, keep_log, NULL);
    assert_ok(open_device(&cl, &device));
    pleach_ctx_set_log(ctx, NULL, NULL);
    assert_int_equal(device->info->platform, 1);
    assert_non_null(strstr(logged, "platform 0 is left out"));
    assert_non_null(strstr(logged, "clGetDeviceIDs failed with CL_OUT_OF_HOST_MEMORY"));
    pleach_device_close(&device);
}

static void opening_names_the_call_that_failed(void **state)
{
    (void)state;
    for (int call = 0; call < PLC_N_CALLS; call++)
        for (int at = 1, more = 1; more; at++) {
            pleach_device *device = NULL;

            plc_faults = (plc_fault){.call = (plc_call)call, .at = at, .error = CL_INVALID_VALUE};
            const pleach_status status = open_device(&plc_faulty_cl, &device);
            more = plc_faults.n_planted > 0;
            plc_faults_clear();
            if (more != (status != PLEACH_OK) || (device == NULL) != (status != PLEACH_OK))
                fail_msg("%s, call %d: %s", plc_call_names[call], at, pleach_status_text(status));
            if (more &&
                (status != PLEACH_EDEVICE || !strstr(pleach_error(ctx), plc_call_names[call]) ||
                 !strstr(pleach_error(ctx), "CL_INVALID_VALUE")))
                fail_msg("%s, call %d: '%s'", plc_call_names[call], at, pleach_error(ctx));
            pleach_device_close(&device);
            assert_int_equal(plc_live_objects, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_that_cannot_be_are_put_right_or_refused),
        cmocka_unit_test(what_is_older_than_the_kernels_is_refused),
        cmocka_unit_test(texts_that_are_no_utf_8_are_mended),
        cmocka_unit_test(without_devices_the_text_says_what_to_install),
        cmocka_unit_test(a_broken_platform_does_not_hide_the_others),
        cmocka_unit_test(opening_names_the_call_that_failed),
    };

    return cmocka_run_group_tests_name("odd drivers", tests, make_fixture, drop_fixture);
}
