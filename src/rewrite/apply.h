// Applying an edit list: the device fills a new session's arenas from an old one's.
#ifndef PLC_REWRITE_APPLY_H
#define PLC_REWRITE_APPLY_H

#include <exec/session.h>
#include <rewrite/edits.h>

// Runs the edits on the device: weights and running statistics, and the optimizer's moments where
// both sessions have them and the edit is a gather. No tensor visits the host; only index lists are
// uploaded. The old session is left as it was. Waits.
pleach_status plc_rewrite_apply(pleach_session *old, pleach_session *new, const plc_edits *edits);

// Describe's result as a running session: creates it on the old one's device with its batch and options
// (`inference_only` as given), and applies the edits.
pleach_status plc_rewrite_session(pleach_session *old, const pleach_graph *new_graph,
                                  const plc_edits *edits, bool inference_only,
                                  pleach_session **new);

#endif
