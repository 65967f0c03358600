// Programs: sources joined, errors that point to the line, binaries cached across openings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <base/random.h>
#include <kernel/build_log.h>
#include <kernel/kernels.h>
#include <kernel/sources.h>
#include <platform.h>

typedef struct fixture {
    pleach_ctx *ctx;
    char cache[64], sources[64];
} fixture;

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(f->ctx));                                       \
    } while (0)

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    *state = f;
    setenv("POCL_KERNEL_CACHE", "0", 1); // else PoCL's own cache stands in for ours
    strcpy(f->cache, "/tmp/pleach-cache-XXXXXX");
    strcpy(f->sources, "/tmp/pleach-sources-XXXXXX");
    return pleach_ctx_create(&f->ctx) == PLEACH_OK && mkdtemp(f->cache) && mkdtemp(f->sources) ? 0
                                                                                               : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char command[192];

    snprintf(command, sizeof command, "rm -r '%s' '%s'", f->cache, f->sources);
    const int removed = system(command);
    pleach_ctx_destroy(&f->ctx);
    free(f);
    return removed;
}

static void write_source(fixture *f, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", f->sources, name);
    CHECK(plc_file_write_all(f->ctx, path, text, strlen(text)));
}

// A tiny kernel: values[i] = DOUBLED ? 2 i : i.
static void write_counting_kernel(fixture *f)
{
    write_source(f, "count.cl",
                 "#include \"unit.h\"\n"
                 "__kernel void count(__global int *values) { values[get_global_id(0)] = UNIT * "
                 "get_global_id(0); }\n");
    write_source(f, "unit.h", "#ifndef UNIT\n#define UNIT 1\n#endif\n");
}

static int run_counting_kernel(fixture *f, const char *options, char *last)
{
    pleach_device *device = NULL;
    const pleach_device_opts opts = {.cache_dir = f->cache};
    plc_launch_list list;
    plc_launch *launch = NULL;
    plc_buffer *values = NULL;
    int read[64];

    CHECK(pleach_device_open(f->ctx, plc_test_device(), &opts, &device));
    plc_launch_list_init(&list, device);
    CHECK(plc_buffer_create(device, "values", sizeof read, &values));
    const pleach_status status = plc_launch_add(&list, "count", "count", options, &launch);
    if (status == PLEACH_OK) {
        plc_launch_arg_buffer(launch, values);
        plc_launch_items(launch, 64);
        CHECK(plc_launch_list_freeze(&list));
        CHECK(plc_launch_list_run(&list));
        CHECK(plc_buffer_read(device, values, 0, sizeof read, read));
    }
    if (last)
        snprintf(last, 4096, "%s", pleach_error(f->ctx));
    plc_launch_list_finish(&list);
    plc_buffer_destroy(device, &values);
    pleach_device_close(&device);
    return status == PLEACH_OK ? read[63] : -(int)status;
}

static int count_entries(const fixture *f, char *name, size_t size)
{
    DIR *folder = opendir(f->cache);
    int n = 0;

    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (strstr(entry->d_name, ".bin")) {
            snprintf(name, size, "%s/%s", f->cache, entry->d_name);
            n++;
        }
    closedir(folder);
    return n;
}

static void binaries_are_cached_and_bad_entries_rebuilt(void **state)
{
    fixture *f = *state;
    char entry[512];

    write_counting_kernel(f);
    setenv("PLEACH_CL_DIR", f->sources, 1);
    assert_int_equal(run_counting_kernel(f, "", NULL), 63);
    assert_int_equal(count_entries(f, entry, sizeof entry), 1);
    assert_int_equal(run_counting_kernel(f, "", NULL), 63); // from the cache
    assert_int_equal(count_entries(f, entry, sizeof entry), 1);
    CHECK(plc_file_write_all(f->ctx, entry, "garbage", 7));
    assert_int_equal(run_counting_kernel(f, "", NULL), 63);
    CHECK(plc_file_write_all(f->ctx, entry, "", 0));
    assert_int_equal(run_counting_kernel(f, "", NULL), 63);
    assert_int_equal(run_counting_kernel(f, "-DUNIT=2", NULL), 126); // options are part of the key
    assert_int_equal(count_entries(f, entry, sizeof entry), 2);
    write_source(f, "unit.h", "#define UNIT 3\n"); // and so is an included file
    assert_int_equal(run_counting_kernel(f, "", NULL), 189);
    assert_int_equal(count_entries(f, entry, sizeof entry), 3);
    unsetenv("PLEACH_CL_DIR");
}

static plc_build_counts counts_after_one_kernel(fixture *f)
{
    pleach_device *device = NULL;
    const pleach_device_opts opts = {.cache_dir = f->cache};
    plc_launch_list list;
    plc_launch *launch = NULL;

    CHECK(pleach_device_open(f->ctx, plc_test_device(), &opts, &device));
    plc_launch_list_init(&list, device);
    CHECK(plc_launch_add(&list, "count", "count", "-DUNIT=7", &launch));
    CHECK(plc_launch_add(&list, "count", "count", "-DUNIT=7", &launch)); // no second program
    const plc_build_counts counts = plc_kernels_counts(device);
    plc_launch_list_finish(&list);
    pleach_device_close(&device);
    return counts;
}

static void programs_are_counted_by_where_they_came_from(void **state)
{
    fixture *f = *state;

    write_counting_kernel(f);
    setenv("PLEACH_CL_DIR", f->sources, 1);
    const plc_build_counts cold = counts_after_one_kernel(f), warm = counts_after_one_kernel(f);
    unsetenv("PLEACH_CL_DIR");
    assert_int_equal(cold.n_compiled, 1);
    assert_int_equal(cold.n_cached, 0);
    assert_int_equal(warm.n_compiled, 0);
    assert_int_equal(warm.n_cached, 1);
    assert_true(cold.seconds > 0 && warm.seconds > 0);
}

static void count_warning(void *user, pleach_log_level level, const char *text)
{
    *(int *)user += level == PLEACH_LOG_WARNING && strstr(text, "kernels are not cached");
}

static void a_cache_that_cannot_be_written_is_told_once(void **state)
{
    fixture *f = *state;
    char folder[96];
    const pleach_device_opts opts = {.cache_dir = folder};
    pleach_device *device = NULL;
    plc_launch_list list;
    plc_launch *launch = NULL;
    int n_warnings = 0;

    write_counting_kernel(f);
    setenv("PLEACH_CL_DIR", f->sources, 1);
    snprintf(folder, sizeof folder, "%s/gone", f->cache);
    CHECK(pleach_device_open(f->ctx, plc_test_device(), &opts, &device));
    assert_int_equal(rmdir(folder), 0);
    pleach_ctx_set_log(f->ctx, count_warning, &n_warnings);
    plc_launch_list_init(&list, device);
    CHECK(plc_launch_add(&list, "count", "count", "-DUNIT=8", &launch));
    CHECK(plc_launch_add(&list, "count", "count", "-DUNIT=9", &launch));
    assert_int_equal(n_warnings, 1);
    pleach_ctx_set_log(f->ctx, NULL, NULL);
    plc_launch_list_finish(&list);
    pleach_device_close(&device);
    unsetenv("PLEACH_CL_DIR");
}

static void a_kernel_that_does_not_build_names_its_file_and_line(void **state)
{
    fixture *f = *state;
    char text[4096];

    write_source(
        f, "count.cl",
        "#include \"unit.h\"\n\n__kernel void count(__global int *v) { v[0] = nothing; }\n");
    write_source(f, "unit.h", "#define UNIT 1\n");
    setenv("PLEACH_CL_DIR", f->sources, 1);
    const int built = run_counting_kernel(f, "", text);
    unsetenv("PLEACH_CL_DIR");
    assert_int_equal(built, -PLEACH_EBUILD);
    assert_non_null(strstr(text, "nothing"));
    assert_non_null(strstr(text, "count.cl:3"));
}

// As NVIDIA's compiler does, which counts lines of the joined text.
static void lines_of_the_joined_text_are_told_as_those_of_its_files(void **state)
{
    static const char *const source = "#line 1 \"count.cl\"\n#line 1 \"unit.h\"\n#define UNIT 1\n\n"
                                      "#line 2 \"count.cl\"\n\n__kernel void count(";
    static const char *const logs[][2] = {
        {"<kernel>:7:22: error: no\n<kernel>:3:1: note\n",
         "count.cl:3:22: error: no\nunit.h:1:1: note\n"},
        {"input.cl:6: and <kernel>:99:1:", "count.cl:2: and <kernel>:99:1:"},
        {"<kernel>:", "<kernel>:"},
        {"<kernel>:-1: <kernel>:99999999999999999999:",
         "<kernel>:-1: <kernel>:99999999999999999999:"},
        {"pool.cl:3: error", "pool.cl:3: error"},
        {"", ""}};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        plc_text text = {0};
        CHECK(plc_build_log_append(f->ctx, &text, logs[i][0], source));
        assert_string_equal(text.data ? text.data : "", logs[i][1]);
        plc_text_finish(&text);
    }
}

static void every_embedded_source_expands_to_one_text(void **state)
{
    fixture *f = *state;
    int n = 0;

    for (const plc_source *source = plc_sources; source->name; source++, n++) {
        char *text = NULL;
        CHECK(plc_source_expand(f->ctx, source->name, &text));
        assert_null(strstr(text, "#include \""));
        free(text);
    }
    assert_true(n >= 10);
}

// Whether the word stands in the text outside of comments.
static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = text; *at; at++) {
        if (at[0] == '/' && at[1] == '/') {
            at += strcspn(at, "\n");
            if (*at == '\0')
                break;
        }
        if (strncmp(at, word, length) == 0 && !isalnum(at[length]) && at[length] != '_' &&
            (at == text || (!isalnum(at[-1]) && at[-1] != '_')))
            return true;
    }
    return false;
}

// Compilers for FPGAs have channels between kernels; later versions of OpenCL C have pipes.
// OpenCL C 1.2 (6.9.d) has none, and NVIDIA's compiler refuses them.
static void no_source_has_a_macro_of_any_number_of_arguments(void **state)
{
    (void)state;
    for (const plc_source *source = plc_sources; source->name; source++)
        if (strstr(source->text, "__VA_ARGS__"))
            fail_msg("%s has a variadic macro", source->name);
}

static void no_source_uses_a_word_that_some_compiler_reserves(void **state)
{
    static const char *const reserved[] = {"channel", "pipe", "generic"};

    (void)state;
    assert_true(has_word("int channel;", "channel"));
    assert_false(has_word("int channels; // a channel\n", "channel"));
    for (const plc_source *source = plc_sources; source->name; source++)
        for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
            if (has_word(source->text, reserved[i]))
                fail_msg("%s has an identifier '%s'", source->name, reserved[i]);
}

static void devices_are_chosen_by_index_kind_and_name(void **state)
{
    fixture *f = *state;
    pleach_device_list *list = NULL;
    pleach_device *device = NULL;
    char part[4] = "";

    CHECK(pleach_device_list_create(f->ctx, &list));
    assert_true(list->n_items > 0);
    memcpy(part, list->items[0].platform_name, 3);
    const char *choices[] = {"0:0", list->items[0].kind, list->items[0].name, part};
    for (int i = 0; i < 4; i++) {
        if (plc_device_is_emulator(&list->items[0]) && choices[i] == list->items[0].kind)
            continue; // not by its kind alone
        CHECK(pleach_device_open(f->ctx, choices[i], NULL, &device));
        assert_string_equal(pleach_device_get_info(device)->name, list->items[0].name);
        pleach_device_close(&device);
    }
    assert_int_equal(pleach_device_open(f->ctx, "9:9", NULL, &device), PLEACH_EDEVICE);
    assert_non_null(strstr(pleach_error(f->ctx), list->items[0].name));
    const pleach_device_opts odd = {.lanes = 5};
    assert_int_equal(pleach_device_open(f->ctx, "0:0", &odd, &device), PLEACH_EUSAGE);
    assert_null(device);
    pleach_device_list_destroy(&list);
}

static cl_mem CL_API_CALL no_memory(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                    cl_int *error)
{
    (void)context;
    (void)flags;
    (void)size;
    (void)host;
    *error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    return NULL;
}

static void a_failed_allocation_says_what_and_how_much(void **state)
{
    fixture *f = *state;
    plc_cl broken = plc_cl_loader;
    pleach_device *device = NULL;
    plc_buffer *buffer = NULL;

    broken.clCreateBuffer = no_memory;
    CHECK(plc_kernels_open(f->ctx, &broken, plc_test_device(), NULL, &device));
    assert_int_equal(plc_buffer_create(device, "weights", 4096, &buffer), PLEACH_ENOMEM);
    assert_non_null(strstr(pleach_error(f->ctx), "'weights' of 4096 bytes"));
    assert_null(buffer);
    assert_int_equal(pleach_device_memory_bytes(device), 0);
    pleach_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binaries_are_cached_and_bad_entries_rebuilt),
        cmocka_unit_test(programs_are_counted_by_where_they_came_from),
        cmocka_unit_test(a_cache_that_cannot_be_written_is_told_once),
        cmocka_unit_test(a_kernel_that_does_not_build_names_its_file_and_line),
        cmocka_unit_test(lines_of_the_joined_text_are_told_as_those_of_its_files),
        cmocka_unit_test(every_embedded_source_expands_to_one_text),
        cmocka_unit_test(no_source_has_a_macro_of_any_number_of_arguments),
        cmocka_unit_test(no_source_uses_a_word_that_some_compiler_reserves),
        cmocka_unit_test(devices_are_chosen_by_index_kind_and_name),
        cmocka_unit_test(a_failed_allocation_says_what_and_how_much),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
