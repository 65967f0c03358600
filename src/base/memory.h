// Checked allocation and growable arrays.
#ifndef PLC_BASE_MEMORY_H
#define PLC_BASE_MEMORY_H

#include <stddef.h>
#include <base/status.h>

// Allocates count * size zeroed bytes; fails with PLEACH_ENOMEM, also when the product overflows.
// `*out` is a pointer to any object pointer: plc_alloc(ctx, n, sizeof *p, &p).
#define plc_alloc(ctx, count, size, out) plc_alloc_bytes(ctx, count, size, (void **)(out))
pleach_status plc_alloc_bytes(pleach_ctx *ctx, size_t count, size_t size, void **out);

// Makes room for `needed` items of `size` bytes in *items, whose capacity is *capacity; new room is zeroed.
#define plc_grow(ctx, items, capacity, needed)                                                     \
    plc_grow_bytes(ctx, (void **)(items), capacity, needed, sizeof **(items))
pleach_status plc_grow_bytes(pleach_ctx *ctx, void **items, size_t *capacity, size_t needed,
                             size_t size);

pleach_status plc_strdup(pleach_ctx *ctx, const char *text, char **out);

#endif
