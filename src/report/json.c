// report.json: written and read by the table of fields.
#include <report/report.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/file.h>
#include <base/memory.h>

enum { MAX_REPORT_BYTES = 64 << 20 };

// NULL only without memory, or for a text that is not UTF-8.
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

pleach_status plc_report_to_json(pleach_ctx *ctx, const plc_report *report, char **text)
{
    pleach_status status = PLEACH_OK;
    json_t *root = json_pack("{s: s}", "schema", PLC_REPORT_SCHEMA);
    json_t *body = object_to_json(plc_report_fields, (const char *)report);

    if (!root || !body || json_object_update(root, body))
        FAIL(ctx, PLEACH_EFAILED,
             "report cannot be written as JSON: no memory, or a name that is not UTF-8");
    *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (!*text)
        FAIL(ctx, PLEACH_ENOMEM, "no memory to write a report as JSON");
done:
    json_decref(body);
    json_decref(root);
    return status;
}

pleach_status plc_report_write_json(pleach_ctx *ctx, const plc_report *report, const char *path)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;

    TRY(plc_report_to_json(ctx, report, &text));
    TRY(plc_file_write_all(ctx, path, text, strlen(text)));
done:
    free(text);
    return status;
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

static pleach_status read_object(pleach_ctx *ctx, const plc_field *fields, const json_t *object,
                                 const char *key, char *base)
{
    pleach_status status = PLEACH_OK;

    if (!json_is_object(object))
        return wrong_type(ctx, key, "an object");
    for (const plc_field *field = fields; field->key; field++) {
        const json_t *value = json_object_get(object, field->key);

        if (value)
            TRY(read_field(ctx, field, value, base));
        else if (field->kind == PLC_FIELD_REAL)
            *(double *)(base + field->offset) = NAN;
    }
done:
    return status;
}

pleach_status plc_report_from_json(pleach_ctx *ctx, const char *text, size_t size, const char *name,
                                   plc_report *report)
{
    pleach_status status = PLEACH_OK;
    json_t *root = NULL;
    json_error_t error;
    const char *schema = NULL;

    *report = (plc_report){0};
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        FAIL(ctx, PLEACH_EINPUT, "report '%s', line %d: %s", name, error.line, error.text);
    schema = json_string_value(json_object_get(root, "schema"));
    if (!schema || strcmp(schema, PLC_REPORT_SCHEMA) != 0)
        FAIL(ctx, PLEACH_EINPUT, "report '%s': schema is '%s', expected '%s'", name,
             schema ? schema : "", PLC_REPORT_SCHEMA);
    status = read_object(ctx, plc_report_fields, root, "report", (char *)report);
    if (status != PLEACH_OK)
        plc_fail_in(ctx, status, "report '%s'", name);
done:
    if (status != PLEACH_OK)
        plc_report_finish(report);
    json_decref(root);
    return status;
}

pleach_status plc_report_read_json(pleach_ctx *ctx, const char *path, plc_report *report)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;
    size_t size = 0;

    *report = (plc_report){0};
    TRY(plc_file_read(ctx, path, MAX_REPORT_BYTES, &text, &size));
    TRY(plc_report_from_json(ctx, text, size, path, report));
done:
    free(text);
    return status;
}
