// First launches: what a driver puts off until then is done before the first step.
#ifndef PLC_EXEC_FIRST_RUNS_H
#define PLC_EXEC_FIRST_RUNS_H

#include <exec/session.h>

// Launches every kernel of the session once that this process has not launched before, on what is in
// memory; PoCL, for one, finishes compiling a kernel for a work-group size only then. Tells the device's
// progress. Lists are frozen. Weights (running statistics), gradients and values are undefined
// afterwards, metrics are zero, masks and gates stay. Blocks.
pleach_status plc_session_first_runs(pleach_session *session);

#endif
