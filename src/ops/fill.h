// Zeros where nothing else writes.
#ifndef PLC_OPS_FILL_H
#define PLC_OPS_FILL_H

#include <ops/lower.h>

// Appends a launch that writes 0 to all of a view, empty lanes too. (In eltwise.c.)
pleach_status plc_fill_view(plc_lower *lower, plc_tensor tensor);

#endif
