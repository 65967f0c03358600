// Evaluation of a session on a split, and fresh batch norm statistics.
#include <train/trainer.h>

// Of a batch of n_images; `user` is for_each_batch's.
typedef pleach_status run_batch(pleach_session *session, int number, int n_images, void *user);

// Runs `run` on the batches of a split, one at a time.
static pleach_status for_each_batch(pleach_session *session, const plc_split *split,
                                    const plc_loader_opts *opts, int n_batches, run_batch *run,
                                    void *user)
{
    pleach_status status = PLEACH_OK;
    plc_loader *loader = NULL;
    plc_batch batch;

    TRY(plc_loader_create(session->ctx, split, opts, &loader));
    for (int i = 0; i < n_batches; i++) {
        if (!plc_loader_next(loader, &batch)) {
            TRY(plc_loader_failure(loader, session->ctx));
            break;
        }
        cl_event uploaded = NULL;
        TRY(plc_session_upload(session, batch.images, batch.labels, batch.n, &uploaded));
        status = run(session, i, batch.n, user);
        if (status == PLEACH_OK)
            status = plc_device_wait(session->device, &uploaded);
        plc_device_drop_event(session->device, &uploaded);
        TRY(status);
        plc_loader_release(loader);
    }
    TRY(plc_device_finish(session->device));
done:
    plc_loader_destroy(&loader);
    return status;
}

// What is gathered of a split.
typedef struct gathered {
    plc_metrics *metrics;
    float *logits; // of all images, NULL: nowhere
} gathered;

static pleach_status infer(pleach_session *session, int number, int n_images, void *user)
{
    pleach_status status = PLEACH_OK;
    const plc_shape classes = session->graph->nodes[session->graph->n_nodes - 1].shape;
    const gathered *to = user;
    const unsigned n_done = (unsigned)number + 1;

    TRY(plc_session_infer(session, (unsigned)number, n_images));
    if (to->logits)
        TRY(plc_session_read_logits(session, false, n_images,
                                    to->logits + (size_t)number * (size_t)session->batch *
                                                     (size_t)classes.c));
    if (n_done % PLC_METRIC_SLOTS == 0) // before the next batch takes the first slot
        TRY(plc_session_read_metrics(session, n_done - PLC_METRIC_SLOTS, PLC_METRIC_SLOTS,
                                     to->metrics));
done:
    return status;
}

pleach_status plc_evaluate_split(pleach_session *session, const plc_split *split,
                                 plc_metrics *metrics)
{
    return plc_evaluate_logits(session, split, metrics, NULL);
}

pleach_status plc_evaluate_logits(pleach_session *session, const plc_split *split,
                                  plc_metrics *metrics, float *logits)
{
    pleach_status status = PLEACH_OK;
    const int n_batches = (split->n_images + session->batch - 1) / session->batch;
    const plc_loader_opts opts = {.batch = session->batch, .n_epochs = 1};

    gathered to = {metrics, logits};

    *metrics = (plc_metrics){0};
    TRY(for_each_batch(session, split, &opts, n_batches, infer, &to));
    const unsigned n_left = (unsigned)n_batches % PLC_METRIC_SLOTS;
    TRY(plc_session_read_metrics(session, (unsigned)n_batches - n_left, n_left, metrics));
done:
    return status;
}

// Moved by 1/k at the k-th batch, running statistics are the mean of the batches': nothing is left of what stood there.
static pleach_status forward(pleach_session *session, int number, int n_images, void *user)
{
    pleach_status status = PLEACH_OK;

    (void)n_images, (void)user;
    TRY(plc_session_set_momentum(session, 1.0f / (float)(number + 1)));
    TRY(plc_session_forward(session, (unsigned)number));
done:
    return status;
}

pleach_status plc_estimate_statistics(pleach_session *session, const plc_split *split,
                                      int n_batches, unsigned long long seed)
{
    const plc_loader_opts opts = {
        .batch = session->batch, .seed = seed, .shuffle = true, .drop_last = true, .vary = true};
    const float own = 0;

    const pleach_status status = for_each_batch(session, split, &opts, n_batches, forward, NULL);
    const pleach_status reset = plc_session_set_momentum(session, own);
    return status == PLEACH_OK ? reset : status;
}
