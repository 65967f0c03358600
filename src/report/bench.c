// Files of benchmark results: written and read by the tables of their fields.
#include <report/bench.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>

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

// Numbers that are no measurement at all would spoil ratios and charts unseen.
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

static pleach_status read_root(pleach_ctx *ctx, const json_t *root, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    const char *schema = json_string_value(json_object_get(root, "schema"));

    if (!schema || strcmp(schema, PLC_BENCH_SCHEMA) != 0)
        FAIL(ctx, PLEACH_EINPUT, "schema is '%s', expected '%s' (from `pleach bench ... --json`)",
             schema ? schema : "", PLC_BENCH_SCHEMA);
    TRY(plc_fields_read(ctx, plc_bench_fields, root, "file", bench));
    TRY(read_results(ctx, root, bench));
done:
    return status;
}

pleach_status plc_bench_read(pleach_ctx *ctx, const char *path, plc_bench *bench)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t error;

    *bench = (plc_bench){.path = path};
    TRY(plc_file_read(ctx, path, MAX_BENCH_BYTES, &text, &size));
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        FAIL(ctx, PLEACH_EINPUT, "'%s', line %d, column %d: %s", path, error.line, error.column,
             error.text);
    status = read_root(ctx, root, bench);
    if (status != PLEACH_OK)
        plc_fail_in(ctx, status, "'%s'", path);
done:
    if (status != PLEACH_OK)
        plc_bench_finish(bench);
    json_decref(root);
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
