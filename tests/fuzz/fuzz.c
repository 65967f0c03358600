// Context and folder of a fuzz target.
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_NAMES = 8 };

static char folder[64];              // in memory where the system has a place for that
static const char *names[MAX_NAMES]; // of files in it; static texts
static int n_names;

pleach_ctx *plc_fuzz_ctx(void)
{
    static pleach_ctx *ctx; // lives as long as the process

    if (!ctx && pleach_ctx_create(&ctx) != PLEACH_OK)
        abort();
    return ctx;
}

const char *plc_fuzz_path(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", plc_fuzz_folder(), name);
    return path;
}

static void remove_folder(void)
{
    for (int i = 0; i < n_names; i++)
        unlink(plc_fuzz_path(names[i]));
    rmdir(folder);
}

const char *plc_fuzz_folder(void)
{
    static int made;

    if (!made) {
        made = 1;
        snprintf(folder, sizeof folder, "%s/pleach-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
    }
    return folder;
}

static void remember(const char *name)
{
    for (int i = 0; i < n_names; i++)
        if (names[i] == name)
            return;
    if (n_names == MAX_NAMES)
        abort();
    names[n_names++] = name;
}

void plc_fuzz_put(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(plc_fuzz_path(name), "wb");

    remember(name);
    if (!file || (size && fwrite(data, 1, size, file) != size) || fclose(file) != 0)
        abort();
}
