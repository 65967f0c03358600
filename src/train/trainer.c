// The training loop. The host stays at most a few steps ahead of the device and never waits inside one.
#include <train/trainer.h>

#include <math.h>
#include <stdlib.h>
#include <base/memory.h>

// Steps that may be enqueued beyond the one whose images the device has taken.
enum { STEPS_AHEAD = 2, LOADER_BUFFERS = STEPS_AHEAD + 3, LONGEST_PENDING = PLC_METRIC_SLOTS / 2 };

struct plc_trainer {
    pleach_ctx *ctx;
    pleach_session *session;
    plc_optimizer *optimizer;
    const plc_split *split;
    plc_trainer_opts opts;
    plc_position position;
    plc_loader *loader;                // owned
    cl_event uploads[STEPS_AHEAD + 1]; // of the batches still taken, a ring by step
    int n_taken;
    unsigned first_pending; // steps from here on have metrics on the device only
};

pleach_status plc_trainer_create(pleach_ctx *ctx, pleach_session *session, plc_optimizer *optimizer,
                                 const plc_split *split, const plc_trainer_opts *opts,
                                 const plc_position *position, plc_trainer **out)
{
    pleach_status status = PLEACH_OK;
    plc_trainer *trainer = NULL;

    TRY(plc_alloc(ctx, 1, sizeof *trainer, &trainer));
    trainer->ctx = ctx;
    trainer->session = session;
    trainer->optimizer = optimizer;
    trainer->split = split;
    trainer->opts = *opts;
    if (position)
        trainer->position = *position;
    trainer->first_pending = trainer->position.step;
    const plc_loader_opts loader_opts = {.batch = session->batch,
                                         .seed = opts->seed,
                                         .shuffle = true,
                                         .drop_last = true,
                                         .vary = true,
                                         .epoch = trainer->position.epoch,
                                         .step = trainer->position.epoch_step,
                                         .n_buffers = LOADER_BUFFERS};
    TRY(plc_loader_create(ctx, split, &loader_opts, &trainer->loader));
    *out = trainer;
    trainer = NULL;
done:
    plc_trainer_destroy(&trainer);
    return status;
}

// Waits until the device has taken the oldest batch, gives its memory back to the loader.
static pleach_status release_oldest(plc_trainer *trainer)
{
    const unsigned oldest = trainer->position.step - (unsigned)trainer->n_taken;
    const pleach_status status =
        plc_device_wait(trainer->session->device, &trainer->uploads[oldest % (STEPS_AHEAD + 1)]);

    trainer->n_taken--;
    plc_loader_release(trainer->loader);
    return status;
}

static pleach_status release_all(plc_trainer *trainer)
{
    pleach_status status = PLEACH_OK;

    while (trainer->n_taken > 0) {
        const pleach_status released = release_oldest(trainer);
        if (status == PLEACH_OK)
            status = released;
    }
    return status;
}

void plc_trainer_destroy(plc_trainer **trainer)
{
    plc_trainer *t = *trainer;

    if (t == NULL)
        return;
    for (int i = 0; i <= STEPS_AHEAD; i++)
        plc_device_drop_event(t->session->device, &t->uploads[i]);
    plc_loader_destroy(&t->loader);
    free(t);
    *trainer = NULL;
}

int plc_trainer_steps_per_epoch(const plc_trainer *trainer)
{
    return plc_loader_steps_per_epoch(trainer->loader);
}

const plc_schedule *plc_trainer_schedule(const plc_trainer *trainer)
{
    return &trainer->opts.schedule;
}

const plc_position *plc_trainer_position(const plc_trainer *trainer)
{
    return &trainer->position;
}

pleach_status plc_trainer_sync(plc_trainer *trainer)
{
    pleach_status status = PLEACH_OK;
    plc_position *position = &trainer->position;

    if (trainer->first_pending == position->step)
        return PLEACH_OK;
    TRY(plc_session_read_metrics(trainer->session, trainer->first_pending,
                                 position->step - trainer->first_pending, &position->metrics));
    trainer->first_pending = position->step;
    if (!isfinite(position->metrics.loss_sum))
        FAIL(trainer->ctx, PLEACH_EDIVERGED,
             "the loss is %f at step %u; a smaller --lr or a longer --warmup may help",
             position->metrics.loss_sum, position->step);
done:
    return status;
}

pleach_status plc_trainer_set_session(plc_trainer *trainer, pleach_session *session,
                                      plc_optimizer *optimizer)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_trainer_sync(trainer));
    TRY(release_all(trainer));
    trainer->session = session;
    trainer->optimizer = optimizer;
done:
    return status;
}

static pleach_status enqueue_step(plc_trainer *trainer)
{
    pleach_status status = PLEACH_OK;
    plc_position *position = &trainer->position;
    plc_batch batch;
    float rate, momentum;

    plc_schedule_at(&trainer->opts.schedule, position->step, &rate, &momentum);
    if (!plc_loader_next(trainer->loader, &batch))
        return plc_loader_failure(trainer->loader, trainer->ctx);
    cl_event *upload = &trainer->uploads[position->step % (STEPS_AHEAD + 1)];
    trainer->n_taken++;
    position->step++;
    position->epoch_step++;
    TRY(plc_session_upload(trainer->session, batch.images, batch.labels, batch.n, upload));
    TRY(plc_session_train(trainer->session, position->step - 1));
    if (trainer->opts.on_gradients)
        TRY(trainer->opts.on_gradients(trainer->opts.user, trainer));
    TRY(plc_optimizer_step(trainer->optimizer, rate, momentum));
    TRY(plc_device_flush(trainer->session->device));
    if (trainer->n_taken > STEPS_AHEAD)
        TRY(release_oldest(trainer));
done:
    return status;
}

pleach_status plc_trainer_run_epoch(plc_trainer *trainer, plc_metrics *metrics)
{
    pleach_status status = PLEACH_OK;
    plc_position *position = &trainer->position;
    const int n_steps = plc_trainer_steps_per_epoch(trainer);

    while (position->epoch_step < n_steps) {
        TRY(enqueue_step(trainer));
        if (position->step - trainer->first_pending == LONGEST_PENDING)
            TRY(plc_trainer_sync(trainer));
        if (trainer->opts.on_step)
            TRY(trainer->opts.on_step(trainer->opts.user, trainer));
    }
    TRY(plc_trainer_sync(trainer));
    *metrics = position->metrics;
    position->metrics = (plc_metrics){0};
    position->epoch++;
    position->epoch_step = 0;
done:
    return status;
}
