// Parameters in another file.
#include <io/onnx_external.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>

// What a parameter says of its place.
typedef struct place {
    const char *location; // a file's name; NULL: none is given
    unsigned long long offset, length;
    bool has_length; // else it reaches to the file's end
} place;

static const char *name_of(const Onnx__TensorProto *tensor)
{
    return tensor->name ? tensor->name : "";
}

static bool parse_size(const char *text, unsigned long long *size)
{
    char *end = NULL;

    errno = 0;
    *size = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static pleach_status find_place(pleach_ctx *ctx, const Onnx__TensorProto *tensor, place *p)
{
    *p = (place){0};
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const char *key = tensor->external_data[i]->key, *value = tensor->external_data[i]->value;
        bool good = true;

        if (!key || !value)
            continue;
        if (strcmp(key, "location") == 0)
            p->location = value;
        else if (strcmp(key, "offset") == 0)
            good = parse_size(value, &p->offset);
        else if (strcmp(key, "length") == 0)
            good = p->has_length = parse_size(value, &p->length);
        if (!good)
            return plc_fail(ctx, PLEACH_EINPUT, "parameter '%s' lies in another file at %s '%.40s'",
                            name_of(tensor), key, value);
    }
    if (!p->location || !*p->location || strchr(p->location, '/') || *p->location == '.')
        return plc_fail(
            ctx, PLEACH_EINPUT,
            "parameter '%s' lies in another file '%.80s'; only one in the same folder is "
            "read, which is named without a path",
            name_of(tensor), p->location ? p->location : "");
    return PLEACH_OK;
}

// Opens the file beside `path`; *fd is the caller's.
static pleach_status open_beside(pleach_ctx *ctx, const char *path, const place *p, int *fd,
                                 struct stat *info)
{
    pleach_status status = PLEACH_OK;
    const char *slash = strrchr(path, '/');
    char *other = NULL;

    if (asprintf(&other, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, p->location) < 0) {
        other = NULL;
        FAIL(ctx, PLEACH_ENOMEM, "no memory for a file's name");
    }
    *fd = open(other, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        FAIL(ctx, PLEACH_EIO, "%s, where its parameters lie: cannot open: %s", other,
             strerror(errno));
    if (fstat(*fd, info) != 0 || !S_ISREG(info->st_mode))
        FAIL(ctx, PLEACH_EIO, "%s, where its parameters lie, is no file", other);
done:
    free(other);
    return status;
}

static pleach_status read_whole(pleach_ctx *ctx, const Onnx__TensorProto *tensor, int fd,
                                unsigned long long offset, size_t length, unsigned char *bytes)
{
    for (size_t at = 0; at < length;) {
        const ssize_t n = pread(fd, bytes + at, length - at, (off_t)(offset + at));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return plc_fail(ctx, PLEACH_EIO, "parameter '%s': cannot read its file: %s",
                            name_of(tensor), n < 0 ? strerror(errno) : "it has become shorter");
        at += (size_t)n;
    }
    return PLEACH_OK;
}

// From now on the bytes are the tensor's own, and freed with it.
static void take_bytes(Onnx__TensorProto *tensor, unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < tensor->n_external_data; i++)
        onnx__string_string_entry_proto__free_unpacked(tensor->external_data[i], NULL);
    free(tensor->external_data);
    tensor->external_data = NULL;
    tensor->n_external_data = 0;
    tensor->has_data_location = 0;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    if (tensor->has_raw_data)
        free(tensor->raw_data.data);
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){.len = length, .data = bytes};
}

// What parameters have claimed so far, by file, so that one's bytes do not become many.
typedef struct claims {
    struct claim {
        dev_t device;
        ino_t file;
        unsigned long long bytes;
    } * items;
    size_t n, capacity;
} claims;

// That of a file, which is new or known; the last ones come first, as parameters lie in the order of their files.
static pleach_status find_claim(pleach_ctx *ctx, claims *all, const struct stat *info,
                                unsigned long long **bytes)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = all->n; i > 0; i--)
        if (all->items[i - 1].file == info->st_ino && all->items[i - 1].device == info->st_dev) {
            *bytes = &all->items[i - 1].bytes;
            return status;
        }
    TRY(plc_grow(ctx, &all->items, &all->capacity, all->n + 1));
    all->items[all->n] = (struct claim){info->st_dev, info->st_ino, 0};
    *bytes = &all->items[all->n++].bytes;
done:
    return status;
}

static pleach_status read_tensor(pleach_ctx *ctx, const char *path, Onnx__TensorProto *tensor,
                                 claims *all)
{
    pleach_status status = PLEACH_OK;
    unsigned long long *claimed = NULL;
    unsigned char *bytes = NULL;
    struct stat info;
    int fd = -1;
    place p;

    TRY(find_place(ctx, tensor, &p));
    if (!plc_external_data_is_allowed(ctx))
        FAIL(
            ctx, PLEACH_EINPUT,
            "parameter '%s' lies in another file, '%s'; --external-data allows to read it from the "
            "model's folder",
            name_of(tensor), p.location);
    TRY(open_beside(ctx, path, &p, &fd, &info));
    TRY(find_claim(ctx, all, &info, &claimed));
    const unsigned long long size = (unsigned long long)info.st_size;
    if (!p.has_length && p.offset <= size)
        p.length = size - p.offset;
    if (p.offset > size || p.length > size - p.offset || p.length > size - *claimed)
        FAIL(ctx, PLEACH_EINPUT,
             "parameter '%s' is said to lie at byte %llu of '%s', %llu bytes long; the file has "
             "%llu, "
             "of which others have %llu; is it whole?",
             name_of(tensor), p.offset, p.location, p.length, size, *claimed);
    bytes = malloc((size_t)p.length + 1);
    if (!bytes)
        FAIL(ctx, PLEACH_ENOMEM, "no memory for the %llu bytes of parameter '%s'", p.length,
             name_of(tensor));
    TRY(read_whole(ctx, tensor, fd, p.offset, (size_t)p.length, bytes));
    *claimed += p.length;
    take_bytes(tensor, bytes, (size_t)p.length);
    bytes = NULL;
done:
    free(bytes);
    if (fd >= 0)
        close(fd);
    return status;
}

pleach_status plc_onnx_read_external(pleach_ctx *ctx, const char *path, Onnx__ModelProto *model)
{
    pleach_status status = PLEACH_OK;
    claims all = {0};

    for (size_t i = 0; model->graph && i < model->graph->n_initializer; i++)
        if (model->graph->initializer[i]->data_location ==
            ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
            TRY(read_tensor(ctx, path, model->graph->initializer[i], &all));
done:
    free(all.items);
    return status;
}
