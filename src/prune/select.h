// Which channels a budget leaves: ranks, the band, and the search for pl (docs/method.md, "Scores" and "Masks with a band").
#ifndef PLC_PRUNE_SELECT_H
#define PLC_PRUNE_SELECT_H

#include <stdbool.h>
#include <prune/budget.h>

// How classes are ranked. With s a class's score, S the sum of its group's and L the sum of those that are no weaker:
typedef enum plc_rank {
    PLC_RANK_SCORE,   // s over the group's mean
    PLC_RANK_MACS,    // s S / L^2 over the MACs that plc_group_costs gives in the network of `mask`
    PLC_RANK_LATENCY, // s S / L^2 over milliseconds
} plc_rank;

// What a group has lost for good.
typedef struct plc_settled {
    int n_classes;
    double scores; // sum of their last scores
} plc_settled;

// Works when zero: then everything is kept.
typedef struct plc_select_opts {
    plc_rank rank;
    const plc_budget *budgets; // borrowed: all of them must be met
    int n_budgets;
    plc_price_fn *latency; // of PLC_BUDGET_LATENCY and PLC_RANK_LATENCY; else it may be NULL
    void *latency_user;    // borrowed: handed to it
    double band;           // pu - pl, from 0 to 1
    bool for_good;         // what `mask` leaves out stays out
    int min_channels; // fewest classes that a group keeps; 0 means 1, 2 where a depthwise layer makes them
    int round_to;     // groups keep multiples of this many classes where they have them; 0 means 1
    double max_ratio; // largest share of its classes that a group may lose; 0 means 1
    const char *const *keep; // borrowed: nodes whose output channels all stay
    int n_keep;
    const bool
        *may_empty; // borrowed, per group: those that may lose all their channels (inner groups of
                    // residual branches) unless more than one must stay; NULL: none
    const plc_settled *settled; // borrowed, per group; NULL: nothing
    int n_settled;              // classes that left for good in all, also with groups that are gone
} plc_select_opts;

typedef struct plc_selection {
    unsigned char *mask;    // owned: 1 kept, 0 pruned, per class
    double pl;              // share of the prunable classes below the threshold
    long long macs, params; // of the network compacted to `mask`
    double latency_ms;      // of that too, where a budget is of latency; else 0
    int n_prunable, n_kept; // prunable classes, and how many of them stay
    int flips;              // classes whose mask changed
    int returns;            // those of them that came back
    bool reached;           // false: even pl = 1 stays above a budget
} plc_selection;

// Ranks the prunable classes, q(k) = (number of weaker ones) / n, and finds the least pl at which
// the network compacted to
//     m(k) <- 0 if q(k) < pl;  1 if q(k) >= pl + band;  mask[k] otherwise
// meets every budget. A group that would keep fewer than it must, or no multiple of round_to, gets its
// strongest classes back, of those that may return.
// The search halves the range of pl: where a price grows as channels leave (measured times may), pl meets the
// budgets but need not be the least that does.
// Classes that left for good count as the weakest of all, and in their group's mean or sum with their last scores: so
// neither ranks nor the band change because a network was compacted. max_ratio is a share of what the group had
// with them.
// Equal scores rank by class number, so the same input gives the same mask.
// `scores` [n_classes] are zero or more, larger is more important; those of frozen classes are not
// read. `mask` [n_classes] is the present one, NULL when everything is kept. The caller finishes
// *selection. Fails with PLEACH_EDIVERGED for a score that is not a number, PLEACH_EUSAGE for wrong
// options.
pleach_status plc_select(pleach_ctx *ctx, const pleach_graph *graph, const plc_channels *channels,
                         const float *scores, const unsigned char *mask,
                         const plc_select_opts *opts, plc_selection *selection);
void plc_selection_finish(plc_selection *selection);

#endif
