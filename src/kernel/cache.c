// The binary cache: one file per key, written to a temporary name and renamed.
#include <kernel/cache.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/text.h>
#include <device/quirks.h>

enum { MAX_BINARY_BYTES = 256 << 20 };

// An entry is a line with the binary's hash, then the binary: a driver need not survive a damaged one.
#define HEADING "pleach binary 1 "
enum { HEADING_BYTES = sizeof HEADING - 1 + PLC_HASH_HEX_SIZE };

pleach_status plc_cache_folder(pleach_ctx *ctx, const char *wanted, char **folder)
{
    pleach_status status = PLEACH_OK;
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL, *base = NULL;

    *folder = NULL;
    if (wanted && wanted[0] == '\0')
        return PLEACH_OK;
    if (wanted) {
        TRY(plc_strdup(ctx, wanted, &path));
    } else if (xdg && xdg[0] == '/') {
        TRY(plc_path_join(ctx, xdg, "pleach", &path));
    } else if (home && home[0]) {
        TRY(plc_path_join(ctx, home, ".cache", &base));
        TRY(plc_path_join(ctx, base, "pleach", &path));
    } else {
        return PLEACH_OK;
    }
    const bool is_new = access(path, F_OK) != 0;
    if (plc_make_dirs(ctx, path) != PLEACH_OK) {
        plc_log(ctx, PLEACH_LOG_WARNING, "kernels are not cached: %s", pleach_error(ctx));
        goto done;
    }
    if (is_new)
        chmod(path, S_IRWXU);
    *folder = path;
    path = NULL;
done:
    free(base);
    free(path);
    return status;
}

bool plc_cache_is_the_drivers(const pleach_device *device)
{
    const char *kept = getenv("POCL_KERNEL_CACHE"); // PoCL's own variable: "0" turns its cache off

    return plc_quirks_of(device->info).keeps_binaries && !(kept && strcmp(kept, "0") == 0);
}

void plc_cache_key(const pleach_device *device, const char *source, const char *options,
                   char key[PLC_HASH_HEX_SIZE])
{
    const pleach_device_info *info = device->info;
    const char *parts[] = {source,     options,      info->platform_name, info->platform_version,
                           info->name, info->vendor, info->driver_version};
    enum { N_PARTS = sizeof parts / sizeof parts[0] };
    char hashes[N_PARTS][PLC_HASH_HEX_SIZE];

    for (int i = 0; i < N_PARTS; i++)
        plc_hash_hex(parts[i], strlen(parts[i]), hashes[i]);
    plc_hash_hex(hashes, sizeof hashes, key);
}

static pleach_status entry_path(pleach_ctx *ctx, const char *folder, const char *key, char **path)
{
    char name[PLC_HASH_HEX_SIZE + 8];

    snprintf(name, sizeof name, "%s.bin", key);
    return plc_path_join(ctx, folder, name, path);
}

static void write_heading(const unsigned char *binary, size_t bytes,
                          char heading[HEADING_BYTES + 1])
{
    char hex[PLC_HASH_HEX_SIZE];

    plc_hash_hex(binary, bytes, hex);
    snprintf(heading, HEADING_BYTES + 1, "%s%s\n", HEADING, hex);
}

const unsigned char *plc_cache_find_binary(const char *entry, size_t bytes, size_t *binary_bytes)
{
    char heading[HEADING_BYTES + 1];

    if (bytes <= HEADING_BYTES)
        return NULL;
    const unsigned char *binary = (const unsigned char *)entry + HEADING_BYTES;
    *binary_bytes = bytes - HEADING_BYTES;
    write_heading(binary, *binary_bytes, heading);
    return memcmp(entry, heading, HEADING_BYTES) == 0 ? binary : NULL;
}

pleach_status plc_cache_load(pleach_device *device, const char *folder, const char *key,
                             const char *options, cl_program *program)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL, *entry = NULL;
    size_t entry_bytes = 0, bytes = 0;
    cl_int error = CL_SUCCESS, binary_status = CL_SUCCESS;

    *program = NULL;
    TRY(entry_path(device->ctx, folder, key, &path));
    if (!plc_file_exists(path) ||
        plc_file_read(device->ctx, path, MAX_BINARY_BYTES, &entry, &entry_bytes) != PLEACH_OK)
        goto done;
    const unsigned char *binary = plc_cache_find_binary(entry, entry_bytes, &bytes);
    if (binary == NULL) {
        plc_log(device->ctx, PLEACH_LOG_DEBUG, "cached binary %s is damaged: rebuilding", path);
        goto done;
    }
    *program = device->cl->clCreateProgramWithBinary(device->context, 1, &device->id, &bytes,
                                                     &binary, &binary_status, &error);
    if (error == CL_SUCCESS && binary_status == CL_SUCCESS)
        error = device->cl->clBuildProgram(*program, 1, &device->id, options, NULL, NULL);
    if (error != CL_SUCCESS || binary_status != CL_SUCCESS) {
        plc_log(device->ctx, PLEACH_LOG_DEBUG, "cached binary %s is not accepted (%s): rebuilding",
                path, plc_cl_error_name(error));
        if (*program)
            device->cl->clReleaseProgram(*program);
        *program = NULL;
    }
done:
    free(entry);
    free(path);
    return status;
}

bool plc_cache_store(pleach_device *device, const char *folder, const char *key, cl_program program,
                     bool told)
{
    pleach_status status = PLEACH_OK;
    size_t bytes = 0;
    unsigned char *binary = NULL;
    char *path = NULL, heading[HEADING_BYTES + 1];
    plc_file file = {0};

    CL_TRY(device->ctx, device->cl,
           clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL));
    if (bytes == 0 || bytes > MAX_BINARY_BYTES)
        goto done;
    TRY(plc_alloc(device->ctx, bytes, 1, &binary));
    CL_TRY(device->ctx, device->cl,
           clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL));
    TRY(entry_path(device->ctx, folder, key, &path));
    write_heading(binary, bytes, heading);
    TRY(plc_file_open_atomic(device->ctx, path, &file));
    TRY(plc_file_write(device->ctx, &file, heading, HEADING_BYTES));
    TRY(plc_file_write(device->ctx, &file, binary, bytes));
    TRY(plc_file_commit(device->ctx, &file));
done:
    plc_file_close(&file);
    if (status != PLEACH_OK)
        plc_log(device->ctx, told ? PLEACH_LOG_DEBUG : PLEACH_LOG_WARNING,
                "kernels are not cached: %s", pleach_error(device->ctx));
    free(path);
    free(binary);
    return status == PLEACH_OK;
}
