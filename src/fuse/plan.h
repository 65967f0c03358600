// The plan: which residual blocks to keep, drop or merge, and the choice of least importance for a budget
// (docs/method.md, "Fusion").
#ifndef PLC_FUSE_PLAN_H
#define PLC_FUSE_PLAN_H

#include <stdbool.h>
#include <base/text.h>

typedef enum plc_action {
    PLC_ACTION_KEEP,
    PLC_ACTION_DROP,  // the branch fades, the shortcut stands in
    PLC_ACTION_MERGE, // the activations inside fade, the branch becomes one convolution
    PLC_N_ACTIONS,
} plc_action;

extern const char *const plc_action_names[PLC_N_ACTIONS]; // "keep" "drop" "merge"

// What an action does to a block. Of PLC_ACTION_KEEP all is zero and `possible`.
typedef struct plc_effect {
    bool possible;
    double importance; // rise of the mean loss on the calibration images; NAN: not measured
    double saving;     // of the plan's cost; an action that saves nothing is never chosen
} plc_effect;

typedef struct plc_plan_block {
    char *name; // owned: of the block's add
    bool kept;  // the user wants it kept: no other action is possible
    plc_action action;
    plc_effect effects[PLC_N_ACTIONS];
} plc_plan_block;

// Starts from zero.
typedef struct plc_plan {
    char *model, *cost; // owned: the network's name; what is counted, a name of fuse/candidates.h
    double total;       // cost of the network with all blocks kept
    double budget;      // the most that it may cost; `total` where nothing is asked
    plc_plan_block *blocks; // owned, in the order of the graph
    int n_blocks;
} plc_plan;

void plc_plan_finish(plc_plan *plan);

// Cost of the network with the plan's actions: the total less what they save.
double plc_plan_cost(const plc_plan *plan);

// Sets every block's action: of all choices whose cost is within the budget one of least total
// importance, by dynamic programming over blocks; where the budget cannot be reached, one of those
// that save the most. A fall of the loss counts as no rise, because what was measured of blocks alone does
// not add up that far: among choices of equal importance it is the one of fewest actions, then that
// of the largest falls. Actions whose importance is not measured are not chosen. More than 65536 choices
// of which none is better than another in both are thinned: then savings count to 1/65536 of their sum.
pleach_status plc_plan_choose(pleach_ctx *ctx, plc_plan *plan);

// A table: block, action, importance and saving of each action; a line with the costs. Appends.
pleach_status plc_plan_print(pleach_ctx *ctx, const plc_plan *plan, plc_text *text);

#endif
