// The bytes of an ONNX file: walked once for what unpacking would cost, then unpacked.
#include <io/onnx_file.h>

#include <stdint.h>
#include <stdlib.h>
#include <base/file.h>
#include <io/onnx_external.h>

#define MAX_FILE_BYTES ((size_t)INT32_MAX) // protobuf's own limit
enum {
    MAX_DEPTH = 24, // models of plain operators have 6: model, graph, input, type, shape, dimension
    MAX_FIELDS =
        4 << 20, // each may become a struct of some hundred bytes; large networks have 100,000
    MAX_VARINT_BYTES = 10,
    TAG_BITS = 3
};

// A message that the walk is in: its type, and where it ends.
typedef struct level {
    const ProtobufCMessageDescriptor *type;
    size_t end;
} level;

typedef struct walk {
    pleach_ctx *ctx;
    const unsigned char *bytes;
    size_t at, n_fields;
    level levels[MAX_DEPTH];
    int depth; // of the innermost message
} walk;

static pleach_status damaged(walk *w, const char *what)
{
    return plc_fail(w->ctx, PLEACH_EINPUT, "byte %zu: %s; is it an ONNX file, and whole?", w->at,
                    what);
}

static pleach_status read_varint(walk *w, uint64_t *value)
{
    const size_t end = w->levels[w->depth].end;

    *value = 0;
    for (int i = 0; i < MAX_VARINT_BYTES && w->at < end; i++) {
        const unsigned char byte = w->bytes[w->at++];

        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return PLEACH_OK;
    }
    return damaged(w, "a number does not end");
}

static pleach_status skip(walk *w, uint64_t n_bytes)
{
    if (n_bytes > w->levels[w->depth].end - w->at)
        return damaged(w, "a field ends behind what holds it");
    w->at += n_bytes;
    return PLEACH_OK;
}

// A field with a length: a message is entered, anything else skipped.
static pleach_status enter_or_skip(walk *w, uint64_t field)
{
    pleach_status status = PLEACH_OK;
    const ProtobufCFieldDescriptor *known =
        field <= UINT32_MAX
            ? protobuf_c_message_descriptor_get_field(w->levels[w->depth].type, (unsigned)field)
            : NULL;
    uint64_t length = 0;

    TRY(read_varint(w, &length));
    if (!known || known->type != PROTOBUF_C_TYPE_MESSAGE)
        return skip(w, length);
    if (length > w->levels[w->depth].end - w->at)
        TRY(damaged(w, "a message ends behind what holds it"));
    if (w->depth + 1 == MAX_DEPTH)
        FAIL(w->ctx, PLEACH_EINPUT, "byte %zu: messages within messages, more than %d deep", w->at,
             MAX_DEPTH);
    w->levels[++w->depth] = (level){known->descriptor, w->at + length};
done:
    return status;
}

static pleach_status walk_field(walk *w)
{
    pleach_status status = PLEACH_OK;
    enum { VARINT, BITS_64, LENGTH, BITS_32 = 5 };
    uint64_t tag = 0, value = 0;

    if (++w->n_fields > MAX_FIELDS)
        FAIL(w->ctx, PLEACH_EINPUT, "more than %d fields", MAX_FIELDS);
    TRY(read_varint(w, &tag));
    switch (tag & ((1 << TAG_BITS) - 1)) {
    case VARINT:
        return read_varint(w, &value);
    case BITS_64:
        return skip(w, 8);
    case LENGTH:
        return enter_or_skip(w, tag >> TAG_BITS);
    case BITS_32:
        return skip(w, 4);
    default:
        return damaged(w, "a field of no known kind");
    }
done:
    return status;
}

pleach_status plc_onnx_file_unpack(pleach_ctx *ctx, const unsigned char *bytes, size_t size,
                                   Onnx__ModelProto **model)
{
    pleach_status status = PLEACH_OK;
    walk w = {.ctx = ctx, .bytes = bytes};

    *model = NULL;
    w.levels[0] = (level){&onnx__model_proto__descriptor, size};
    for (;;) {
        while (w.depth > 0 && w.at == w.levels[w.depth].end)
            w.depth--;
        if (w.at == w.levels[w.depth].end)
            break;
        TRY(walk_field(&w));
    }
    *model = onnx__model_proto__unpack(NULL, size, bytes);
    if (!*model)
        FAIL(ctx, PLEACH_EINPUT,
             "protobuf cannot unpack it; is it an ONNX file, and is there memory?");
done:
    return status;
}

pleach_status plc_onnx_file_read(pleach_ctx *ctx, const char *path, Onnx__ModelProto **model)
{
    pleach_status status = PLEACH_OK;
    char *bytes = NULL;
    size_t size = 0;

    *model = NULL;
    TRY(plc_file_read(ctx, path, MAX_FILE_BYTES, &bytes, &size));
    TRY(plc_onnx_file_unpack(ctx, (const unsigned char *)bytes, size, model));
    TRY(plc_onnx_read_external(ctx, path, *model));
done:
    free(bytes);
    if (status != PLEACH_OK && *model) {
        onnx__model_proto__free_unpacked(*model, NULL);
        *model = NULL;
    }
    return status;
}
