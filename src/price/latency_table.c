// The table of measured times, and its file: {"schema": "pleach.latency/1", ..., "steps": [{"step",
// "mapping", "ms": {"16->32": 0.12}}]}.
#include <price/latency_table.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/text.h>
#include <kernel/device_lines.h>
#include <kernel/tuning_file.h>

enum {
    MAX_BYTES = 4 << 20,
    MAX_STEPS = 1 << 14,
    MAX_TEXT = 200,
    MAX_CHANNELS = 1 << 24,
};

static const char schema[] = "pleach.latency/1";
static const double max_ms = 1e9; // eleven days: more is a mistake

const plc_latency_row *plc_latency_table_row(const plc_latency_table *table, const char *step,
                                             const char *mapping)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (strcmp(table->rows[i].step, step) == 0 && strcmp(table->rows[i].mapping, mapping) == 0)
            return &table->rows[i];
    return NULL;
}

const plc_latency_point *plc_latency_table_find(const plc_latency_row *row, int in, int out)
{
    for (size_t i = 0; row && i < row->n_points; i++)
        if (row->points[i].in == in && row->points[i].out == out)
            return &row->points[i];
    return NULL;
}

static pleach_status find_or_add_row(pleach_ctx *ctx, plc_latency_table *table, const char *step,
                                     const char *mapping, plc_latency_row **row)
{
    pleach_status status = PLEACH_OK;

    *row = (plc_latency_row *)plc_latency_table_row(table, step, mapping);
    if (*row)
        return status;
    TRY(plc_grow(ctx, &table->rows, &table->capacity, table->n_rows + 1));
    *row = &table->rows[table->n_rows++];
    **row = (plc_latency_row){0};
    TRY(plc_strdup(ctx, step, &(*row)->step));
    TRY(plc_strdup(ctx, mapping, &(*row)->mapping));
done:
    return status;
}

pleach_status plc_latency_table_put(pleach_ctx *ctx, plc_latency_table *table, const char *step,
                                    const char *mapping, plc_latency_point point)
{
    pleach_status status = PLEACH_OK;
    plc_latency_row *row = NULL;

    TRY(find_or_add_row(ctx, table, step, mapping, &row));
    plc_latency_point *there =
        (plc_latency_point *)plc_latency_table_find(row, point.in, point.out);
    if (there == NULL) {
        TRY(plc_grow(ctx, &row->points, &row->capacity, row->n_points + 1));
        there = &row->points[row->n_points++];
    }
    *there = point;
done:
    return status;
}

void plc_latency_table_finish(plc_latency_table *table)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        free(table->rows[i].step);
        free(table->rows[i].mapping);
        free(table->rows[i].points);
    }
    free(table->rows);
    *table = (plc_latency_table){0};
}

double plc_latency_rounded(double ms)
{
    char text[PLC_FORMAT_MAX];

    snprintf(text, sizeof text, "%.*g", PLC_DEVICE_LINES_DIGITS, ms);
    return strtod(text, NULL);
}

// A text that may go to a file or a terminal: short, not empty, printable ASCII.
static bool is_plain(const char *text)
{
    const size_t length = text ? strlen(text) : 0;

    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return length > 0 && length <= MAX_TEXT;
}

static bool read_point(const char *name, const json_t *value, plc_latency_point *point)
{
    int end = 0;

    point->ms = json_number_value(value);
    return sscanf(name, "%8d->%8d%n", &point->in, &point->out, &end) == 2 && name[end] == '\0' &&
           point->in > 0 && point->in <= MAX_CHANNELS && point->out > 0 &&
           point->out <= MAX_CHANNELS && json_is_number(value) && point->ms > 0 &&
           point->ms < max_ms;
}

static pleach_status read_step(pleach_ctx *ctx, const char *path, int index, const json_t *entry,
                               plc_latency_table *table)
{
    pleach_status status = PLEACH_OK;
    const char *step = json_string_value(json_object_get(entry, "step")),
               *mapping = json_string_value(json_object_get(entry, "mapping")), *name;
    json_t *ms = json_object_get(entry, "ms"), *value;

    if (!is_plain(step) || !is_plain(mapping) || !json_is_object(ms))
        FAIL(ctx, PLEACH_EINPUT,
             "%s: steps[%d]: texts \"step\" and \"mapping\" and an object \"ms\" are expected",
             path, index);
    json_object_foreach(ms, name, value)
    {
        plc_latency_point point = {0};
        if (!read_point(name, value, &point))
            FAIL(ctx, PLEACH_EINPUT,
                 "%s: steps[%d].ms: channels as \"16->32\" with a positive number of milliseconds "
                 "are expected",
                 path, index);
        TRY(plc_latency_table_put(ctx, table, step, mapping, point));
    }
done:
    return status;
}

static pleach_status parse(pleach_ctx *ctx, const char *path, const char *text, size_t length,
                           plc_latency_table *table)
{
    pleach_status status = PLEACH_OK;
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error), *entry = NULL;
    size_t i = 0;

    if (root == NULL)
        FAIL(ctx, PLEACH_EINPUT, "%s: line %d, column %d: %s", path, error.line, error.column,
             error.text);
    const char *found = json_string_value(json_object_get(root, "schema"));
    const json_t *steps = json_object_get(root, "steps");
    if (!found || strcmp(found, schema) != 0 || !json_is_array(steps) ||
        json_array_size(steps) > MAX_STEPS)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: \"schema\": \"%s\" and a list \"steps\" of at most %d are expected", path, schema,
             MAX_STEPS);
    json_array_foreach(steps, i, entry)
    {
        TRY(read_step(ctx, path, (int)i, entry, table));
    }
done:
    json_decref(root);
    return status;
}

static pleach_status merge(pleach_ctx *ctx, plc_latency_table *to, const plc_latency_table *from)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < from->n_rows; i++)
        for (size_t j = 0; j < from->rows[i].n_points; j++)
            TRY(plc_latency_table_put(ctx, to, from->rows[i].step, from->rows[i].mapping,
                                      from->rows[i].points[j]));
done:
    return status;
}

pleach_status plc_latency_table_read(pleach_ctx *ctx, const char *path, plc_latency_table *table)
{
    pleach_status status = PLEACH_OK;
    plc_latency_table read = {0};
    char *text = NULL;
    size_t length = 0;

    if (!plc_file_exists(path))
        return status;
    status = plc_file_read(ctx, path, MAX_BYTES, &text, &length);
    if (status == PLEACH_OK)
        status = parse(ctx, path, text, length, &read);
    if (status == PLEACH_OK)
        status = merge(ctx, table, &read);
    free(text);
    plc_latency_table_finish(&read);
    if (status != PLEACH_ENOMEM && status != PLEACH_OK) {
        plc_put_aside(ctx, path);
        status = PLEACH_OK;
    }
    return status;
}

static json_t *row_to_json(const plc_latency_row *row)
{
    json_t *root = json_object(), *ms = json_object();
    bool good = root && ms;

    for (size_t i = 0; good && i < row->n_points; i++) {
        char name[PLC_FORMAT_MAX];
        snprintf(name, sizeof name, "%d->%d", row->points[i].in, row->points[i].out);
        good = json_object_set_new(ms, name, json_real(row->points[i].ms)) == 0;
    }
    good = good && json_object_set_new(root, "step", json_string(row->step)) == 0 &&
           json_object_set_new(root, "mapping", json_string(row->mapping)) == 0 &&
           json_object_set(root, "ms", ms) == 0;
    json_decref(ms);
    if (!good) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static json_t *nth_to_json(const void *rows, size_t i)
{
    return row_to_json(&((const plc_latency_table *)rows)->rows[i]);
}

pleach_status plc_latency_table_write(const pleach_device *device, const char *path,
                                      const plc_latency_table *table)
{
    pleach_status status = PLEACH_OK;
    plc_latency_table merged = {0};
    plc_text text = {0};
    char *folder = NULL;

    TRY(plc_strdup(device->ctx, path, &folder));
    *strrchr(folder, '/') = '\0';
    TRY(plc_make_dirs(device->ctx, folder));
    TRY(plc_latency_table_read(device->ctx, path, &merged));
    TRY(merge(device->ctx, &merged, table));
    TRY(plc_device_lines_format(device, schema, "steps", nth_to_json, &merged, merged.n_rows,
                                &text));
    TRY(plc_file_write_all(device->ctx, path, text.data, text.length));
done:
    plc_latency_table_finish(&merged);
    plc_text_finish(&text);
    free(folder);
    return status;
}
