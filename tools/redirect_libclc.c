// A library to preload: files of /usr/lib/clc are opened in $PLEACH_LIBCLC_DIR instead. Mesa has that folder's name
// compiled in, and its libclc cannot be installed beside the newer one that compilers for GPUs bring.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);

static int open_there(const char *path, int flags, mode_t mode)
{
    static const char there[] = "/usr/lib/clc/";
    const char *folder = getenv("PLEACH_LIBCLC_DIR");
    char own[4096];

    if (folder && strncmp(path, there, strlen(there)) == 0) {
        snprintf(own, sizeof own, "%s/%s", folder, path + strlen(there));
        path = own;
    }
    return openat(AT_FDCWD, path, flags, mode);
}

#define DEFINE(name)                                                                               \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;              \
        va_end(args);                                                                              \
        return open_there(path, flags, mode);                                                      \
    }
DEFINE(open)
DEFINE(open64)
