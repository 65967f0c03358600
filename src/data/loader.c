// Batches of a split, gathered by threads ahead of whoever trains.
#include <data/loader.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/parallel.h>
#include <base/random.h>

enum { DEFAULT_BUFFERS = 4, MAX_BUFFERS = 64, PAGE_BYTES = 4096, MAX_PIECE = 8 };

typedef struct slot {
    uint8_t *images; // owned, as are the next two
    int32_t *labels;
    uint32_t *ids;
    int n, epoch, step;
    int n_missing; // images that are not there yet; guarded
} slot;

// Images [first, end) of a slot, for one thread to gather.
typedef struct piece {
    slot *slot;
    int first, end;
} piece;

struct plc_loader {
    const plc_split *split;
    plc_loader_opts opts;
    int steps_per_epoch;
    int piece_images; // of a piece
    slot *slots;      // [opts.n_buffers]
    pthread_t threads[PLC_MAX_THREADS];
    int n_threads;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_mutex, has_changed;
    // All below is guarded by `mutex`.
    uint32_t *order; // [n_images] of order_epoch
    int order_epoch; // -1: none yet
    int epoch, step,
        n_given; // of the batch that is being shared out: its first n_given images are given
    // Batch number i lives in slot i % n_buffers; released <= taken <= gathered <= opened.
    uint64_t opened, gathered, taken, released;
    bool ended; // no more batches are opened
    bool stop;  // destroy wants the threads to end
    pleach_status failed;
    char *failure; // owned: text of `failed`
};

static void order_epoch(plc_loader *loader)
{
    const uint32_t n = (uint32_t)loader->split->n_images;

    for (uint32_t i = 0; i < n; i++)
        loader->order[i] = i;
    if (loader->opts.shuffle)
        plc_random_shuffle(loader->opts.seed, PLC_STREAM_SHUFFLE, (uint32_t)loader->epoch,
                           loader->order, n);
    loader->order_epoch = loader->epoch;
}

// Says what goes into the next batch. Images behind its end are zero.
static void open_slot(plc_loader *loader)
{
    const plc_split *split = loader->split;
    const int batch = loader->opts.batch;
    const int64_t first = (int64_t)loader->step * batch;
    const int64_t left = split->n_images - first;
    slot *slot = &loader->slots[loader->opened % (uint64_t)loader->opts.n_buffers];

    if (loader->order_epoch != loader->epoch)
        order_epoch(loader);
    slot->n = left < batch ? (int)left : batch;
    slot->n_missing = slot->n;
    slot->epoch = loader->epoch;
    slot->step = loader->step;
    for (int i = 0; i < batch; i++) {
        slot->ids[i] = i < slot->n ? loader->order[first + i] : 0;
        slot->labels[i] = i < slot->n ? split->labels[slot->ids[i]] : 0;
    }
    memset(slot->images + (size_t)slot->n * split->image_bytes, 0,
           (size_t)(batch - slot->n) * split->image_bytes);
    loader->opened++;
    loader->n_given = 0;
    if (++loader->step == loader->steps_per_epoch) {
        loader->step = 0;
        loader->epoch++;
    }
}

static bool at_end(const plc_loader *loader)
{
    const int64_t n_epochs = loader->opts.n_epochs;
    const int64_t end = n_epochs ? loader->opts.epoch + n_epochs : INT32_MAX;

    return loader->epoch >= end;
}

// Waits for something to gather; false when the thread has to end.
static bool take_piece(plc_loader *loader, piece *piece)
{
    const uint64_t n_buffers = (uint64_t)loader->opts.n_buffers;
    bool found = false;

    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop && loader->failed == PLEACH_OK && !found) {
        slot *slot = loader->opened ? &loader->slots[(loader->opened - 1) % n_buffers] : NULL;

        if (slot && loader->n_given < slot->n) {
            piece->slot = slot;
            piece->first = loader->n_given;
            piece->end = slot->n - piece->first < loader->piece_images
                             ? slot->n
                             : piece->first + loader->piece_images;
            loader->n_given = piece->end;
            found = true;
        } else if (at_end(loader)) {
            loader->ended = true;
            pthread_cond_broadcast(&loader->changed);
            break;
        } else if (loader->opened - loader->released < n_buffers) {
            open_slot(loader);
        } else {
            pthread_cond_wait(&loader->changed, &loader->mutex);
        }
    }
    pthread_mutex_unlock(&loader->mutex);
    return found;
}

static pleach_status gather(pleach_ctx *ctx, const plc_loader *loader, const piece *piece,
                            plc_picture_scratch *scratch)
{
    pleach_status status = PLEACH_OK;
    const slot *slot = piece->slot;
    const plc_draw draw = {.seed = loader->opts.seed, .epoch = (uint32_t)slot->epoch};

    for (int i = piece->first; i < piece->end; i++)
        TRY(plc_split_image(ctx, loader->split, slot->ids[i], loader->opts.vary ? &draw : NULL,
                            scratch, slot->images + (size_t)i * loader->split->image_bytes));
done:
    return status;
}

static void note_gathered(plc_loader *loader, const piece *piece, pleach_status status,
                          const char *text)
{
    const uint64_t n_buffers = (uint64_t)loader->opts.n_buffers;

    pthread_mutex_lock(&loader->mutex);
    piece->slot->n_missing -= piece->end - piece->first;
    if (status != PLEACH_OK && loader->failed == PLEACH_OK) {
        loader->failed = status;
        loader->failure = strdup(text);
    }
    while (loader->failed == PLEACH_OK && loader->gathered < loader->opened &&
           loader->slots[loader->gathered % n_buffers].n_missing == 0)
        loader->gathered++;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}

static void *run_thread(void *user)
{
    plc_loader *loader = user;
    plc_picture_scratch scratch = {0};
    pleach_ctx *ctx = NULL; // NULL without memory: then a failure has no text
    piece piece = {0};

    (void)pleach_ctx_create(&ctx);
    while (take_piece(loader, &piece)) {
        const pleach_status status = gather(ctx, loader, &piece, &scratch);

        note_gathered(loader, &piece, status, pleach_error(ctx));
    }
    plc_picture_scratch_finish(&scratch);
    pleach_ctx_destroy(&ctx);
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

static pleach_status start_threads(pleach_ctx *ctx, plc_loader *loader)
{
    const plc_pictures *pictures = loader->split->pictures;
    const int wanted = pictures ? pictures->n_threads : 1;
    int code = 0;

    loader->piece_images = pictures ? MAX_PIECE : loader->opts.batch;
    loader->has_mutex = pthread_mutex_init(&loader->mutex, NULL) == 0;
    loader->has_changed = pthread_cond_init(&loader->changed, NULL) == 0;
    if (!loader->has_mutex || !loader->has_changed)
        return plc_fail(ctx, PLEACH_EFAILED, "loader: cannot make its lock");
    while (code == 0 && loader->n_threads < wanted) {
        code = plc_thread_create(&loader->threads[loader->n_threads], run_thread, loader);
        loader->n_threads += code == 0;
    }
    if (loader->n_threads == 0)
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
    created->epoch = opts->epoch + opts->step / steps_per_epoch;
    created->step = opts->step % steps_per_epoch;
    created->order_epoch = -1;
    if (created->opts.n_buffers == 0)
        created->opts.n_buffers = DEFAULT_BUFFERS;
    TRY(plc_alloc(ctx, (size_t)split->n_images, sizeof *created->order, &created->order));
    TRY(create_slots(ctx, created));
    TRY(start_threads(ctx, created));
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
    if (dying->n_threads) {
        pthread_mutex_lock(&dying->mutex);
        dying->stop = true;
        pthread_cond_broadcast(&dying->changed);
        pthread_mutex_unlock(&dying->mutex);
    }
    for (int i = 0; i < dying->n_threads; i++)
        pthread_join(dying->threads[i], NULL);
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
    free(dying->failure);
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
    // Threads that have ended opening may still gather.
    while (loader->gathered == loader->taken && loader->failed == PLEACH_OK &&
           !(loader->ended && loader->gathered == loader->opened))
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

pleach_status plc_loader_failure(plc_loader *loader, pleach_ctx *ctx)
{
    pleach_status status = PLEACH_OK;

    pthread_mutex_lock(&loader->mutex);
    status = loader->failed;
    if (status != PLEACH_OK)
        plc_fail(ctx, status, "%s", loader->failure ? loader->failure : pleach_status_text(status));
    pthread_mutex_unlock(&loader->mutex);
    return status;
}

void plc_loader_release(plc_loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    assert(loader->released < loader->taken);
    loader->released++;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}
