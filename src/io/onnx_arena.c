// Memory of one reading or writing: a list of blocks.
#include <io/onnx_arena.h>

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <base/memory.h>

struct plc_onnx_block {
    struct plc_onnx_block *next;
    alignas(max_align_t) char data[];
};

pleach_status plc_onnx_take_bytes(pleach_ctx *ctx, plc_onnx_arena *arena, size_t count, size_t size,
                                  void **out)
{
    pleach_status status = PLEACH_OK;
    struct plc_onnx_block *block = NULL;

    *out = NULL;
    if (size && count > (SIZE_MAX - sizeof *block) / size)
        FAIL(ctx, PLEACH_ENOMEM, "%zu items of %zu bytes are more than memory holds", count, size);
    if (arena->limit && count * size > arena->limit - arena->taken)
        FAIL(ctx, PLEACH_EINPUT,
             "its values and what is made of them take more than %zu MiB, too much for a file of "
             "its size",
             arena->limit >> 20);
    TRY(plc_alloc(ctx, 1, sizeof *block + count * size, &block));
    arena->taken += count * size;
    block->next = arena->blocks;
    arena->blocks = block;
    *out = block->data;
done:
    return status;
}

pleach_status plc_onnx_print(pleach_ctx *ctx, plc_onnx_arena *arena, char **out, const char *format,
                             ...)
{
    pleach_status status = PLEACH_OK;
    va_list list, again;

    va_start(list, format);
    va_copy(again, list);
    const int length = vsnprintf(NULL, 0, format, list);
    TRY(plc_onnx_take(ctx, arena, (size_t)(length > 0 ? length : 0) + 1, 1, out));
    vsnprintf(*out, (size_t)length + 1, format, again);
done:
    va_end(list);
    va_end(again);
    return status;
}

void plc_onnx_arena_finish(plc_onnx_arena *arena)
{
    while (arena->blocks) {
        struct plc_onnx_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
}
