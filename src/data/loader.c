// Batches of a split, gathered by a thread ahead of whoever trains.
#include <data/loader.h>

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/random.h>

enum { DEFAULT_BUFFERS = 4, MAX_BUFFERS = 64, PAGE_BYTES = 4096 };

typedef struct slot {
    uint8_t *images; // owned, as are the next two
    int32_t *labels;
    uint32_t *ids;
    int n, epoch, step;
} slot;

struct plc_loader {
    const plc_split *split;
    plc_loader_opts opts;
    int steps_per_epoch;
    slot *slots;     // [opts.n_buffers]
    uint32_t *order; // [n_images], the thread's
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_mutex, has_changed, has_thread;
    // Guarded by `mutex`. Batch number i lives in slot i % n_buffers; released <= taken <= gathered.
    uint64_t gathered, taken, released;
    bool ended; // the thread gathers no more
    bool stop;  // destroy wants the thread to end
};

static void order_epoch(plc_loader *loader, int epoch)
{
    const uint32_t n = (uint32_t)loader->split->n_images;

    for (uint32_t i = 0; i < n; i++)
        loader->order[i] = i;
    if (loader->opts.shuffle)
        plc_random_shuffle(loader->opts.seed, PLC_STREAM_SHUFFLE, (uint32_t)epoch, loader->order,
                           n);
}

static void gather(plc_loader *loader, slot *slot, int epoch, int step)
{
    const plc_split *split = loader->split;
    const int batch = loader->opts.batch;
    const int64_t first = (int64_t)step * batch;
    const int64_t left = split->n_images - first;

    slot->n = left < batch ? (int)left : batch;
    slot->epoch = epoch;
    slot->step = step;
    for (int i = 0; i < slot->n; i++) {
        const uint32_t id = loader->order[first + i];

        slot->ids[i] = id;
        slot->labels[i] = split->labels[id];
        memcpy(slot->images + i * split->image_bytes, split->images + id * split->image_bytes,
               split->image_bytes);
    }
    for (int i = slot->n; i < batch; i++) {
        slot->ids[i] = 0;
        slot->labels[i] = 0;
    }
    memset(slot->images + slot->n * split->image_bytes, 0,
           (size_t)(batch - slot->n) * split->image_bytes);
}

// Waits for a free slot; NULL when the thread has to end.
static slot *wait_for_slot(plc_loader *loader)
{
    slot *found = NULL;

    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop && loader->gathered - loader->released == (uint64_t)loader->opts.n_buffers)
        pthread_cond_wait(&loader->changed, &loader->mutex);
    if (!loader->stop)
        found = &loader->slots[loader->gathered % (uint64_t)loader->opts.n_buffers];
    pthread_mutex_unlock(&loader->mutex);
    return found;
}

static void *run_thread(void *user)
{
    plc_loader *loader = user;
    const int n_epochs = loader->opts.n_epochs;
    const int64_t end = n_epochs ? (int64_t)loader->opts.epoch + n_epochs : INT32_MAX;
    int step = loader->opts.step;

    for (int epoch = loader->opts.epoch; epoch < end; epoch++) {
        order_epoch(loader, epoch);
        for (; step < loader->steps_per_epoch; step++) {
            slot *slot = wait_for_slot(loader);

            if (!slot)
                return NULL;
            gather(loader, slot, epoch, step);
            pthread_mutex_lock(&loader->mutex);
            loader->gathered++;
            pthread_cond_broadcast(&loader->changed);
            pthread_mutex_unlock(&loader->mutex);
        }
        step = 0;
    }
    pthread_mutex_lock(&loader->mutex);
    loader->ended = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static pleach_status check_opts(pleach_ctx *ctx, const plc_split *split,
                                const plc_loader_opts *opts, int *steps_per_epoch)
{
    if (opts->batch < 1 || opts->batch > PLC_MAX_IMAGES)
        return plc_fail(ctx, PLEACH_EUSAGE, "batch is %d, expected 1 to %d images", opts->batch,
                        PLC_MAX_IMAGES);
    if (opts->n_buffers < 0 || opts->n_buffers > MAX_BUFFERS)
        return plc_fail(ctx, PLEACH_EUSAGE, "loader has %d buffers, expected at most %d",
                        opts->n_buffers, MAX_BUFFERS);
    *steps_per_epoch = split->n_images / opts->batch;
    if (!opts->drop_last && split->n_images % opts->batch)
        (*steps_per_epoch)++;
    if (*steps_per_epoch == 0)
        return plc_fail(ctx, PLEACH_EUSAGE, "batch of %d: the split has only %d images",
                        opts->batch, split->n_images);
    if (opts->epoch < 0 || opts->n_epochs < 0 || opts->step < 0 || opts->step > *steps_per_epoch)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "cannot start at epoch %d, step %d for %d epochs: an epoch has %d steps",
                        opts->epoch, opts->step, opts->n_epochs, *steps_per_epoch);
    return PLEACH_OK;
}

static pleach_status create_slots(pleach_ctx *ctx, plc_loader *loader)
{
    pleach_status status = PLEACH_OK;
    const size_t batch = (size_t)loader->opts.batch;
    const size_t bytes = batch * loader->split->image_bytes;
    const size_t rounded = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

    TRY(plc_alloc(ctx, (size_t)loader->opts.n_buffers, sizeof *loader->slots, &loader->slots));
    for (int i = 0; i < loader->opts.n_buffers; i++) {
        slot *slot = &loader->slots[i];

        slot->images = aligned_alloc(PAGE_BYTES, rounded);
        if (!slot->images)
            FAIL(ctx, PLEACH_ENOMEM, "no memory for a batch of %zu images (%zu bytes)", batch,
                 rounded);
        TRY(plc_alloc(ctx, batch, sizeof *slot->labels, &slot->labels));
        TRY(plc_alloc(ctx, batch, sizeof *slot->ids, &slot->ids));
    }
done:
    return status;
}

// Signals stay with the caller's threads, whose waits they are meant to interrupt.
static pleach_status start_thread(pleach_ctx *ctx, plc_loader *loader)
{
    sigset_t all, before;
    int code = 0;

    loader->has_mutex = pthread_mutex_init(&loader->mutex, NULL) == 0;
    loader->has_changed = pthread_cond_init(&loader->changed, NULL) == 0;
    if (!loader->has_mutex || !loader->has_changed)
        return plc_fail(ctx, PLEACH_EFAILED, "loader: cannot make its lock");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&loader->thread, NULL, run_thread, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loader->has_thread = code == 0;
    if (code != 0)
        return plc_fail(ctx, PLEACH_EFAILED, "loader: cannot start its thread: %s", strerror(code));
    return PLEACH_OK;
}

pleach_status plc_loader_create(pleach_ctx *ctx, const plc_split *split,
                                const plc_loader_opts *opts, plc_loader **loader)
{
    pleach_status status = PLEACH_OK;
    plc_loader *created = NULL;
    int steps_per_epoch = 0;

    *loader = NULL;
    TRY(check_opts(ctx, split, opts, &steps_per_epoch));
    TRY(plc_alloc(ctx, 1, sizeof *created, &created));
    created->split = split;
    created->opts = *opts;
    created->steps_per_epoch = steps_per_epoch;
    if (created->opts.n_buffers == 0)
        created->opts.n_buffers = DEFAULT_BUFFERS;
    TRY(plc_alloc(ctx, (size_t)split->n_images, sizeof *created->order, &created->order));
    TRY(create_slots(ctx, created));
    TRY(start_thread(ctx, created));
    *loader = created;
    created = NULL;
done:
    plc_loader_destroy(&created);
    return status;
}

void plc_loader_destroy(plc_loader **loader)
{
    plc_loader *dying = *loader;

    if (!dying)
        return;
    if (dying->has_thread) {
        pthread_mutex_lock(&dying->mutex);
        dying->stop = true;
        pthread_cond_broadcast(&dying->changed);
        pthread_mutex_unlock(&dying->mutex);
        pthread_join(dying->thread, NULL);
    }
    if (dying->has_changed)
        pthread_cond_destroy(&dying->changed);
    if (dying->has_mutex)
        pthread_mutex_destroy(&dying->mutex);
    for (int i = 0; dying->slots && i < dying->opts.n_buffers; i++) {
        free(dying->slots[i].images);
        free(dying->slots[i].labels);
        free(dying->slots[i].ids);
    }
    free(dying->slots);
    free(dying->order);
    free(dying);
    *loader = NULL;
}

int plc_loader_steps_per_epoch(const plc_loader *loader)
{
    return loader->steps_per_epoch;
}

bool plc_loader_next(plc_loader *loader, plc_batch *batch)
{
    const uint64_t n_buffers = (uint64_t)loader->opts.n_buffers;
    bool found = false;

    *batch = (plc_batch){0};
    pthread_mutex_lock(&loader->mutex);
    assert(loader->taken - loader->released < n_buffers);
    while (loader->gathered == loader->taken && !loader->ended)
        pthread_cond_wait(&loader->changed, &loader->mutex);
    if (loader->gathered > loader->taken) {
        const slot *slot = &loader->slots[loader->taken % n_buffers];

        *batch =
            (plc_batch){slot->images, slot->labels, slot->ids, slot->n, slot->epoch, slot->step};
        loader->taken++;
        found = true;
    }
    pthread_mutex_unlock(&loader->mutex);
    return found;
}

void plc_loader_release(plc_loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    assert(loader->released < loader->taken);
    loader->released++;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}
