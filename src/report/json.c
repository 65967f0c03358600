// report.json: written and read by the table of its fields.
#include <report/report.h>

#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/file.h>
#include <base/memory.h>

enum { MAX_REPORT_BYTES = 64 << 20 };

pleach_status plc_report_to_json(pleach_ctx *ctx, const plc_report *report, char **text)
{
    pleach_status status = PLEACH_OK;
    json_t *root = json_pack("{s: s}", "schema", PLC_REPORT_SCHEMA);
    json_t *body = plc_fields_to_json(plc_report_fields, report);

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
    status = plc_fields_read(ctx, plc_report_fields, root, "report", report);
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
