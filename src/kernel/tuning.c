// Tuning entries by key.
#include <kernel/tuning.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

void plc_tuning_mapping(const pleach_device *device, char text[PLC_FORMAT_MAX])
{
    snprintf(text, PLC_FORMAT_MAX, "%s %d", plc_device_layout_name(device), device->lanes);
}

plc_tuning_entry *plc_tuning_find(const plc_tuning *tuning, const char *operation,
                                  const char *shape, const char *mapping)
{
    for (int i = 0; i < tuning->n_items; i++) {
        plc_tuning_entry *e = &tuning->items[i];
        if (strcmp(e->shape, shape) == 0 && strcmp(e->operation, operation) == 0 &&
            strcmp(e->mapping, mapping) == 0)
            return e;
    }
    return NULL;
}

pleach_status plc_tuning_put(pleach_ctx *ctx, plc_tuning *tuning, plc_tuning_entry *entry)
{
    pleach_status status = PLEACH_OK;
    plc_tuning_entry *place =
        plc_tuning_find(tuning, entry->operation, entry->shape, entry->mapping);

    if (place) {
        plc_tuning_entry_finish(place);
    } else {
        TRY(plc_grow(ctx, &tuning->items, &tuning->capacity, (size_t)tuning->n_items + 1));
        place = &tuning->items[tuning->n_items++];
    }
    *place = *entry;
    *entry = (plc_tuning_entry){0};
done:
    plc_tuning_entry_finish(entry);
    return status;
}

static pleach_status copy_text(pleach_ctx *ctx, const char *text, char **copy)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_strdup(ctx, text, copy));
    if (strlen(text) > PLC_TUNING_MAX_TEXT)
        (*copy)[PLC_TUNING_MAX_TEXT] = '\0';
    // A compiler's log has several lines, a reason is one of ASCII.
    for (char *c = *copy; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = *c == '\n' || *c == '\t' ? ' ' : '?';
done:
    return status;
}

pleach_status plc_tuning_entry_add(pleach_ctx *ctx, plc_tuning_entry *entry, const char *name,
                                   double ms, const char *rejected)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &entry->candidates, &entry->candidate_capacity,
                 (size_t)entry->n_candidates + 1));
    plc_tuning_candidate *candidate = &entry->candidates[entry->n_candidates++];
    candidate->ms = ms;
    TRY(copy_text(ctx, name, &candidate->name));
    if (rejected)
        TRY(copy_text(ctx, rejected, &candidate->rejected));
done:
    return status;
}

pleach_status plc_tuning_entry_copy(pleach_ctx *ctx, const plc_tuning_entry *from,
                                    plc_tuning_entry *to)
{
    pleach_status status = PLEACH_OK;

    *to = (plc_tuning_entry){.chosen = from->chosen};
    TRY(copy_text(ctx, from->operation, &to->operation));
    TRY(copy_text(ctx, from->shape, &to->shape));
    TRY(copy_text(ctx, from->mapping, &to->mapping));
    for (int i = 0; i < from->n_candidates; i++)
        TRY(plc_tuning_entry_add(ctx, to, from->candidates[i].name, from->candidates[i].ms,
                                 from->candidates[i].rejected));
done:
    return status;
}

void plc_tuning_entry_finish(plc_tuning_entry *entry)
{
    for (int i = 0; i < entry->n_candidates; i++) {
        free(entry->candidates[i].name);
        free(entry->candidates[i].rejected);
    }
    free(entry->candidates);
    free(entry->operation);
    free(entry->shape);
    free(entry->mapping);
    *entry = (plc_tuning_entry){0};
}

void plc_tuning_finish(plc_tuning *tuning)
{
    for (int i = 0; i < tuning->n_items; i++)
        plc_tuning_entry_finish(&tuning->items[i]);
    free(tuning->items);
    *tuning = (plc_tuning){0};
}
