// JSON texts of files about one device.
#include <kernel/device_lines.h>

#include <stdlib.h>
#include <string.h>

// Takes `root`; one line. NULL, and what has no UTF-8, is PLEACH_ENOMEM.
static pleach_status append_json(pleach_ctx *ctx, json_t *root, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(PLC_DEVICE_LINES_DIGITS);
    char *line = root ? json_dumps(root, flags) : NULL;

    if (line == NULL)
        FAIL(ctx, PLEACH_ENOMEM, "no memory to write a file about the device");
    TRY(plc_text_append(ctx, text, line, strlen(line)));
done:
    free(line);
    json_decref(root);
    return status;
}

pleach_status plc_device_lines_format(const pleach_device *device, const char *schema,
                                      const char *list, plc_device_row_fn *row, const void *rows,
                                      size_t n, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_info *info = device->info;
    const char *const facts[][2] = {{"schema", schema},
                                    {"device", info->name},
                                    {"platform", info->platform_name},
                                    {"driver", info->driver_version}};

    TRY(plc_text_printf(device->ctx, text, "{\n"));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        TRY(plc_text_printf(device->ctx, text, " \"%s\": ", facts[i][0]));
        TRY(append_json(device->ctx, json_string(facts[i][1]), text));
        TRY(plc_text_printf(device->ctx, text, ",\n"));
    }
    TRY(plc_text_printf(device->ctx, text, " \"%s\": [", list));
    for (size_t i = 0; i < n; i++) {
        TRY(plc_text_printf(device->ctx, text, i ? ",\n  " : "\n  "));
        TRY(append_json(device->ctx, row(rows, i), text));
    }
    TRY(plc_text_printf(device->ctx, text, "\n ]\n}\n"));
done:
    return status;
}
