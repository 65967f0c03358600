// Reading and writing safetensors files.
#include <io/tensor_file.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/file.h>
#include <base/memory.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are copied as they lie in files");

#define MAX_FILE_BYTES ((size_t)4 << 30)
enum {
    LENGTH_BYTES = 8,
    ALIGNMENT = 8,
    // Thousands of tensors and a graph take less than 1 MiB; parsed JSON takes ten times its text.
    MAX_HEADER_BYTES = 16 << 20
};

// NULL where Jansson has no memory.
static json_t *tensor_to_json(const plc_named_tensor *tensor, uint64_t begin)
{
    const uint64_t end = begin + tensor->count * sizeof(float);
    json_t *shape = json_array();

    for (int i = 0; i < tensor->n_dims; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->dims[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

static pleach_status make_header(pleach_ctx *ctx, const char *path, const plc_tensors *tensors,
                                 char **header)
{
    pleach_status status = PLEACH_OK;
    json_t *root = json_object(), *metadata = json_object();
    uint64_t begin = 0;

    for (size_t i = 0; i < tensors->n_metadata; i++)
        if (json_object_set_new(metadata, tensors->metadata[i].key,
                                json_string(tensors->metadata[i].value)) != 0)
            FAIL(ctx, PLEACH_EINPUT, "%s: metadata '%s' is not UTF-8", path,
                 tensors->metadata[i].key);
    if (tensors->n_metadata && json_object_set(root, "__metadata__", metadata) != 0)
        FAIL(ctx, PLEACH_ENOMEM, "%s: no memory for its header", path);
    for (size_t i = 0; i < tensors->n; i++) {
        const plc_named_tensor *tensor = &tensors->items[i];

        if (json_object_set_new(root, tensor->name, tensor_to_json(tensor, begin)) != 0)
            FAIL(ctx, PLEACH_EINPUT, "%s: tensor name '%s' is not UTF-8", path, tensor->name);
        begin += tensor->count * sizeof(float);
    }
    *header = json_dumps(root, JSON_COMPACT);
    if (!*header)
        FAIL(ctx, PLEACH_ENOMEM, "%s: no memory for its header", path);
done:
    json_decref(metadata);
    json_decref(root);
    return status;
}

pleach_status plc_tensor_file_write(pleach_ctx *ctx, const char *path, const plc_tensors *tensors)
{
    pleach_status status = PLEACH_OK;
    static const char spaces[ALIGNMENT] = "        ";
    plc_file file = {0};
    char *header = NULL;
    uint64_t length = 0, padded = 0;

    TRY(make_header(ctx, path, tensors, &header));
    length = strlen(header);
    padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded > MAX_HEADER_BYTES)
        FAIL(ctx, PLEACH_EINPUT, "%s: its header would have %" PRIu64 " bytes, at most %d are read",
             path, padded, MAX_HEADER_BYTES);
    TRY(plc_file_open_atomic(ctx, path, &file));
    TRY(plc_file_write(ctx, &file, &padded, LENGTH_BYTES));
    TRY(plc_file_write(ctx, &file, header, length));
    TRY(plc_file_write(ctx, &file, spaces, padded - length));
    for (size_t i = 0; i < tensors->n; i++)
        TRY(plc_file_write(ctx, &file, tensors->items[i].data,
                           tensors->items[i].count * sizeof(float)));
    TRY(plc_file_commit(ctx, &file));
done:
    plc_file_close(&file);
    free(header);
    return status;
}

// A tensor of the header before its place in the data is known to be sound.
typedef struct entry {
    plc_named_tensor tensor; // name borrowed from the JSON
    uint64_t begin, end;
} entry;

// A JSON integer that is not negative.
static bool to_size(const json_t *value, uint64_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (uint64_t)json_integer_value(value);
    return true;
}

static pleach_status parse_shape(pleach_ctx *ctx, const char *name, const json_t *shape,
                                 plc_named_tensor *tensor)
{
    const size_t n_dims = json_array_size(shape);

    if (!json_is_array(shape) || n_dims > PLC_TENSOR_MAX_DIMS)
        return plc_fail(ctx, PLEACH_EINPUT,
                        "tensor '%s': 'shape' has to be an array of at most %d sizes", name,
                        PLC_TENSOR_MAX_DIMS);
    tensor->n_dims = (int)n_dims;
    tensor->count = 1;
    for (size_t i = 0; i < n_dims; i++) {
        uint64_t dim = 0;

        if (!to_size(json_array_get(shape, i), &dim))
            return plc_fail(ctx, PLEACH_EINPUT, "tensor '%s': 'shape' has an entry that is no size",
                            name);
        if (__builtin_mul_overflow(tensor->count, dim, &tensor->count))
            return plc_fail(ctx, PLEACH_EINPUT, "tensor '%s': the product of its shape overflows",
                            name);
        tensor->dims[i] = dim;
    }
    return PLEACH_OK;
}

static pleach_status parse_entry(pleach_ctx *ctx, const char *name, json_t *value, entry *entry)
{
    pleach_status status = PLEACH_OK;
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_t *offsets = json_object_get(value, "data_offsets");
    uint64_t bytes = 0;

    if (!json_is_object(value) || json_object_size(value) != 3 || !dtype || !offsets)
        FAIL(ctx, PLEACH_EINPUT,
             "tensor '%s': expected an object of 'dtype', 'shape' and 'data_offsets'", name);
    if (strcmp(dtype, "F32") != 0)
        FAIL(ctx, PLEACH_EINPUT, "tensor '%s' has dtype %s, only F32 is read", name, dtype);
    TRY(parse_shape(ctx, name, json_object_get(value, "shape"), &entry->tensor));
    if (json_array_size(offsets) != 2 || !to_size(json_array_get(offsets, 0), &entry->begin) ||
        !to_size(json_array_get(offsets, 1), &entry->end))
        FAIL(ctx, PLEACH_EINPUT, "tensor '%s': 'data_offsets' has to be two byte offsets", name);
    if (entry->end < entry->begin)
        FAIL(ctx, PLEACH_EINPUT, "tensor '%s': its data ends at %" PRIu64 ", before it begins",
             name, entry->end);
    if (__builtin_mul_overflow((uint64_t)entry->tensor.count, sizeof(float), &bytes) ||
        bytes != entry->end - entry->begin)
        FAIL(ctx, PLEACH_EINPUT,
             "tensor '%s': its shape makes %zu floats, its offsets %" PRIu64 " bytes", name,
             entry->tensor.count, entry->end - entry->begin);
    entry->tensor.name = (char *)name;
done:
    return status;
}

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

// `entries` in the order of their offsets have to cover exactly `data_bytes`.
static pleach_status check_cover(pleach_ctx *ctx, const entry *entries, size_t n,
                                 uint64_t data_bytes)
{
    uint64_t reached = 0;

    for (size_t i = 0; i < n; i++) {
        const char *name = entries[i].tensor.name;

        if (entries[i].end > data_bytes)
            return plc_fail(ctx, PLEACH_EINPUT,
                            "tensor '%s': its data ends at %" PRIu64 ", the file has %" PRIu64
                            " bytes of data" PLC_CUT_FILE,
                            name, entries[i].end, data_bytes);
        if (entries[i].begin != reached)
            return plc_fail(ctx, PLEACH_EINPUT,
                            "tensor '%s': its data begins at %" PRIu64 ", expected %" PRIu64
                            " (%s)",
                            name, entries[i].begin, reached,
                            entries[i].begin < reached ? "tensors overlap" : "there is a hole");
        reached = entries[i].end;
    }
    if (reached != data_bytes)
        return plc_fail(ctx, PLEACH_EINPUT,
                        "its tensors end at %" PRIu64 ", but there are %" PRIu64 " bytes of data",
                        reached, data_bytes);
    return PLEACH_OK;
}

static pleach_status parse_metadata(pleach_ctx *ctx, json_t *metadata, plc_tensors *tensors)
{
    pleach_status status = PLEACH_OK;
    const char *key = NULL;
    json_t *value = NULL;
    const size_t max_keys = 1000; // found by walking

    if (!json_is_object(metadata) || json_object_size(metadata) > max_keys)
        FAIL(ctx, PLEACH_EINPUT, "'__metadata__' is not an object of at most %zu texts", max_keys);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            FAIL(ctx, PLEACH_EINPUT, "metadata '%s' is not a text", key);
        TRY(plc_tensors_set_metadata(ctx, tensors, key, json_string_value(value)));
    }
done:
    return status;
}

static pleach_status parse_header(pleach_ctx *ctx, json_t *root, uint64_t data_bytes,
                                  plc_tensors *tensors)
{
    pleach_status status = PLEACH_OK;
    entry *entries = NULL;
    size_t n = 0;
    const char *name = NULL;
    json_t *value = NULL;

    TRY(plc_alloc(ctx, json_object_size(root), sizeof *entries, &entries));
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            TRY(parse_metadata(ctx, value, tensors));
        else
            TRY(parse_entry(ctx, name, value, &entries[n++]));
    }
    qsort(entries, n, sizeof *entries, compare_entries);
    TRY(check_cover(ctx, entries, n, data_bytes));
    TRY(plc_grow(ctx, &tensors->items, &tensors->capacity, n));
    for (size_t i = 0; i < n; i++) {
        plc_named_tensor *tensor = &tensors->items[i];

        *tensor = entries[i].tensor;
        TRY(plc_strdup(ctx, entries[i].tensor.name, &tensor->name));
        tensors->n++;
        tensor->data = (const float *)((const char *)tensors->storage + entries[i].begin);
    }
done:
    free(entries);
    return status;
}

pleach_status plc_tensor_file_read(pleach_ctx *ctx, const char *path, plc_tensors *tensors)
{
    pleach_status status = PLEACH_OK;
    json_error_t error;
    json_t *root = NULL;
    char *content = NULL;
    size_t size = 0;
    uint64_t length = 0, data_bytes = 0;

    TRY(plc_file_read(ctx, path, MAX_FILE_BYTES, &content, &size));
    tensors->storage = content;
    if (size < LENGTH_BYTES)
        FAIL(ctx, PLEACH_EINPUT, "%s: has %zu bytes, no safetensors file is that short", path,
             size);
    memcpy(&length, content, LENGTH_BYTES);
    if (length > MAX_HEADER_BYTES || length > size - LENGTH_BYTES)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: byte 0: header of %" PRIu64 " bytes in a file of %zu (at most %d); is it a "
             "safetensors file?",
             path, length, size, MAX_HEADER_BYTES);
    data_bytes = size - LENGTH_BYTES - length;
    root = json_loadb(content + LENGTH_BYTES, length, JSON_REJECT_DUPLICATES, &error);
    if (!root || !json_is_object(root))
        FAIL(ctx, PLEACH_EINPUT, "%s: byte %d: header is not a JSON object: %s", path,
             LENGTH_BYTES + (root ? 0 : error.position), root ? "it is another value" : error.text);
    memmove(content, content + LENGTH_BYTES + length, data_bytes); // aligned for floats
    status = parse_header(ctx, root, data_bytes, tensors);
    if (status != PLEACH_OK)
        plc_fail_in(ctx, status, "%s", path);
done:
    json_decref(root);
    if (status != PLEACH_OK)
        plc_tensors_finish(tensors);
    return status;
}
