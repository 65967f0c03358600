// Files: whole or not at all.
#include <base/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/memory.h>

static pleach_status fail_io(pleach_ctx *ctx, const char *path, const char *doing)
{
    return plc_fail(ctx, PLEACH_EIO, "%s: cannot %s: %s", path, doing, strerror(errno));
}

static pleach_status name_temp(pleach_ctx *ctx, const char *path, int attempt, char **temp_path)
{
    if (asprintf(temp_path, "%s.tmp-%ld-%d", path, (long)getpid(), attempt) < 0) {
        *temp_path = NULL;
        return plc_fail(ctx, PLEACH_ENOMEM, "%s: no memory for a file name", path);
    }
    return PLEACH_OK;
}

pleach_status plc_file_temp_path(pleach_ctx *ctx, const char *path, char **temp_path)
{
    return name_temp(ctx, path, 0, temp_path);
}

// Not mkstemp: the file's mode must follow the user's umask.
static pleach_status open_temp(pleach_ctx *ctx, plc_file *file)
{
    pleach_status status = PLEACH_OK;
    const int max_attempts = 1000; // leftovers of killed processes with our number
    int descriptor = -1;

    for (int i = 0; i < max_attempts && descriptor < 0; i++) {
        free(file->temp_path);
        file->temp_path = NULL;
        TRY(name_temp(ctx, file->path, i, &file->temp_path));
        descriptor = open(file->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            break;
    }
    if (descriptor < 0) {
        free(file->temp_path); // not ours to remove
        file->temp_path = NULL;
        return fail_io(ctx, file->path, "create a temporary file beside it");
    }
    file->stream = fdopen(descriptor, "wb");
    if (!file->stream) {
        close(descriptor);
        return fail_io(ctx, file->path, "open a stream");
    }
done:
    return status;
}

pleach_status plc_file_open_atomic(pleach_ctx *ctx, const char *path, plc_file *file)
{
    pleach_status status = PLEACH_OK;
    struct stat info;

    *file = (plc_file){0};
    // A rename would replace a device such as /dev/null by a file.
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        FAIL(ctx, PLEACH_EIO, "%s: cannot write: it exists and is not a regular file", path);
    TRY(plc_strdup(ctx, path, &file->path));
    TRY(open_temp(ctx, file));
done:
    if (status != PLEACH_OK)
        plc_file_close(file);
    return status;
}

pleach_status plc_file_write(pleach_ctx *ctx, plc_file *file, const void *data, size_t size)
{
    if (size && fwrite(data, 1, size, file->stream) != size)
        return fail_io(ctx, file->path, "write");
    return PLEACH_OK;
}

// Some file systems refuse to flush a folder (EINVAL); the file itself is safe by then.
static pleach_status sync_folder_of(pleach_ctx *ctx, const char *path)
{
    pleach_status status = PLEACH_OK;
    const char *slash = strrchr(path, '/');
    char *folder = NULL;
    int descriptor = -1;

    TRY(plc_strdup(ctx, slash ? path : ".", &folder));
    if (slash)
        folder[slash == path ? 1 : slash - path] = '\0';
    descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0 && fsync(descriptor) != 0 && errno != EINVAL)
        status = fail_io(ctx, folder, "flush the folder");
done:
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return status;
}

pleach_status plc_file_commit(pleach_ctx *ctx, plc_file *file)
{
    pleach_status status = PLEACH_OK;
    int closed = 0;

    if (ferror(file->stream))
        FAIL(ctx, PLEACH_EIO, "%s: cannot write: an earlier write failed", file->path);
    if (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0) {
        status = fail_io(ctx, file->path, "flush");
        goto done;
    }
    closed = fclose(file->stream);
    file->stream = NULL;
    if (closed != 0 || rename(file->temp_path, file->path) != 0) {
        status = fail_io(ctx, file->path, "put the finished file in its place");
        goto done;
    }
    free(file->temp_path);
    file->temp_path = NULL;
    TRY(sync_folder_of(ctx, file->path));
done:
    return status;
}

void plc_file_close(plc_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->temp_path)
        unlink(file->temp_path);
    free(file->temp_path);
    free(file->path);
    *file = (plc_file){0};
}

pleach_status plc_file_write_all(pleach_ctx *ctx, const char *path, const void *data, size_t size)
{
    pleach_status status = PLEACH_OK;
    plc_file file = {0};

    TRY(plc_file_open_atomic(ctx, path, &file));
    TRY(plc_file_write(ctx, &file, data, size));
    TRY(plc_file_commit(ctx, &file));
done:
    plc_file_close(&file);
    return status;
}

pleach_status plc_file_read(pleach_ctx *ctx, const char *path, size_t max_bytes, char **data,
                            size_t *size)
{
    pleach_status status = PLEACH_OK;
    FILE *stream = fopen(path, "rbe");
    char *content = NULL;
    size_t capacity = 0, length = 0, got = 0;
    struct stat info;

    *data = NULL;
    *size = 0;
    if (!stream || fstat(fileno(stream), &info) != 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        FAIL(ctx, PLEACH_EIO, "%s: cannot read: it is a folder", path);
    if (info.st_size > 0 && (unsigned long long)info.st_size > max_bytes)
        FAIL(ctx, PLEACH_EINPUT, "%s: has %lld bytes, at most %zu are expected", path,
             (long long)info.st_size, max_bytes);
    // One byte more than the size, so that a file that does not grow ends in the first round.
    TRY(plc_grow(ctx, &content, &capacity, (size_t)(info.st_size > 0 ? info.st_size : 0) + 2));
    while ((got = fread(content + length, 1, capacity - 1 - length, stream)) > 0) {
        length += got;
        if (length > max_bytes)
            FAIL(ctx, PLEACH_EINPUT, "%s: has more than the %zu bytes that are expected", path,
                 max_bytes);
        TRY(plc_grow(ctx, &content, &capacity, length + 2));
    }
    if (ferror(stream))
        FAIL(ctx, PLEACH_EIO, "%s: cannot read: %s", path, strerror(errno));
    content[length] = '\0';
    *data = content;
    *size = length;
    content = NULL;
done:
    free(content);
    if (stream)
        fclose(stream);
    return status;
}

bool plc_file_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

bool plc_is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static pleach_status make_one(pleach_ctx *ctx, const char *path)
{
    const int error = mkdir(path, 0777) == 0 ? 0 : errno;

    if (!error || plc_is_folder(path))
        return PLEACH_OK;
    errno = error == EEXIST ? ENOTDIR : error; // plc_is_folder has one of its own
    return fail_io(ctx, path, "make the folder");
}

pleach_status plc_make_dirs(pleach_ctx *ctx, const char *path)
{
    pleach_status status = PLEACH_OK;
    char *partial = NULL;

    TRY(plc_strdup(ctx, path, &partial));
    for (char *end = partial; *end; end++) {
        if (end == partial || *end != '/')
            continue;
        *end = '\0';
        TRY(make_one(ctx, partial));
        *end = '/';
    }
    TRY(make_one(ctx, partial));
done:
    free(partial);
    return status;
}

pleach_status plc_path_join(pleach_ctx *ctx, const char *dir, const char *name, char **path)
{
    const size_t length = strlen(dir);
    const char *separator = length == 0 || dir[length - 1] == '/' ? "" : "/";

    if (*name == '/')
        dir = separator = "";
    if (asprintf(path, "%s%s%s", dir, separator, name) < 0) {
        *path = NULL;
        return plc_fail(ctx, PLEACH_ENOMEM, "no memory for the path of '%s'", name);
    }
    return PLEACH_OK;
}
