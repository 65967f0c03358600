// Run directories.
#include <run/directory.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

pleach_status plc_directory_file(pleach_ctx *ctx, const plc_directory *directory, const char *name,
                                 char **path)
{
    return plc_path_join(ctx, directory->path, name, path);
}

static pleach_status open_log(pleach_ctx *ctx, plc_directory *directory)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    TRY(plc_directory_file(ctx, directory, "log.jsonl", &path));
    directory->log = fopen(path, "a");
    if (directory->log == NULL)
        FAIL(ctx, PLEACH_EIO, "%s: %s", path, strerror(errno));
done:
    free(path);
    return status;
}

pleach_status plc_directory_check_free(pleach_ctx *ctx, const char *path)
{
    pleach_status status = PLEACH_OK;
    char *file = NULL;

    TRY(plc_path_join(ctx, path, "config.json", &file));
    if (plc_file_exists(file))
        FAIL(ctx, PLEACH_EUSAGE,
             "'%s' holds a run already; go on with it by --resume %s, or name another --out", path,
             path);
done:
    free(file);
    return status;
}

pleach_status plc_directory_check_page(pleach_ctx *ctx, const char *path)
{
    pleach_status status = PLEACH_OK;
    char *page = NULL;

    TRY(plc_path_join(ctx, path, "report.html", &page));
    if (plc_file_exists(page))
        FAIL(ctx, PLEACH_EUSAGE,
             "'%s' holds report.html of other runs, as of a series; name another --out", path);
done:
    free(page);
    return status;
}

pleach_status plc_directory_create(pleach_ctx *ctx, const char *path, const json_t *config,
                                   plc_directory *directory)
{
    pleach_status status = PLEACH_OK;
    char *file = NULL, *text = NULL;

    *directory = (plc_directory){0};
    TRY(plc_directory_check_free(ctx, path));
    TRY(plc_strdup(ctx, path, &directory->path));
    TRY(plc_make_dirs(ctx, path));
    TRY(plc_directory_file(ctx, directory, "config.json", &file));
    text = json_dumps(config, JSON_INDENT(2));
    if (text == NULL)
        FAIL(ctx, PLEACH_ENOMEM, "out of host memory for config.json");
    TRY(plc_file_write_all(ctx, file, text, strlen(text)));
    TRY(open_log(ctx, directory));
done:
    free(text);
    free(file);
    return status;
}

// *config of the run at `path`.
static pleach_status read_config(pleach_ctx *ctx, const char *path, json_t **config)
{
    pleach_status status = PLEACH_OK;
    char *file = NULL, *text = NULL;
    size_t bytes = 0;
    json_error_t error;

    TRY(plc_path_join(ctx, path, "config.json", &file));
    if (!plc_file_exists(file))
        FAIL(ctx, PLEACH_EUSAGE, "'%s' holds no run: there is no config.json", path);
    TRY(plc_file_read(ctx, file, MAX_CONFIG_BYTES, &text, &bytes));
    *config = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (*config == NULL)
        FAIL(ctx, PLEACH_EINPUT, "%s, line %d: %s", file, error.line, error.text);
done:
    free(text);
    free(file);
    return status;
}

pleach_status plc_directory_open(pleach_ctx *ctx, const char *path, json_t **config,
                                 plc_directory *directory)
{
    pleach_status status = PLEACH_OK;

    *directory = (plc_directory){0};
    TRY(plc_strdup(ctx, path, &directory->path));
    TRY(read_config(ctx, path, config));
    TRY(open_log(ctx, directory));
done:
    return status;
}

pleach_status plc_directory_examine(pleach_ctx *ctx, const char *path, const json_t *config,
                                    plc_directory_state *state)
{
    pleach_status status = PLEACH_OK;
    char *file = NULL, *report = NULL;
    json_t *found = NULL, *value;
    const char *key;

    *state = PLC_DIRECTORY_FREE;
    TRY(plc_path_join(ctx, path, "config.json", &file));
    if (!plc_file_exists(file))
        goto done;
    TRY(read_config(ctx, path, &found));
    json_object_foreach((json_t *)config, key, value)
    {
        // Where it is may be written in another way than when it was begun.
        if (strcmp(key, "out") != 0 && !json_equal(value, json_object_get(found, key)))
            FAIL(ctx, PLEACH_EUSAGE,
                 "'%s' holds a run with another --%s; name another --out, or remove it", path, key);
    }
    TRY(plc_path_join(ctx, path, "report.json", &report));
    *state = plc_file_exists(report) ? PLC_DIRECTORY_DONE : PLC_DIRECTORY_BEGUN;
done:
    json_decref(found);
    free(report);
    free(file);
    return status;
}

void plc_directory_close(plc_directory *directory)
{
    if (directory->log)
        fclose(directory->log);
    free(directory->path);
    *directory = (plc_directory){0};
}

pleach_status plc_directory_log(pleach_ctx *ctx, plc_directory *directory, json_t *line)
{
    const int failed = line == NULL || json_dumpf(line, directory->log, JSON_COMPACT) != 0 ||
                       fputc('\n', directory->log) == EOF || fflush(directory->log) != 0;

    json_decref(line);
    if (failed)
        return plc_fail(ctx, PLEACH_EIO, "%s/log.jsonl cannot be written: %s", directory->path,
                        strerror(errno));
    return PLEACH_OK;
}

long plc_directory_log_bytes(const plc_directory *directory)
{
    fseek(directory->log, 0, SEEK_END);
    return ftell(directory->log);
}

pleach_status plc_directory_truncate_log(pleach_ctx *ctx, plc_directory *directory, long bytes)
{
    if (plc_directory_log_bytes(directory) < bytes)
        return PLEACH_OK;
    if (ftruncate(fileno(directory->log), bytes) != 0)
        return plc_fail(ctx, PLEACH_EIO, "%s/log.jsonl: %s", directory->path, strerror(errno));
    return PLEACH_OK;
}
