// Tests of src/data: data sets good and bad, the loader's order, resuming and shutdown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <base/file.h>
#include <base/random.h>
#include <data/data.h>
#include <data/loader.h>

enum { N_TRAIN = 12, N_TEST = 5, SIDE = 4, PLANE = SIDE * SIDE };
enum { IMAGES_HEADER = 16, LABELS_HEADER = 8 };

static pleach_ctx *ctx;
static char folder[] = "/tmp/pleach-test-data-XXXXXX";

static const char *const idx_names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

#define assert_error_has(text)                                                                     \
    do {                                                                                           \
        if (!strstr(pleach_error(ctx), text))                                                      \
            fail_msg("'%s' is not in the error '%s'", text, pleach_error(ctx));                    \
    } while (0)

static int make_fixture(void **state)
{
    (void)state;
    return pleach_ctx_create(&ctx) != PLEACH_OK || !mkdtemp(folder);
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    return rmdir(folder);
}

static char *path_of(const char *name)
{
    char *path = NULL;

    assert_int_equal(plc_path_join(ctx, folder, name, &path), PLEACH_OK);
    return path;
}

static void put(const char *name, const void *data, size_t size)
{
    char *path = path_of(name);

    assert_int_equal(plc_file_write_all(ctx, path, data, size), PLEACH_OK);
    free(path);
}

static void put_gzip(const char *name, const void *data, size_t size)
{
    char *path = path_of(name);
    gzFile stream = gzopen(path, "wb");

    assert_int_equal(gzwrite(stream, data, (unsigned)size), size);
    assert_int_equal(gzclose(stream), Z_OK);
    free(path);
}

static void drop(const char *name)
{
    char *path = path_of(name);

    unlink(path);
    free(path);
}

static void drop_idx(void)
{
    for (int i = 0; i < 4; i++) {
        char name[64];

        drop(idx_names[i]);
        snprintf(name, sizeof name, "%s.gz", idx_names[i]);
        drop(name);
    }
}

static void store_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

// File `which` (place in idx_names) of a small sound data set, into `bytes`.
static size_t make_idx(int which, uint8_t *bytes)
{
    const uint32_t n = which < 2 ? N_TRAIN : N_TEST;
    const size_t header = which % 2 ? LABELS_HEADER : IMAGES_HEADER;
    const size_t size = header + (which % 2 ? n : n * PLANE);

    store_u32(bytes, which % 2 ? 0x801 : 0x803);
    store_u32(bytes + 4, n);
    if (which % 2 == 0) {
        store_u32(bytes + 8, SIDE);
        store_u32(bytes + 12, SIDE);
    }
    for (size_t i = header; i < size; i++)
        bytes[i] = (uint8_t)(which % 2 ? (i - header) % 10 : (i * 7) % 256);
    return size;
}
enum { IDX_MAX = IMAGES_HEADER + N_TRAIN * PLANE };

static void put_idx(bool compressed)
{
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[IDX_MAX];
        const size_t size = make_idx(i, bytes);
        char name[64];

        snprintf(name, sizeof name, "%s.gz", idx_names[i]);
        if (compressed)
            put_gzip(name, bytes, size);
        else
            put(idx_names[i], bytes, size);
    }
}

static pleach_status open_as(const char *name, const pleach_dataset_opts *opts,
                             pleach_dataset **dataset)
{
    char source[128];

    snprintf(source, sizeof source, "%s:%s", name, folder);
    return pleach_dataset_open(ctx, source, opts, dataset);
}

static void assert_open_fails(const char *name, pleach_status expected, const char *text)
{
    pleach_dataset *dataset = NULL;
    const pleach_status status = open_as(name, NULL, &dataset);

    if (status != expected)
        fail_msg("status %d (%s), expected %d with '%s'", status, pleach_error(ctx), expected,
                 text);
    assert_null(dataset);
    assert_error_has(text);
}

static void real_fashion_mnist_is_read_with_its_known_statistics(void **state)
{
    pleach_dataset *dataset = NULL;
    int c = 0, h = 0, w = 0, counts[10] = {0};

    (void)state;
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0)
        skip();
    assert_int_equal(pleach_dataset_open(ctx, "fashion-mnist", NULL, &dataset), PLEACH_OK);
    pleach_dataset_shape(dataset, &c, &h, &w);
    assert_true(c == 1 && h == 28 && w == 28);
    assert_int_equal(pleach_dataset_n_train(dataset), 60000);
    assert_int_equal(pleach_dataset_n_test(dataset), 10000);
    assert_int_equal(pleach_dataset_n_calibration(dataset), 0);
    assert_int_equal(pleach_dataset_n_classes(dataset), 10);
    assert_string_equal(pleach_dataset_class_name(dataset, 9), "ankle boot");
    assert_null(pleach_dataset_class_name(dataset, 10));
    assert_null(pleach_dataset_class_name(dataset, -1));
    assert_true(fabs(dataset->mean[0] - 0.2860) < 5e-5); // as commonly printed
    assert_true(fabs(dataset->deviation[0] - 0.3530) < 5e-5);
    for (int i = 0; i < 60000; i++)
        counts[dataset->train.labels[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(counts[i], 6000);
    assert_int_equal(dataset->train.labels[0], 9);
    pleach_dataset_destroy(&dataset);
    assert_null(dataset);
}

static void plain_and_compressed_files_give_the_same_data(void **state)
{
    pleach_dataset *plain = NULL, *compressed = NULL;

    (void)state;
    put_idx(false);
    assert_int_equal(open_as("mnist", NULL, &plain), PLEACH_OK);
    drop_idx();
    put_idx(true);
    assert_int_equal(open_as("fashion-mnist", NULL, &compressed), PLEACH_OK);
    drop_idx();
    assert_string_equal(pleach_dataset_name(plain), "mnist");
    assert_int_equal(plain->train.n_images, N_TRAIN);
    assert_int_equal(plain->test.n_images, N_TEST);
    assert_memory_equal(plain->train.images, compressed->train.images, N_TRAIN * PLANE);
    assert_memory_equal(plain->train.labels, compressed->train.labels, N_TRAIN * sizeof(uint16_t));
    assert_memory_equal(plain->test.images, compressed->test.images, N_TEST * PLANE);
    assert_true(plain->mean[0] == compressed->mean[0]);
    pleach_dataset_destroy(&plain);
    pleach_dataset_destroy(&compressed);
}

static void calibration_images_are_the_last_and_limits_do_not_move_them(void **state)
{
    const pleach_dataset_opts aside = {.n_calibration = 3};
    const pleach_dataset_opts both = {.n_calibration = 3, .limit_train = 2, .limit_test = 4};
    const pleach_dataset_opts bad[] = {
        {.n_calibration = N_TRAIN}, {.n_calibration = -1}, {.limit_train = -1}, {.limit_test = -1}};
    pleach_dataset *a = NULL, *b = NULL;

    (void)state;
    put_idx(false);
    assert_int_equal(open_as("mnist", &aside, &a), PLEACH_OK);
    assert_int_equal(open_as("mnist", &both, &b), PLEACH_OK);
    assert_int_equal(pleach_dataset_n_train(a), N_TRAIN - 3);
    assert_int_equal(pleach_dataset_n_train(b), 2);
    assert_int_equal(pleach_dataset_n_test(b), 4);
    assert_int_equal(pleach_dataset_n_calibration(b), 3);
    assert_memory_equal(a->calibration.images, b->calibration.images, 3 * PLANE);
    assert_memory_equal(b->calibration.labels, ((uint16_t[]){9, 0, 1}), 3 * sizeof(uint16_t));
    assert_true(a->mean[0] != b->mean[0]); // of the images that are trained on
    pleach_dataset_destroy(&a);
    pleach_dataset_destroy(&b);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_as("mnist", &bad[i], &a), PLEACH_EUSAGE);
        assert_null(a);
    }
    drop_idx();
}

static void unknown_sources_are_answered_with_the_nearest(void **state)
{
    static const char *const cases[][2] = {
        {"fashon-mnist", "did you mean 'fashion-mnist'?"},
        {"cifar-10:/x", "did you mean 'cifar10'?"},
        {"imagenet", "no data set is called 'imagenet'"},
        {"", "no data set"},
        {":", "no data set"},
        {"mnist", "mnist:DIR"},
        {"cifar10:", "no folder"},
    };
    pleach_dataset *dataset = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pleach_dataset_open(ctx, cases[i][0], NULL, &dataset), PLEACH_EUSAGE);
        assert_error_has(cases[i][1]);
    }
    assert_int_equal(pleach_dataset_open(ctx, "mnist:/no/such", NULL, &dataset), PLEACH_EIO);
    assert_error_has("/no/such/train-images-idx3-ubyte.gz");
}

static void each_missing_idx_file_is_named(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        put_idx(false);
        drop(idx_names[i]);
        assert_open_fails("mnist", PLEACH_EIO, idx_names[i]);
        drop_idx();
    }
}

static void idx_headers_that_lie_are_refused(void **state)
{
    static const struct {
        int which;
        size_t offset;
        uint32_t value;
        const char *text;
    } cases[] = {
        {0, 0, 0x801, "byte 0: magic number is 0x00000801, expected 0x00000803"},
        {1, 0, 0x803, "byte 0: magic number is 0x00000803, expected 0x00000801"},
        {0, 0, 0x03080000, "magic"},
        {0, 4, 0, "byte 4: count is 0"},
        {0, 4, 0xffffffff, "byte 4: count is 4294967295"},
        {0, 4, 10000000,
         "bytes of images are missing; the file is cut off: copy"}, // within the caps
        {0, 4, N_TRAIN + 1, "16 bytes of images are missing"},
        {0, 4, N_TRAIN - 1, "goes on behind byte 192"},
        {0, 8, 0, "byte 8: height is 0"},
        {0, 8, 65536, "byte 8: height is 65536"},
        {0, 12, 0x80000000, "byte 12: width is 2147483648"},
        {2, 12, 2, "byte 8: images are 4 x 2, those of the other split 4 x 4"},
        {1, 4, N_TRAIN - 1, "count is 11, but there are 12 images"},
        {3, 4, N_TEST + 1, "count is 6, but there are 5 images"},
        {1, 8, 0x0a000000, "byte 8: label is 10, expected 0 to 9"},
        {3, 8, 0x000000ff, "byte 11: label is 255, expected 0 to 9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[IDX_MAX];
        const size_t size = make_idx(cases[i].which, bytes);

        put_idx(false);
        store_u32(bytes + cases[i].offset, cases[i].value);
        put(idx_names[cases[i].which], bytes, size);
        assert_open_fails("mnist", PLEACH_EINPUT, cases[i].text);
        assert_error_has(idx_names[cases[i].which]);
        drop_idx();
    }
}

static void sizes_whose_product_is_absurd_are_not_allocated(void **state)
{
    uint8_t bytes[IDX_MAX];
    const size_t size = make_idx(0, bytes);

    (void)state;
    put_idx(false);
    store_u32(bytes + 4, 10000000);
    store_u32(bytes + 8, 1024);
    store_u32(bytes + 12, 1024);
    put(idx_names[0], bytes, size);
    assert_open_fails("mnist", PLEACH_EINPUT, "more than 2048 MiB");
    drop_idx();
}

static void an_idx_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        uint8_t bytes[IDX_MAX];
        const size_t size = make_idx(which, bytes);

        put_idx(false);
        for (size_t cut = 0; cut < size; cut++) {
            char text[64];

            put(idx_names[which], bytes, cut);
            snprintf(text, sizeof text, "ends at byte %zu", cut);
            assert_open_fails("mnist", PLEACH_EINPUT, text);
        }
        drop_idx();
    }
}

static void a_compressed_idx_file_cut_or_damaged_is_refused(void **state)
{
    char *path = path_of("train-images-idx3-ubyte.gz"), *whole = NULL;
    size_t size = 0;
    pleach_dataset *dataset = NULL;

    (void)state;
    put_idx(true);
    assert_int_equal(plc_file_read(ctx, path, 100000, &whole, &size), PLEACH_OK);
    for (size_t cut = 0; cut < size; cut++) {
        put("train-images-idx3-ubyte.gz", whole, cut);
        assert_open_fails("mnist", PLEACH_EINPUT, "train-images-idx3-ubyte.gz: ");
    }
    whole[size - 5] ^= 1; // of the checksum
    put("train-images-idx3-ubyte.gz", whole, size);
    assert_open_fails("mnist", PLEACH_EINPUT, "incorrect data check");
    whole[size - 5] ^= 1;
    for (size_t i = 0; i < size; i++) {
        whole[i] ^= (char)(1 << i % 8);
        put("train-images-idx3-ubyte.gz", whole, size);
        if (open_as("mnist", NULL, &dataset) == PLEACH_OK) // flags and time do not matter
            assert_true(i < 10);
        pleach_dataset_destroy(&dataset);
        whole[i] ^= (char)(1 << i % 8);
    }
    free(whole);
    free(path);
    drop_idx();
}

static void idx_files_with_flipped_bits_never_crash(void **state)
{
    enum { N_ROUNDS = 400 };

    (void)state;
    put_idx(false);
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        const plc_u32x4 draw = plc_random_u32x4(1, PLC_STREAM_TEST, 0, round);
        const int which = (int)plc_random_below(draw.x, 4);
        uint8_t bytes[IDX_MAX];
        const size_t size = make_idx(which, bytes);
        // Headers are where it matters: half of the flips go there.
        const uint32_t reach = round % 2 ? 16 : (uint32_t)size;
        pleach_dataset *dataset = NULL;

        bytes[plc_random_below(draw.y, reach < size ? reach : (uint32_t)size)] ^=
            (uint8_t)(draw.z % 255 + 1);
        put(idx_names[which], bytes, size);
        if (open_as("mnist", NULL, &dataset) == PLEACH_OK) {
            pleach_dataset_destroy(&dataset);
        } else if (!strstr(pleach_error(ctx), idx_names[which]) &&
                   !strstr(pleach_error(ctx), "labels-idx1") &&
                   !strstr(pleach_error(ctx), "t10k-images")) {
            fail_msg("round %u: the error names no file: %s", round, pleach_error(ctx));
        }
        put(idx_names[which], bytes, make_idx(which, bytes));
    }
    drop_idx();
}

enum { CIFAR_IMAGE = 3072 };
static uint8_t cifar[3 * (2 + CIFAR_IMAGE)];

// Three records with labels first, first + 1, first + 2 and pixels of that value.
static size_t make_cifar(int n_label_bytes, int first)
{
    const size_t record = (size_t)n_label_bytes + CIFAR_IMAGE;

    for (int i = 0; i < 3; i++) {
        memset(cifar + i * record, first + i, record);
        if (n_label_bytes == 2)
            cifar[i * record] = 19;
    }
    return 3 * record;
}

static const char *const cifar10_files[] = {"data_batch_1.bin", "data_batch_2.bin",
                                            "data_batch_3.bin", "data_batch_4.bin",
                                            "data_batch_5.bin", "test_batch.bin"};

static void put_cifar10(const char *subfolder)
{
    for (int i = 0; i < 6; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s%s", subfolder, cifar10_files[i]);
        put(name, cifar, make_cifar(1, i));
    }
}

static void drop_cifar10(const char *subfolder)
{
    for (int i = 0; i < 6; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s%s", subfolder, cifar10_files[i]);
        drop(name);
    }
}

static void cifar10_is_read_from_its_folder_and_from_the_one_around_it(void **state)
{
    char *inner = path_of("cifar-10-batches-bin");

    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        const char *subfolder = nested ? "cifar-10-batches-bin/" : "";
        pleach_dataset *dataset = NULL;

        assert_int_equal(plc_make_dirs(ctx, inner), PLEACH_OK);
        put_cifar10(subfolder);
        assert_int_equal(open_as("cifar10", NULL, &dataset), PLEACH_OK);
        assert_int_equal(dataset->train.n_images, 15);
        assert_int_equal(dataset->test.n_images, 3);
        assert_true(dataset->channels == 3 && dataset->height == 32 && dataset->width == 32);
        for (int i = 0; i < 15; i++) {
            assert_int_equal(dataset->train.labels[i], i / 3 + i % 3);
            assert_int_equal(dataset->train.images[(i + 1) * CIFAR_IMAGE - 1], i / 3 + i % 3);
        }
        assert_string_equal(pleach_dataset_class_name(dataset, 6), "frog");
        assert_true(dataset->mean[0] == dataset->mean[2]);
        pleach_dataset_destroy(&dataset);
        drop_cifar10(subfolder);
        rmdir(inner);
    }
    free(inner);
}

static void cifar100_gives_fine_labels(void **state)
{
    pleach_dataset *dataset = NULL;

    (void)state;
    put("train.bin", cifar, make_cifar(2, 97));
    put("test.bin", cifar, make_cifar(2, 40));
    assert_int_equal(open_as("cifar100", NULL, &dataset), PLEACH_OK);
    assert_int_equal(pleach_dataset_n_classes(dataset), 100);
    assert_null(pleach_dataset_class_name(dataset, 0));
    assert_int_equal(dataset->train.labels[2], 99);
    assert_int_equal(dataset->test.images[0], 40);
    pleach_dataset_destroy(&dataset);
    put("train.bin", cifar, make_cifar(2, 98));
    assert_open_fails("cifar100", PLEACH_EINPUT, "byte 6149: label is 100, expected 0 to 99");
    make_cifar(2, 0);
    cifar[0] = 20;
    put("train.bin", cifar, 3 * (2 + CIFAR_IMAGE));
    assert_open_fails("cifar100", PLEACH_EINPUT, "byte 0: coarse label is 20, expected 0 to 19");
    drop("train.bin");
    drop("test.bin");
}

static void bad_cifar_files_are_refused_by_name(void **state)
{
    const size_t whole = 3 * (1 + CIFAR_IMAGE);
    const size_t sizes[] = {0, 1, CIFAR_IMAGE, CIFAR_IMAGE + 2, whole - 1};

    (void)state;
    for (int i = 0; i < 6; i++) {
        put_cifar10("");
        drop(cifar10_files[i]);
        assert_open_fails("cifar10", PLEACH_EIO, cifar10_files[i]);
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            make_cifar(1, 0);
            put(cifar10_files[i], cifar, sizes[j]);
            assert_open_fails("cifar10", PLEACH_EINPUT, "whole records of 3073 bytes");
            assert_error_has(cifar10_files[i]);
        }
        put(cifar10_files[i], cifar, make_cifar(1, 8));
        assert_open_fails("cifar10", PLEACH_EINPUT, "byte 6146: label is 10, expected 0 to 9");
    }
    drop_cifar10("");
}

enum { N_IMAGES = 103, IMAGE_BYTES = 5 };
static uint8_t images[N_IMAGES * IMAGE_BYTES];
static uint16_t labels[N_IMAGES];

// Image i holds i in each byte, its label is i % 10.
static plc_split make_split(void)
{
    for (int i = 0; i < N_IMAGES; i++) {
        memset(images + i * IMAGE_BYTES, i, IMAGE_BYTES);
        labels[i] = (uint16_t)(i % 10);
    }
    return (plc_split){
        .images = images, .labels = labels, .image_bytes = IMAGE_BYTES, .n_images = N_IMAGES};
}

// Appends up to `n_batches` batches' ids to `ids` (-1 behind each batch); returns how many entries.
static int collect(const plc_split *split, plc_loader_opts opts, int n_batches, int *ids)
{
    plc_loader *loader = NULL;
    plc_batch batch = {0};
    int n = 0;

    assert_int_equal(plc_loader_create(ctx, split, &opts, &loader), PLEACH_OK);
    for (int i = 0; i < n_batches && plc_loader_next(loader, &batch); i++) {
        for (int j = 0; j < batch.n; j++) {
            assert_int_equal(batch.labels[j], batch.ids[j] % 10);
            for (int k = 0; k < IMAGE_BYTES; k++)
                assert_int_equal(batch.images[j * IMAGE_BYTES + k], batch.ids[j]);
            ids[n++] = (int)batch.ids[j];
        }
        for (int j = batch.n; j < opts.batch; j++)
            assert_true(batch.images[j * IMAGE_BYTES] == 0 && batch.labels[j] == 0);
        assert_int_equal(batch.step, (opts.step + i) % plc_loader_steps_per_epoch(loader));
        assert_int_equal(batch.epoch,
                         opts.epoch + (opts.step + i) / plc_loader_steps_per_epoch(loader));
        ids[n++] = -1;
        plc_loader_release(loader);
    }
    plc_loader_destroy(&loader);
    return n;
}

static void an_epoch_gives_each_image_once(void **state)
{
    const plc_split split = make_split();
    int ids[N_IMAGES * 2], seen[N_IMAGES] = {0};
    const int n =
        collect(&split, (plc_loader_opts){.batch = 10, .shuffle = true, .n_epochs = 1}, 100, ids);

    (void)state;
    assert_int_equal(n, N_IMAGES + 11);
    for (int i = 0; i < n; i++)
        if (ids[i] >= 0)
            seen[ids[i]]++;
    for (int i = 0; i < N_IMAGES; i++)
        assert_int_equal(seen[i], 1);
}

static void without_shuffling_images_come_as_stored_and_drop_last_drops(void **state)
{
    const plc_split split = make_split();
    int ids[N_IMAGES * 2];
    const int n =
        collect(&split, (plc_loader_opts){.batch = 10, .drop_last = true, .n_epochs = 1}, 100, ids);

    (void)state;
    assert_int_equal(n, 110);
    for (int i = 0; i < n; i++)
        assert_int_equal(ids[i], i % 11 == 10 ? -1 : i / 11 * 10 + i % 11);
}

static void order_is_a_function_of_seed_and_epoch_only(void **state)
{
    const plc_split split = make_split();
    plc_loader_opts opts = {.batch = 103, .seed = 5, .shuffle = true, .n_buffers = 1};
    int a[312], b[312], c[104];

    (void)state;
    assert_int_equal(collect(&split, opts, 3, a), 312);
    opts.n_buffers = 7;
    collect(&split, opts, 3, b);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, a + 104, 104 * sizeof *a);
    opts.epoch = 2;
    collect(&split, opts, 1, c);
    assert_memory_equal(c, a + 208, sizeof c);
    opts.seed = 6;
    collect(&split, opts, 1, c);
    assert_memory_not_equal(c, a + 208, sizeof c);
}

static void a_resumed_loader_gives_the_batches_that_would_have_come(void **state)
{
    const plc_split split = make_split();
    plc_loader_opts opts = {.batch = 10, .seed = 9, .shuffle = true, .n_epochs = 3};
    enum { STEPS = 11, PER_EPOCH = N_IMAGES + STEPS };
    int whole[3 * PER_EPOCH], rest[3 * PER_EPOCH];

    (void)state;
    assert_int_equal(collect(&split, opts, 1000, whole), 3 * PER_EPOCH);
    for (int epoch = 0; epoch < 3; epoch++)
        for (int step = 0; step <= STEPS; step++) {
            const int skipped = epoch * PER_EPOCH + (step == STEPS ? PER_EPOCH : step * 11);
            const plc_loader_opts resumed = {.batch = 10,
                                             .seed = 9,
                                             .shuffle = true,
                                             .n_epochs = 3 - epoch,
                                             .epoch = epoch,
                                             .step = step};
            const int n = collect(&split, resumed, 1000, rest);

            assert_int_equal(n, 3 * PER_EPOCH - skipped);
            assert_memory_equal(rest, whole + skipped, (size_t)n * sizeof *rest);
        }
}

static void a_loader_can_be_destroyed_at_any_time(void **state)
{
    const plc_split split = make_split();
    const plc_loader_opts opts = {.batch = 7, .shuffle = true};

    (void)state;
    for (int taken = 0; taken <= 4; taken++)
        for (int released = 0; released <= taken; released++) {
            plc_loader *loader = NULL;
            plc_batch batch = {0};

            assert_int_equal(plc_loader_create(ctx, &split, &opts, &loader), PLEACH_OK);
            for (int i = 0; i < taken; i++)
                assert_true(plc_loader_next(loader, &batch));
            for (int i = 0; i < released; i++)
                plc_loader_release(loader);
            plc_loader_destroy(&loader);
            assert_null(loader);
            plc_loader_destroy(&loader);
        }
}

static void taken_batches_stay_as_they_are_until_released(void **state)
{
    const plc_split split = make_split();
    const plc_loader_opts opts = {.batch = 10, .n_buffers = 3};
    plc_loader *loader = NULL;
    plc_batch batches[2] = {{0}};

    (void)state;
    assert_int_equal(plc_loader_create(ctx, &split, &opts, &loader), PLEACH_OK);
    assert_true(plc_loader_next(loader, &batches[0]));
    for (int i = 1; i < 300; i++) {
        assert_true(plc_loader_next(loader, &batches[i % 2]));
        assert_int_equal(batches[(i - 1) % 2].images[0], (i - 1) % 11 * 10);
        assert_int_equal(batches[i % 2].images[0], i % 11 * 10);
        plc_loader_release(loader);
    }
    plc_loader_destroy(&loader);
}

static void wrong_loader_options_are_refused(void **state)
{
    const plc_split split = make_split();
    const plc_loader_opts cases[] = {{.batch = 0},
                                     {.batch = -1},
                                     {.batch = 104, .drop_last = true},
                                     {.batch = 10, .step = 12},
                                     {.batch = 10, .step = -1},
                                     {.batch = 10, .epoch = -1},
                                     {.batch = 10, .n_epochs = -1},
                                     {.batch = 10, .n_buffers = 65}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_loader *loader = NULL;

        assert_int_equal(plc_loader_create(ctx, &split, &cases[i], &loader), PLEACH_EUSAGE);
        assert_null(loader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_fashion_mnist_is_read_with_its_known_statistics),
        cmocka_unit_test(plain_and_compressed_files_give_the_same_data),
        cmocka_unit_test(calibration_images_are_the_last_and_limits_do_not_move_them),
        cmocka_unit_test(unknown_sources_are_answered_with_the_nearest),
        cmocka_unit_test(each_missing_idx_file_is_named),
        cmocka_unit_test(idx_headers_that_lie_are_refused),
        cmocka_unit_test(sizes_whose_product_is_absurd_are_not_allocated),
        cmocka_unit_test(an_idx_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_compressed_idx_file_cut_or_damaged_is_refused),
        cmocka_unit_test(idx_files_with_flipped_bits_never_crash),
        cmocka_unit_test(cifar10_is_read_from_its_folder_and_from_the_one_around_it),
        cmocka_unit_test(cifar100_gives_fine_labels),
        cmocka_unit_test(bad_cifar_files_are_refused_by_name),
        cmocka_unit_test(an_epoch_gives_each_image_once),
        cmocka_unit_test(without_shuffling_images_come_as_stored_and_drop_last_drops),
        cmocka_unit_test(order_is_a_function_of_seed_and_epoch_only),
        cmocka_unit_test(a_resumed_loader_gives_the_batches_that_would_have_come),
        cmocka_unit_test(a_loader_can_be_destroyed_at_any_time),
        cmocka_unit_test(taken_batches_stay_as_they_are_until_released),
        cmocka_unit_test(wrong_loader_options_are_refused),
    };

    return cmocka_run_group_tests_name("data", tests, make_fixture, drop_fixture);
}
