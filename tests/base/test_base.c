// Tests of src/base: errors, memory, random numbers, texts, files.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/file.h>
#include <base/half.h>
#include <base/hash.h>
#include <base/memory.h>
#include <base/random.h>
#include <base/text.h>

static pleach_ctx *ctx;
static char folder[] = "/tmp/pleach-test-base-XXXXXX";

static int make_fixture(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) != PLEACH_OK || !mkdtemp(folder);
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return rmdir(folder); // fails when a test left a file, a temporary one for example
}

#define assert_error_has(text) assert_non_null(strstr(pleach_error(ctx), text))

static char *path_of(const char *name)
{
    char *path = NULL;

    assert_int_equal(plc_path_join(ctx, folder, name, &path), PLEACH_OK);
    return path;
}

static void error_text_is_empty_before_the_first_failure(void **state)
{
    pleach_ctx *fresh = NULL;

    (void)state;
    assert_int_equal(pleach_ctx_create(&fresh), PLEACH_OK);
    assert_string_equal(pleach_error(fresh), "");
    pleach_ctx_destroy(&fresh);
    assert_null(fresh);
    pleach_ctx_destroy(&fresh);
}

static void failing_records_the_text_and_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(plc_fail(ctx, PLEACH_EINPUT, "%s has %d", "conv1", 3), PLEACH_EINPUT);
    assert_string_equal(pleach_error(ctx), "conv1 has 3");
    assert_int_equal(plc_fail_in(ctx, PLEACH_EINPUT, "file '%s'", "x"), PLEACH_EINPUT);
    assert_string_equal(pleach_error(ctx), "file 'x': conv1 has 3");
    assert_int_equal(plc_fail(NULL, PLEACH_EIO, "nobody listens"), PLEACH_EIO);
}

static void an_error_may_quote_the_error_before_it(void **state)
{
    (void)state;
    plc_fail(ctx, PLEACH_EIO, "inner");
    plc_fail(ctx, PLEACH_EFAILED, "outer (%s)", pleach_error(ctx));
    assert_string_equal(pleach_error(ctx), "outer (inner)");
}

static void exit_codes_are_those_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(pleach_status_exit_code(PLEACH_OK), 0);
    assert_int_equal(pleach_status_exit_code(PLEACH_EUSAGE), 2);
    assert_int_equal(pleach_status_exit_code(PLEACH_EINPUT), 3);
    assert_int_equal(pleach_status_exit_code(PLEACH_EDEVICE), 4);
    assert_int_equal(pleach_status_exit_code(PLEACH_EDIVERGED), 5);
    assert_int_equal(pleach_status_exit_code(PLEACH_EINTERRUPTED), 130);
    assert_int_equal(pleach_status_exit_code((pleach_status)999), 1);
    assert_string_equal(pleach_status_text(PLEACH_EGRAPH), "graph is not valid");
    assert_string_equal(pleach_status_text((pleach_status)999), "unknown status");
}

static void keep_log(void *user, pleach_log_level level, const char *text)
{
    snprintf(user, 64, "%d %s", (int)level, text);
}

static void log_reaches_the_callback_only(void **state)
{
    char kept[64] = "";

    (void)state;
    plc_log(ctx, PLEACH_LOG_INFO, "lost");
    pleach_ctx_set_log(ctx, keep_log, kept);
    plc_log(ctx, PLEACH_LOG_WARNING, "n = %d", 7);
    pleach_ctx_set_log(ctx, NULL, NULL);
    assert_string_equal(kept, "2 n = 7");
}

static void allocated_memory_is_zero_and_overflow_is_refused(void **state)
{
    int *items = NULL;

    (void)state;
    assert_int_equal(plc_alloc(ctx, 100, sizeof *items, &items), PLEACH_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], 0);
    free(items);
    assert_int_equal(plc_alloc(ctx, 0, sizeof *items, &items), PLEACH_OK);
    assert_non_null(items);
    free(items);
    assert_int_equal(plc_alloc(ctx, SIZE_MAX / 2, 4, &items), PLEACH_ENOMEM);
    assert_null(items);
    assert_error_has("4 bytes");
}

static void a_grown_array_keeps_its_items_and_zeroes_its_new_room(void **state)
{
    int *items = NULL;
    size_t capacity = 0;

    (void)state;
    for (size_t n = 1; n <= 1000; n++) {
        assert_int_equal(plc_grow(ctx, &items, &capacity, n), PLEACH_OK);
        assert_true(capacity >= n);
        assert_int_equal(items[capacity - 1], 0);
        items[n - 1] = (int)n;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i + 1);
    assert_int_equal(plc_grow(ctx, &items, &capacity, SIZE_MAX / 2), PLEACH_ENOMEM);
    assert_int_equal(items[999], 1000);
    free(items);
}

static void philox_gives_the_known_answers_of_random123(void **state)
{
    static const struct {
        plc_u32x4 counter;
        uint32_t key[2];
        uint32_t expected[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const plc_u32x4 got = plc_philox4x32(cases[i].counter, cases[i].key[0], cases[i].key[1]);

        assert_int_equal(got.x, cases[i].expected[0]);
        assert_int_equal(got.y, cases[i].expected[1]);
        assert_int_equal(got.z, cases[i].expected[2]);
        assert_int_equal(got.w, cases[i].expected[3]);
    }
}

static void seed_stream_step_and_index_each_change_the_numbers(void **state)
{
    const uint32_t base = plc_random_u32x4(1, 2, 3, 4).x;

    (void)state;
    assert_int_equal(plc_random_u32x4(1, 2, 3, 4).x, base);
    assert_int_not_equal(plc_random_u32x4(2, 2, 3, 4).x, base);
    assert_int_not_equal(plc_random_u32x4(1 + (1ull << 32), 2, 3, 4).x, base);
    assert_int_not_equal(plc_random_u32x4(1, 3, 3, 4).x, base);
    assert_int_not_equal(plc_random_u32x4(1, 2, 4, 4).x, base);
    assert_int_not_equal(plc_random_u32x4(1, 2, 3, 5).x, base);
    assert_int_not_equal(plc_random_u32x4(1, 2, 3, 4 + (1ull << 32)).x, base);
}

static void uniform_numbers_fill_the_half_open_interval(void **state)
{
    enum { N = 100000 };
    double sum = 0.0;

    (void)state;
    assert_true(plc_random_uniform(0) == 0.0f);
    assert_true(plc_random_uniform(0xffffffff) < 1.0f);
    for (int i = 0; i < N; i++) {
        const float u = plc_random_uniform(plc_random_u32x4(7, PLC_STREAM_TEST, 0, i).x);

        assert_true(u >= 0.0f && u < 1.0f);
        sum += u;
    }
    assert_true(fabs(sum / N - 0.5) < 0.005); // five standard deviations: 0.0046
}

static void normal_numbers_have_mean_deviation_and_kurtosis_of_a_normal(void **state)
{
    enum { N = 100000 };
    static float values[N];
    double mean = 0.0, square = 0.0, fourth = 0.0;

    (void)state;
    plc_random_fill_normal(7, PLC_STREAM_TEST, 1, 2.0f, 3.0f, values, N);
    for (int i = 0; i < N; i++) {
        const double z = (values[i] - 2.0) / 3.0;

        assert_true(isfinite(z));
        mean += z / N;
        square += z * z / N;
        fourth += z * z * z * z / N;
    }
    assert_true(fabs(mean) < 0.016);
    assert_true(fabs(square - 1.0) < 0.023);
    assert_true(fabs(fourth - 3.0) < 0.16);
}

static void a_shuffle_is_a_permutation_that_seed_and_step_decide(void **state)
{
    enum { N = 1000 };
    uint32_t a[N], b[N], c[N], d[N];
    char seen[N] = {0};

    (void)state;
    for (uint32_t i = 0; i < N; i++)
        a[i] = b[i] = c[i] = d[i] = i;
    plc_random_shuffle(1, PLC_STREAM_SHUFFLE, 5, a, N);
    plc_random_shuffle(1, PLC_STREAM_SHUFFLE, 5, b, N);
    plc_random_shuffle(1, PLC_STREAM_SHUFFLE, 6, c, N);
    plc_random_shuffle(2, PLC_STREAM_SHUFFLE, 5, d, N);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_memory_not_equal(a, d, sizeof a);
    for (int i = 0; i < N; i++)
        seen[a[i]]++;
    for (int i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    plc_random_shuffle(1, PLC_STREAM_SHUFFLE, 0, a, 0);
}

static void bounded_integers_reach_every_value_evenly(void **state)
{
    int counts[7] = {0};

    (void)state;
    for (int i = 0; i < 70000; i++)
        counts[plc_random_below(plc_random_u32x4(3, PLC_STREAM_TEST, 2, i).x, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(plc_random_below(0xffffffff, 7), 6);
}

static void a_text_grows_and_is_handed_over(void **state)
{
    plc_text text = {0};
    char *taken = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(plc_text_printf(ctx, &text, "%d,", i % 10), PLEACH_OK);
    assert_int_equal(text.length, 2000);
    assert_int_equal(plc_text_take(ctx, &text, &taken), PLEACH_OK);
    assert_null(text.data);
    assert_int_equal(strlen(taken), 2000);
    assert_memory_equal(taken, "0,1,2,", 6);
    free(taken);
    assert_int_equal(plc_text_take(ctx, &text, &taken), PLEACH_OK);
    assert_string_equal(taken, "");
    free(taken);
    plc_text_finish(&text);
}

static void what_is_no_utf_8_becomes_question_marks(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb3", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb3"},
        {"caf\xe9 \xc3\xa9", "caf? \xc3\xa9"},
        {"cut \xe2\x82", "cut ??"},
        {"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", "?????????"}, // longer than they need be
        {"\xed\xa0\x80\xf4\x90\x80\x80\xff", "????????"},      // a surrogate, behind Unicode's end
        {"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xf4\x8f\xbf\xbf"},
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strcpy(text, cases[i][0]);
        plc_utf8_mend(text);
        assert_string_equal(text, cases[i][1]);
    }
    assert_int_equal(plc_utf8_cut("a\xe2\x82\xac", 3), 1);
    assert_int_equal(plc_utf8_cut("a\xe2\x82\xac", 4), 4);
}

static void the_nearest_name_is_found_only_when_it_is_near(void **state)
{
    static const char *const names[] = {"resnet20", "resnet32", "vgg16", "densenet40", "l2"};

    (void)state;
    assert_string_equal(plc_nearest_name("resnet2", names, 5), "resnet20");
    assert_string_equal(plc_nearest_name("rensnet32", names, 5), "resnet32");
    assert_string_equal(plc_nearest_name("vgg", names, 5), "vgg16");
    assert_string_equal(plc_nearest_name("densnet40", names, 5), "densenet40");
    assert_null(plc_nearest_name("transformer", names, 5));
    assert_null(plc_nearest_name("x1", names, 5));
    assert_null(plc_nearest_name("resnet20", names, 0));
}

static void numbers_for_people_are_short(void **state)
{
    static const struct {
        void (*format)(unsigned long long, char *, size_t);
        unsigned long long value;
        const char *expected;
    } cases[] = {
        {plc_format_bytes, 0, "0 B"},
        {plc_format_bytes, 1023, "1023 B"},
        {plc_format_bytes, 1536, "1.5 KiB"},
        {plc_format_bytes, 1048575, "1.0 MiB"},
        {plc_format_bytes, UINT64_MAX, "16.0 EiB"},
        {plc_format_count, 999, "999"},
        {plc_format_count, 40551936, "40.6 M"},
        {plc_format_count, 270000, "270 k"},
        {plc_format_count, 999999, "1.0 M"},
    };
    char text[PLC_FORMAT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cases[i].format(cases[i].value, text, sizeof text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void durations_for_people_are_short(void **state)
{
    static const struct {
        double seconds;
        const char *expected;
    } cases[] = {{2.5e-5, "25.0 us"}, {0.0034, "3.4 ms"}, {12.34, "12.3 s"},
                 {59.99, "1m00s"},    {61.0, "1m01s"},    {3599.7, "1h00m"},
                 {3725.0, "1h02m"},   {-1.0, "?"},        {(double)NAN, "?"}};
    char text[PLC_FORMAT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_format_seconds(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void hash_is_xxh3_of_128_bits(void **state)
{
    char hex[PLC_HASH_HEX_SIZE];

    (void)state;
    plc_hash_hex("", 0, hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
}

static void every_half_survives_the_way_through_float(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 0xffff; bits++) {
        const float value = plc_half_to_float((uint16_t)bits);

        if (isnan(value))
            assert_true(isnan(plc_half_to_float(plc_half_from_float(value))));
        else
            assert_int_equal(plc_half_from_float(value), bits);
    }
    assert_true(plc_half_to_float(0x3c00) == 1.0f && plc_half_to_float(0xc000) == -2.0f);
    assert_true(plc_half_to_float(0x0001) == 0x1p-24f && plc_half_to_float(0x7bff) == 65504.0f);
    assert_true(isinf(plc_half_to_float(0x7c00)) && isnan(plc_half_to_float(0x7c01)));
}

static void halfs_are_rounded_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    // All positive finite halfs: what lies just below, at and above the middle to the next one.
    for (unsigned bits = 0; bits < 0x7bff; bits++) {
        const float low = plc_half_to_float((uint16_t)bits);
        const float high = plc_half_to_float((uint16_t)(bits + 1));
        const float middle = low + (high - low) / 2;

        assert_int_equal(plc_half_from_float(middle), bits + (bits & 1));
        assert_int_equal(plc_half_from_float(nextafterf(middle, 0)), bits);
        assert_int_equal(plc_half_from_float(nextafterf(-middle, -INFINITY)), 0x8000 | (bits + 1));
    }
    assert_int_equal(plc_half_from_float(65519.996f), 0x7bff);
    assert_int_equal(plc_half_from_float(65520.0f), 0x7c00);
    assert_int_equal(plc_half_from_float(-INFINITY), 0xfc00);
    assert_int_equal(plc_half_from_float(1e30f), 0x7c00);
    assert_int_equal(plc_half_from_float(1e-30f), 0);
}

static void a_float_of_halfs_is_near_and_so_are_its_halfs(void **state)
{
    (void)state;
    for (float value = 0.5f; value < 1.5f; value += 0.01f) {
        const float made = plc_float_of_halfs(-value);
        uint16_t halfs[2];

        memcpy(halfs, &made, sizeof halfs);
        assert_true(fabsf(made + value) < 0.01f);
        for (int i = 0; i < 2; i++) {
            const float half = fabsf(plc_half_to_float(halfs[i]));
            assert_true(half >= 0.5f && half < 2.0f);
        }
    }
}

static void clock_does_not_go_back(void **state)
{
    double before = plc_clock_seconds();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        const double now = plc_clock_seconds();

        assert_true(now >= before);
        before = now;
    }
}

static void a_file_is_written_whole_and_read_back(void **state)
{
    char *path = path_of("whole"), *data = NULL;
    size_t size = 0;

    (void)state;
    assert_int_equal(plc_file_write_all(ctx, path, "a\0b", 3), PLEACH_OK);
    assert_int_equal(plc_file_read(ctx, path, 3, &data, &size), PLEACH_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "a\0b\0", 4);
    free(data);
    assert_int_equal(plc_file_read(ctx, path, 2, &data, &size), PLEACH_EINPUT);
    assert_null(data);
    assert_error_has("at most 2");
    assert_int_equal(plc_file_write_all(ctx, path, NULL, 0), PLEACH_OK);
    assert_int_equal(plc_file_read(ctx, path, 0, &data, &size), PLEACH_OK);
    assert_int_equal(size, 0);
    free(data);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void an_uncommitted_file_leaves_the_old_content_and_no_trace(void **state)
{
    char *path = path_of("kept"), *data = NULL;
    plc_file file = {0};
    size_t size = 0;

    (void)state;
    assert_int_equal(plc_file_write_all(ctx, path, "old", 3), PLEACH_OK);
    assert_int_equal(plc_file_open_atomic(ctx, path, &file), PLEACH_OK);
    assert_int_equal(plc_file_write(ctx, &file, "new content", 11), PLEACH_OK);
    plc_file_close(&file);
    plc_file_close(&file);
    assert_int_equal(plc_file_read(ctx, path, 100, &data, &size), PLEACH_OK);
    assert_string_equal(data, "old");
    free(data);
    assert_int_equal(unlink(path), 0);
    free(path); // drop_fixture's rmdir shows that no temporary file is left
}

static void two_writers_of_one_path_do_not_meet(void **state)
{
    char *path = path_of("two"), *data = NULL;
    plc_file first = {0}, second = {0};
    size_t size = 0;

    (void)state;
    assert_int_equal(plc_file_open_atomic(ctx, path, &first), PLEACH_OK);
    assert_int_equal(plc_file_open_atomic(ctx, path, &second), PLEACH_OK);
    assert_string_not_equal(first.temp_path, second.temp_path);
    assert_int_equal(plc_file_temp_path(ctx, path, &data), PLEACH_OK);
    assert_string_equal(first.temp_path, data);
    free(data);
    assert_int_equal(plc_file_write(ctx, &first, "1", 1), PLEACH_OK);
    assert_int_equal(plc_file_write(ctx, &second, "2", 1), PLEACH_OK);
    assert_int_equal(plc_file_commit(ctx, &second), PLEACH_OK);
    assert_int_equal(plc_file_commit(ctx, &first), PLEACH_OK);
    plc_file_close(&first);
    plc_file_close(&second);
    assert_int_equal(plc_file_read(ctx, path, 1, &data, &size), PLEACH_OK);
    assert_string_equal(data, "1");
    free(data);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void the_mode_of_a_file_follows_the_umask(void **state)
{
    char *path = path_of("mode");
    const mode_t before = umask(027);
    struct stat info;

    (void)state;
    assert_int_equal(plc_file_write_all(ctx, path, "x", 1), PLEACH_OK);
    umask(before);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void devices_folders_and_missing_files_are_refused_by_name(void **state)
{
    char *path = path_of("no/such/file"), *data = NULL;
    size_t size = 0;

    (void)state;
    assert_int_equal(plc_file_write_all(ctx, "/dev/null", "x", 1), PLEACH_EIO);
    assert_error_has("not a regular file");
    assert_int_equal(plc_file_write_all(ctx, folder, "x", 1), PLEACH_EIO);
    assert_int_equal(plc_file_write_all(ctx, path, "x", 1), PLEACH_EIO);
    assert_error_has(path);
    assert_int_equal(plc_file_read(ctx, path, 10, &data, &size), PLEACH_EIO);
    assert_error_has("No such file");
    assert_int_equal(plc_file_read(ctx, folder, 10, &data, &size), PLEACH_EIO);
    assert_error_has("folder");
    assert_false(plc_file_exists(path));
    assert_true(plc_file_exists(folder));
    free(path);
}

static void a_full_disk_fails_the_commit(void **state)
{
    char *path = path_of("full");
    plc_file file = {0};
    char block[4096] = {0};
    int saved = 0;

    (void)state;
    assert_int_equal(plc_file_open_atomic(ctx, path, &file), PLEACH_OK);
    saved = open("/dev/full", O_WRONLY);
    assert_true(saved >= 0);
    assert_true(dup2(saved, fileno(file.stream)) >= 0);
    close(saved);
    assert_true(plc_file_write(ctx, &file, block, 100) == PLEACH_OK);
    assert_int_equal(plc_file_commit(ctx, &file), PLEACH_EIO);
    assert_error_has("No space");
    plc_file_close(&file);
    assert_false(plc_file_exists(path));
    free(path);
}

static void folders_are_made_with_their_parents(void **state)
{
    char *a = path_of("a"), *b = path_of("a/b"), *c = path_of("a/b/c/");
    char *file = path_of("a/b/file"), *below = path_of("a/b/file/d");

    (void)state;
    assert_int_equal(plc_make_dirs(ctx, c), PLEACH_OK);
    assert_int_equal(plc_make_dirs(ctx, c), PLEACH_OK);
    assert_int_equal(plc_file_write_all(ctx, file, "", 0), PLEACH_OK);
    assert_int_equal(plc_make_dirs(ctx, file), PLEACH_EIO);
    assert_int_equal(plc_make_dirs(ctx, below), PLEACH_EIO);
    assert_error_has(file);
    if (plc_file_exists("/sys")) { // where nobody makes folders; what is told is mkdir's own reason
        assert_int_equal(plc_make_dirs(ctx, "/sys/pleach"), PLEACH_EIO);
        assert_null(strstr(pleach_error(ctx), "No such file"));
    }
    assert_int_equal(unlink(file) | rmdir(c) | rmdir(b) | rmdir(a), 0);
    free(a), free(b), free(c), free(file), free(below);
}

static void paths_are_joined_with_one_slash(void **state)
{
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = NULL;

        assert_int_equal(plc_path_join(ctx, cases[i][0], cases[i][1], &path), PLEACH_OK);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_text_is_empty_before_the_first_failure),
        cmocka_unit_test(failing_records_the_text_and_returns_the_status),
        cmocka_unit_test(an_error_may_quote_the_error_before_it),
        cmocka_unit_test(exit_codes_are_those_of_the_manual),
        cmocka_unit_test(log_reaches_the_callback_only),
        cmocka_unit_test(allocated_memory_is_zero_and_overflow_is_refused),
        cmocka_unit_test(a_grown_array_keeps_its_items_and_zeroes_its_new_room),
        cmocka_unit_test(philox_gives_the_known_answers_of_random123),
        cmocka_unit_test(seed_stream_step_and_index_each_change_the_numbers),
        cmocka_unit_test(uniform_numbers_fill_the_half_open_interval),
        cmocka_unit_test(normal_numbers_have_mean_deviation_and_kurtosis_of_a_normal),
        cmocka_unit_test(a_shuffle_is_a_permutation_that_seed_and_step_decide),
        cmocka_unit_test(bounded_integers_reach_every_value_evenly),
        cmocka_unit_test(a_text_grows_and_is_handed_over),
        cmocka_unit_test(what_is_no_utf_8_becomes_question_marks),
        cmocka_unit_test(the_nearest_name_is_found_only_when_it_is_near),
        cmocka_unit_test(numbers_for_people_are_short),
        cmocka_unit_test(durations_for_people_are_short),
        cmocka_unit_test(hash_is_xxh3_of_128_bits),
        cmocka_unit_test(every_half_survives_the_way_through_float),
        cmocka_unit_test(halfs_are_rounded_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(a_float_of_halfs_is_near_and_so_are_its_halfs),
        cmocka_unit_test(clock_does_not_go_back),
        cmocka_unit_test(a_file_is_written_whole_and_read_back),
        cmocka_unit_test(an_uncommitted_file_leaves_the_old_content_and_no_trace),
        cmocka_unit_test(two_writers_of_one_path_do_not_meet),
        cmocka_unit_test(the_mode_of_a_file_follows_the_umask),
        cmocka_unit_test(devices_folders_and_missing_files_are_refused_by_name),
        cmocka_unit_test(a_full_disk_fails_the_commit),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(paths_are_joined_with_one_slash),
    };

    return cmocka_run_group_tests_name("base", tests, make_fixture, drop_fixture);
}
