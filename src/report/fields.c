// Fields of structs: to JSON, from JSON, freed.
#include <report/fields.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

static json_t *real_to_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *seed_to_json(unsigned long long seed)
{
    char text[24];

    if (seed <= LLONG_MAX)
        return json_integer((json_int_t)seed);
    snprintf(text, sizeof text, "%llu", seed);
    return json_string(text);
}

static json_t *object_to_json(const plc_field *fields, const char *base);

static json_t *list_to_json(const plc_field *field, const char *base)
{
    const char *items = *(char *const *)(base + field->offset);
    const size_t n = *(const size_t *)(base + field->count);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, object_to_json(field->fields, items + i * field->size))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *field_to_json(const plc_field *field, const char *base)
{
    const void *at = base + field->offset;
    const int *ints = at;
    const double *reals = at;
    const char *text = NULL;

    switch (field->kind) {
    case PLC_FIELD_TEXT:
        text = *(char *const *)at;
        return json_string(text ? text : "");
    case PLC_FIELD_INT:
        return json_integer(*ints);
    case PLC_FIELD_COUNT:
        return json_integer(*(const long long *)at);
    case PLC_FIELD_SEED:
        return seed_to_json(*(const unsigned long long *)at);
    case PLC_FIELD_REAL:
        return real_to_json(*reals);
    case PLC_FIELD_FLAG:
        return json_boolean(*(const bool *)at);
    case PLC_FIELD_PAIR:
        return json_pack("[o, o]", real_to_json(reals[0]), real_to_json(reals[1]));
    case PLC_FIELD_TRIPLE:
        return json_pack("[i, i, i]", ints[0], ints[1], ints[2]);
    case PLC_FIELD_OBJECT:
        return object_to_json(field->fields, base);
    case PLC_FIELD_LIST:
        return list_to_json(field, base);
    }
    return NULL;
}

static json_t *object_to_json(const plc_field *fields, const char *base)
{
    json_t *object = json_object();

    for (const plc_field *field = fields; field->key; field++)
        if (json_object_set_new(object, field->key, field_to_json(field, base))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

json_t *plc_fields_to_json(const plc_field *fields, const void *base)
{
    return object_to_json(fields, base);
}

static pleach_status wrong_type(pleach_ctx *ctx, const char *key, const char *expected)
{
    return plc_fail(ctx, PLEACH_EINPUT, "key '%s' should be %s", key, expected);
}

static pleach_status read_int(pleach_ctx *ctx, const char *key, const json_t *value, int *number)
{
    const json_int_t wide = json_integer_value(value);

    if (!json_is_integer(value) || wide < INT_MIN || wide > INT_MAX)
        return wrong_type(ctx, key, "an integer");
    *number = (int)wide;
    return PLEACH_OK;
}

static pleach_status read_real(pleach_ctx *ctx, const char *key, const json_t *value,
                               double *number)
{
    if (!json_is_number(value) && !json_is_null(value))
        return wrong_type(ctx, key, "a number or null");
    *number = json_is_null(value) ? (double)NAN : json_number_value(value);
    return PLEACH_OK;
}

static pleach_status read_seed(pleach_ctx *ctx, const char *key, const json_t *value,
                               unsigned long long *seed)
{
    if (json_is_integer(value))
        *seed = (unsigned long long)json_integer_value(value);
    else if (json_is_string(value))
        *seed = strtoull(json_string_value(value), NULL, 10);
    else
        return wrong_type(ctx, key, "an integer or its text");
    return PLEACH_OK;
}

static pleach_status read_object(pleach_ctx *ctx, const plc_field *fields, const json_t *object,
                                 const char *key, char *base);

static pleach_status read_list(pleach_ctx *ctx, const plc_field *field, const json_t *list,
                               char *base)
{
    pleach_status status = PLEACH_OK;
    void **items = (void **)(base + field->offset);
    size_t *n = (size_t *)(base + field->count), *capacity = (size_t *)(base + field->capacity);

    if (!json_is_array(list))
        return wrong_type(ctx, field->key, "a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        TRY(plc_grow_bytes(ctx, items, capacity, *n + 1, field->size));
        (*n)++; // before it is read: a half-read item is freed with the others
        TRY(read_object(ctx, field->fields, json_array_get(list, i), field->key,
                        (char *)*items + i * field->size));
    }
done:
    return status;
}

static pleach_status read_field(pleach_ctx *ctx, const plc_field *field, const json_t *value,
                                char *base)
{
    pleach_status status = PLEACH_OK;
    void *at = base + field->offset;
    const size_t n_parts = field->kind == PLC_FIELD_PAIR     ? 2
                           : field->kind == PLC_FIELD_TRIPLE ? 3
                                                             : 0;

    if (n_parts && json_array_size(value) != n_parts)
        return wrong_type(ctx, field->key, n_parts == 2 ? "two numbers" : "three integers");
    switch (field->kind) {
    case PLC_FIELD_TEXT:
        if (!json_is_string(value))
            return wrong_type(ctx, field->key, "a text");
        return plc_strdup(ctx, json_string_value(value), at);
    case PLC_FIELD_INT:
        return read_int(ctx, field->key, value, at);
    case PLC_FIELD_COUNT:
        if (!json_is_integer(value))
            return wrong_type(ctx, field->key, "an integer");
        *(long long *)at = json_integer_value(value);
        return PLEACH_OK;
    case PLC_FIELD_SEED:
        return read_seed(ctx, field->key, value, at);
    case PLC_FIELD_REAL:
        return read_real(ctx, field->key, value, at);
    case PLC_FIELD_FLAG:
        if (!json_is_boolean(value))
            return wrong_type(ctx, field->key, "true or false");
        *(bool *)at = json_is_true(value);
        return PLEACH_OK;
    case PLC_FIELD_PAIR:
        for (size_t i = 0; i < n_parts; i++)
            TRY(read_real(ctx, field->key, json_array_get(value, i), (double *)at + i));
        return PLEACH_OK;
    case PLC_FIELD_TRIPLE:
        for (size_t i = 0; i < n_parts; i++)
            TRY(read_int(ctx, field->key, json_array_get(value, i), (int *)at + i));
        return PLEACH_OK;
    case PLC_FIELD_OBJECT:
        return read_object(ctx, field->fields, value, field->key, base);
    case PLC_FIELD_LIST:
        return read_list(ctx, field, value, base);
    }
done:
    return status;
}

static void set_missing(const plc_field *field, char *base)
{
    if (field->kind == PLC_FIELD_REAL)
        *(double *)(base + field->offset) = NAN;
    for (const plc_field *inner = field->fields; field->kind == PLC_FIELD_OBJECT && inner->key;
         inner++)
        set_missing(inner, base);
}

static pleach_status read_object(pleach_ctx *ctx, const plc_field *fields, const json_t *object,
                                 const char *key, char *base)
{
    pleach_status status = PLEACH_OK;

    if (!json_is_object(object))
        return wrong_type(ctx, key, "an object");
    for (const plc_field *field = fields; field->key; field++) {
        const json_t *value = json_object_get(object, field->key);

        if (value && !(field->kind == PLC_FIELD_OBJECT && json_is_null(value)))
            TRY(read_field(ctx, field, value, base));
        else
            set_missing(field, base);
    }
done:
    return status;
}

pleach_status plc_fields_read(pleach_ctx *ctx, const plc_field *fields, const json_t *object,
                              const char *key, void *base)
{
    return read_object(ctx, fields, object, key, base);
}

static void finish_fields(const plc_field *fields, char *base)
{
    for (const plc_field *field = fields; field->key; field++) {
        if (field->kind == PLC_FIELD_TEXT)
            free(*(char **)(base + field->offset));
        if (field->kind == PLC_FIELD_OBJECT)
            finish_fields(field->fields, base);
        if (field->kind == PLC_FIELD_LIST) {
            char *items = *(char **)(base + field->offset);
            const size_t n = *(size_t *)(base + field->count);

            for (size_t i = 0; i < n; i++)
                finish_fields(field->fields, items + i * field->size);
            free(items);
        }
    }
}

void plc_fields_finish(const plc_field *fields, void *base)
{
    finish_fields(fields, base);
}
