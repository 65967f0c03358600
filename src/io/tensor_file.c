// Named float32 tensors with a map of texts.
#include <io/tensor_file.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

pleach_status plc_tensors_add(pleach_ctx *ctx, plc_tensors *tensors, const char *name,
                              const size_t *dims, int n_dims, const float *data)
{
    pleach_status status = PLEACH_OK;
    plc_named_tensor *added = NULL;
    size_t count = 1;

    if (strcmp(name, "__metadata__") == 0 || plc_tensors_find(tensors, name))
        FAIL(ctx, PLEACH_EINPUT, "tensor '%s': the name is already taken", name);
    if (n_dims < 0 || n_dims > PLC_TENSOR_MAX_DIMS)
        FAIL(ctx, PLEACH_EINPUT, "tensor '%s' has %d dimensions, at most %d are possible", name,
             n_dims, PLC_TENSOR_MAX_DIMS);
    for (int i = 0; i < n_dims; i++)
        if (__builtin_mul_overflow(count, dims[i], &count) || count > SIZE_MAX / 2 / sizeof(float))
            FAIL(ctx, PLEACH_EINPUT, "tensor '%s': its size overflows", name);
    TRY(plc_grow(ctx, &tensors->items, &tensors->capacity, tensors->n + 1));
    added = &tensors->items[tensors->n];
    *added = (plc_named_tensor){.n_dims = n_dims, .count = count, .data = data};
    for (int i = 0; i < n_dims; i++)
        added->dims[i] = dims[i];
    TRY(plc_strdup(ctx, name, &added->name));
    tensors->n++;
done:
    return status;
}

const plc_named_tensor *plc_tensors_find(const plc_tensors *tensors, const char *name)
{
    for (size_t i = 0; i < tensors->n; i++)
        if (strcmp(tensors->items[i].name, name) == 0)
            return &tensors->items[i];
    return NULL;
}

pleach_status plc_tensors_set_metadata(pleach_ctx *ctx, plc_tensors *tensors, const char *key,
                                       const char *value)
{
    pleach_status status = PLEACH_OK;
    plc_metadata added = {0};

    TRY(plc_strdup(ctx, value, &added.value));
    for (size_t i = 0; i < tensors->n_metadata; i++) {
        if (strcmp(tensors->metadata[i].key, key) != 0)
            continue;
        free(tensors->metadata[i].value);
        tensors->metadata[i].value = added.value;
        return PLEACH_OK;
    }
    TRY(plc_grow(ctx, &tensors->metadata, &tensors->metadata_capacity, tensors->n_metadata + 1));
    TRY(plc_strdup(ctx, key, &added.key));
    tensors->metadata[tensors->n_metadata++] = added;
    added = (plc_metadata){0};
done:
    free(added.value);
    return status;
}

const char *plc_tensors_metadata(const plc_tensors *tensors, const char *key)
{
    for (size_t i = 0; i < tensors->n_metadata; i++)
        if (strcmp(tensors->metadata[i].key, key) == 0)
            return tensors->metadata[i].value;
    return NULL;
}

void plc_tensors_finish(plc_tensors *tensors)
{
    for (size_t i = 0; i < tensors->n; i++)
        free(tensors->items[i].name);
    for (size_t i = 0; i < tensors->n_metadata; i++) {
        free(tensors->metadata[i].key);
        free(tensors->metadata[i].value);
    }
    free(tensors->items);
    free(tensors->metadata);
    free(tensors->storage);
    *tensors = (plc_tensors){0};
}

void plc_format_dims(const size_t *dims, int n_dims, char *text, size_t size)
{
    size_t length = 0;
    int written = snprintf(text, size, "[");

    for (int i = 0; i <= n_dims && written >= 0; i++) {
        length += (size_t)written;
        if (length >= size)
            return;
        if (i < n_dims)
            written = snprintf(text + length, size - length, i ? ", %zu" : "%zu", dims[i]);
        else
            written = snprintf(text + length, size - length, "]");
    }
}
