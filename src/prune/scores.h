// Scores of channels, on the device, from the arenas of weights and gradients (docs/method.md, "Scores").
#ifndef PLC_PRUNE_SCORES_H
#define PLC_PRUNE_SCORES_H

#include <data/data.h>
#include <exec/session.h>
#include <graph/channels.h>

// A new score is a row in scores.c's table and, if it needs one, a kernel in cl/prune.cl.
typedef enum plc_score {
    PLC_SCORE_L1, // norm of filter rows and consumer columns together
    PLC_SCORE_L2,
    PLC_SCORE_BN,     // mean of abs(gamma)
    PLC_SCORE_TAYLOR, // running mean of abs(output times its gradient)
    PLC_SCORE_FPGM,   // sum of distances to the group's other filters
    PLC_SCORE_REDUNDANCY, // 1 - largest correlation of feature maps with a kept channel of higher l2 norm
    PLC_SCORE_RANDOM, // control: a new draw at every update
} plc_score;

typedef struct plc_scorer plc_scorer;

// A score by its name, "l2"; fails with PLEACH_EUSAGE (text gives the nearest).
pleach_status plc_score_parse(pleach_ctx *ctx, const char *name, plc_score *score);

// Uploads which slices of the arena each class owns. Borrows session and channels. `seed`: of
// PLC_SCORE_RANDOM.
// Fails with PLEACH_EUSAGE when PLC_SCORE_BN or PLC_SCORE_TAYLOR meets a prunable class without a batch
// norm, PLC_SCORE_FPGM a group whose filters have different sizes, PLC_SCORE_REDUNDANCY layers so wide that an int does
// not index the products of their channels.
pleach_status plc_scorer_create(pleach_session *session, const plc_channels *channels,
                                plc_score score, unsigned long long seed, plc_scorer **scorer);
void plc_scorer_destroy(plc_scorer **scorer);

// Whether the score is a mean over steps: then plc_scorer_observe belongs between each step's gradients and its
// update (enqueues, does not wait), and a checkpoint holds the means [n_classes]. Both of these wait.
bool plc_scorer_observes(const plc_scorer *scorer);
pleach_status plc_scorer_observe(plc_scorer *scorer);
pleach_status plc_scorer_read_means(plc_scorer *scorer, float *means);
pleach_status plc_scorer_write_means(plc_scorer *scorer, const float *means);

// PLC_SCORE_REDUNDANCY looks at images: it needs this before it is asked for scores, others ignore it. Borrows
// both: images of at least one batch, and the masks [n_classes] as they are when scores are asked for.
void plc_scorer_set_probe(plc_scorer *scorer, const plc_split *images, const unsigned char *kept);

// scores [n_classes] of the present weights. `update` numbers the draws of `random`. Waits.
pleach_status plc_scorer_score(plc_scorer *scorer, unsigned update, float *scores);

#endif
