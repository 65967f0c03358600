// The edit list: where each parameter of a new graph comes from in the old one.
// Describing touches no device; applying reads the list and fills new arenas from old ones.
#ifndef PLC_REWRITE_EDITS_H
#define PLC_REWRITE_EDITS_H

#include <graph/graph.h>

typedef enum plc_edit_kind {
    // new = old[kept[0], kept[1], ...]: weights, running statistics and optimizer state alike.
    PLC_EDIT_GATHER,
    // With s = gamma / sqrt(running_var + eps) of `norm`: new[k] = old[k] * s[k] for each filter k;
    // new[k] = beta[k] + (old[k] - running_mean[k]) * s[k], where old is 0 without a bias.
    PLC_EDIT_FOLD_WEIGHT,
    PLC_EDIT_FOLD_BIAS,
} plc_edit_kind;

// How one parameter of the new graph is made. Every dimension beyond the second is copied whole.
typedef struct plc_edit {
    plc_edit_kind kind;
    int node, param; // in the new graph
    int from_node;
    int from_param; // in the old graph; -1: a bias that the old node did not have
    int norm;       // in the old graph: the batch norm that is folded in, else PLC_NO_NODE
    int *kept[2];   // owned: source indices along axes 0 and 1, ascending; NULL: all of them
    int n_kept[2];  // as many as the new parameter's dims[0] and dims[1] (1 for a vector)
} plc_edit;

// One edit per parameter of the new graph, in the order of its plc_params_layout: trainable first.
typedef struct plc_edits {
    plc_edit *items; // owned
    int n_items;
    int *from_nodes; // owned: the old node that each new node continues [n_nodes]
    int n_nodes;     // of the new graph
} plc_edits;

void plc_edits_destroy(plc_edits **edits);

// For the describing functions. Copies the nodes of `graph` that `stays` marks [n_nodes], with
// attributes of attrs[] (NULL: their own), into a new graph. `stands_for` [n_nodes] gives the node
// whose value a node's readers read instead; itself when it stays. The last node's stand-in gives
// the logits. *edits receives a whole-parameter gather for every parameter that the old node has
// too (from_param -1 otherwise).
pleach_status plc_edits_begin(pleach_ctx *ctx, const pleach_graph *graph, const bool *stays,
                              const int *stands_for, const plc_attrs *attrs,
                              pleach_graph **new_graph, plc_edits **edits);

#endif
