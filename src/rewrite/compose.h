// Launches of the edits that make one convolution of two, or of one and the identity.
#ifndef PLC_REWRITE_COMPOSE_H
#define PLC_REWRITE_COMPOSE_H

#include <exec/session.h>
#include <rewrite/edits.h>

// Where the parameter of that name of `node` lies in the session's arenas, -1 when it has none.
int plc_param_offset(const pleach_session *session, int node, const char *param);

// PLC_EDIT_COMPOSE_WEIGHT, _BIAS or _MEAN, from the weights of `old` into those of `new`.
pleach_status plc_append_composition(plc_launch_list *list, const pleach_session *old,
                                     const pleach_session *new, const plc_edit *edit);

// PLC_EDIT_ADD_IDENTITY.
pleach_status plc_append_identity(plc_launch_list *list, const pleach_session *old,
                                  const pleach_session *new, const plc_edit *edit);

#endif
