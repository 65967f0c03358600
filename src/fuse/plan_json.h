// A plan as JSON, "pleach.plan/1": plan.json of a run directory, which a user can edit and pass back.
#ifndef PLC_FUSE_PLAN_JSON_H
#define PLC_FUSE_PLAN_JSON_H

#include <fuse/plan.h>

#define PLC_PLAN_SCHEMA "pleach.plan/1"

enum { PLC_PLAN_MAX_BYTES = 16 << 20 }; // of a file

// {"schema", "model", "cost", "total", "budget", "blocks": [{"name", "action",
//   "drop": {"importance", "saving"}, "merge": {"importance", "saving"}}]}; of actions that are not
// possible the object is null, of importances that are not known the number.
pleach_status plc_plan_write(pleach_ctx *ctx, const plc_plan *plan, const char *path);

// Names and actions of a file, in its order; all else that it says is for people. Fails with PLEACH_EIO
// and PLEACH_EINPUT: text names the file, the place in it, and the nearest known action.
pleach_status plc_plan_read(pleach_ctx *ctx, const char *path, plc_plan *plan);

// Gives the blocks of `plan` the actions that `from`, read from the file `path`, has for them; blocks that
// it does not name are kept. `may_be_gone`: names that `plan` does not have are skipped with a
// warning. Fails with PLEACH_EINPUT, text as before: an unknown or repeated name, an action that is not
// possible.
pleach_status plc_plan_take_actions(pleach_ctx *ctx, const plc_plan *from, const char *path,
                                    bool may_be_gone, plc_plan *plan);

#endif
