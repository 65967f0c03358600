// Calls a fuzz target once with each file that is named, or lies in a folder that is: the corpus as a test,
// with any compiler. Fails when there is none.
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <base/file.h>

enum { MAX_BYTES = 64 << 20 };

static int replay_file(const char *path)
{
    char *data = NULL;
    uint8_t *exact = NULL;
    size_t size = 0;

    if (plc_file_read(plc_fuzz_ctx(), path, MAX_BYTES, &data, &size) != PLEACH_OK) {
        fprintf(stderr, "%s\n", pleach_error(plc_fuzz_ctx()));
        exit(1);
    }
    // Not a byte more, so that memory checkers see a read behind the end.
    exact = malloc(size ? size : 1);
    if (!exact)
        exit(1);
    memcpy(exact, data, size);
    fprintf(stderr, "%s\n", path); // the last one named is the one that crashed
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    return 1;
}

static int replay_folder(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char file[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        n += replay_file(file);
    }
    if (dir)
        closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    struct stat info;
    int n = 0;

    for (int i = 1; i < argc; i++)
        n += stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode) ? replay_folder(argv[i])
                                                                : replay_file(argv[i]);
    printf("%d files\n", n);
    return n > 0 ? 0 : 1;
}
