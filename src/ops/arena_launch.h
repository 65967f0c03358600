// Launches over arenas: what compaction gathers, and masks from the classes that are kept.
#ifndef PLC_OPS_ARENA_LAUNCH_H
#define PLC_OPS_ARENA_LAUNCH_H

#include <kernel/kernels.h>

// new[to + ((o * n1 + i) * tail + t)] = old[from + ((kept0[o] * depth + kept1[i]) * tail + t)]: a
// parameter [n0][n1][tail] from one whose second dimension is `depth`. Offsets count floats.
typedef struct plc_gather {
    plc_buffer *from_arena, *to_arena;
    plc_buffer *kept; // int32: index lists
    int from, to;
    int n0, n1, tail, depth;
    int kept0, kept1; // offsets of the lists in `kept`; -1: all, in order
} plc_gather;

pleach_status plc_append_gather(plc_launch_list *list, const plc_gather *gather);

// masks[i] = kept[class_of[i]] ? 1 : 0, and 1 where class_of[i] is -1. kept: bytes; class_of: int32;
// masks: n_masks floats.
pleach_status plc_append_mask_scatter(plc_launch_list *list, plc_buffer *kept, plc_buffer *class_of,
                                      plc_buffer *masks, int n_masks);

#endif
