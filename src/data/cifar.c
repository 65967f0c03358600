// CIFAR-10 and CIFAR-100, binary version: records of one label (CIFAR-100: coarse, fine), then the
// 32 x 32 planes red, green, blue.
#include <data/data.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>

enum {
    SIDE = 32,
    IMAGE_BYTES = 3 * SIDE * SIDE,
    MAX_FILE_RECORDS = 100000, // the real files have 10000 or 50000
    N_COARSE = 20
};

// Appends the records of dir/name to `split`. The last of `n_label_bytes` is the label we use.
static pleach_status append_file(pleach_ctx *ctx, const char *dir, const char *name,
                                 int n_label_bytes, int n_classes, plc_split *split)
{
    pleach_status status = PLEACH_OK;
    const size_t record = (size_t)n_label_bytes + IMAGE_BYTES;
    const int first = split->n_images;
    char *path = NULL, *data = NULL;
    size_t size = 0, n = 0, images_capacity = 0, labels_capacity = 0;

    TRY(plc_path_join(ctx, dir, name, &path));
    TRY(plc_file_read(ctx, path, MAX_FILE_RECORDS * record, &data, &size));
    n = size / record;
    if (size == 0 || size % record != 0)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: ends at byte %zu, %zu bytes into record %zu; expected whole records of %zu "
             "bytes" PLC_CUT_FILE,
             path, size, size % record, n, record);
    images_capacity = (size_t)first * IMAGE_BYTES;
    labels_capacity = (size_t)first;
    TRY(plc_grow(ctx, &split->images, &images_capacity, (first + n) * IMAGE_BYTES));
    TRY(plc_grow(ctx, &split->labels, &labels_capacity, first + n));
    for (size_t i = 0; i < n; i++) {
        const uint8_t *bytes = (const uint8_t *)data + i * record;
        const uint8_t label = bytes[n_label_bytes - 1];

        if (n_label_bytes == 2 && bytes[0] >= N_COARSE)
            FAIL(ctx, PLEACH_EINPUT, "%s: byte %zu: coarse label is %d, expected 0 to %d", path,
                 i * record, bytes[0], N_COARSE - 1);
        if (label >= n_classes)
            FAIL(ctx, PLEACH_EINPUT, "%s: byte %zu: label is %d, expected 0 to %d", path,
                 i * record + n_label_bytes - 1, label, n_classes - 1);
        split->labels[first + i] = label;
        memcpy(split->images + (first + i) * IMAGE_BYTES, bytes + n_label_bytes, IMAGE_BYTES);
    }
    split->n_images = first + (int)n;
    split->image_bytes = IMAGE_BYTES;
done:
    free(data);
    free(path);
    return status;
}

// The archive unpacks into a folder of its own; `dir` may be the one around it.
static pleach_status find_folder(pleach_ctx *ctx, const char *dir, const char *inner,
                                 const char *test_file, char **folder)
{
    pleach_status status = PLEACH_OK;
    char *nested = NULL, *probe = NULL;

    TRY(plc_path_join(ctx, dir, inner, &nested));
    TRY(plc_path_join(ctx, nested, test_file, &probe));
    TRY(plc_strdup(ctx, plc_file_exists(probe) ? nested : dir, folder));
done:
    free(probe);
    free(nested);
    return status;
}

static void set_shape(pleach_dataset *dataset)
{
    dataset->channels = 3;
    dataset->height = SIDE;
    dataset->width = SIDE;
}

pleach_status plc_cifar10_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    const int n_classes = dataset->n_classes;
    char *folder = NULL;

    set_shape(dataset);
    TRY(find_folder(ctx, dir, "cifar-10-batches-bin", "test_batch.bin", &folder));
    for (int i = 1; i <= 5; i++) {
        char name[32];

        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        TRY(append_file(ctx, folder, name, 1, n_classes, &dataset->train));
    }
    TRY(append_file(ctx, folder, "test_batch.bin", 1, n_classes, &dataset->test));
done:
    free(folder);
    return status;
}

pleach_status plc_cifar100_read(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    const int n_classes = dataset->n_classes;
    char *folder = NULL;

    set_shape(dataset);
    TRY(find_folder(ctx, dir, "cifar-100-binary", "test.bin", &folder));
    TRY(append_file(ctx, folder, "train.bin", 2, n_classes, &dataset->train));
    TRY(append_file(ctx, folder, "test.bin", 2, n_classes, &dataset->test));
done:
    free(folder);
    return status;
}
