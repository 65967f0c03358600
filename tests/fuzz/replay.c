// Calls a fuzz target with each file that is named, or lies in a folder that is: the corpus as a test, with any
// compiler; then with damaged copies of them (the same ones each time). A call may take 2 s and the process 1 GiB, as with
// tools/fuzz. Fails when there is no file.
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <base/clock.h>
#include <base/file.h>

// Sanitizers keep freed memory for a while, and slow everything: they have limits of their own in tools/fuzz.
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

enum { MAX_BYTES = 64 << 20, N_DAMAGED = 500, MAX_HITS = 8, LIMIT_MIB = 1024 };
static const double LIMIT_SECONDS = 2;

typedef struct sample {
    char *data;
    size_t size;
} sample;

static sample *samples;
static int n_samples;

// splitmix64 (Steele et al. 2014).
static unsigned long long next_random(unsigned long long *state)
{
    unsigned long long z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static size_t below(unsigned long long *state, size_t n)
{
    return n ? (size_t)(next_random(state) % n) : 0;
}

static void call(const char *name, const char *data, size_t size)
{
    // Not a byte more, so that memory checkers see a read behind the end.
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact)
        exit(1);
    memcpy(exact, data, size);
    fprintf(stderr, "%s\n", name); // the last one named is the one that crashed
    const double begin = plc_clock_seconds();
    LLVMFuzzerTestOneInput(exact, size);
    const double seconds = plc_clock_seconds() - begin;
    free(exact);
    if (seconds > LIMIT_SECONDS && !IS_SANITIZED) {
        fprintf(stderr, "it took %.1f s\n", seconds);
        exit(1);
    }
}

static void replay_file(const char *path)
{
    sample *grown = realloc(samples, (size_t)(n_samples + 1) * sizeof *samples);

    if (!grown)
        exit(1);
    samples = grown;
    if (plc_file_read(plc_fuzz_ctx(), path, MAX_BYTES, &samples[n_samples].data,
                      &samples[n_samples].size) != PLEACH_OK) {
        fprintf(stderr, "%s\n", pleach_error(plc_fuzz_ctx()));
        exit(1);
    }
    call(path, samples[n_samples].data, samples[n_samples].size);
    n_samples++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
    struct dirent **entries = NULL;
    const int n = scandir(path, &entries, is_visible, alphasort);

    for (int i = 0; i < n; i++) {
        char file[4096];

        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        replay_file(file);
        free(entries[i]);
    }
    free(entries);
}

// Some bytes changed; or cut short; or a run of bytes put in front of another place.
static void replay_damaged(int number)
{
    unsigned long long state = (unsigned long long)number;
    const sample *from = &samples[number % n_samples];
    char name[64], *data = malloc(2 * from->size + 1);
    size_t size = from->size;

    if (!data)
        exit(1);
    memcpy(data, from->data, size);
    const size_t kind = below(&state, 4);
    if (kind == 0) {
        size = below(&state, size);
    } else if (kind == 1 && size) {
        const size_t at = below(&state, size), begin = below(&state, size);
        const size_t length = below(&state, size - begin);

        memcpy(data + at + length, from->data + at, size - at);
        memcpy(data + at, from->data + begin, length);
        size += length;
    } else if (size) {
        for (size_t i = 0; i <= below(&state, MAX_HITS); i++) {
            static const unsigned char extremes[] = {0, 0x7f, 0x80, 0xff};
            const size_t at = below(&state, size);

            data[at] = (char)(below(&state, 2) ? extremes[below(&state, 4)] : next_random(&state));
        }
    }
    snprintf(name, sizeof name, "damaged file %d", number);
    call(name, data, size);
    free(data);
}

int main(int argc, char **argv)
{
    struct stat info;
    struct rusage usage;

    for (int i = 1; i < argc; i++)
        stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode) ? replay_folder(argv[i])
                                                           : replay_file(argv[i]);
    for (int i = 0; n_samples && i < N_DAMAGED; i++)
        replay_damaged(i);
    getrusage(RUSAGE_SELF, &usage);
    for (int i = 0; i < n_samples; i++)
        free(samples[i].data);
    free(samples);
    printf("%d files, %d damaged ones, %ld MiB at most\n", n_samples, N_DAMAGED,
           usage.ru_maxrss / 1024);
    if (usage.ru_maxrss / 1024 > LIMIT_MIB && !IS_SANITIZED) {
        fprintf(stderr, "more than %d MiB\n", LIMIT_MIB);
        return 1;
    }
    return n_samples > 0 ? 0 : 1;
}
