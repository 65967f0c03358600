// Opening a data set: its source by name, splits, statistics.
#include <data/data.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/text.h>
#include <data/folder.h>
#include <data/pack.h>

static const char *const fashion_names[] = {"T-shirt/top", "trouser",   "pullover", "dress",
                                            "coat",        "sandal",    "shirt",    "sneaker",
                                            "bag",         "ankle boot"};
static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const cifar10_names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                            "dog",      "frog",       "horse", "ship", "truck"};

static const struct source {
    const char *name;
    pleach_status (*read)(pleach_ctx *ctx, const char *dir, pleach_dataset *dataset);
    const char *const *class_names;
    int n_classes;
    const char *default_dir; // where a distribution's package puts it, or NULL
    const char *package;
} sources[] = {
    {"fashion-mnist", plc_idx_read, fashion_names, 10, "/usr/share/datasets/fashion-mnist",
     "dataset-fashion-mnist"},
    {"mnist", plc_idx_read, digit_names, 10, NULL, NULL},
    {"cifar10", plc_cifar10_read, cifar10_names, 10, NULL, NULL},
    {"cifar100", plc_cifar100_read, NULL, 100, NULL, NULL},
    {"folder", plc_folder_read, NULL, 0, NULL, NULL},
    {"pack", plc_pack_read, NULL, 0, NULL, NULL},
};
enum { N_SOURCES = sizeof sources / sizeof *sources };

// Splits "name:DIR"; *dir is NULL without one.
static pleach_status find_source(pleach_ctx *ctx, const char *text, const struct source **source,
                                 const char **dir)
{
    pleach_status status = PLEACH_OK;
    const char *names[N_SOURCES];
    const char *nearest = NULL;
    char *name = NULL, *colon = NULL;

    TRY(plc_strdup(ctx, text, &name));
    colon = strchr(name, ':');
    *dir = colon ? text + (colon - name) + 1 : NULL;
    if (colon)
        *colon = '\0';
    for (int i = 0; i < N_SOURCES; i++) {
        names[i] = sources[i].name;
        if (strcmp(name, sources[i].name) == 0)
            *source = &sources[i];
    }
    if (!*source) {
        nearest = plc_nearest_name(name, names, N_SOURCES);
        FAIL(ctx, PLEACH_EUSAGE,
             "no data set is called '%s'%s%s%s; there are fashion-mnist, mnist:DIR, cifar10:DIR, "
             "cifar100:DIR, folder:DIR, pack:FILE",
             name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    if (*dir && !**dir)
        FAIL(ctx, PLEACH_EUSAGE, "data set '%s': no folder follows the colon", text);
    if (!*dir && !(*source)->default_dir)
        FAIL(ctx, PLEACH_EUSAGE, "data set '%s' needs its folder: %s:DIR", name, name);
done:
    free(name);
    return status;
}

static pleach_status apply_opts(pleach_ctx *ctx, const pleach_dataset_opts *opts,
                                pleach_dataset *dataset)
{
    plc_split *train = &dataset->train;
    plc_split *aside = &dataset->calibration;

    if (opts->n_calibration < 0 || opts->limit_train < 0 || opts->limit_test < 0)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "data set '%s': calibration (%d) and limits (%d, %d) cannot be negative",
                        dataset->name, opts->n_calibration, opts->limit_train, opts->limit_test);
    if (opts->n_calibration >= train->n_images)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "data set '%s': %d calibration images held aside leave none of %d to "
                        "train; fewer are held aside with --calibration N",
                        dataset->name, opts->n_calibration, train->n_images);
    train->n_images -= opts->n_calibration;
    *aside = *train;
    aside->n_images = opts->n_calibration;
    aside->first_picture = train->n_images;
    if (aside->images)
        aside->images += (size_t)train->n_images * train->image_bytes;
    aside->labels += train->n_images;
    if (opts->limit_train && opts->limit_train < train->n_images)
        train->n_images = opts->limit_train;
    if (opts->limit_test && opts->limit_test < dataset->test.n_images)
        dataset->test.n_images = opts->limit_test;
    return PLEACH_OK;
}

pleach_status plc_split_of_pictures(pleach_ctx *ctx, plc_pictures *pictures, plc_split *split)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_alloc(ctx, (size_t)pictures->n, sizeof *split->labels, &split->labels));
    memcpy(split->labels, pictures->labels, (size_t)pictures->n * sizeof *split->labels);
    split->image_bytes = plc_pictures_view_bytes(pictures);
    split->n_images = pictures->n;
    split->pictures = pictures;
done:
    return status;
}

pleach_status plc_split_image(pleach_ctx *ctx, const plc_split *split, uint32_t id,
                              const plc_draw *draw, plc_picture_scratch *scratch, uint8_t *image)
{
    const int picture = split->first_picture + (int)id;
    plc_draw own = {0};

    if (!split->pictures) {
        memcpy(image, split->images + id * split->image_bytes, split->image_bytes);
        return PLEACH_OK;
    }
    if (draw)
        own = (plc_draw){draw->seed, draw->epoch, (uint32_t)picture};
    return plc_pictures_view(ctx, split->pictures, picture, draw ? &own : NULL, scratch, image);
}

static void measure_channels(pleach_dataset *dataset)
{
    const plc_split *train = &dataset->train;
    const size_t plane = (size_t)dataset->height * dataset->width;
    const double n = (double)train->n_images * (double)plane;

    for (int c = 0; c < dataset->channels; c++) {
        uint64_t sum = 0, squares = 0; // at most 2^31 bytes of 255^2: below 2^47
        double mean = 0.0, variance = 0.0;

        for (int i = 0; i < train->n_images; i++) {
            const uint8_t *pixels = train->images + i * train->image_bytes + c * plane;

            for (size_t j = 0; j < plane; j++) {
                sum += pixels[j];
                squares += (uint64_t)pixels[j] * pixels[j];
            }
        }
        mean = (double)sum / n;
        variance = (double)squares / n - mean * mean;
        dataset->mean[c] = (float)(mean / 255.0);
        dataset->deviation[c] = variance > 0.0 ? (float)(sqrt(variance) / 255.0) : 1.0f;
    }
}

pleach_status pleach_dataset_open(pleach_ctx *ctx, const char *source,
                                  const pleach_dataset_opts *opts, pleach_dataset **dataset)
{
    pleach_status status = PLEACH_OK;
    const pleach_dataset_opts none = {0};
    const struct source *found = NULL;
    const char *dir = NULL;
    pleach_dataset *opened = NULL;

    *dataset = NULL;
    TRY(find_source(ctx, source, &found, &dir));
    TRY(plc_alloc(ctx, 1, sizeof *opened, &opened));
    opened->name = found->name;
    opened->class_names = found->class_names;
    opened->n_classes = found->n_classes;
    status = found->read(ctx, dir ? dir : found->default_dir, opened);
    if (status == PLEACH_EIO && !dir)
        FAIL(ctx, PLEACH_EIO, "%s; apt-get install %s, or give its folder: %s:DIR",
             pleach_error(ctx), found->package, found->name);
    TRY(status);
    TRY(apply_opts(ctx, opts ? opts : &none, opened));
    if (!opened->train_pictures)
        measure_channels(opened);
    *dataset = opened;
    opened = NULL;
done:
    pleach_dataset_destroy(&opened);
    return status;
}

void pleach_dataset_destroy(pleach_dataset **dataset)
{
    pleach_dataset *dying = *dataset;

    if (!dying)
        return;
    for (int i = 0; dying->own_class_names && i < dying->n_classes; i++)
        free(dying->own_class_names[i]);
    free(dying->own_class_names);
    plc_pictures_destroy(&dying->train_pictures);
    plc_pictures_destroy(&dying->test_pictures);
    if (dying->pack)
        plc_pack_finish(dying->pack);
    free(dying->pack);
    free(dying->train.images);
    free(dying->train.labels);
    free(dying->test.images);
    free(dying->test.labels);
    free(dying);
    *dataset = NULL;
}

const char *pleach_dataset_name(const pleach_dataset *dataset)
{
    return dataset->name;
}

void pleach_dataset_shape(const pleach_dataset *dataset, int *channels, int *height, int *width)
{
    *channels = dataset->channels;
    *height = dataset->height;
    *width = dataset->width;
}

int pleach_dataset_n_classes(const pleach_dataset *dataset)
{
    return dataset->n_classes;
}

const char *pleach_dataset_class_name(const pleach_dataset *dataset, int index)
{
    if (!dataset->class_names || index < 0 || index >= dataset->n_classes)
        return NULL;
    return dataset->class_names[index];
}

int pleach_dataset_n_train(const pleach_dataset *dataset)
{
    return dataset->train.n_images;
}

int pleach_dataset_n_calibration(const pleach_dataset *dataset)
{
    return dataset->calibration.n_images;
}

int pleach_dataset_n_test(const pleach_dataset *dataset)
{
    return dataset->test.n_images;
}
