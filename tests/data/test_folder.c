// Tests of folders of pictures and of packs: what is found, what is refused, and that bits depend on nothing
// but the pictures, the options and the seed.
#include <context.h>
#include <picture_files.h>

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <base/random.h>
#include <data/check.h>
#include <data/loader.h>
#include <data/pack.h>

static char folder[] = "/tmp/pleach-test-folder-XXXXXX";

#define assert_error_has(text)                                                                     \
    do {                                                                                           \
        if (!strstr(pleach_error(ctx), text))                                                      \
            fail_msg("'%s' is not in the error '%s'", text, pleach_error(ctx));                    \
    } while (0)

static void path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static void put(const char *name, const void *data, size_t size)
{
    char path[256], dir[256];

    path_of(name, path);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    assert_ok(plc_make_dirs(ctx, dir));
    assert_ok(plc_file_write_all(ctx, path, data, size));
}

// A JPEG or PNG, by its name, of 24 x 20 pixels and more.
static void put_picture(const char *name, int seed)
{
    const plc_made_jpeg jpeg = {24 + seed, 20 + seed % 3, seed, 3, seed % 2, false};
    const plc_made_png png = {24, 20 + seed, seed, PNG_COLOR_TYPE_RGB, 8, false};
    size_t size = 0;
    uint8_t *bytes = strstr(name, ".png") ? plc_make_png(&png, &size) : plc_make_jpeg(&jpeg, &size);

    put(name, bytes, size);
    free(bytes);
}

static void empty_folder(void)
{
    char command[300];

    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

// Classes ant, bee, cow of n pictures each.
static void put_classes(const char *below, int n)
{
    static const char *const classes[] = {"cow", "ant", "bee"};

    for (int c = 0; c < 3; c++)
        for (int i = 0; i < n; i++) {
            char name[128];

            snprintf(name, sizeof name, "%s%s/%02d.%s", below, classes[c], i,
                     i % 3 == 0   ? "png"
                     : i % 3 == 1 ? "jpg"
                                  : "JPEG");
            put_picture(name, c + i);
        }
}

static pleach_status open_with(const char *options, pleach_dataset **dataset)
{
    char source[512];

    snprintf(source, sizeof source, "folder:%s%s", folder, options);
    return pleach_dataset_open(ctx, source, NULL, dataset);
}

static pleach_dataset *opened(const char *options)
{
    pleach_dataset *dataset = NULL;

    assert_ok(open_with(options, &dataset));
    return dataset;
}

static void assert_refused(const char *options, pleach_status expected, const char *text)
{
    pleach_dataset *dataset = NULL;

    assert_int_equal(open_with(options, &dataset), expected);
    assert_null(dataset);
    assert_error_has(text);
}

static void classes_are_sorted_and_train_and_val_are_found(void **state)
{
    int counts[3] = {0};

    (void)state;
    put_classes("train/", 4);
    put_classes("val/", 2);
    put("train/ant/notes.txt", "x", 1);
    put("train/ant/.hidden.jpg", "x", 1);
    pleach_dataset *d = opened(",size=16");
    assert_string_equal(pleach_dataset_name(d), "folder");
    assert_int_equal(pleach_dataset_n_classes(d), 3);
    assert_string_equal(pleach_dataset_class_name(d, 0), "ant");
    assert_string_equal(pleach_dataset_class_name(d, 2), "cow");
    assert_int_equal(pleach_dataset_n_train(d), 12);
    assert_int_equal(pleach_dataset_n_test(d), 6);
    assert_true(d->channels == 3 && d->height == 16 && d->width == 16);
    assert_int_equal(d->train_pictures->side, 18);
    for (int i = 0; i < 12; i++)
        counts[d->train.labels[i]]++;
    assert_true(counts[0] == 4 && counts[1] == 4 && counts[2] == 4);
    assert_true(strstr(d->train_pictures->paths[0], "train/") == d->train_pictures->paths[0]);
    pleach_dataset_destroy(&d);
    assert_refused(",val=0.5", PLEACH_EUSAGE, "would hold out nothing");
    empty_folder();
}

// Of the pictures to test with, "ant/00.png ..." by number.
static void list_val(const pleach_dataset *d, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < d->test_pictures->n; i++) {
        const size_t length = strlen(text);

        snprintf(text + length, size - length, "%s ", d->test_pictures->paths[i]);
    }
}

static void a_share_of_each_class_is_held_out_by_the_seed(void **state)
{
    char a[1024], b[1024];
    int counts[3] = {0};

    (void)state;
    put_classes("", 10);
    pleach_dataset *d = opened(",val=0.3,size=16");
    list_val(d, a, sizeof a);
    assert_int_equal(d->test.n_images, 9);
    for (int i = 0; i < 9; i++)
        counts[d->test.labels[i]]++;
    assert_true(counts[0] == 3 && counts[1] == 3 && counts[2] == 3);
    for (int i = 0; i < d->train_pictures->n; i++)
        assert_null(strstr(a, d->train_pictures->paths[i]));
    pleach_dataset_destroy(&d);
    d = opened(",size=16,val=0.3");
    list_val(d, b, sizeof b);
    assert_string_equal(a, b);
    pleach_dataset_destroy(&d);
    d = opened(",size=16,val=0.3,seed=1");
    list_val(d, b, sizeof b);
    assert_string_not_equal(a, b);
    pleach_dataset_destroy(&d);
    empty_folder();
}

static void links_and_pipes_are_never_followed(void **state)
{
    static const char *const cases[][2] = {{"/etc/passwd", "ant/99.jpg"},
                                           {"../../etc/passwd", "ant/99.jpg"},
                                           {"00.png", "ant/99.jpg"},
                                           {"ant", "dog"},
                                           {"/etc", "dog"}};
    char path[256];

    (void)state;
    put_classes("", 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        path_of(cases[i][1], path);
        assert_int_equal(symlink(cases[i][0], path), 0);
        assert_refused("", PLEACH_EINPUT, "is a link, which is not followed");
        assert_error_has(cases[i][1]);
        unlink(path);
    }
    path_of("ant/99.jpg", path);
    assert_int_equal(mkfifo(path, 0600), 0); // opening it for reading would wait for ever
    assert_refused("", PLEACH_EINPUT, "ant/99.jpg: is not a regular file");
    unlink(path);
    assert_refused("/../pleach-no-such", PLEACH_EIO, "cannot open the folder");
    empty_folder();
}

static void a_file_is_opened_without_links_even_when_they_came_later(void **state)
{
    static const char *const paths[] = {"a/../b/x", "../x", "a//x", "l/x", "b/l", "", "b"};
    plc_picture_scratch scratch = {0};
    char path[256], target[256];
    size_t size = 0;

    (void)state;
    put("b/x", "hello", 5);
    path_of("b", target);
    path_of("l", path);
    assert_int_equal(symlink(target, path), 0);
    path_of("b/l", path);
    assert_int_equal(symlink("x", path), 0);
    plc_folder at = {0};
    plc_data_spec spec = {.path = folder, .val = 0.1};
    assert_ok(plc_folder_list(ctx, &spec, &at));
    assert_ok(plc_picture_file_read(ctx, at.fd, "b/x", "b/x", &scratch, &size));
    assert_true(size == 5 && memcmp(scratch.bytes, "hello", 5) == 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (plc_picture_file_read(ctx, at.fd, paths[i], "name", &scratch, &size) == PLEACH_OK)
            fail_msg("'%s' was read", paths[i]);
    plc_folder_finish(&at);
    plc_picture_scratch_finish(&scratch);
    empty_folder();
}

static void wrong_layouts_and_bad_pictures_are_named(void **state)
{
    (void)state;
    assert_refused("", PLEACH_EINPUT, "holds no folders of classes");
    put_classes("train/", 2);
    assert_refused("", PLEACH_EINPUT, "has train/ but no val/");
    put_classes("val/", 1);
    put_picture("val/dog/1.jpg", 1);
    assert_refused("", PLEACH_EINPUT, "val/dog: is a class that train/ has not");
    empty_folder();
    put_classes("", 2);
    put("dog/readme.txt", "x", 1);
    assert_refused("", PLEACH_EINPUT, "dog: holds no .jpg, .jpeg or .png file");
    put_picture("dog/1.png", 1);
    put("dog/2.jpg", "not a picture", 13);
    put("dog/3.png", "", 0);
    assert_refused(",val=0.001", PLEACH_EINPUT, "dog/");
    empty_folder();
}

static void wrong_options_are_refused(void **state)
{
    static const char *const cases[][2] = {{",size=3", "size=3: expected"},
                                           {",size=1025", "size=1025"},
                                           {",size=", "size="},
                                           {",size=1.5", "size=1.5"},
                                           {",channels=2", "expected 1 (grey) or"},
                                           {",val=1", "val=1"},
                                           {",siz=16", "did you mean 'size'?"},
                                           {",size=64,store=32", "store=32 is below size=64"},
                                           {",jitter=nan", "jitter=nan"},
                                           {",threads=0", "threads=0"},
                                           {",area=0", "area=0"},
                                           {",cache=-1", "cache=-1"}};

    (void)state;
    put_classes("", 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i][0], PLEACH_EUSAGE, cases[i][1]);
    empty_folder();
    pleach_dataset *dataset = NULL;
    assert_int_equal(pleach_dataset_open(ctx, "folder:,size=16", NULL, &dataset), PLEACH_EUSAGE);
    assert_int_equal(pleach_dataset_open(ctx, "folder", NULL, &dataset), PLEACH_EUSAGE);
}

enum { SIZE = 16, VIEW_BYTES = 3 * SIZE * SIZE, N_STEPS = 14 };

// All batches of `n_epochs` into `bytes`, one after another; returns how many bytes.
static size_t collect(const plc_split *split, plc_loader_opts opts, uint8_t *bytes)
{
    plc_loader *loader = NULL;
    plc_batch batch = {0};
    size_t n = 0;

    assert_ok(plc_loader_create(ctx, split, &opts, &loader));
    while (plc_loader_next(loader, &batch)) {
        for (int i = 0; i < batch.n; i++)
            assert_int_equal(batch.labels[i], split->labels[batch.ids[i]]);
        memcpy(bytes + n, batch.images, (size_t)batch.n * split->image_bytes);
        n += (size_t)batch.n * split->image_bytes;
        plc_loader_release(loader);
    }
    assert_ok(plc_loader_failure(loader, ctx));
    plc_loader_destroy(&loader);
    return n;
}

enum { N_EACH = 9, N_ALL = 3 * N_EACH, N_TRAIN = 24, N_EPOCHS = 3 };
static uint8_t whole[N_EPOCHS * N_TRAIN * VIEW_BYTES], other[sizeof whole];

static void bits_depend_neither_on_cache_nor_on_threads(void **state)
{
    static const char *const variants[] = {"", ",cache=0", ",threads=1", ",cache=0,threads=1",
                                           ",threads=7,cache=0"};
    const plc_loader_opts opts = {
        .batch = 10, .seed = 3, .shuffle = true, .vary = true, .n_epochs = N_EPOCHS};
    float mean = 0;

    (void)state;
    put_classes("", N_EACH);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        char options[64];

        snprintf(options, sizeof options, ",size=%d%s", SIZE, variants[i]);
        pleach_dataset *d = opened(options);
        assert_int_equal(d->train.n_images, N_TRAIN);
        assert_true((d->train_pictures->cache != NULL) == !strstr(options, "cache=0"));
        assert_int_equal(collect(&d->train, opts, i ? other : whole), sizeof whole);
        if (i > 0)
            assert_memory_equal(other, whole, sizeof whole);
        assert_true(i == 0 || mean == d->mean[0]);
        mean = d->mean[0];
        pleach_dataset_destroy(&d);
    }
    assert_memory_not_equal(whole, whole + sizeof whole / N_EPOCHS, sizeof whole / N_EPOCHS);
    empty_folder();
}

static void a_resumed_loader_gives_the_same_bits(void **state)
{
    plc_loader_opts opts = {
        .batch = 7, .seed = 3, .shuffle = true, .vary = true, .n_epochs = N_EPOCHS};
    const size_t epoch = (size_t)N_TRAIN * VIEW_BYTES, step = 7 * VIEW_BYTES;

    (void)state;
    put_classes("", N_EACH);
    pleach_dataset *d = opened(",size=16,cache=0");
    collect(&d->train, opts, whole);
    for (int e = 0; e < N_EPOCHS; e++)
        for (int s = 0; s < 4; s++) {
            const size_t skipped = (size_t)e * epoch + (size_t)s * step;

            opts.epoch = e;
            opts.step = s;
            opts.n_epochs = N_EPOCHS - e;
            assert_int_equal(collect(&d->train, opts, other), sizeof whole - skipped);
            assert_memory_equal(other, whole + skipped, sizeof whole - skipped);
        }
    pleach_dataset_destroy(&d);
    empty_folder();
}

static void evaluation_shows_the_centre_and_calibration_its_own_pictures(void **state)
{
    const plc_loader_opts opts = {.batch = 4, .n_epochs = 1};
    plc_picture_scratch scratch = {0};
    const uint8_t *square = NULL;
    pleach_dataset *d = NULL;
    char source[300];

    (void)state;
    put_classes("", N_EACH);
    snprintf(source, sizeof source, "folder:%s,size=16", folder);
    assert_ok(pleach_dataset_open(ctx, source, &(pleach_dataset_opts){.n_calibration = 5}, &d));
    assert_int_equal(d->train.n_images, N_TRAIN - 5);
    assert_int_equal(collect(&d->calibration, opts, whole), 5 * VIEW_BYTES);
    for (int i = 0; i < 5; i++) {
        assert_ok(plc_pictures_square(ctx, d->train_pictures, N_TRAIN - 5 + i, &scratch, &square));
        for (int y = 0; y < SIZE; y++) // the stored side is 18
            assert_memory_equal(whole + i * VIEW_BYTES + y * SIZE, square + (y + 1) * 18 + 1, SIZE);
        assert_int_equal(d->calibration.labels[i], d->train_pictures->labels[N_TRAIN - 5 + i]);
    }
    plc_picture_scratch_finish(&scratch);
    pleach_dataset_destroy(&d);
    empty_folder();
}

static void a_picture_that_goes_bad_later_ends_the_loader_with_its_name(void **state)
{
    const plc_loader_opts opts = {.batch = 6, .shuffle = true, .vary = true};
    plc_loader *loader = NULL;
    plc_batch batch = {0};

    (void)state;
    put_classes("", N_EACH);
    pleach_dataset *d = opened(",size=16,cache=0");
    put(d->train_pictures->paths[3], "spoilt", 6);
    assert_ok(plc_loader_create(ctx, &d->train, &opts, &loader));
    for (int i = 0; i < 4 && plc_loader_next(loader, &batch); i++)
        plc_loader_release(loader);
    assert_false(plc_loader_next(loader, &batch));
    assert_int_equal(plc_loader_failure(loader, ctx), PLEACH_EINPUT);
    assert_error_has(d->train_pictures->paths[3]);
    plc_loader_destroy(&loader);
    pleach_dataset_destroy(&d);
    empty_folder();
}

static void grey_and_colour_become_what_is_asked_for(void **state)
{
    const plc_made_png grey = {20, 20, 1, PNG_COLOR_TYPE_GRAY, 8, false};
    const uint8_t *square = NULL;
    size_t size = 0;
    uint8_t *bytes = plc_make_png(&grey, &size);

    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[32];

        snprintf(name, sizeof name, "g/%d.png", i);
        put(name, bytes, size);
        snprintf(name, sizeof name, "c/%d.png", i);
        put_picture(name, 0);
    }
    free(bytes);
    for (int channels = 1; channels <= 3; channels += 2) {
        char options[64];

        snprintf(options, sizeof options, ",size=16,channels=%d", channels);
        pleach_dataset *d = opened(options);
        plc_picture_scratch scratch = {0};
        assert_int_equal(d->channels, channels);
        for (int i = 0; i < d->train.n_images; i++) {
            assert_ok(plc_pictures_square(ctx, d->train_pictures, i, &scratch, &square));
            if (channels == 3 && d->train.labels[i] == 1)
                assert_memory_equal(square, square + 18 * 18, 18 * 18);
        }
        plc_picture_scratch_finish(&scratch);
        pleach_dataset_destroy(&d);
    }
    empty_folder();
}

static void check_lists_every_bad_file_and_why(void **state)
{
    static const char *const bad[][2] = {{"ant/empty.jpg", "is empty (0 bytes)"},
                                         {"ant/text.png", "neither a JPEG nor a PNG"},
                                         {"bee/cut.jpg", "bad JPEG: Premature end"},
                                         {"bee/huge.png", "claims 60000 x 60000 pixels"},
                                         {"bee/link.jpg", "is a link, which is not followed"}};
    const plc_made_png png = {24, 24, 1, PNG_COLOR_TYPE_RGB, 8, false};
    const plc_made_jpeg jpeg = {24, 24, 1, 3, false, false};
    plc_data_check check = {0};
    char source[300], path[256];
    size_t size = 0;
    uint8_t *bytes = plc_make_png(&png, &size);

    (void)state;
    put_classes("", 4);
    put(bad[0][0], "", 0);
    put(bad[1][0], "text", 4);
    memcpy(bytes + 16, (uint8_t[]){0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60}, 8);
    put(bad[3][0], bytes, size);
    free(bytes);
    bytes = plc_make_jpeg(&jpeg, &size);
    put(bad[2][0], bytes, size / 2 + 100);
    free(bytes);
    path_of(bad[4][0], path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    put("cow/notes.txt", "x", 1);
    snprintf(source, sizeof source, "folder:%s", folder);
    assert_ok(plc_data_check_run(ctx, source, &check));
    assert_int_equal(check.n_bad, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(check.bad[i].path, bad[i][0]);
        if (!strstr(check.bad[i].why, bad[i][1]))
            fail_msg("%s: '%s' is not in '%s'", bad[i][0], bad[i][1], check.bad[i].why);
    }
    assert_int_equal(check.n_images, 12 + 4);
    assert_int_equal(check.n_ignored, 1);
    assert_int_equal(check.n_classes, 3);
    assert_string_equal(check.classes[2].name, "cow");
    assert_int_equal(check.classes[2].train + check.classes[2].val, 4);
    assert_true(check.width.least == 24 && check.width.most > 24 && check.height.least == 20);
    plc_data_check_finish(&check);
    empty_folder();
}

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
        {88, 8, 1, "its header says 1; was it cut?"},
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

static int make_folder(void **state)
{
    return make_fixture(state) || !mkdtemp(folder);
}

static int drop_folder(void **state)
{
    return drop_fixture(state) || rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_sorted_and_train_and_val_are_found),
        cmocka_unit_test(a_share_of_each_class_is_held_out_by_the_seed),
        cmocka_unit_test(links_and_pipes_are_never_followed),
        cmocka_unit_test(a_file_is_opened_without_links_even_when_they_came_later),
        cmocka_unit_test(wrong_layouts_and_bad_pictures_are_named),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(bits_depend_neither_on_cache_nor_on_threads),
        cmocka_unit_test(a_resumed_loader_gives_the_same_bits),
        cmocka_unit_test(evaluation_shows_the_centre_and_calibration_its_own_pictures),
        cmocka_unit_test(a_picture_that_goes_bad_later_ends_the_loader_with_its_name),
        cmocka_unit_test(grey_and_colour_become_what_is_asked_for),
        cmocka_unit_test(check_lists_every_bad_file_and_why),
        cmocka_unit_test(a_packed_folder_gives_the_same_bits),
        cmocka_unit_test(pack_headers_that_lie_are_refused),
        cmocka_unit_test(damaged_packs_never_crash_and_are_found),
    };

    return cmocka_run_group_tests_name("folder", tests, make_folder, drop_folder);
}
