// Reading packs. Everything in the file is untrusted.
#include <data/pack.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/hash.h>
#include <base/file.h>
#include <base/memory.h>
#include <data/folder.h>
#include <data/spec.h>

enum { MAX_NAME_BYTES = 1 << 24 };

static uint64_t load(const uint8_t *bytes, int n)
{
    uint64_t value = 0;

    for (int i = 0; i < n; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static float load_float(const uint8_t *bytes)
{
    const uint32_t bits = (uint32_t)load(bytes, 4);
    float value = 0;

    memcpy(&value, &bits, sizeof value);
    return value;
}

void plc_pack_seal(uint8_t header[PLC_PACK_HEADER_BYTES])
{
    const uint64_t hash = plc_hash_64(header, PLC_PACK_AT_HEADER_HASH);

    for (int i = 0; i < 8; i++)
        header[PLC_PACK_AT_HEADER_HASH + i] = (uint8_t)(hash >> 8 * i);
}

// A count of the header, from `least` to `most`.
static pleach_status take_count(pleach_ctx *ctx, const char *name, const uint8_t *bytes, int at,
                                const char *what, int least, int most, int *count)
{
    const uint64_t value = load(bytes + at, 4);

    if (value < (uint64_t)least || value > (uint64_t)most)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: byte %d: %s is %llu, expected %d to %d", name, at,
                        what, (unsigned long long)value, least, most);
    *count = (int)value;
    return PLEACH_OK;
}

static pleach_status take_header(pleach_ctx *ctx, const char *name, plc_pack *pack)
{
    pleach_status status = PLEACH_OK;
    const uint8_t *b = pack->bytes;
    int version = 0;

    if (pack->size < PLC_PACK_HEADER_BYTES || memcmp(b, PLC_PACK_MAGIC, 8) != 0)
        FAIL(ctx, PLEACH_EINPUT, "%s: is no pack: it does not begin with " PLC_PACK_MAGIC, name);
    if (load(b + PLC_PACK_AT_HEADER_HASH, 8) != plc_hash_64(b, PLC_PACK_AT_HEADER_HASH))
        FAIL(ctx, PLEACH_EINPUT, "%s: its header is damaged: the check sum differs", name);
    TRY(take_count(ctx, name, b, PLC_PACK_AT_VERSION, "the version", PLC_PACK_VERSION,
                   PLC_PACK_VERSION, &version));
    TRY(take_count(ctx, name, b, PLC_PACK_AT_CHANNELS, "the number of channels", 1, 3,
                   &pack->channels));
    TRY(take_count(ctx, name, b, PLC_PACK_AT_SIDE, "the side", 1, PLC_MAX_IMAGE_SIDE, &pack->side));
    TRY(take_count(ctx, name, b, PLC_PACK_AT_CLASSES, "the number of classes", 1, PLC_MAX_CLASSES,
                   &pack->n_classes));
    TRY(take_count(ctx, name, b, PLC_PACK_AT_TRAIN, "the number of training images", 1,
                   PLC_MAX_IMAGES, &pack->n_train));
    TRY(take_count(ctx, name, b, PLC_PACK_AT_VAL, "the number of validation images", 1,
                   PLC_MAX_IMAGES, &pack->n_val));
    if (pack->channels == 2)
        FAIL(ctx, PLEACH_EINPUT, "%s: byte %d: 2 channels, expected 1 or 3", name,
             PLC_PACK_AT_CHANNELS);
    for (int c = 0; c < pack->channels; c++) {
        pack->mean[c] = load_float(b + PLC_PACK_AT_MEAN + 4 * c);
        pack->deviation[c] = load_float(b + PLC_PACK_AT_DEVIATION + 4 * c);
        if (!(pack->mean[c] >= 0 && pack->mean[c] <= 1 && pack->deviation[c] > 0 &&
              pack->deviation[c] <= 1))
            FAIL(ctx, PLEACH_EINPUT,
                 "%s: channel %d has mean %g and deviation %g, expected 0 to 1 and above 0", name,
                 c, (double)pack->mean[c], (double)pack->deviation[c]);
    }
    pack->body_hash = load(b + PLC_PACK_AT_BODY_HASH, 8);
done:
    return status;
}

// Bytes [offset, offset + bytes) of the header's field at `at` must lie behind the header, in the file.
static pleach_status check_range(pleach_ctx *ctx, const char *name, const plc_pack *pack, int at,
                                 const char *what, uint64_t bytes)
{
    const uint64_t offset = load(pack->bytes + at, 8);

    if (offset >= PLC_PACK_HEADER_BYTES && offset <= pack->size && bytes <= pack->size - offset)
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s: byte %d: %s lie at %llu and take %llu bytes, the file has %zu", name, at,
                    what, (unsigned long long)offset, (unsigned long long)bytes, pack->size);
}

// Names, one behind another, each with its NUL.
static pleach_status take_names(pleach_ctx *ctx, const char *name, plc_pack *pack)
{
    pleach_status status = PLEACH_OK;
    const uint64_t bytes = load(pack->bytes + PLC_PACK_AT_NAMES_BYTES, 8);
    const char *at = NULL, *end = NULL;

    TRY(check_range(ctx, name, pack, PLC_PACK_AT_NAMES, "the names of classes", bytes));
    if (bytes > MAX_NAME_BYTES || bytes < (uint64_t)pack->n_classes)
        FAIL(ctx, PLEACH_EINPUT, "%s: byte %d: %d names take %llu bytes", name,
             PLC_PACK_AT_NAMES_BYTES, pack->n_classes, (unsigned long long)bytes);
    TRY(plc_alloc(ctx, (size_t)pack->n_classes, sizeof *pack->class_names, &pack->class_names));
    at = (const char *)pack->bytes + load(pack->bytes + PLC_PACK_AT_NAMES, 8);
    end = at + bytes;
    for (int i = 0; i < pack->n_classes; i++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (!nul)
            FAIL(ctx, PLEACH_EINPUT, "%s: the name of class %d has no end", name, i);
        pack->class_names[i] = at;
        at = nul + 1;
    }
    if (at != end)
        FAIL(ctx, PLEACH_EINPUT, "%s: behind the names of %d classes there are %zu more bytes",
             name, pack->n_classes, (size_t)(end - at));
done:
    return status;
}

static pleach_status take_labels(pleach_ctx *ctx, const char *name, plc_pack *pack)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)pack->n_train + (size_t)pack->n_val;
    const uint8_t *at = NULL;

    TRY(check_range(ctx, name, pack, PLC_PACK_AT_LABELS, "labels", 2 * (uint64_t)n));
    TRY(plc_alloc(ctx, n, sizeof *pack->labels, &pack->labels));
    at = pack->bytes + load(pack->bytes + PLC_PACK_AT_LABELS, 8);
    for (size_t i = 0; i < n; i++) {
        pack->labels[i] = (uint16_t)load(at + 2 * i, 2);
        if (pack->labels[i] >= pack->n_classes)
            FAIL(ctx, PLEACH_EINPUT, "%s: label of image %zu is %d, expected 0 to %d", name, i,
                 pack->labels[i], pack->n_classes - 1);
    }
done:
    return status;
}

pleach_status plc_pack_parse(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                             plc_pack *pack)
{
    pleach_status status = PLEACH_OK;

    *pack = (plc_pack){.bytes = bytes, .size = size};
    TRY(take_header(ctx, name, pack));
    if (load(bytes + PLC_PACK_AT_FILE_BYTES, 8) != size)
        FAIL(ctx, PLEACH_EINPUT, "%s: has %zu bytes, its header says %llu" PLC_CUT_FILE, name, size,
             (unsigned long long)load(bytes + PLC_PACK_AT_FILE_BYTES, 8));
    // At most 3 * 2^20 * 2e7 < 2^46.
    const uint64_t image_bytes = (uint64_t)pack->channels * (uint64_t)pack->side *
                                 (uint64_t)pack->side *
                                 ((uint64_t)pack->n_train + (uint64_t)pack->n_val);
    TRY(check_range(ctx, name, pack, PLC_PACK_AT_IMAGES, "images", image_bytes));
    TRY(take_names(ctx, name, pack));
    TRY(take_labels(ctx, name, pack));
    pack->images = bytes + load(bytes + PLC_PACK_AT_IMAGES, 8);
done:
    if (status != PLEACH_OK)
        plc_pack_finish(pack);
    return status;
}

pleach_status plc_pack_open(pleach_ctx *ctx, const char *path, plc_pack *pack)
{
    pleach_status status = PLEACH_OK;
    struct stat info;
    void *mapping = MAP_FAILED;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *pack = (plc_pack){0};
    if (fd < 0 || fstat(fd, &info) != 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size < PLC_PACK_HEADER_BYTES)
        FAIL(ctx, PLEACH_EINPUT, "%s: is no pack: it is %s", path,
             S_ISREG(info.st_mode) ? "too short" : "not a regular file");
    mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
        FAIL(ctx, PLEACH_EIO, "%s: cannot map: %s", path, strerror(errno));
    TRY(plc_pack_parse(ctx, path, mapping, (size_t)info.st_size, pack));
    pack->mapped = true;
done:
    if (status != PLEACH_OK && mapping != MAP_FAILED)
        munmap(mapping, (size_t)info.st_size);
    if (fd >= 0)
        close(fd);
    return status;
}

pleach_status plc_pack_verify(pleach_ctx *ctx, const char *path, const plc_pack *pack)
{
    const uint64_t hash =
        plc_hash_64(pack->bytes + PLC_PACK_HEADER_BYTES, pack->size - PLC_PACK_HEADER_BYTES);

    if (hash == pack->body_hash)
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s: is damaged: the check sum of its content differs; pack it again", path);
}

void plc_pack_finish(plc_pack *pack)
{
    if (pack->mapped)
        munmap((void *)(uintptr_t)pack->bytes, pack->size);
    free(pack->class_names);
    free(pack->labels);
    *pack = (plc_pack){0};
}

static pleach_status make_pictures(pleach_ctx *ctx, const plc_data_spec *spec, const plc_pack *pack,
                                   bool val, plc_pictures **pictures)
{
    pleach_status status = PLEACH_OK;
    const size_t first = val ? (size_t)pack->n_train : 0;
    plc_pictures *p = NULL;

    TRY(plc_alloc(ctx, 1, sizeof *p, &p));
    *pictures = p;
    p->folder_fd = -1;
    p->n = val ? pack->n_val : pack->n_train;
    p->channels = pack->channels;
    p->side = pack->side;
    p->size = spec->size ? spec->size : pack->side;
    p->variety = spec->variety;
    p->n_threads = spec->n_threads;
    p->packed = pack->images + first * plc_pictures_square_bytes(p);
    TRY(plc_alloc(ctx, (size_t)p->n, sizeof *p->labels, &p->labels));
    memcpy(p->labels, pack->labels + first, (size_t)p->n * sizeof *p->labels);
done:
    return status;
}

pleach_status plc_pack_read(pleach_ctx *ctx, const char *text, pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    plc_data_spec spec = {0};
    plc_pack *pack = NULL;

    TRY(plc_data_spec_parse(ctx, "pack", text, &spec));
    TRY(plc_alloc(ctx, 1, sizeof *pack, &pack));
    dataset->pack = pack;
    TRY(plc_pack_open(ctx, spec.path, pack));
    if (spec.size > pack->side)
        FAIL(ctx, PLEACH_EUSAGE, "%s: holds images of side %d, size=%d is more; pack it larger",
             spec.path, pack->side, spec.size);
    dataset->channels = pack->channels;
    dataset->height = dataset->width = spec.size ? spec.size : pack->side;
    dataset->n_classes = pack->n_classes;
    dataset->class_names = pack->class_names;
    memcpy(dataset->mean, pack->mean, sizeof pack->mean);
    memcpy(dataset->deviation, pack->deviation, sizeof pack->deviation);
    TRY(make_pictures(ctx, &spec, pack, false, &dataset->train_pictures));
    TRY(make_pictures(ctx, &spec, pack, true, &dataset->test_pictures));
    TRY(plc_split_of_pictures(ctx, dataset->train_pictures, &dataset->train));
    TRY(plc_split_of_pictures(ctx, dataset->test_pictures, &dataset->test));
done:
    plc_data_spec_finish(&spec);
    return status;
}
