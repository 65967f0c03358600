// Checked allocation and growable arrays.
#include <base/memory.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Pointers of other types are read and written through memcpy: a void ** to them would break the
// aliasing rule.
static void store_pointer(void **out, void *pointer)
{
    memcpy((void *)out, &pointer, sizeof pointer);
}

pleach_status plc_alloc_bytes(pleach_ctx *ctx, size_t count, size_t size, void **out)
{
    void *memory = NULL;

    // Half, because differences of pointers into a larger array would overflow.
    if (size == 0 || count <= SIZE_MAX / 2 / size)
        memory = calloc(count ? count : 1, size ? size : 1);
    store_pointer(out, memory);
    if (!memory)
        return plc_fail(ctx, PLEACH_ENOMEM, "cannot allocate %zu items of %zu bytes on the host",
                        count, size);
    return PLEACH_OK;
}

pleach_status plc_grow_bytes(pleach_ctx *ctx, void **items, size_t *capacity, size_t needed,
                             size_t size)
{
    const size_t first_capacity = 8;
    size_t grown = *capacity > SIZE_MAX / 2 ? SIZE_MAX : *capacity * 2;
    void *memory = NULL;

    if (needed <= *capacity)
        return PLEACH_OK;
    if (grown < first_capacity)
        grown = first_capacity;
    if (grown < needed)
        grown = needed;
    memcpy(&memory, (const void *)items, sizeof memory);
    memory = grown > SIZE_MAX / 2 / size ? NULL : realloc(memory, grown * size);
    if (!memory)
        return plc_fail(ctx, PLEACH_ENOMEM, "cannot allocate %zu items of %zu bytes on the host",
                        grown, size);
    memset((char *)memory + *capacity * size, 0, (grown - *capacity) * size);
    store_pointer(items, memory);
    *capacity = grown;
    return PLEACH_OK;
}

pleach_status plc_strdup(pleach_ctx *ctx, const char *text, char **out)
{
    const size_t size = strlen(text) + 1;

    *out = malloc(size);
    if (!*out)
        return plc_fail(ctx, PLEACH_ENOMEM, "cannot allocate %zu bytes on the host", size);
    memcpy(*out, text, size);
    return PLEACH_OK;
}
