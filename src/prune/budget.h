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

// What the graph compacted to `mask` (graph/kept.h) costs: milliseconds, or MACs.
typedef pleach_status plc_price_fn(void *user, const pleach_graph *graph,
                                   const plc_channels *channels, const unsigned char *mask,
                                   double *cost);

typedef struct plc_pricing {
    const pleach_graph *graph;    // borrowed, as all of it
    const plc_channels *channels; // of the graph
    plc_price_fn *price;
    void *user; // handed to it
} plc_pricing;

plc_price_fn plc_price_macs; // `user` is the pleach_ctx

// What a channel of each group costs in each of the layers that make or read it, into costs [n_groups]: the price of
// the network of `mask` with all of the group, less that with half of what `mask` keeps of it (of one class in a group
// that may_empty [n_groups] says may go whole: with none), over the channels between the two and over those layers. 0 where no
// channel can go or none would save anything. `mask` leaves every group a class. may_empty NULL: none.
pleach_status plc_group_costs(pleach_ctx *ctx, const plc_pricing *pricing,
                              const unsigned char *mask, const bool *may_empty, double *costs);

#endif
