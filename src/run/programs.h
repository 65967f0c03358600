// Which kernels a network needs: everything that a job makes of it is made once.
#ifndef PLC_RUN_PROGRAMS_H
#define PLC_RUN_PROGRAMS_H

#include <exec/session.h>

// Makes on `device` a session for inference of `batch` images at once, and with `training` all that a compress
// run makes too: training with either optimizer, scores, masks, the compacted, fused and folded network.
// Afterwards plc_kernels_asked has every program. For a device of paper (kernel/paper_cl.h): its self-test is
// taken as passed.
pleach_status plc_programs_visit(pleach_device *device, const pleach_graph *graph, int batch,
                                 bool training);

#endif
