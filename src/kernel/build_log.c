// Lines of a joined text, told as lines of the files that it was joined from.
#include <kernel/build_log.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What compilers call a source that came without a name, as it stands before a line's number.
static const char *const nameless[] = {"<kernel>:", "input.cl:"};

enum { MAX_NAME = 64 };

// Writes the file and the line of it that line `number` of `source` came from; false: no #line is before it.
static bool find_place(const char *source, long number, char name[MAX_NAME], long *line)
{
    bool found = false;
    const char *at = source;

    for (long i = 1; i < number && at; i++) {
        long next;
        char file[MAX_NAME];
        if (sscanf(at, "#line %ld \"%63[^\"]\"", &next, file) == 2) {
            memcpy(name, file, sizeof file);
            *line = next;
            found = true;
        } else {
            ++*line;
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return found && at;
}

// The first place in `log` that has no file, NULL: none. Its length goes to *length.
static const char *next_nameless(const char *log, size_t *length)
{
    const char *first = NULL;

    for (size_t i = 0; i < sizeof nameless / sizeof *nameless; i++) {
        const char *at = strstr(log, nameless[i]);
        if (at && (!first || at < first)) {
            first = at;
            *length = strlen(nameless[i]);
        }
    }
    return first;
}

pleach_status plc_build_log_append(pleach_ctx *ctx, plc_text *text, const char *log,
                                   const char *source)
{
    pleach_status status = PLEACH_OK;
    size_t length = 0;

    for (const char *at; (at = next_nameless(log, &length));) {
        char name[MAX_NAME] = "", *end = NULL;
        const long number = strtol(at + length, &end, 10);
        long line = 0;

        TRY(plc_text_append(ctx, text, log, (size_t)(at - log)));
        if (end > at + length && find_place(source, number, name, &line))
            TRY(plc_text_printf(ctx, text, "%s:%ld", name, line));
        else
            TRY(plc_text_append(ctx, text, at, (size_t)(end - at)));
        log = end;
    }
    TRY(plc_text_append(ctx, text, log, strlen(log)));
done:
    return status;
}
