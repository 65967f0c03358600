// Unfolding: convolutions whose batch norms were folded away get new ones, and the function stays.
//
// A batch norm with gamma = sqrt(var + eps) and beta = mean gives its input back, whatever mean and var are. Those of
// the convolution's output are what training needs; they are estimated in a network that only watches:
//
//     graph      conv -> relu ...          watching   conv -> relu ...        unfolded   conv -> batch_norm -> relu ...
//                                                       \-> batch_norm
//
// Nodes of `watching` and `unfolded` have the same places.
#ifndef PLC_REWRITE_UNFOLD_H
#define PLC_REWRITE_UNFOLD_H

#include <rewrite/edits.h>

// How many convolutions of `graph` would get a batch norm: those without one behind them, except the last node,
// those of a single pixel (what is normalised over images alone differs from batch to batch) and factors
// per channel (1x1, a group for each channel), which are as much as a batch norm is.
int plc_unfold_count(const pleach_graph *graph);

// The graph with batch norms that nobody reads. The edits are of what `graph` has: statistics of the new batch norms
// stay as they are. The caller owns both.
pleach_status plc_unfold_watch(pleach_ctx *ctx, const pleach_graph *graph, pleach_graph **watching,
                               plc_edits **edits);

// The graph with batch norms that are read; convolutions in front of them lose their bias. The edits are from
// `watching`, a result of plc_unfold_watch for the same graph. The caller owns both.
pleach_status plc_unfold_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                  const pleach_graph *watching, pleach_graph **unfolded,
                                  plc_edits **edits);

#endif
