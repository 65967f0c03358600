// What a network may cost, and what each class of channels costs in it.
#ifndef PLC_PRUNE_BUDGET_H
#define PLC_PRUNE_BUDGET_H

#include <graph/channels.h>

typedef enum plc_budget_kind {
    PLC_BUDGET_MACS,
    PLC_BUDGET_PARAMS,
    PLC_BUDGET_LATENCY, // milliseconds of one inference
} plc_budget_kind;

typedef struct plc_budget {
    plc_budget_kind kind;
    double target; // share of `dense` that may stay, above 0 to 1
    double
        dense; // MACs, parameters or milliseconds of the dense network; 0: those of the given graph
} plc_budget;

// Milliseconds of the graph compacted to `mask`, as plc_latency_of_graph (price/latency.h) gives them: in all, and
// where `node_ms` is not NULL of each step at its anchor.
typedef pleach_status plc_latency_fn(void *user, const pleach_graph *graph,
                                     const plc_channels *channels, const unsigned char *mask,
                                     double *node_ms, double *total_ms);

// MACs that each class costs in the network of `mask`: its channels' shares of the layers that make
// them and of those that read them. Into costs [n_classes].
pleach_status plc_class_macs(pleach_ctx *ctx, const pleach_graph *graph,
                             const plc_channels *channels, const unsigned char *mask,
                             double *costs);

// The same of milliseconds.
pleach_status plc_class_latency(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_channels *channels, const unsigned char *mask,
                                plc_latency_fn *latency, void *user, double *costs);

#endif
