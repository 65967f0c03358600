// What can be done to the blocks of a network: effects of each action, for the plan.
#ifndef PLC_FUSE_CANDIDATES_H
#define PLC_FUSE_CANDIDATES_H

#include <fuse/blocks.h>
#include <fuse/plan.h>
#include <train/trainer.h>

// What a whole network costs, in any unit; a plan's savings are differences of it. `user` as registered.
typedef pleach_status plc_fuse_cost_fn(void *user, const pleach_graph *graph, double *cost);

typedef struct plc_fuse_cost {
    const char *name; // static
    plc_fuse_cost_fn *of;
    void *user; // borrowed
} plc_fuse_cost;

// "macs": multiply-accumulates. "layers": convolutions. "latency": milliseconds of inference, for which the caller
// sets `of` and `user`, as it has the table of the device (price/latency.h). Fails with PLEACH_EUSAGE: text has the nearest name.
pleach_status plc_fuse_cost_named(pleach_ctx *ctx, const char *name, plc_fuse_cost *cost);

// Marks in `seconds` [n_nodes] the convolutions with which the branch of `block` becomes one
// (rewrite/merge.h). False, and nothing marked, unless the branch is a chain of two or more convolutions
// with a ReLU between one and the next.
bool plc_block_mark_merge(const pleach_graph *graph, const plc_block *block, bool *seconds);

// The graph after the action on `block` alone, faded and rewritten. The caller owns it.
pleach_status plc_block_rewritten(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_block *block, plc_action action,
                                  pleach_graph **rewritten);

// A plan of these blocks that keeps all: which actions are possible and what they save. Nothing is
// measured yet, nothing asked for. The caller finishes *plan.
pleach_status plc_plan_create(pleach_ctx *ctx, const pleach_graph *graph, const plc_blocks *blocks,
                              const plc_fuse_cost *cost, plc_plan *plan);

// Measures the importance of each action that saves something: the rise of the mean loss on `calibration`
// when the block alone is dropped, or its inner activations are the identity. Gates are 1 again
// afterwards. Uses inference only, for merges in a session of its own. Waits.
pleach_status plc_plan_measure(pleach_session *session, const plc_blocks *blocks,
                               const plc_split *calibration, plc_plan *plan);

#endif
