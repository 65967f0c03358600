// Tuning entries as JSON text, in and out.
#include <kernel/tuning_json.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <kernel/device_lines.h>

enum { MAX_ENTRIES = 1 << 14 };

static const char schema[] = "pleach.tuning/1";
static const double max_ms = 1e9; // eleven days: more is a mistake

// A text that may go to a file or a terminal: short, not empty, printable ASCII.
static bool is_plain(const char *text)
{
    const size_t length = text ? strlen(text) : 0;

    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return length > 0 && length <= PLC_TUNING_MAX_TEXT;
}

// What is being read, for messages.
typedef struct reader {
    pleach_ctx *ctx;
    const char *source;
    int index; // of the entry
} reader;

static pleach_status fail_at(const reader *r, const char *what, const char *expected)
{
    return plc_fail(r->ctx, PLEACH_EINPUT, "%s: entries[%d].%s: %s is expected", r->source,
                    r->index, what, expected);
}

static pleach_status read_text(const reader *r, const json_t *entry, const char *key, char **text)
{
    const char *value = json_string_value(json_object_get(entry, key));

    if (!is_plain(value))
        return fail_at(r, key, "a text of 1 to 200 printable characters");
    return plc_strdup(r->ctx, value, text);
}

static pleach_status read_times(const reader *r, json_t *entry, plc_tuning_entry *read)
{
    pleach_status status = PLEACH_OK;
    json_t *ms = json_object_get(entry, "ms"), *value = NULL;
    const char *name = NULL;

    if (!json_is_object(ms) || json_object_size(ms) > PLC_TUNING_MAX_CANDIDATES)
        return fail_at(r, "ms", "an object of at most 64 times by name");
    json_object_foreach(ms, name, value)
    {
        const double time = json_number_value(value);
        if (!is_plain(name) || !json_is_number(value) || !(time > 0 && time < max_ms))
            return fail_at(r, "ms", "a positive number of milliseconds for each name");
        TRY(plc_tuning_entry_add(r->ctx, read, name, time, NULL));
    }
done:
    return status;
}

static pleach_status read_rejected(const reader *r, json_t *entry, plc_tuning_entry *read)
{
    pleach_status status = PLEACH_OK;
    json_t *rejected = json_object_get(entry, "rejected"), *value = NULL;
    const char *name = NULL;

    if (rejected == NULL)
        return status;
    if (!json_is_object(rejected) ||
        json_object_size(rejected) + (size_t)read->n_candidates > PLC_TUNING_MAX_CANDIDATES)
        return fail_at(r, "rejected", "an object of reasons by name, 64 names with \"ms\" at most");
    json_object_foreach(rejected, name, value)
    {
        if (!is_plain(name) || !is_plain(json_string_value(value)))
            return fail_at(r, "rejected",
                           "a reason of 1 to 200 printable characters for each name");
        TRY(plc_tuning_entry_add(r->ctx, read, name, 0.0, json_string_value(value)));
    }
done:
    return status;
}

static pleach_status read_entry(const reader *r, json_t *entry, plc_tuning_entry *read)
{
    pleach_status status = PLEACH_OK;
    const char *chosen = json_string_value(json_object_get(entry, "chosen"));

    if (!json_is_object(entry))
        FAIL(r->ctx, PLEACH_EINPUT, "%s: entries[%d]: an object is expected", r->source, r->index);
    TRY(read_text(r, entry, "operation", &read->operation));
    TRY(read_text(r, entry, "shape", &read->shape));
    TRY(read_text(r, entry, "mapping", &read->mapping));
    TRY(read_times(r, entry, read));
    read->chosen = -1;
    for (int i = 0; i < read->n_candidates; i++)
        if (chosen && strcmp(chosen, read->candidates[i].name) == 0)
            read->chosen = i;
    if (read->chosen < 0)
        return fail_at(r, "chosen", "one of the names in \"ms\"");
    TRY(read_rejected(r, entry, read));
done:
    return status;
}

static pleach_status load(pleach_ctx *ctx, const char *source, const char *text, size_t length,
                          json_t **root)
{
    json_error_t error;
    const char *found = NULL;

    *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (*root == NULL)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: line %d, column %d: %s", source, error.line,
                        error.column, error.text);
    found = json_string_value(json_object_get(*root, "schema"));
    if (!found || strcmp(found, schema) != 0)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: \"schema\": \"%s\" is expected", source, schema);
    return PLEACH_OK;
}

pleach_status plc_tuning_parse(pleach_ctx *ctx, const char *source, const char *text, size_t length,
                               plc_tuning *tuning)
{
    pleach_status status = PLEACH_OK;
    reader r = {.ctx = ctx, .source = source};
    plc_tuning read = {0};
    plc_tuning_entry entry = {0};
    json_t *root = NULL, *entries = NULL, *value = NULL;
    size_t i = 0;

    TRY(load(ctx, source, text, length, &root));
    entries = json_object_get(root, "entries");
    if (!json_is_array(entries) || json_array_size(entries) > MAX_ENTRIES)
        FAIL(ctx, PLEACH_EINPUT, "%s: \"entries\": a list of at most %d is expected", source,
             MAX_ENTRIES);
    json_array_foreach(entries, i, value)
    {
        r.index = (int)i;
        TRY(read_entry(&r, value, &entry));
        if (plc_tuning_find(&read, entry.operation, entry.shape, entry.mapping))
            FAIL(ctx, PLEACH_EINPUT, "%s: entries[%d]: the second one of %s, %s, %s", source,
                 r.index, entry.operation, entry.shape, entry.mapping);
        TRY(plc_tuning_put(ctx, &read, &entry));
    }
    for (int j = 0; j < read.n_items; j++)
        TRY(plc_tuning_put(ctx, tuning, &read.items[j]));
done:
    plc_tuning_entry_finish(&entry);
    plc_tuning_finish(&read);
    json_decref(root);
    return status;
}

pleach_status plc_tuning_parse_kind(pleach_ctx *ctx, const char *text, size_t length,
                                    char kind[PLC_FORMAT_MAX])
{
    pleach_status status = PLEACH_OK;
    json_t *root = NULL;
    const char *found = NULL;

    kind[0] = '\0';
    TRY(load(ctx, "tuning", text, length, &root));
    found = json_string_value(json_object_get(root, "kind"));
    snprintf(kind, PLC_FORMAT_MAX, "%s", found ? found : "");
done:
    json_decref(root);
    return status;
}

// Adds `value` under `key`; takes it, also on failure. False without memory.
static bool set_new(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static json_t *entry_to_json(const plc_tuning_entry *entry)
{
    json_t *root = json_object(), *ms = json_object(), *rejected = json_object();
    bool good = root && ms && rejected;

    for (int i = 0; good && i < entry->n_candidates; i++) {
        const plc_tuning_candidate *c = &entry->candidates[i];
        good = c->rejected ? set_new(rejected, c->name, json_string(c->rejected))
                           : set_new(ms, c->name, json_real(c->ms));
    }
    good = good && set_new(root, "operation", json_string(entry->operation)) &&
           set_new(root, "shape", json_string(entry->shape)) &&
           set_new(root, "mapping", json_string(entry->mapping)) &&
           set_new(root, "chosen", json_string(entry->candidates[entry->chosen].name)) &&
           json_object_set(root, "ms", ms) == 0 &&
           (json_object_size(rejected) == 0 || json_object_set(root, "rejected", rejected) == 0);
    json_decref(ms);
    json_decref(rejected);
    if (!good) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static json_t *row_to_json(const void *rows, size_t i)
{
    return entry_to_json(&((const plc_tuning *)rows)->items[i]);
}

pleach_status plc_tuning_format(const pleach_device *device, const plc_tuning *tuning,
                                plc_text *text)
{
    return plc_device_lines_format(device, schema, "entries", row_to_json, tuning,
                                   (size_t)tuning->n_items, text);
}
