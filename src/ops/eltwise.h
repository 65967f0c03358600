// Launchers of cl/eltwise.cl, shared by clip, add and concat.
#ifndef PLC_OPS_ELTWISE_H
#define PLC_OPS_ELTWISE_H

#include <ops/lower.h>

// y = [clip](a [+ b]); b may be NULL. y may be a or b.
pleach_status plc_eltwise_forward(plc_lower *lower, plc_tensor a, const plc_tensor *b,
                                  plc_clip clip, plc_tensor y);

// dx (+)= dy, with a clip where it left y alone; 0 in empty lanes. y is not read without.
pleach_status plc_eltwise_backward(plc_lower *lower, plc_tensor dy, plc_tensor y, plc_clip clip,
                                   plc_tensor dx, bool accumulate);

#endif
