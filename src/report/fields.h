// Fields of structs as data: a table per struct, by which JSON is written and read, and memory freed.
#ifndef PLC_REPORT_FIELDS_H
#define PLC_REPORT_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <base/status.h>

typedef enum plc_field_kind {
    PLC_FIELD_TEXT,   // char *
    PLC_FIELD_INT,    // int
    PLC_FIELD_COUNT,  // long long
    PLC_FIELD_SEED,   // unsigned long long; a text in JSON when too large for its integers
    PLC_FIELD_REAL,   // double
    PLC_FIELD_FLAG,   // bool
    PLC_FIELD_PAIR,   // double[2]
    PLC_FIELD_TRIPLE, // int[3]
    PLC_FIELD_OBJECT, // fields of `fields`, offsets from the same struct
    PLC_FIELD_LIST,   // pointer to items of `size` bytes, their number at `count`
} plc_field_kind;

typedef struct plc_field {
    const char *key; // NULL ends a list of fields
    plc_field_kind kind;
    size_t offset;
    const struct plc_field *fields;
    size_t count, capacity, size;
} plc_field;

// Rows of a table. The key is the field's name; `n_FIELD` and `FIELD_capacity` stand beside a list.
// clang-format off
#define PLC_FIELD(type, kind_, field) \
    {.key = #field, .kind = PLC_FIELD_##kind_, .offset = offsetof(type, field)}
#define PLC_FIELD_INNER(type, object, kind_, field) \
    {.key = #field, .kind = PLC_FIELD_##kind_, .offset = offsetof(type, object.field)}
#define PLC_FIELD_INNER_LIST(type, object, field, item, fields_) \
    {.key = #field, .kind = PLC_FIELD_LIST, .offset = offsetof(type, object.field), \
     .fields = fields_, .count = offsetof(type, object.n_##field), \
     .capacity = offsetof(type, object.field##_capacity), .size = sizeof(item)}
#define PLC_FIELD_OBJECT_OF(field, fields_) \
    {.key = #field, .kind = PLC_FIELD_OBJECT, .fields = fields_}
#define PLC_FIELD_LIST_OF(type, field, item, fields_) \
    {.key = #field, .kind = PLC_FIELD_LIST, .offset = offsetof(type, field), .fields = fields_, \
     .count = offsetof(type, n_##field), .capacity = offsetof(type, field##_capacity), \
     .size = sizeof(item)}
#define PLC_FIELDS_END {.key = NULL}
// clang-format on

// A JSON object of the struct at `base`; a real number that is not finite is null. NULL only without
// memory, or for a text that is not UTF-8.
json_t *plc_fields_to_json(const plc_field *fields, const void *base);

// Fills the struct at `base`, all zero before, from a JSON object that stands at `key`. Keys that are
// not known are skipped; of keys that are missing real numbers become NAN, all else stays zero; an
// object that is null is missing. Fails with PLEACH_EINPUT, naming the key; what was read until then
// is there to be freed.
pleach_status plc_fields_read(pleach_ctx *ctx, const plc_field *fields, const json_t *object,
                              const char *key, void *base);

// Frees texts and lists.
void plc_fields_finish(const plc_field *fields, void *base);

#endif
