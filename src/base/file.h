// Files: whole or not at all.
#ifndef PLC_BASE_FILE_H
#define PLC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <base/status.h>

// The end of an error about a file that is shorter than it says.
#define PLC_CUT_FILE "; the file is cut off: copy or download it again"

// A file being written: it takes its name only when it is complete. Works when zero.
typedef struct plc_file {
    FILE *stream;    // owned; callers may fprintf to it, commit checks ferror
    char *path;      // owned
    char *temp_path; // owned; in the same folder, so that the rename is atomic
} plc_file;

// Opens a temporary file beside `path`; `path` keeps its old content until the commit.
// All fail with PLEACH_EIO: text gives the path and the system's reason.
pleach_status plc_file_open_atomic(pleach_ctx *ctx, const char *path, plc_file *file);
pleach_status plc_file_write(pleach_ctx *ctx, plc_file *file, const void *data, size_t size);
// Flushes to the disk, renames, flushes the folder. A symbolic link at `path` is replaced.
pleach_status plc_file_commit(pleach_ctx *ctx, plc_file *file);
// Removes the temporary file unless it was committed. Accepts zero and half-opened files.
void plc_file_close(plc_file *file);

// Name of the temporary file that this process tries first for `path`, for a handler of signals that removes it. The
// caller frees *temp_path.
pleach_status plc_file_temp_path(pleach_ctx *ctx, const char *path, char **temp_path);

// All of the above for content that is at hand.
pleach_status plc_file_write_all(pleach_ctx *ctx, const char *path, const void *data, size_t size);

// Reads a whole file of at most `max_bytes`. The caller frees *data, which has a NUL behind its last
// byte. Fails with PLEACH_EIO (missing, a folder, unreadable) and PLEACH_EINPUT (larger).
pleach_status plc_file_read(pleach_ctx *ctx, const char *path, size_t max_bytes, char **data,
                            size_t *size);

bool plc_file_exists(const char *path); // also a folder
bool plc_is_folder(const char *path);

// Makes the folder and its parents; one that exists is fine.
pleach_status plc_make_dirs(pleach_ctx *ctx, const char *path);

// "dir" and "name" to "dir/name"; an absolute `name` stays itself. The caller frees *path.
pleach_status plc_path_join(pleach_ctx *ctx, const char *dir, const char *name, char **path);

#endif
