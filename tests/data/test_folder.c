// Tests of folders of pictures: what is found, what is refused, and that bits depend on nothing
// but the pictures, the options and the seed.
#include "picture_folder.h"

#include <data/check.h>
#include <data/folder.h>

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

// Pictures of vehicles: a train among them is no half of a split.
static void a_class_may_be_called_train_or_val(void **state)
{
    static const char *const names[] = {"train", "val"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char picture[64], more[64];

        snprintf(picture, sizeof picture, "%s/1.jpg", names[i]);
        snprintf(more, sizeof more, "%s/more/2.jpg",
                 names[i]); // a folder within a class is left alone
        put_classes("", 2);
        put_picture(picture, 1);
        put_picture(more, 2);
        pleach_dataset *d = opened("");
        assert_int_equal(pleach_dataset_n_classes(d), 4);
        assert_string_equal(pleach_dataset_class_name(d, 3), names[i]);
        pleach_dataset_destroy(&d);
        empty_folder();
    }
    put_classes("val/", 2);
    assert_refused("", PLEACH_EINPUT, "has val/ but no train/");
    put_picture("val/cover.jpg", 1); // a class has others beside it
    assert_refused("", PLEACH_EINPUT, "has val/ but no train/");
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
    static const char *const cases[][2] = {
        {",size=3", "size=3: expected a whole number from 4 to 1024"},
        {",size=1025", "size=1025"},
        {",size=", "size="},
        {",size=1.5", "size=1.5"},
        {",channels=2", "expected 1 (grey) or"},
        {",val=1", "val=1: expected a number from 0.001 to 0.9"},
        {",siz=16", "did you mean 'size'?"},
        {",size=64,store=32", "store=32 is below size=64"},
        {",jitter=nan", "jitter=nan"},
        {",threads=0", "threads=0"},
        {",seed=-1", "from 0 to 4294967295"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_sorted_and_train_and_val_are_found),
        cmocka_unit_test(a_class_may_be_called_train_or_val),
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
    };

    return cmocka_run_group_tests_name("folder", tests, make_folder, drop_folder);
}
