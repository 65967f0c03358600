// A graph evaluated on the host, plainly and in double precision: what a rewrite must not change.
#ifndef PLC_TESTS_EVALUATE_H
#define PLC_TESTS_EVALUATE_H

#include <graph/channels.h>

// Logits of one image (C H W floats) at inference: running statistics. `params` is the arena of the
// graph's layout. With `mask` (per class; channels and mask may be NULL together) the output of every
// batch norm is multiplied by its channels' mask. `gates` (may be NULL) multiplies node i's value by
// gates[i], and is the gate of a fading_relu. *logits is a new array of the last node's size; the caller frees it.
pleach_status plc_evaluate(pleach_ctx *ctx, const pleach_graph *graph, const float *params,
                           const float *image, const plc_channels *channels,
                           const unsigned char *mask, const double *gates, double **logits);

#endif
