// Tuning files: nothing in them is trusted, and nothing of them is lost.
#include <kernel/tuning_file.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/hash.h>
#include <base/memory.h>
#include <base/text.h>
#include <kernel/tuning_json.h>

enum { MAX_BYTES = 4 << 20, MAX_NAME_IN_PATH = 48, HASH_IN_PATH = 12 };

pleach_status plc_device_file_path(const pleach_device *device, const char *folder,
                                   const char *kind, const char *key, char **path)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_info *info = device->info;
    char name[MAX_NAME_IN_PATH + HASH_IN_PATH + 16], hex[PLC_HASH_HEX_SIZE];
    char *all = NULL;
    size_t n = 0;

    *path = NULL;
    // The separator is in no name: {"a", "bc"} and {"ab", "c"} differ.
    if (asprintf(&all, "%s\n%s\n%s\n%s\n%s\n%d%s", info->platform_name, info->platform_version,
                 info->name, info->vendor, info->driver_version, info->compute_units, key) < 0) {
        all = NULL;
        FAIL(device->ctx, PLEACH_ENOMEM, "no memory for the name of a device's file");
    }
    plc_hash_hex(all, strlen(all), hex);
    for (const char *c = info->name; *c && n < MAX_NAME_IN_PATH; c++)
        if (isalnum((unsigned char)*c))
            name[n++] = *c;
        else if (n > 0 && name[n - 1] != '-')
            name[n++] = '-';
    snprintf(name + n, sizeof name - n, "%s%.*s.json", n && name[n - 1] != '-' ? "-" : "",
             HASH_IN_PATH, hex);
    free(all);
    all = NULL;
    if (asprintf(&all, "%s/%s", kind, name) < 0) {
        all = NULL;
        FAIL(device->ctx, PLEACH_ENOMEM, "no memory for the name of a device's file");
    }
    TRY(plc_path_join(device->ctx, folder, all, path));
done:
    free(all);
    return status;
}

pleach_status plc_tuning_path(const pleach_device *device, const char *folder, char **path)
{
    return plc_device_file_path(device, folder, "tuning", "", path);
}

void plc_put_aside(pleach_ctx *ctx, const char *path)
{
    char *aside = NULL;

    if (asprintf(&aside, "%s.bad", path) < 0) {
        plc_log(ctx, PLEACH_LOG_WARNING, "%s; it is not used", pleach_error(ctx));
        return;
    }
    if (rename(path, aside) == 0)
        plc_log(ctx, PLEACH_LOG_WARNING, "%s; it is not used and now called %s", pleach_error(ctx),
                aside);
    else
        plc_log(ctx, PLEACH_LOG_WARNING, "%s; it is not used, and cannot be renamed: %s",
                pleach_error(ctx), strerror(errno));
    free(aside);
}

pleach_status plc_tuning_read(pleach_ctx *ctx, const char *path, plc_tuning *tuning)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;
    size_t length = 0;

    if (!plc_file_exists(path))
        return status;
    status = plc_file_read(ctx, path, MAX_BYTES, &text, &length);
    if (status == PLEACH_OK)
        status = plc_tuning_parse(ctx, path, text, length, tuning);
    free(text);
    if (status != PLEACH_ENOMEM && status != PLEACH_OK) {
        plc_put_aside(ctx, path);
        status = PLEACH_OK;
    }
    return status;
}

pleach_status plc_tuning_write(const pleach_device *device, const char *path,
                               const plc_tuning *tuning)
{
    pleach_status status = PLEACH_OK;
    plc_tuning merged = {0};
    plc_tuning_entry copy = {0};
    plc_text text = {0};
    char *folder = NULL;

    TRY(plc_strdup(device->ctx, path, &folder));
    *strrchr(folder, '/') = '\0';
    TRY(plc_make_dirs(device->ctx, folder));
    TRY(plc_tuning_read(device->ctx, path, &merged));
    for (int i = 0; i < tuning->n_items; i++) {
        TRY(plc_tuning_entry_copy(device->ctx, &tuning->items[i], &copy));
        TRY(plc_tuning_put(device->ctx, &merged, &copy));
    }
    TRY(plc_tuning_format(device, &merged, &text));
    TRY(plc_file_write_all(device->ctx, path, text.data, text.length));
done:
    plc_tuning_entry_finish(&copy);
    plc_tuning_finish(&merged);
    plc_text_finish(&text);
    free(folder);
    return status;
}
