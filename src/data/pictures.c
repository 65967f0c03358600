// From files to stored squares, kept where there is room, to views.
#include <data/pictures.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/memory.h>
#include <base/parallel.h>

// Of a place in the cache. Who finds it empty takes it; who finds it taken decodes for itself.
enum { CACHE_EMPTY, CACHE_TAKEN, CACHE_FULL };

size_t plc_pictures_square_bytes(const plc_pictures *p)
{
    return (size_t)p->channels * (size_t)p->side * (size_t)p->side;
}

size_t plc_pictures_view_bytes(const plc_pictures *p)
{
    return (size_t)p->channels * (size_t)p->size * (size_t)p->size;
}

int plc_open_below(int folder_fd, const char *path)
{
    int at = dup(folder_fd);

    while (at >= 0 && *path) {
        const size_t length = strcspn(path, "/");
        const bool last = path[length] == '\0';
        char step[NAME_MAX + 1];
        int next = -1;

        if (length > NAME_MAX || length == 0 || (length <= 2 && strncmp(path, "..", length) == 0)) {
            errno = EINVAL;
        } else {
            snprintf(step, sizeof step, "%.*s", (int)length, path);
            // Without O_NONBLOCK, opening a pipe would wait for whoever writes to it.
            next =
                openat(at, step,
                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        }
        const int code = errno;

        close(at);
        errno = code;
        at = next;
        path += length + !last;
    }
    return at;
}

static pleach_status check_file(pleach_ctx *ctx, const char *name, const struct stat *info)
{
    if (!S_ISREG(info->st_mode))
        return plc_fail(ctx, PLEACH_EINPUT, "%s: is not a regular file", name);
    if (info->st_size > (off_t)PLC_MAX_PICTURE_FILE_MIB << 20)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: has %lld bytes, at most %d MiB are read", name,
                        (long long)info->st_size, PLC_MAX_PICTURE_FILE_MIB);
    return PLEACH_OK;
}

pleach_status plc_picture_file_read(pleach_ctx *ctx, int folder_fd, const char *path,
                                    const char *name, plc_picture_scratch *scratch, size_t *size)
{
    pleach_status status = PLEACH_OK;
    struct stat info;
    ssize_t got = 0;
    const int fd = plc_open_below(folder_fd, path);

    *size = 0;
    if (fd < 0 || fstat(fd, &info) != 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open: %s", name,
             errno == ELOOP ? "it is a link, which is not followed" : strerror(errno));
    TRY(check_file(ctx, name, &info));
    TRY(plc_grow(ctx, &scratch->bytes, &scratch->bytes_capacity, (size_t)info.st_size + 1));
    while (*size < (size_t)info.st_size &&
           (got = read(fd, scratch->bytes + *size, (size_t)info.st_size - *size)) > 0)
        *size += (size_t)got;
    if (got < 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot read: %s", name, strerror(errno));
done:
    if (fd >= 0)
        close(fd);
    return status;
}

static void grey_of_rgb(plc_picture *picture)
{
    const size_t n = (size_t)picture->width * (size_t)picture->height;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *rgb = picture->pixels + 3 * i;

        picture->pixels[i] = (uint8_t)plc_grey(rgb[0], rgb[1], rgb[2]);
    }
    picture->channels = 1;
}

// The centre square, as large as the picture has one, resampled. Grey pictures fill all three channels.
static pleach_status make_square(pleach_ctx *ctx, const plc_pictures *p,
                                 plc_picture_scratch *scratch, uint8_t *square)
{
    pleach_status status = PLEACH_OK;
    plc_picture *picture = &scratch->picture;
    const int shorter = picture->width < picture->height ? picture->width : picture->height;
    const plc_rect rect = {(picture->width - shorter) / 2, (picture->height - shorter) / 2, shorter,
                           shorter};
    const size_t plane = (size_t)p->side * (size_t)p->side;

    if (p->channels == 1 && picture->channels == 3)
        grey_of_rgb(picture);
    const size_t step = (size_t)picture->channels;
    for (int c = 0; c < picture->channels; c++) {
        const plc_plane from = {picture->pixels + c, step, step * (size_t)picture->width};

        TRY(plc_resample(ctx, &scratch->resampler, from, rect, square + (size_t)c * plane,
                         p->side));
    }
    for (int c = picture->channels; c < p->channels; c++)
        memcpy(square + (size_t)c * plane, square, plane);
done:
    return status;
}

static pleach_status decode_square(pleach_ctx *ctx, const plc_pictures *p, int i,
                                   plc_picture_scratch *scratch, uint8_t *square)
{
    pleach_status status = PLEACH_OK;
    char *name = NULL;
    size_t size = 0;

    if (asprintf(&name, "%s/%s", p->folder, p->paths[i]) < 0) {
        name = NULL;
        FAIL(ctx, PLEACH_ENOMEM, "no memory for the path of '%s'", p->paths[i]);
    }
    TRY(plc_picture_file_read(ctx, p->folder_fd, p->paths[i], name, scratch, &size));
    TRY(plc_picture_decode(ctx, name, scratch->bytes, size, p->side, &scratch->picture));
    TRY(make_square(ctx, p, scratch, square));
done:
    free(name);
    return status;
}

// Decodes into the cache when the place is ours to fill, else into the scratch.
static pleach_status fill_place(pleach_ctx *ctx, plc_pictures *p, int i,
                                plc_picture_scratch *scratch, const uint8_t **square)
{
    pleach_status status = PLEACH_OK;
    const size_t bytes = plc_pictures_square_bytes(p);
    unsigned char empty = CACHE_EMPTY;
    const bool ours = p->cache && atomic_compare_exchange_strong(&p->kept[i], &empty, CACHE_TAKEN);
    uint8_t *into = NULL;

    if (ours) {
        into = p->cache + (size_t)i * bytes;
    } else {
        TRY(plc_grow(ctx, &scratch->square, &scratch->square_capacity, bytes));
        into = scratch->square;
    }
    status = decode_square(ctx, p, i, scratch, into);
    if (ours)
        atomic_store(&p->kept[i], status == PLEACH_OK ? CACHE_FULL : CACHE_EMPTY);
    *square = into;
done:
    return status;
}

pleach_status plc_pictures_square(pleach_ctx *ctx, plc_pictures *p, int i,
                                  plc_picture_scratch *scratch, const uint8_t **square)
{
    const size_t bytes = plc_pictures_square_bytes(p);

    if (p->packed) {
        *square = p->packed + (size_t)i * bytes;
        return PLEACH_OK;
    }
    if (p->cache && atomic_load(&p->kept[i]) == CACHE_FULL) {
        *square = p->cache + (size_t)i * bytes;
        return PLEACH_OK;
    }
    return fill_place(ctx, p, i, scratch, square);
}

pleach_status plc_pictures_view(pleach_ctx *ctx, plc_pictures *p, int i, const plc_draw *draw,
                                plc_picture_scratch *scratch, uint8_t *image)
{
    pleach_status status = PLEACH_OK;
    const uint8_t *square = NULL;

    TRY(plc_pictures_square(ctx, p, i, scratch, &square));
    TRY(plc_view(ctx, &scratch->resampler, square, p->channels, p->side, &p->variety, draw, image,
                 p->size));
done:
    return status;
}

typedef struct sums {
    plc_picture_scratch scratch;
    uint64_t sum[3], squares[3]; // at most 20000 * 2^20 * 255^2: below 2^51
} sums;

typedef struct measurement {
    plc_pictures *pictures;
    sums *threads; // owned, one for each
} measurement;

static pleach_status measure_picture(pleach_ctx *ctx, void *user, int thread, int i)
{
    measurement *m = user;
    sums *sums = &m->threads[thread];
    const plc_pictures *p = m->pictures;
    const size_t plane = (size_t)p->side * (size_t)p->side;
    const uint8_t *square = NULL;
    const pleach_status status = plc_pictures_square(ctx, m->pictures, i, &sums->scratch, &square);

    for (int c = 0; status == PLEACH_OK && c < p->channels; c++)
        for (size_t j = 0; j < plane; j++) {
            const uint64_t value = square[(size_t)c * plane + j];

            sums->sum[c] += value;
            sums->squares[c] += value * value;
        }
    return status;
}

pleach_status plc_pictures_measure(pleach_ctx *ctx, plc_pictures *p, float *mean, float *deviation)
{
    pleach_status status = PLEACH_OK;
    const int n = p->n < PLC_MEASURED_PICTURES ? p->n : PLC_MEASURED_PICTURES;
    const double n_values = (double)n * p->side * p->side;
    measurement m = {.pictures = p};

    TRY(plc_alloc(ctx, (size_t)p->n_threads, sizeof *m.threads, &m.threads));
    TRY(plc_parallel_for(ctx, n, p->n_threads, measure_picture, &m));
    for (int c = 0; c < p->channels; c++) {
        uint64_t sum = 0, squares = 0;

        for (int t = 0; t < p->n_threads; t++) {
            sum += m.threads[t].sum[c];
            squares += m.threads[t].squares[c];
        }
        const double average = (double)sum / n_values;
        const double variance = (double)squares / n_values - average * average;

        mean[c] = (float)(average / 255.0);
        deviation[c] = variance > 0.0 ? (float)(sqrt(variance) / 255.0) : 1.0f;
    }
done:
    for (int t = 0; m.threads && t < p->n_threads; t++)
        plc_picture_scratch_finish(&m.threads[t].scratch);
    free(m.threads);
    return status;
}

void plc_picture_scratch_finish(plc_picture_scratch *scratch)
{
    plc_picture_finish(&scratch->picture);
    plc_resampler_finish(&scratch->resampler);
    free(scratch->bytes);
    free(scratch->square);
    *scratch = (plc_picture_scratch){0};
}

void plc_pictures_destroy(plc_pictures **pictures)
{
    plc_pictures *p = *pictures;

    if (!p)
        return;
    for (int i = 0; p->paths && i < p->n; i++)
        free(p->paths[i]);
    free(p->paths);
    free(p->folder);
    if (p->folder_fd >= 0)
        close(p->folder_fd);
    free(p->cache);
    free((void *)p->kept);
    free(p->labels);
    free(p);
    *pictures = NULL;
}
