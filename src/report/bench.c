// Files of benchmark results: written and read by the tables of their fields.
#include <report/bench.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/text.h>

enum { MAX_BENCH_BYTES = 64 << 20 };

json_t *plc_bench_result_to_json(const plc_bench_result *result)
{
    return plc_fields_to_json(plc_bench_result_fields(result->kind), result);
}

void plc_bench_result_finish(plc_bench_result *result)
{
    plc_fields_finish(plc_bench_all_fields, result);
    *result = (plc_bench_result){0};
}

// What a row of a comparison is named by.
static pleach_status check_result(pleach_ctx *ctx, const plc_bench_result *result)
{
    if (strcmp(result->kind, "device") == 0)
        return PLEACH_OK;
    if (!result->model || !*result->model)
        return plc_fail(ctx, PLEACH_EINPUT, "key 'model' is missing");
    if (result->batch < 1)
        return plc_fail(ctx, PLEACH_EINPUT, "key 'batch' should be 1 or more");
    return PLEACH_OK;
}

static pleach_status read_result(pleach_ctx *ctx, const json_t *object, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const plc_field *fields = kind ? plc_bench_result_fields(kind) : NULL;
    plc_bench_result *result = NULL;

    if (!kind)
        FAIL(ctx, PLEACH_EINPUT, "key 'kind' should be a text");
    if (!fields) {
        plc_log(ctx, PLEACH_LOG_WARNING, "'%s': results of kind '%s' are left out", bench->path,
                kind);
        goto done;
    }
    TRY(plc_grow(ctx, &bench->results, &bench->results_capacity, bench->n_results + 1));
    result =
        &bench->results[bench->n_results++]; // also when half-read, to be freed with the others
    TRY(plc_fields_read(ctx, fields, object, "results", result));
    TRY(check_result(ctx, result));
done:
    return status;
}

static pleach_status read_results(pleach_ctx *ctx, const json_t *root, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    const json_t *list = json_object_get(root, "results");

    if (!json_is_array(list))
        return plc_fail(ctx, PLEACH_EINPUT, "key 'results' should be a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        status = read_result(ctx, json_array_get(list, i), bench);
        if (status != PLEACH_OK)
            return plc_fail_in(ctx, status, "result %zu", i + 1);
    }
    return status;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(or_empty(a), or_empty(b)) == 0;
}

static bool same_device(const plc_bench *a, const plc_bench *b)
{
    return same_text(a->device.name, b->device.name) &&
           same_text(a->device.platform, b->device.platform) &&
           same_text(a->device.driver, b->device.driver) &&
           same_text(a->device.mapping, b->device.mapping) && a->device.lanes == b->device.lanes;
}

static pleach_status name_device(pleach_ctx *ctx, const plc_bench *bench, plc_text *text)
{
    return plc_text_printf(ctx, text, "'%s' (%d lanes, %s; %s, driver %s)",
                           or_empty(bench->device.name), bench->device.lanes,
                           or_empty(bench->device.mapping), or_empty(bench->device.platform),
                           or_empty(bench->device.driver));
}

// A first document says what device it is; the others must be of the same.
static pleach_status read_device(pleach_ctx *ctx, const json_t *root, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    plc_bench other = {0};
    plc_text names = {0};

    if (bench->n_documents++ == 0)
        return plc_fields_read(ctx, plc_bench_fields, root, "file", bench);
    TRY(plc_fields_read(ctx, plc_bench_fields, root, "file", &other));
    if (!same_device(&other, bench)) {
        TRY(name_device(ctx, &other, &names));
        TRY(plc_text_printf(ctx, &names, ", those before it of "));
        TRY(name_device(ctx, bench, &names));
        FAIL(ctx, PLEACH_EINPUT, "document %d is of device %s", bench->n_documents, names.data);
    }
done:
    plc_text_finish(&names);
    plc_fields_finish(plc_bench_fields, &other);
    return status;
}

static pleach_status read_root(pleach_ctx *ctx, const json_t *root, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    const char *schema = json_string_value(json_object_get(root, "schema"));

    if (!schema || strcmp(schema, PLC_BENCH_SCHEMA) != 0)
        FAIL(ctx, PLEACH_EINPUT, "schema is '%s', expected '%s' (from `pleach bench ... --json`)",
             schema ? schema : "", PLC_BENCH_SCHEMA);
    TRY(read_device(ctx, root, bench));
    TRY(read_results(ctx, root, bench));
done:
    return status;
}

static int count_lines(const char *text, size_t size)
{
    int n = 0;

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

// The document at *at, which is moved behind it and the white space after it.
static pleach_status read_document(pleach_ctx *ctx, const char *text, size_t size, size_t *at,
                                   plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    json_error_t error;
    json_t *root =
        json_loadb(text + *at, size - *at, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);

    if (!root)
        FAIL(ctx, PLEACH_EINPUT, "'%s', line %d, column %d: %s", bench->path,
             count_lines(text, *at) + error.line, error.column, error.text);
    status = read_root(ctx, root, bench);
    if (status != PLEACH_OK)
        plc_fail_in(ctx, status, "'%s'", bench->path);
    *at += (size_t)error.position;
    *at += strspn(text + *at, " \t\r\n"); // the text ends with a NUL
done:
    json_decref(root);
    return status;
}

pleach_status plc_bench_read(pleach_ctx *ctx, const char *path, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;
    size_t size = 0, at = 0;

    *bench = (plc_bench){.path = path, .title = path};
    TRY(plc_file_read(ctx, path, MAX_BENCH_BYTES, &text, &size));
    do
        TRY(read_document(ctx, text, size, &at, bench));
    while (at < size);
done:
    if (status != PLEACH_OK)
        plc_bench_finish(bench);
    free(text);
    return status;
}

void plc_bench_finish(plc_bench *bench)
{
    for (size_t i = 0; i < bench->n_results; i++)
        plc_bench_result_finish(&bench->results[i]);
    free(bench->results);
    plc_fields_finish(plc_bench_fields, bench);
    *bench = (plc_bench){0};
}
