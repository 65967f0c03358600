// Building kernels on drivers that break: calls that fail, compilers that fail with and without words,
// damaged binaries in the cache.
#include "context.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <kernel/kernels.h>
#include <faulty_cl.h>
#include <platform.h>

static char folder[64]; // of sources and of the cache

static int set_up(void **state)
{
    setenv("POCL_KERNEL_CACHE", "0", 1); // else PoCL's own cache stands in for ours
    strcpy(folder, "/tmp/pleach-broken-XXXXXX");
    return mkdtemp(folder) && make_fixture(state) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) | drop_fixture(state);
}

static pleach_status open_device(const plc_cl *cl, pleach_device **device)
{
    const pleach_device_opts opts = {.cache_dir = folder};

    *device = NULL;
    return plc_kernels_open(ctx, cl, plc_test_device(), &opts, device);
}

// Kernels: values[i] = 3 i.
static void write_kernel(void)
{
    const char text[] = "__kernel void count(__global int *values) { values[get_global_id(0)] = 3 "
                        "* get_global_id(0); }\n";
    char path[96];

    snprintf(path, sizeof path, "%s/count.cl", folder);
    assert_ok(plc_file_write_all(ctx, path, text, strlen(text)));
    setenv("PLEACH_CL_DIR", folder, 1);
}

// Builds and runs the kernel on a newly opened device.
static pleach_status run_kernel(const plc_cl *cl)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = NULL;
    plc_launch_list list = {0};
    plc_launch *launch = NULL;
    plc_buffer *values = NULL;
    int read[64] = {0};

    const plc_fault waiting = plc_faults; // opening is not what is to fail
    plc_faults_clear();
    assert_ok(open_device(cl, &device));
    plc_faults = waiting;
    memset(plc_n_calls, 0, sizeof plc_n_calls);
    plc_launch_list_init(&list, device);
    TRY(plc_launch_add(&list, "count", "count", "", &launch));
    TRY(plc_buffer_create(device, "values", sizeof read, &values));
    plc_launch_arg_buffer(launch, values);
    plc_launch_items(launch, 64);
    TRY(plc_launch_list_freeze(&list));
    TRY(plc_launch_list_run(&list));
    TRY(plc_buffer_read(device, values, 0, sizeof read, read));
    for (int i = 0; i < 64; i++)
        assert_int_equal(read[i], 3 * i);
done:
    plc_launch_list_finish(&list);
    plc_buffer_destroy(device, &values);
    pleach_device_close(&device);
    assert_int_equal(plc_live_objects, 0);
    return status;
}

// Path of the one entry of the cache; false when there is none.
static bool find_entry(char *path, size_t size)
{
    bool found = false;
    DIR *dir = opendir(folder);

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (strstr(entry->d_name, ".bin")) {
            snprintf(path, size, "%s/%s", folder, entry->d_name);
            found = true;
        }
    closedir(dir);
    return found;
}

static void empty_cache(void)
{
    char path[512];

    while (find_entry(path, sizeof path))
        assert_int_equal(unlink(path), 0);
}

// What the cache does is no reason to fail, nor what is released: it is done without.
static bool does_without(plc_call call, bool warm)
{
    return call == PLC_CALL_clGetProgramInfo || call == PLC_CALL_clCreateProgramWithBinary ||
           strncmp(plc_call_names[call], "clRelease", 9) == 0 ||
           (warm && call == PLC_CALL_clBuildProgram); // then it is built from its source
}

static void check_failing_call(plc_call call, int at, bool warm)
{
    if (!warm)
        empty_cache();
    plc_faults = (plc_fault){.call = call, .at = at, .error = CL_INVALID_OPERATION};
    const pleach_status status = run_kernel(&plc_faulty_cl);
    assert_true(plc_faults.n_planted > 0);
    plc_faults_clear();
    if (does_without(call, warm)
            ? status != PLEACH_OK
            : status != PLEACH_EDEVICE || !strstr(pleach_error(ctx), plc_call_names[call]))
        fail_msg("%s, call %d: status '%s', text '%s'", plc_call_names[call], at,
                 pleach_status_text(status), pleach_error(ctx));
}

static void building_names_the_call_or_does_without(void **state)
{
    int n_calls[PLC_N_CALLS], n_faults = 0;

    (void)state;
    write_kernel();
    empty_cache();
    for (int warm = 0; warm < 2; warm++) {
        assert_ok(run_kernel(&plc_faulty_cl));
        memcpy(n_calls, plc_n_calls, sizeof n_calls);
        for (int call = 0; call < PLC_N_CALLS; call++)
            for (int at = 1; at <= n_calls[call]; at++, n_faults++)
                check_failing_call((plc_call)call, at, warm);
    }
    assert_true(n_faults > 20);
    unsetenv("PLEACH_CL_DIR");
}

static cl_int CL_API_CALL refuse_to_build(cl_program program, cl_uint n, const cl_device_id *ids,
                                          const char *options,
                                          void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    (void)program, (void)n, (void)ids, (void)options, (void)notify, (void)user;
    return CL_BUILD_PROGRAM_FAILURE;
}

static const char *words; // of the compiler

static cl_int CL_API_CALL give_words(cl_program program, cl_device_id id,
                                     cl_program_build_info what, size_t size, void *value,
                                     size_t *needed)
{
    (void)program, (void)id, (void)what;
    if (words == NULL)
        return CL_INVALID_VALUE;
    if (needed)
        *needed = strlen(words); // without the NUL, as some drivers count
    if (value)
        memcpy(value, words, size);
    return CL_SUCCESS;
}

static void a_failed_build_says_what_with_and_without_a_log(void **state)
{
    static const struct {
        const char *log, *said;
    } cases[] = {{"count.cl:1: no such thing", "count.cl:1: no such thing"},
                 {"", "no log"},
                 {NULL, "no log"}};
    plc_cl cl = plc_faulty_cl;

    (void)state;
    write_kernel();
    empty_cache();
    cl.clBuildProgram = refuse_to_build;
    cl.clGetProgramBuildInfo = give_words;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        words = cases[i].log;
        assert_int_equal(run_kernel(&cl), PLEACH_EBUILD);
        assert_non_null(strstr(pleach_error(ctx), "count.cl does not build on '"));
        assert_non_null(strstr(pleach_error(ctx), cases[i].said));
    }
    unsetenv("PLEACH_CL_DIR");
}

static int n_from_binary;

static cl_program CL_API_CALL count_binaries(cl_context context, cl_uint n, const cl_device_id *ids,
                                             const size_t *lengths, const unsigned char **binaries,
                                             cl_int *states, cl_int *error)
{
    n_from_binary++;
    return plc_faulty_cl.clCreateProgramWithBinary(context, n, ids, lengths, binaries, states,
                                                   error);
}

// A driver need not survive what it did not write: damage is found before it sees the binary.
static void a_damaged_binary_never_reaches_the_driver(void **state)
{
    plc_cl cl = plc_faulty_cl;
    char path[512], *entry = NULL;
    size_t size = 0;

    (void)state;
    cl.clCreateProgramWithBinary = count_binaries;
    write_kernel();
    empty_cache();
    assert_ok(run_kernel(&cl));
    assert_true(find_entry(path, sizeof path));
    n_from_binary = 0;
    assert_ok(run_kernel(&cl));
    assert_int_equal(n_from_binary, 1);
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 28, &entry, &size));
    assert_true(size > 200);
    const size_t flips[] = {0, 20, size - 1}, cuts[] = {0, 20, size - 1};
    for (size_t i = 0; i < 6; i++) {
        const bool flip = i < 3;
        if (flip)
            entry[flips[i]] ^= 1;
        assert_ok(plc_file_write_all(ctx, path, entry, flip ? size : cuts[i - 3]));
        if (flip)
            entry[flips[i]] ^= 1;
        n_from_binary = 0;
        assert_ok(run_kernel(&cl)); // builds from source, and replaces the entry
        assert_int_equal(n_from_binary, 0);
        assert_ok(run_kernel(&cl));
        assert_int_equal(n_from_binary, 1);
    }
    free(entry);
    unsetenv("PLEACH_CL_DIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(building_names_the_call_or_does_without),
        cmocka_unit_test(a_failed_build_says_what_with_and_without_a_log),
        cmocka_unit_test(a_damaged_binary_never_reaches_the_driver),
    };

    return cmocka_run_group_tests_name("broken builds", tests, set_up, tear_down);
}
