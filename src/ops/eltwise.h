// Launchers of cl/eltwise.cl, shared by relu, add and concat.
#ifndef PLC_OPS_ELTWISE_H
#define PLC_OPS_ELTWISE_H

#include <ops/lower.h>

// y = [relu](a [+ b]); b may be NULL. y may be a or b.
pleach_status plc_eltwise_forward(plc_lower *lower, plc_tensor a, const plc_tensor *b, bool relu,
                                  plc_tensor y);

// dx (+)= dy, where y > 0 if y is not NULL; 0 in empty lanes.
pleach_status plc_eltwise_backward(plc_lower *lower, plc_tensor dy, const plc_tensor *y,
                                   plc_tensor dx, bool accumulate);

#endif
