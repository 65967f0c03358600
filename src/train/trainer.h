// The training loop: batches in, steps enqueued, metrics out.
#ifndef PLC_TRAIN_TRAINER_H
#define PLC_TRAIN_TRAINER_H

#include <data/loader.h>
#include <train/optimizer.h>
#include <train/schedule.h>

typedef struct plc_trainer plc_trainer;

// Where a job stands: all that a checkpoint needs besides the arenas.
typedef struct plc_position {
    unsigned step;         // of the job, counted over all epochs
    int epoch, epoch_step; // both from 0
    plc_metrics metrics;   // of the epoch so far
} plc_position;

// Called after each step has been enqueued. May change masks, gates, or swap session and optimizer
// (plc_trainer_set_session). A status other than PLEACH_OK ends the loop with it.
typedef pleach_status plc_step_fn(void *user, plc_trainer *trainer);

typedef struct plc_trainer_opts {
    plc_schedule schedule;
    unsigned long long seed;   // of the order of images
    plc_step_fn *on_gradients; // may be NULL: between a step's gradients and the update by them
    plc_step_fn *on_step;      // may be NULL
    void *user;
} plc_trainer_opts;

// Borrows everything. Begins at `position` (NULL: the beginning).
pleach_status plc_trainer_create(pleach_ctx *ctx, pleach_session *session, plc_optimizer *optimizer,
                                 const plc_split *split, const plc_trainer_opts *opts,
                                 const plc_position *position, plc_trainer **trainer);
void plc_trainer_destroy(plc_trainer **trainer);

// Runs to the end of the current epoch; then position.epoch is the next one. *metrics are the epoch's.
// Fails with PLEACH_EDIVERGED when the loss is not finite.
pleach_status plc_trainer_run_epoch(plc_trainer *trainer, plc_metrics *metrics);

// Waits for the device and adds the metrics of finished steps. For progress and checkpoints.
pleach_status plc_trainer_sync(plc_trainer *trainer);
const plc_position *plc_trainer_position(const plc_trainer *trainer);
int plc_trainer_steps_per_epoch(const plc_trainer *trainer);
const plc_schedule *plc_trainer_schedule(const plc_trainer *trainer);

// From the next step on, train this session (a rewritten network) with this optimizer. Waits.
pleach_status plc_trainer_set_session(plc_trainer *trainer, pleach_session *session,
                                      plc_optimizer *optimizer);

// Mean loss and accuracy of a session over a split, in inference mode. Waits.
pleach_status plc_evaluate_split(pleach_session *session, const plc_split *split,
                                 plc_metrics *metrics);

// The same, and the logits of every image into `logits` [n_images][classes], the caller's; NULL: none.
pleach_status plc_evaluate_logits(pleach_session *session, const plc_split *split,
                                  plc_metrics *metrics, float *logits);

// Estimates the batch norms' running statistics anew: the mean of those of `n_batches` of training images, forward
// only, in an order given by the seed. Weights do not change. Waits.
pleach_status plc_estimate_statistics(pleach_session *session, const plc_split *split,
                                      int n_batches, unsigned long long seed);

#endif
