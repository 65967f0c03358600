// Tests of packs: the same bits as their folder, and nothing in them is trusted.
#include "picture_folder.h"

#include <base/random.h>
#include <data/pack.h>

static char pack_path[256];

static void pack_folder(void)
{
    pleach_dataset *d = opened(",size=16");

    path_of("x.pack", pack_path);
    assert_ok(plc_pack_write(ctx, d, pack_path));
    pleach_dataset_destroy(&d);
}

static void a_packed_folder_gives_the_same_bits(void **state)
{
    const plc_loader_opts vary = {.batch = 10,
                                  .seed = 3,
                                  .shuffle = true,
                                  .vary = true,
                                  .n_epochs = N_EPOCHS},
                          plain = {.batch = 2, .n_epochs = 1};
    pleach_dataset *packed = NULL;
    char source[300];

    (void)state;
    put_classes("", N_EACH);
    pack_folder();
    pleach_dataset *d = opened(",size=16");
    snprintf(source, sizeof source, "pack:%s,size=16", pack_path);
    assert_ok(pleach_dataset_open(ctx, source, NULL, &packed));
    assert_string_equal(pleach_dataset_name(packed), "pack");
    assert_string_equal(pleach_dataset_class_name(packed, 1), "bee");
    assert_memory_equal(packed->mean, d->mean, sizeof d->mean);
    assert_memory_equal(packed->deviation, d->deviation, sizeof d->deviation);
    collect(&d->train, vary, whole);
    assert_int_equal(collect(&packed->train, vary, other), sizeof whole);
    assert_memory_equal(other, whole, sizeof whole);
    const size_t n = collect(&d->test, plain, whole);
    assert_int_equal(n, (N_ALL - N_TRAIN) * VIEW_BYTES);
    assert_int_equal(collect(&packed->test, plain, other), n);
    assert_memory_equal(other, whole, n);
    pleach_dataset_destroy(&packed);
    snprintf(source, sizeof source, "pack:%s", pack_path);
    assert_ok(pleach_dataset_open(ctx, source, NULL, &packed)); // without a size: as it is stored
    assert_int_equal(packed->height, 18);
    pleach_dataset_destroy(&packed);
    snprintf(source, sizeof source, "pack:%s,size=19", pack_path);
    assert_int_equal(pleach_dataset_open(ctx, source, NULL, &packed), PLEACH_EUSAGE);
    assert_error_has("holds images of side 18, size=19 is more");
    pleach_dataset_destroy(&d);
    empty_folder();
}

static void pack_headers_that_lie_are_refused(void **state)
{
    static const struct {
        int at, bytes;
        uint64_t value;
        const char *text;
    } cases[] = {
        {0, 8, 0, "is no pack"},
        {8, 4, 2, "the version is 2"},
        {12, 4, 2, "2 channels"},
        {12, 4, 0, "channels is 0"},
        {16, 4, 0, "the side is 0"},
        {16, 4, 1025, "the side is 1025"},
        {16, 4, 1024, "images lie at"},
        {20, 4, 0, "classes is 0"},
        {20, 4, 65536, "classes is 65536"},
        {20, 4, 2, "behind the names of 2 classes"},
        {20, 4, 4, "the name of class 3 has no end"},
        {24, 4, 0, "training images is 0"},
        {24, 4, 0xffffffff, "training images is 4294967295"},
        {24, 4, 10000000, "images lie at"},
        {28, 4, 10000000, "images lie at"},
        {32, 4, 0x7fc00000, "has mean nan"},
        {44, 4, 0, "deviation 0"},
        {56, 8, 0, "names of classes lie at 0"},
        {56, 8, UINT64_MAX, "names of classes lie at"},
        {64, 8, UINT64_MAX, "names of classes lie at"},
        {64, 8, 1, "3 names take 1 bytes"},
        {72, 8, UINT64_MAX - 1, "labels lie at"},
        {72, 8, 128, "label of image"}, // there are letters
        {80, 8, UINT64_MAX - 4095, "images lie at"},
        {80, 8, 8192, "images lie at 8192"},
        {88, 8, 1, "its header says 1; the file is cut off"},
    };
    char *bytes = NULL;
    size_t size = 0;

    (void)state;
    put_classes("", N_EACH);
    pack_folder();
    assert_ok(plc_file_read(ctx, pack_path, 1 << 20, &bytes, &size));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *copy = malloc(size);
        plc_pack pack = {0};

        memcpy(copy, bytes, size);
        for (int j = 0; j < cases[i].bytes; j++)
            copy[cases[i].at + j] = (uint8_t)(cases[i].value >> 8 * j);
        assert_int_equal(plc_pack_parse(ctx, "p", copy, size, &pack), PLEACH_EINPUT);
        if (cases[i].at) // the magic number is looked at first
            assert_error_has("check sum differs");
        plc_pack_seal(copy);
        if (plc_pack_parse(ctx, "p", copy, size, &pack) != PLEACH_EINPUT)
            fail_msg("case %zu: the pack is read", i);
        assert_error_has(cases[i].text);
        free(copy);
    }
    free(bytes);
    empty_folder();
}

static void damaged_packs_never_crash_and_are_found(void **state)
{
    enum { N_ROUNDS = 400 };
    plc_pack pack = {0};
    char *bytes = NULL;
    size_t size = 0;

    (void)state;
    put_classes("", N_EACH);
    pack_folder();
    assert_ok(plc_file_read(ctx, pack_path, 1 << 20, &bytes, &size));
    for (size_t cut = 0; cut < size; cut += cut < 400 ? 1 : 97)
        assert_int_equal(plc_pack_parse(ctx, "p", (uint8_t *)bytes, cut, &pack), PLEACH_EINPUT);
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        const plc_u32x4 draw = plc_random_u32x4(11, PLC_STREAM_TEST, 0, round);
        const uint32_t at = plc_random_below(draw.x, 120);
        uint8_t *copy = malloc(size);

        memcpy(copy, bytes, size);
        copy[at] ^= (uint8_t)(draw.y % 255 + 1);
        plc_pack_seal(copy);
        if (plc_pack_parse(ctx, "p", copy, size, &pack) == PLEACH_OK)
            for (size_t i = 0; i < (size_t)pack.n_classes; i++)
                assert_true(strlen(pack.class_names[i]) < size);
        plc_pack_finish(&pack);
        free(copy);
    }
    put("x.pack", bytes, size);
    assert_ok(plc_pack_open(ctx, pack_path, &pack));
    assert_ok(plc_pack_verify(ctx, pack_path, &pack));
    plc_pack_finish(&pack);
    bytes[size - 5] ^= 1;
    put("x.pack", bytes, size);
    assert_ok(plc_pack_open(ctx, pack_path, &pack));
    assert_int_equal(plc_pack_verify(ctx, pack_path, &pack), PLEACH_EINPUT);
    assert_error_has("is damaged");
    plc_pack_finish(&pack);
    free(bytes);
    empty_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_folder_gives_the_same_bits),
        cmocka_unit_test(pack_headers_that_lie_are_refused),
        cmocka_unit_test(damaged_packs_never_crash_and_are_found),
    };

    return cmocka_run_group_tests_name("pack", tests, make_folder, drop_folder);
}
