// Writing packs: threads decode and put each image into its place.
#include <data/pack.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <base/file.h>
#include <base/hash.h>
#include <base/memory.h>
#include <base/parallel.h>

typedef struct writer {
    const pleach_dataset *dataset;
    const char *path, *temp_path; // borrowed
    int fd;                       // borrowed, for writing
    uint64_t names_bytes, labels_at, images_at, file_bytes;
    size_t square_bytes;
    plc_picture_scratch *scratch; // owned, one for each thread
} writer;

static void store(uint8_t *bytes, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static void store_float(uint8_t *bytes, float value)
{
    uint32_t bits = 0;

    memcpy(&bits, &value, sizeof bits);
    store(bytes, bits, 4);
}

static pleach_status put(pleach_ctx *ctx, const writer *w, const void *data, size_t size,
                         uint64_t at)
{
    const char *from = data;

    while (size > 0) {
        const ssize_t n = pwrite(w->fd, from, size, (off_t)at);

        if (n <= 0)
            return plc_fail(ctx, PLEACH_EIO, "%s: cannot write: %s", w->path, strerror(errno));
        from += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return PLEACH_OK;
}

static pleach_status put_image(pleach_ctx *ctx, void *user, int thread, int item)
{
    pleach_status status = PLEACH_OK;
    writer *w = user;
    const int n_train = w->dataset->train_pictures->n;
    plc_pictures *from = item < n_train ? w->dataset->train_pictures : w->dataset->test_pictures;
    const uint8_t *square = NULL;

    TRY(plc_pictures_square(ctx, from, item < n_train ? item : item - n_train, &w->scratch[thread],
                            &square));
    TRY(put(ctx, w, square, w->square_bytes, w->images_at + (uint64_t)item * w->square_bytes));
done:
    return status;
}

static void lay_out(writer *w)
{
    const pleach_dataset *d = w->dataset;
    const uint64_t n = (uint64_t)d->train_pictures->n + (uint64_t)d->test_pictures->n;

    for (int i = 0; i < d->n_classes; i++)
        w->names_bytes += strlen(d->class_names[i]) + 1;
    w->square_bytes = plc_pictures_square_bytes(d->train_pictures);
    w->labels_at = PLC_PACK_HEADER_BYTES + w->names_bytes;
    w->images_at = (w->labels_at + 2 * n + PLC_PACK_ALIGN - 1) / PLC_PACK_ALIGN * PLC_PACK_ALIGN;
    w->file_bytes = w->images_at + n * w->square_bytes;
}

static pleach_status put_names(pleach_ctx *ctx, const writer *w)
{
    pleach_status status = PLEACH_OK;
    uint64_t at = PLC_PACK_HEADER_BYTES;

    for (int i = 0; i < w->dataset->n_classes; i++) {
        const char *name = w->dataset->class_names[i];

        TRY(put(ctx, w, name, strlen(name) + 1, at));
        at += strlen(name) + 1;
    }
done:
    return status;
}

static pleach_status put_labels(pleach_ctx *ctx, const writer *w, const plc_pictures *pictures,
                                uint64_t at)
{
    pleach_status status = PLEACH_OK;
    uint8_t *bytes = NULL;

    TRY(plc_alloc(ctx, (size_t)pictures->n, 2, &bytes));
    for (int i = 0; i < pictures->n; i++)
        store(bytes + 2 * i, pictures->labels[i], 2);
    TRY(put(ctx, w, bytes, 2 * (size_t)pictures->n, at));
done:
    free(bytes);
    return status;
}

static void make_header(const writer *w, uint64_t body_hash, uint8_t *header)
{
    const pleach_dataset *d = w->dataset;

    memcpy(header, PLC_PACK_MAGIC, 8);
    store(header + PLC_PACK_AT_VERSION, PLC_PACK_VERSION, 4);
    store(header + PLC_PACK_AT_CHANNELS, (uint64_t)d->channels, 4);
    store(header + PLC_PACK_AT_SIDE, (uint64_t)d->train_pictures->side, 4);
    store(header + PLC_PACK_AT_CLASSES, (uint64_t)d->n_classes, 4);
    store(header + PLC_PACK_AT_TRAIN, (uint64_t)d->train_pictures->n, 4);
    store(header + PLC_PACK_AT_VAL, (uint64_t)d->test_pictures->n, 4);
    for (int c = 0; c < d->channels; c++) {
        store_float(header + PLC_PACK_AT_MEAN + 4 * c, d->mean[c]);
        store_float(header + PLC_PACK_AT_DEVIATION + 4 * c, d->deviation[c]);
    }
    store(header + PLC_PACK_AT_NAMES, PLC_PACK_HEADER_BYTES, 8);
    store(header + PLC_PACK_AT_NAMES_BYTES, w->names_bytes, 8);
    store(header + PLC_PACK_AT_LABELS, w->labels_at, 8);
    store(header + PLC_PACK_AT_IMAGES, w->images_at, 8);
    store(header + PLC_PACK_AT_FILE_BYTES, w->file_bytes, 8);
    store(header + PLC_PACK_AT_BODY_HASH, body_hash, 8);
    plc_pack_seal(header);
}

// The header comes last: its check sum is of what lies behind it.
static pleach_status put_header(pleach_ctx *ctx, const writer *w)
{
    pleach_status status = PLEACH_OK;
    uint8_t header[PLC_PACK_HEADER_BYTES] = {0};
    const int fd = open(w->temp_path, O_RDONLY | O_CLOEXEC);
    void *mapping =
        fd < 0 ? MAP_FAILED : mmap(NULL, (size_t)w->file_bytes, PROT_READ, MAP_SHARED, fd, 0);

    if (mapping == MAP_FAILED)
        FAIL(ctx, PLEACH_EIO, "%s: cannot map what was written: %s", w->path, strerror(errno));
    const uint64_t hash = plc_hash_64((const uint8_t *)mapping + PLC_PACK_HEADER_BYTES,
                                      (size_t)w->file_bytes - PLC_PACK_HEADER_BYTES);
    munmap(mapping, (size_t)w->file_bytes);
    make_header(w, hash, header);
    TRY(put(ctx, w, header, sizeof header, 0));
done:
    if (fd >= 0)
        close(fd);
    return status;
}

static pleach_status put_all(pleach_ctx *ctx, writer *w)
{
    pleach_status status = PLEACH_OK;
    plc_pictures *train = w->dataset->train_pictures, *val = w->dataset->test_pictures;

    lay_out(w);
    if (ftruncate(w->fd, (off_t)w->file_bytes) != 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot make room for %llu bytes: %s", w->path,
             (unsigned long long)w->file_bytes, strerror(errno));
    TRY(put_names(ctx, w));
    TRY(put_labels(ctx, w, train, w->labels_at));
    TRY(put_labels(ctx, w, val, w->labels_at + 2 * (uint64_t)train->n));
    TRY(plc_alloc(ctx, (size_t)train->n_threads, sizeof *w->scratch, &w->scratch));
    TRY(plc_parallel_for(ctx, train->n + val->n, train->n_threads, put_image, w));
    TRY(put_header(ctx, w));
done:
    return status;
}

pleach_status plc_pack_write(pleach_ctx *ctx, const pleach_dataset *dataset, const char *path)
{
    pleach_status status = PLEACH_OK;
    plc_file file = {0};
    writer w = {.dataset = dataset, .path = path};

    if (!dataset->train_pictures)
        FAIL(ctx, PLEACH_EUSAGE, "data set '%s' is no folder of pictures; pack folder:DIR",
             dataset->name);
    TRY(plc_file_open_atomic(ctx, path, &file));
    w.fd = fileno(file.stream);
    w.temp_path = file.temp_path;
    TRY(put_all(ctx, &w));
    TRY(plc_file_commit(ctx, &file));
done:
    for (int t = 0; w.scratch && t < dataset->train_pictures->n_threads; t++)
        plc_picture_scratch_finish(&w.scratch[t]);
    free(w.scratch);
    plc_file_close(&file);
    return status;
}
