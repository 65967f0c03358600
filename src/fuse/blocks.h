// Residual blocks of a graph: what the planner may keep, drop or merge.
#ifndef PLC_FUSE_BLOCKS_H
#define PLC_FUSE_BLOCKS_H

#include <graph/channels.h>

// x -> branch(x) + shortcut(x) [-> ReLU]. Nodes are those of the graph that was searched.
typedef struct plc_block {
    int add;
    int branch;        // the two values that are added;
    int shortcut;      // this one has fewer layers with weights
    int *branch_nodes; // owned, ascending: nodes of the branch alone; nobody else reads them
    int n_branch_nodes;
    int *shortcut_nodes; // owned, ascending: a projection's nodes; none for an identity
    int n_shortcut_nodes;
    int gate;      // the last batch norm of the branch: a gate on it scales the whole branch;
                   // PLC_NO_NODE when no such place exists
    int relu;      // the ReLU that alone reads the add, or PLC_NO_NODE
    bool identity; // the shortcut is x itself
    bool vanishes; // once dropped nothing is left of it: identity, and no ReLU that does anything
    bool kept;     // false; callers set it where a block is neither to be dropped nor merged
} plc_block;

typedef struct plc_blocks {
    plc_block *items; // owned, in the order of their adds
    int n_items;
} plc_blocks;

// Finds every add one of whose sides is such a branch. The caller owns *blocks.
pleach_status plc_blocks_find(pleach_ctx *ctx, const pleach_graph *graph, plc_blocks **blocks);
void plc_blocks_destroy(plc_blocks **blocks);

// Of each channel group [n_groups] the block that is a constant when the group has lost all its channels:
// it lies inside the branch, which has a gate, and nothing else hangs on it. -1: none. The caller frees
// *block_of.
pleach_status plc_blocks_of_groups(pleach_ctx *ctx, const pleach_graph *graph,
                                   const plc_channels *channels, const plc_blocks *blocks,
                                   int **block_of);

#endif
