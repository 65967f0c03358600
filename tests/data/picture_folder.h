// What tests of folders and packs share: a folder of made pictures, and all the batches of a loader.
#ifndef PLC_TESTS_DATA_PICTURE_FOLDER_H
#define PLC_TESTS_DATA_PICTURE_FOLDER_H

#include <context.h>
#include <picture_files.h>

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <data/loader.h>

static char folder[] = "/tmp/pleach-test-folder-XXXXXX";

#define assert_error_has(text)                                                                     \
    do {                                                                                           \
        if (!strstr(pleach_error(ctx), text))                                                      \
            fail_msg("'%s' is not in the error '%s'", text, pleach_error(ctx));                    \
    } while (0)

static inline void path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static inline void put(const char *name, const void *data, size_t size)
{
    char path[256], dir[256];

    path_of(name, path);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    assert_ok(plc_make_dirs(ctx, dir));
    assert_ok(plc_file_write_all(ctx, path, data, size));
}

// A JPEG or PNG, by its name, of 24 x 20 pixels and more.
static inline void put_picture(const char *name, int seed)
{
    const plc_made_jpeg jpeg = {24 + seed, 20 + seed % 3, seed, 3, seed % 2, false};
    const plc_made_png png = {24, 20 + seed, seed, PNG_COLOR_TYPE_RGB, 8, false};
    size_t size = 0;
    uint8_t *bytes = strstr(name, ".png") ? plc_make_png(&png, &size) : plc_make_jpeg(&jpeg, &size);

    put(name, bytes, size);
    free(bytes);
}

static inline void empty_folder(void)
{
    char command[300];

    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

// Classes ant, bee, cow of n pictures each.
static inline void put_classes(const char *below, int n)
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

static inline pleach_status open_with(const char *options, pleach_dataset **dataset)
{
    char source[512];

    snprintf(source, sizeof source, "folder:%s%s", folder, options);
    return pleach_dataset_open(ctx, source, NULL, dataset);
}

static inline pleach_dataset *opened(const char *options)
{
    pleach_dataset *dataset = NULL;

    assert_ok(open_with(options, &dataset));
    return dataset;
}

enum { SIZE = 16, VIEW_BYTES = 3 * SIZE * SIZE };

// All batches of `n_epochs` into `bytes`, one after another; returns how many bytes.
static inline size_t collect(const plc_split *split, plc_loader_opts opts, uint8_t *bytes)
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

static inline int make_folder(void **state)
{
    return make_fixture(state) || !mkdtemp(folder);
}

static inline int drop_folder(void **state)
{
    return drop_fixture(state) || rmdir(folder);
}

#endif
