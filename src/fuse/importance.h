// Importance of residual blocks: how much the loss rises when a block alone is taken out.
#ifndef PLC_FUSE_IMPORTANCE_H
#define PLC_FUSE_IMPORTANCE_H

#include <fuse/blocks.h>
#include <train/trainer.h>

// Sets the gate (0 to 1) of a node from the next step or inference on: a batch norm is multiplied by it
// (block->gate: the whole branch is), a fading_relu is a ReLU at 1 and the identity at 0. Does not wait.
pleach_status plc_gate_set(pleach_session *session, int node, float gate);

// Whether a block has a gate and is not to be kept.
bool plc_block_may_drop(const plc_block *block);

// What the greedy choice saw of a block, in the order of blocks->items.
typedef struct plc_block_choice {
    double importance; // rise of the mean loss when last measured, NAN: never
    int round;         // the round in which it was chosen, -1: kept
    int measured_in;   // the round in which it was measured last, -1: never
} plc_block_choice;

typedef struct plc_drop_opts {
    int n_drop;       // blocks to choose; -1: as many as keep the accuracy, at most a quarter
    double tolerance; // with -1: accuracy on all calibration images may fall by this much in all
} plc_drop_opts;

// The calibration images on which importances are measured: the first quarter, at least 256 (or all).
plc_split plc_importance_images(const plc_split *calibration);
// Mean loss of a session on them. Waits.
pleach_status plc_importance_loss(pleach_session *session, const plc_split *images, double *loss);
// The same without a block that has a gate, which is 1 again afterwards.
pleach_status plc_importance_loss_without(pleach_session *session, const plc_block *block,
                                          const plc_split *images, double *loss);

// Chooses blocks greedily: measures every candidate, takes the one of least importance, and measures those that look
// weakest again without it, until one is weakest as measured. Gates are 1 again afterwards. `choices` [n_items] is the
// caller's; blocks that may not be dropped are never chosen. Uses inference on `calibration` only. Waits.
pleach_status plc_blocks_choose(pleach_session *session, const plc_blocks *blocks,
                                const plc_split *calibration, const plc_drop_opts *opts,
                                plc_block_choice *choices);

#endif
