// Memory of one reading or writing, freed at once.
#ifndef PLC_IO_ONNX_ARENA_H
#define PLC_IO_ONNX_ARENA_H

#include <stddef.h>
#include <base/status.h>

// Works when zero.
typedef struct plc_onnx_arena {
    struct plc_onnx_block *blocks; // owned
    size_t limit, taken;           // bytes; limit 0: none
} plc_onnx_arena;

// count * size zeroed bytes that live until plc_onnx_arena_finish. Fails as plc_alloc does, and
// with PLEACH_EINPUT where the arena has a limit and it would be passed.
#define plc_onnx_take(ctx, arena, count, size, out)                                                \
    plc_onnx_take_bytes(ctx, arena, count, size, (void **)(out))
pleach_status plc_onnx_take_bytes(pleach_ctx *ctx, plc_onnx_arena *arena, size_t count, size_t size,
                                  void **out);

// The same for a text.
pleach_status plc_onnx_print(pleach_ctx *ctx, plc_onnx_arena *arena, char **out, const char *format,
                             ...) __attribute__((format(printf, 4, 5)));

void plc_onnx_arena_finish(plc_onnx_arena *arena);

#endif
