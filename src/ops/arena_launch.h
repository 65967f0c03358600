// Launches over arenas: what compaction gathers, and masks from the classes that are kept.
#ifndef PLC_OPS_ARENA_LAUNCH_H
#define PLC_OPS_ARENA_LAUNCH_H

#include <kernel/kernels.h>

// Parameters of a new arena that keep some of the channels they had in an old one, all in one launch. kept: int32
// index lists; gathers: n_gathers gather_params (rewrite_params.h). What they do not cover of the new arena is left
// alone.
pleach_status plc_append_gathers(plc_launch_list *list, plc_buffer *from, plc_buffer *to,
                                 plc_buffer *kept, plc_buffer *gathers, int n_gathers);

// masks[i] = kept[class_of[i]] ? 1 : 0, and 1 where class_of[i] is -1. kept: bytes; class_of: int32;
// masks: n_masks floats.
pleach_status plc_append_mask_scatter(plc_launch_list *list, plc_buffer *kept, plc_buffer *class_of,
                                      plc_buffer *masks, int n_masks);

#endif
