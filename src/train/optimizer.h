// Optimizers: one launch over the weight arena per step.
#ifndef PLC_TRAIN_OPTIMIZER_H
#define PLC_TRAIN_OPTIMIZER_H

#include <exec/session.h>

typedef enum plc_optimizer_kind {
    PLC_OPTIMIZER_SGD,
    PLC_OPTIMIZER_ADAMW,
} plc_optimizer_kind;

typedef struct plc_optimizer_opts {
    plc_optimizer_kind kind;
    bool nesterov;        // sgd
    float weight_decay;   // of all parameters
    float beta2, epsilon; // adamw; 0: 0.999 and 1e-8
} plc_optimizer_opts;

typedef struct plc_optimizer plc_optimizer;

// "sgd" or "adamw"; fails with PLEACH_EUSAGE.
pleach_status plc_optimizer_parse(pleach_ctx *ctx, const char *name, plc_optimizer_kind *kind);

// Moment arenas that a kind needs: 1 or 2.
int plc_optimizer_n_moments(plc_optimizer_kind kind);

// Makes the session's moment arenas (zero) unless they are there. Borrows the session.
pleach_status plc_optimizer_create(pleach_session *session, const plc_optimizer_opts *opts,
                                   plc_optimizer **optimizer);
void plc_optimizer_destroy(plc_optimizer **optimizer);

// Enqueues one update of all trainable parameters from the session's gradients. `momentum` is that of
// sgd, or adamw's first decay. Does not wait.
pleach_status plc_optimizer_step(plc_optimizer *optimizer, float learning_rate, float momentum);

// Its launches, for profiles.
const plc_launch_list *plc_optimizer_launches(const plc_optimizer *optimizer);

// Updates so far (adamw's bias correction); part of what a checkpoint holds.
unsigned plc_optimizer_n_steps(const plc_optimizer *optimizer);
void plc_optimizer_set_n_steps(plc_optimizer *optimizer, unsigned n_steps);

#endif
