// Which nodes run together: the step list of a graph, for training or for inference.
#ifndef PLC_EXEC_STEPS_H
#define PLC_EXEC_STEPS_H

#include <ops/lower.h>

typedef struct plc_steps {
    plc_step *items; // owned, ordered by output: every input of a step is ready when it runs
    int n_items;
    bool *has_value; // owned, per node: false where a step absorbed the node's output
} plc_steps;

// Patterns as plc_step lists them. A node is absorbed only where its value has no other consumer.
pleach_status plc_steps_create(pleach_ctx *ctx, const pleach_graph *graph, bool training,
                               plc_steps *steps);
void plc_steps_finish(plc_steps *steps);

// Where masks act (docs/method.md, "Masks with a band" and "Compaction"): at each batch norm, and at each convolution or linear
// layer whose output reaches another one without a batch norm between; but not where a depthwise convolution follows
// that alone reads it, through functions of one value: behind its batch norm the same channels are masked, and of masked ones it
// would learn nothing. offsets[node] is the place of
// the node's first channel in the mask arena, or -1. The caller frees *offsets.
pleach_status plc_mask_offsets_create(pleach_ctx *ctx, const pleach_graph *graph, int **offsets,
                                      int *n_floats);

#endif
