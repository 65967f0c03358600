// An edit list applied on the host, where there is no device: for files of another format.
#ifndef PLC_REWRITE_ON_HOST_H
#define PLC_REWRITE_ON_HOST_H

#include <io/model_file.h>
#include <rewrite/edits.h>

// The parameters of `new_graph` from those of `graph`, which `edits` was described for. weights is the arena
// of layout, the graph's; *new_weights becomes that of new_layout. Folds are computed in double precision;
// merged layers are not: PLEACH_EFAILED. The caller frees *new_weights.
pleach_status plc_edits_apply_on_host(pleach_ctx *ctx, const pleach_graph *graph,
                                      const plc_params_layout *layout, const float *weights,
                                      const plc_edits *edits, const pleach_graph *new_graph,
                                      const plc_params_layout *new_layout, float **new_weights);

// The model without the batch norms that convolutions and linear layers can take in (rewrite/fold.h); what else the
// file held is not in it. The caller finishes *folded.
pleach_status plc_fold_on_host(pleach_ctx *ctx, const plc_model_file *model,
                               plc_model_file *folded);

#endif
