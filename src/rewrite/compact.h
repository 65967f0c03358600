// Channel compaction: the graph without its pruned channels (docs/method.md, "Compaction").
#ifndef PLC_REWRITE_COMPACT_H
#define PLC_REWRITE_COMPACT_H

#include <graph/channels.h>
#include <rewrite/edits.h>

// The graph that is left of `graph` when the classes that `mask` [n_classes] holds as 0 are gone,
// and the gathers that fill its parameters. Nodes keep their names and their order, and where no
// value loses all of its channels their numbers. A residual branch with a value inside that does is
// gone whole (graph/kept.h): exact where its gate was closed. The caller owns both. Fails with
// PLEACH_EGRAPH when a frozen class is pruned or any other value would keep no channels.
pleach_status plc_compact_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                   const plc_channels *channels, const unsigned char *mask,
                                   pleach_graph **new_graph, plc_edits **edits);

#endif
