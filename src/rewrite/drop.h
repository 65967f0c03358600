// Dropping a residual branch: the shortcut stands in for the sum (docs/method.md, "Fusion").
#ifndef PLC_REWRITE_DROP_H
#define PLC_REWRITE_DROP_H

#include <rewrite/edits.h>

// The graph in which readers of `add` read its input `shortcut` (a node of the graph) instead; what
// nobody reads any more goes, and so does a ReLU after the add when the shortcut cannot be
// negative. Every parameter that stays is copied whole. Exact once the branch is faded to zero. The
// caller owns both. Fails with PLEACH_EGRAPH when `add` is no add or `shortcut` not its input.
pleach_status plc_drop_describe(pleach_ctx *ctx, const pleach_graph *graph, int add, int shortcut,
                                pleach_graph **new_graph, plc_edits **edits);

#endif
