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
    // Two layers as one (rewrite/merge.h): with W1, b1 of `first` and W2, b2 of `second`, s and t =
    // beta + (b1 - running_mean) s of `norm` between them (1 and b1 without one), and the input
    // channels m and taps (a, b) that W2[o] and W1[m] have:
    //   weight[o][i][u] = sum over m, b, and a with u = a + stride1 b, of W2[o][m][b] s[m] W1[m][i][a]
    //   bias[o] = b2[o] + sum over m, b of W2[o][m][b] t[m]
    //   mean[o] = old mean[o] - bias[o]: for the batch norm behind, whose layer then needs no bias
    PLC_EDIT_COMPOSE_WEIGHT,
    PLC_EDIT_COMPOSE_BIAS,
    PLC_EDIT_COMPOSE_MEAN,
    // A weight with the identity added: new[o][i] = old[o][i], and 1 at the centre where i is input
    // channel o.
    PLC_EDIT_ADD_IDENTITY,
    // The batch norm that gives its input back (rewrite/unfold.h), from the statistics of `norm`:
    //   gamma[k] = sqrt(running_var[k] + eps), beta[k] = running_mean[k], and mean[k] = running_mean[k] - bias[k]
    // with the bias that `first`, its layer, loses (0 without one).
    PLC_EDIT_UNFOLD_GAMMA,
    PLC_EDIT_UNFOLD_BETA,
    PLC_EDIT_UNFOLD_MEAN,
} plc_edit_kind;

// How one parameter of the new graph is made. Every dimension beyond the second is copied whole.
typedef struct plc_edit {
    plc_edit_kind kind;
    int node, param; // in the new graph
    int from_node;
    int from_param; // in the old graph; -1: a bias that the old node did not have
    int norm;       // in the old graph: the batch norm that is folded in or out, else PLC_NO_NODE
    int first,
        second;    // in the old graph: the layers that are composed or unfolded, else PLC_NO_NODE
    int *kept[2];  // owned: source indices along axes 0 and 1, ascending; NULL: all of them
    int n_kept[2]; // as many as the new parameter's dims[0] and dims[1] (1 for a vector)
} plc_edit;

// One edit per parameter of the new graph, in the order of its plc_params_layout: trainable first. Nodes that come from
// nowhere have none.
typedef struct plc_edits {
    plc_edit *items; // owned
    int n_items;
    int *from_nodes; // owned: the old node that each new node continues, or PLC_NO_NODE [n_nodes]
    int n_nodes;     // of the new graph
} plc_edits;

void plc_edits_destroy(plc_edits **edits);

// For the describing functions: the edits that gather every parameter of `new_graph` from the old node from_nodes[node]
// (copied; PLC_NO_NODE: from nowhere), where that has it too (from_param -1 otherwise).
pleach_status plc_edits_gather(pleach_ctx *ctx, const pleach_graph *graph,
                               const pleach_graph *new_graph, const int *from_nodes,
                               plc_edits **edits);

// What a describing function says of the nodes of a graph, [n_nodes] each. A new draft keeps all.
typedef struct plc_draft {
    bool *stays;     // owned, as all of these
    int *stands_for; // the node whose value a node's readers read instead; itself when it stays
    plc_attrs *attrs;
    const char **ops; // static names of operators
} plc_draft;

pleach_status plc_draft_create(pleach_ctx *ctx, const pleach_graph *graph, plc_draft *draft);
void plc_draft_finish(plc_draft *draft);

// For the describing functions. Copies the nodes that stay into a new graph. The last node's stand-in
// gives the logits. *edits receives a whole-parameter gather for every parameter that the old node has
// too (from_param -1 otherwise).
pleach_status plc_edits_begin(pleach_ctx *ctx, const pleach_graph *graph, const plc_draft *draft,
                              pleach_graph **new_graph, plc_edits **edits);

#endif
