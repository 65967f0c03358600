// The middle of creating a session: launches of all lists, then the memory plan over them.
#ifndef PLC_EXEC_LOWERING_H
#define PLC_EXEC_LOWERING_H

#include <exec/session.h>

// A planned buffer whose size is known only after lowering. The caller owns *buffer.
pleach_status plc_plan_buffer(pleach_ctx *ctx, const char *name, plc_buffer **buffer);

// Fill the session's lists input_train and train, or input_infer, prepare, infer and infer_loss. Arenas
// and the planned workspace exist.
pleach_status plc_session_lower_training(pleach_session *s);
pleach_status plc_session_lower_inference(pleach_session *s);

// Gives every planned buffer its memory. Training and inference share the slabs: they never run at the
// same time. Fails with PLEACH_ENOMEM: text gives bytes needed, bytes there and what fits.
pleach_status plc_session_plan_memory(pleach_session *s);

// Joins the launches of an inference on channel lanes into one, where the device is a CPU and all of
// them can be. Memory is planned.
pleach_status plc_session_join_inference(pleach_session *s);

#endif
