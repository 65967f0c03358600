// Folding: batch norms join the convolution or linear layer before them; exact at inference.
#ifndef PLC_REWRITE_FOLD_H
#define PLC_REWRITE_FOLD_H

#include <rewrite/edits.h>

// The graph without the batch norms whose input is a convolution or linear layer that nobody else
// reads; those layers get a bias and keep their names. *n_folded (may be NULL) is how many went.
// The new graph is for inference: trained on, it has no batch norm there. The caller owns both.
pleach_status plc_fold_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                pleach_graph **new_graph, plc_edits **edits, int *n_folded);

#endif
