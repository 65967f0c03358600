// log.jsonl: one JSON object per line, of which the epochs make the curves.
#include <report/history.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/file.h>
#include <base/memory.h>

enum { MAX_LOG_BYTES = 256 << 20 };

static void finish_point(plc_history_point *point)
{
    free(point->phase);
    free(point->network);
}

void plc_history_finish(plc_history *history)
{
    for (size_t i = 0; i < history->n_items; i++)
        finish_point(&history->items[i]);
    free(history->items);
    *history = (plc_history){0};
}

static double number(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "";
}

// A resumed run goes on from its checkpoint: what the network did after that is done again.
static void forget_from(plc_history *history, const char *network, int epoch)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < history->n_items; i++) {
        plc_history_point *point = &history->items[i];

        if (strcmp(point->network, network) == 0 && point->epoch >= epoch)
            finish_point(point);
        else
            history->items[n_kept++] = *point;
    }
    history->n_items = n_kept;
}

static pleach_status append_epoch(pleach_ctx *ctx, plc_history *history, const json_t *line)
{
    pleach_status status = PLEACH_OK;
    plc_history_point *point = NULL;
    const json_int_t epoch = json_integer_value(json_object_get(line, "epoch"));

    if (epoch < 1 || epoch > 1000000) { // no such epoch: not ours
        history->n_bad_lines++;
        return PLEACH_OK;
    }
    forget_from(history, text_of(line, "network"), (int)epoch);
    TRY(plc_grow(ctx, &history->items, &history->capacity, history->n_items + 1));
    point = &history->items[history->n_items++];
    *point = (plc_history_point){
        .epoch = (int)epoch,
        .loss = number(line, "loss"),
        .train_accuracy = number(line, "train_accuracy"),
        .calibration_accuracy = number(line, "calibration_accuracy"),
        .images_per_second = number(line, "images_per_second"),
        .learning_rate = number(line, "learning_rate"),
        .macs_kept = number(line, "macs_kept"),
        .seconds = number(line, "seconds"),
    };
    TRY(plc_strdup(ctx, text_of(line, "phase"), &point->phase));
    TRY(plc_strdup(ctx, text_of(line, "network"), &point->network));
done:
    return status;
}

pleach_status plc_history_read(pleach_ctx *ctx, const char *path, plc_history *history)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL, *line = NULL, *rest = NULL;
    size_t size = 0;
    json_t *object = NULL;

    *history = (plc_history){0};
    TRY(plc_file_read(ctx, path, MAX_LOG_BYTES, &text, &size));
    rest = text;
    while ((line = strsep(&rest, "\n"))) {
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(object))
            history->n_bad_lines++;
        else if (strcmp(text_of(object, "event"), "epoch") == 0)
            TRY(append_epoch(ctx, history, object));
        json_decref(object);
        object = NULL;
    }
    if (history->n_bad_lines)
        plc_log(ctx, PLEACH_LOG_WARNING, "log '%s': %d broken %s skipped", path,
                history->n_bad_lines, history->n_bad_lines == 1 ? "line was" : "lines were");
done:
    if (status != PLEACH_OK)
        plc_history_finish(history);
    json_decref(object);
    free(text);
    return status;
}
