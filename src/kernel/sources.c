// Kernel sources: embedded, or from a folder while they are being worked on.
#include <kernel/sources.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/hash.h>
#include <base/memory.h>

enum { MAX_INCLUDES = 32, MAX_SOURCE_BYTES = 1 << 20 };

typedef struct expansion {
    pleach_ctx *ctx;
    plc_text text;
    const char *included[MAX_INCLUDES]; // owned copies: each file enters once
    int n_included;
} expansion;

static pleach_status read_source(pleach_ctx *ctx, const char *name, char **text)
{
    pleach_status status = PLEACH_OK;
    const char *folder = getenv("PLEACH_CL_DIR");
    char *path = NULL;
    size_t length = 0;

    if (folder && folder[0]) {
        TRY(plc_path_join(ctx, folder, name, &path));
        TRY(plc_file_read(ctx, path, MAX_SOURCE_BYTES, text, &length));
        goto done;
    }
    for (const plc_source *source = plc_sources; source->name; source++)
        if (strcmp(source->name, name) == 0) {
            TRY(plc_strdup(ctx, source->text, text));
            goto done;
        }
    FAIL(ctx, PLEACH_EBUILD, "no kernel source '%s' in the library; was it built without it?",
         name);
done:
    free(path);
    return status;
}

// The name in `#include "name"`, NULL for any other line. `name` has room for `size` bytes.
static const char *included_name(const char *line, char *name, size_t size)
{
    line += strspn(line, " \t");
    if (strncmp(line, "#include", 8) != 0)
        return NULL;
    const char *begin = strchr(line, '"');
    const char *newline = strchr(line, '\n');
    if (begin == NULL || (newline && begin > newline))
        return NULL;
    const char *end = strchr(begin + 1, '"');
    if (end == NULL || (size_t)(end - begin) > size)
        return NULL;
    memcpy(name, begin + 1, (size_t)(end - begin - 1));
    name[end - begin - 1] = '\0';
    return name;
}

static pleach_status expand(expansion *e, const char *name)
{
    pleach_status status = PLEACH_OK;
    char *source = NULL;
    int number = 1;

    for (int i = 0; i < e->n_included; i++)
        if (strcmp(e->included[i], name) == 0)
            return PLEACH_OK;
    if (e->n_included == MAX_INCLUDES)
        FAIL(e->ctx, PLEACH_EBUILD, "'%s': more than %d included files", name, MAX_INCLUDES);
    char *copy = NULL;
    TRY(plc_strdup(e->ctx, name, &copy));
    e->included[e->n_included++] = copy;
    TRY(read_source(e->ctx, name, &source));
    TRY(plc_text_printf(e->ctx, &e->text, "#line 1 \"%s\"\n", name));
    for (char *line = source; *line; number++) {
        char other[64];
        char *end = strchr(line, '\n');
        const size_t length = end ? (size_t)(end - line) + 1 : strlen(line);
        if (included_name(line, other, sizeof other)) {
            TRY(expand(e, other));
            TRY(plc_text_printf(e->ctx, &e->text, "#line %d \"%s\"\n", number + 1, name));
        } else {
            TRY(plc_text_append(e->ctx, &e->text, line, length));
        }
        line += length;
    }
    TRY(plc_text_printf(e->ctx, &e->text, "\n"));
done:
    free(source);
    return status;
}

pleach_status plc_source_expand(pleach_ctx *ctx, const char *name, char **text)
{
    pleach_status status = PLEACH_OK;
    expansion e = {.ctx = ctx};

    TRY(expand(&e, name));
    TRY(plc_text_take(ctx, &e.text, text));
done:
    for (int i = 0; i < e.n_included; i++)
        free((void *)e.included[i]);
    plc_text_finish(&e.text);
    return status;
}

pleach_status plc_sources_key(pleach_ctx *ctx, plc_text *key)
{
    pleach_status status = PLEACH_OK;

    for (const plc_source *source = plc_sources; source->name; source++) {
        char *expanded = NULL, hex[PLC_HASH_HEX_SIZE] = "";
        if (plc_source_expand(ctx, source->name, &expanded) == PLEACH_OK)
            plc_hash_hex(expanded, strlen(expanded), hex);
        free(expanded);
        TRY(plc_text_printf(ctx, key, "%s %s\n", source->name, hex));
    }
done:
    return status;
}
