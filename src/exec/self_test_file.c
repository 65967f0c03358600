// The self-test's file: a line per part. It is small, and believed only when every line is ours.
#include <exec/self_test_file.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/hash.h>
#include <base/memory.h>
#include <base/text.h>
#include <kernel/sources.h>

enum { MAX_FILE_BYTES = 4096 };

static const char heading[] = "pleach self-test 1\n";
static const char *const part_names[PLC_SELF_TEST_N_PARTS] = {"inference", "training", "few images",
                                                              "rewrite"};

const char *plc_self_test_part_name(plc_self_test_part part)
{
    return part_names[part];
}

static void list_parts(const bool which[PLC_SELF_TEST_N_PARTS], const char *what, char *text,
                       size_t size)
{
    for (int i = 0, n = 0; i < PLC_SELF_TEST_N_PARTS; i++) {
        const size_t length = strlen(text);
        if (which[i] && n++ == 0)
            snprintf(text + length, size - length, "%s%s: %s", length ? "; " : "", what,
                     part_names[i]);
        else if (which[i])
            snprintf(text + length, size - length, ", %s", part_names[i]);
    }
}

void plc_self_test_describe(const plc_self_test_result *result, char *text, size_t size)
{
    int n_passed = 0;

    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++) {
        n_passed += result->passed[i];
        if (result->failed[i][0]) {
            snprintf(text, size, "failed: %s", result->failed[i]);
            return;
        }
    }
    snprintf(text, size, "%s", n_passed == PLC_SELF_TEST_N_PARTS ? "passed" : "");
    if (text[0])
        return;
    list_parts(result->passed, "passed", text, size);
    list_parts(result->untested, "no kernels to test", text, size);
    if (!text[0])
        snprintf(text, size, "not run yet");
}

pleach_status plc_self_test_path(pleach_ctx *ctx, const char *folder,
                                 const pleach_device_info *info, int lanes, bool vector_lanes,
                                 const char *built, char **path)
{
    pleach_status status = PLEACH_OK;
    plc_text key = {0}, name = {0};
    char hex[PLC_HASH_HEX_SIZE];

    TRY(plc_text_printf(ctx, &key, "%s\n%s\n%s\n%s\n%s\n%d %d\n", info->platform_name,
                        info->platform_version, info->name, info->vendor, info->driver_version,
                        lanes, vector_lanes));
    TRY(plc_sources_key(ctx, &key));
    if (built)
        TRY(plc_text_printf(ctx, &key, "%s\n", built));
    plc_hash_hex(key.data, key.length, hex);
    TRY(plc_text_printf(ctx, &name, "self-test/%s.txt", hex));
    TRY(plc_path_join(ctx, folder, name.data, path));
done:
    plc_text_finish(&key);
    plc_text_finish(&name);
    return status;
}

// "training: passed" or "training: failed: WHAT". False when the line is neither.
static bool take_line(const char *line, plc_self_test_result *result)
{
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++) {
        const size_t length = strlen(part_names[i]);
        const char *said = line + length;

        if (strncmp(line, part_names[i], length) != 0)
            continue;
        if (strcmp(said, ": passed") == 0)
            return result->passed[i] = true;
        if (strncmp(said, ": failed: ", 10) == 0 && said[10]) {
            snprintf(result->failed[i], sizeof result->failed[i], "%s", said + 10);
            return true;
        }
    }
    return false;
}

pleach_status plc_self_test_read(pleach_ctx *ctx, const char *path, plc_self_test_result *result)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL, *next = NULL;
    size_t size = 0;

    *result = (plc_self_test_result){0};
    if (!plc_file_exists(path))
        return status;
    status = plc_file_read(ctx, path, MAX_FILE_BYTES, &text, &size);
    if (status == PLEACH_ENOMEM)
        return status;
    bool good = status == PLEACH_OK && strlen(text) == size && size > 0 && text[size - 1] == '\n' &&
                strncmp(text, heading, sizeof heading - 1) == 0;
    for (char *line = good ? text + sizeof heading - 1 : NULL; good && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        good = take_line(line, result);
    }
    if (!good) {
        *result = (plc_self_test_result){0};
        plc_log(ctx, PLEACH_LOG_DEBUG, "%s is not as it was written: the device is tested again",
                path);
    }
    free(text);
    return PLEACH_OK;
}

pleach_status plc_self_test_write(pleach_ctx *ctx, const char *path,
                                  const plc_self_test_result *result)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};
    char *folder = NULL;

    TRY(plc_strdup(ctx, path, &folder));
    *strrchr(folder, '/') = '\0';
    TRY(plc_make_dirs(ctx, folder));
    TRY(plc_text_printf(ctx, &text, "%s", heading));
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        if (result->failed[i][0])
            TRY(plc_text_printf(ctx, &text, "%s: failed: %s\n", part_names[i], result->failed[i]));
        else if (result->passed[i])
            TRY(plc_text_printf(ctx, &text, "%s: passed\n", part_names[i]));
    TRY(plc_file_write_all(ctx, path, text.data, text.length));
done:
    plc_text_finish(&text);
    free(folder);
    return status;
}
