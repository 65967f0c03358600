// The device half of pruning: scores from the weight arena, masks into the mask arena.
#ifndef PLC_PRUNE_PRUNER_H
#define PLC_PRUNE_PRUNER_H

#include <exec/session.h>
#include <graph/channels.h>

// A new score is a row in pruner.c's table and, if it needs one, a kernel in cl/prune.cl.
typedef enum plc_score {
    PLC_SCORE_L1, // norm of filter rows and consumer columns together
    PLC_SCORE_L2,
    PLC_SCORE_BN,     // mean of abs(gamma)
    PLC_SCORE_RANDOM, // control: a new draw at every update
} plc_score;

typedef struct plc_pruner plc_pruner;

// "l1", "l2", "bn" or "random"; fails with PLEACH_EUSAGE (text gives the nearest).
pleach_status plc_score_parse(pleach_ctx *ctx, const char *name, plc_score *score);

// Uploads which slices of the arena each class owns. Borrows session and channels.
// Fails with PLEACH_EUSAGE when PLC_SCORE_BN meets a prunable class without a batch norm.
pleach_status plc_pruner_create(pleach_session *session, const plc_channels *channels,
                                plc_score score, unsigned long long seed, plc_pruner **pruner);
void plc_pruner_destroy(plc_pruner **pruner);

// scores [n_classes] of the present weights. `update` numbers the draws of `random`. Waits.
pleach_status plc_pruner_score(plc_pruner *pruner, unsigned update, float *scores);

// Masks all values by kept [n_classes]: 1 kept, 0 pruned. Waits for the upload.
pleach_status plc_pruner_set_masks(plc_pruner *pruner, const unsigned char *kept);

// Zeroes what the classes with chosen[k] != 0 own as producers (filters, biases, gamma, beta): in the
// weights (soft pruning), or in the optimizer's moments (a channel that returns begins anew).
pleach_status plc_pruner_zero_weights(plc_pruner *pruner, const unsigned char *chosen);
pleach_status plc_pruner_zero_moments(plc_pruner *pruner, const unsigned char *chosen);

#endif
