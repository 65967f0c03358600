// The tuner: who knows the answer, who may measure it, and what is kept.
#include <kernel/tuner.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <kernel/sources.h>
#include <kernel/trial.h>
#include <kernel/tuning_file.h>
#include <kernel/tuning_json.h>

// Seconds that a session may spend on PLEACH_TUNE_FAST; a measurement that has begun is finished.
static const double fast_seconds = 3.0;
static const plc_trial_effort fast_effort = {2e-3, 3}, full_effort = {20e-3, 7};

typedef enum source { FROM_DEFAULT, FROM_SHIPPED, FROM_FILE, FROM_MEASURED, N_SOURCES } source;

static const char *const source_names[N_SOURCES] = {"default", "shipped", "file", "measured"};

// A problem that was asked for, once.
typedef struct question {
    char *operation, *shape, *name; // owned; name: of the chosen candidate
    source from;
} question;

struct plc_tuner {
    pleach_device *device; // borrowed
    int mode;
    char *path;                  // owned, NULL: no file
    plc_tuning known[N_SOURCES]; // FROM_DEFAULT stays empty
    char mapping[PLC_FORMAT_MAX];
    bool paused;
    bool unwritten; // the last writing failed
    double seconds_left;
    int n_measured;  // in this session
    question *asked; // owned
    int n_asked;
    size_t asked_capacity;
};

int plc_tune_round(int n)
{
    int rounded = 1;

    while (rounded < n && rounded <= (1 << 29))
        rounded *= 2;
    return rounded;
}

static pleach_status read_shipped(plc_tuner *t)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = t->device->ctx;
    char kind[PLC_FORMAT_MAX];

    for (const plc_source *file = plc_shipped_tuning; file->name; file++) {
        TRY(plc_tuning_parse_kind(ctx, file->text, strlen(file->text), kind));
        if (strcmp(kind, t->device->info->kind) == 0)
            TRY(plc_tuning_parse(ctx, file->name, file->text, strlen(file->text),
                                 &t->known[FROM_SHIPPED]));
    }
done:
    return status;
}

pleach_status plc_tuner_create(pleach_device *device, const char *folder, int mode,
                               plc_tuner **tuner)
{
    pleach_status status = PLEACH_OK;
    plc_tuner *t = NULL;

    if (mode < PLEACH_TUNE_OFF || mode > PLEACH_TUNE_FULL)
        FAIL(device->ctx, PLEACH_EUSAGE,
             "tuning mode %d; it must be PLEACH_TUNE_OFF, _FAST or _FULL", mode);
    TRY(plc_alloc(device->ctx, 1, sizeof *t, &t));
    t->device = device;
    t->mode = mode;
    t->seconds_left = fast_seconds;
    plc_tuning_mapping(device, t->mapping);
    TRY(read_shipped(t));
    if (folder) {
        TRY(plc_tuning_path(device, folder, &t->path));
        TRY(plc_tuning_read(device->ctx, t->path, &t->known[FROM_FILE]));
    }
    *tuner = t;
    t = NULL;
done:
    plc_tuner_destroy(&t);
    return status;
}

void plc_tuner_destroy(plc_tuner **tuner)
{
    plc_tuner *t = *tuner;

    if (t == NULL)
        return;
    for (int i = 0; i < N_SOURCES; i++)
        plc_tuning_finish(&t->known[i]);
    for (int i = 0; i < t->n_asked; i++) {
        free(t->asked[i].operation);
        free(t->asked[i].shape);
        free(t->asked[i].name);
    }
    free(t->asked);
    free(t->path);
    free(t);
    *tuner = NULL;
}

// The candidate that a source names; -1 when it does not know the problem or names none of ours.
static int look_up(const plc_tuner *t, source from, const plc_tune_problem *problem)
{
    const plc_tuning_entry *entry =
        plc_tuning_find(&t->known[from], problem->operation, problem->shape, t->mapping);

    for (int i = 0; entry && i < problem->n_candidates; i++)
        if (strcmp(problem->names[i], entry->candidates[entry->chosen].name) == 0)
            return i;
    return -1;
}

static bool may_measure(const plc_tuner *t, const plc_tune_problem *problem, bool known)
{
    if (t->paused)
        return false;
    if (t->mode == PLEACH_TUNE_FULL)
        return true;
    return t->mode == PLEACH_TUNE_FAST && !known && !problem->changes_bits && t->seconds_left > 0.0;
}

// A measurement that fails leaves the problem unknown: it is no reason to give up a session.
static pleach_status measure(plc_tuner *t, const plc_tune_problem *problem)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = t->device->ctx;
    const double started = plc_clock_seconds();
    plc_tuning_entry entry = {0};

    plc_device_tell(t->device, "timing kernels", ++t->n_measured, 0);
    if (plc_trial_run(t->device, problem, t->mode == PLEACH_TUNE_FULL ? full_effort : fast_effort,
                      &entry) != PLEACH_OK) {
        plc_log(ctx, PLEACH_LOG_DEBUG, "%s, %s is not tuned: %s", problem->operation,
                problem->shape, pleach_error(ctx));
        goto done;
    }
    plc_log(ctx, PLEACH_LOG_DEBUG, "tuned %s, %s: %s", entry.operation, entry.shape,
            entry.candidates[entry.chosen].name);
    TRY(plc_tuning_put(ctx, &t->known[FROM_MEASURED], &entry));
done:
    t->seconds_left -= plc_clock_seconds() - started;
    plc_tuning_entry_finish(&entry);
    return status;
}

static pleach_status note_answer(plc_tuner *t, const plc_tune_problem *problem, source from,
                                 int chosen)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = t->device->ctx;
    question *q = NULL;

    for (int i = 0; i < t->n_asked && q == NULL; i++)
        if (strcmp(t->asked[i].shape, problem->shape) == 0 &&
            strcmp(t->asked[i].operation, problem->operation) == 0)
            q = &t->asked[i];
    if (q == NULL) {
        TRY(plc_grow(ctx, &t->asked, &t->asked_capacity, (size_t)t->n_asked + 1));
        q = &t->asked[t->n_asked];
        *q = (question){0};
        TRY(plc_strdup(ctx, problem->operation, &q->operation));
        if (plc_strdup(ctx, problem->shape, &q->shape) != PLEACH_OK) {
            free(q->operation);
            return PLEACH_ENOMEM;
        }
        t->n_asked++;
    }
    free(q->name);
    q->name = NULL;
    q->from = from;
    TRY(plc_strdup(ctx, problem->names[chosen], &q->name));
done:
    return status;
}

pleach_status plc_tuner_choose(pleach_device *device, const plc_tune_problem *problem, int *chosen)
{
    pleach_status status = PLEACH_OK;
    plc_tuner *t = device->tuner;
    int found[N_SOURCES];
    source from = FROM_MEASURED;

    assert(problem->n_candidates >= 1 && problem->n_candidates <= PLC_TUNING_MAX_CANDIDATES &&
           problem->n_buffers <= PLC_TUNE_MAX_BUFFERS);
    found[FROM_DEFAULT] = 0;
    for (int i = FROM_SHIPPED; i < N_SOURCES; i++)
        found[i] = look_up(t, (source)i, problem);
    if (found[FROM_MEASURED] < 0 && problem->n_candidates > 1 &&
        may_measure(t, problem, found[FROM_FILE] >= 0 || found[FROM_SHIPPED] >= 0)) {
        TRY(measure(t, problem));
        found[FROM_MEASURED] = look_up(t, FROM_MEASURED, problem);
    }
    while (found[from] < 0)
        from--;
    *chosen = found[from];
    if (!t->paused)
        TRY(note_answer(t, problem, from, *chosen));
done:
    return status;
}

void plc_tuner_pause(plc_tuner *tuner, bool paused)
{
    tuner->paused = paused;
}

void plc_tuner_end_session(pleach_device *device)
{
    plc_tuner *t = device->tuner;

    if (t->paused)
        return;
    if (t->n_measured > 0 && t->path) {
        t->unwritten = plc_tuning_write(device, t->path, &t->known[FROM_MEASURED]) != PLEACH_OK;
        if (t->unwritten)
            plc_log(device->ctx, PLEACH_LOG_WARNING, "tuning is not kept: %s",
                    pleach_error(device->ctx));
    }
    t->n_measured = 0;
    t->seconds_left = fast_seconds;
}

int plc_tuner_count(const plc_tuner *tuner)
{
    return tuner->n_asked;
}

plc_tuner_answer plc_tuner_get(const plc_tuner *tuner, int index)
{
    const question *q = &tuner->asked[index];

    return (plc_tuner_answer){
        .entry = plc_tuning_find(&tuner->known[q->from], q->operation, q->shape, tuner->mapping),
        .operation = q->operation,
        .shape = q->shape,
        .source = source_names[q->from],
        .name = q->name,
    };
}

const char *plc_tuner_path(const plc_tuner *tuner)
{
    return tuner->path;
}

bool plc_tuner_is_kept(const plc_tuner *tuner)
{
    return tuner->path && !tuner->unwritten;
}
