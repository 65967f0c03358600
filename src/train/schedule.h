// The learning rate over a job: a pure function of the step.
#ifndef PLC_TRAIN_SCHEDULE_H
#define PLC_TRAIN_SCHEDULE_H

#include <base/status.h>

typedef enum plc_schedule_kind {
    PLC_SCHEDULE_ONE_CYCLE, // Smith and Topin 2018: cosine up from peak/25, cosine down to peak/250000;
                            // momentum runs against it, between momentum - 0.05 and momentum + 0.05
    PLC_SCHEDULE_TWO_CYCLES, // one cycle over the first steps, another over the others
    PLC_SCHEDULE_COSINE,     // linear warm-up, then cosine to 0
    PLC_SCHEDULE_STEP, // linear warm-up, a tenth from half of the steps, a hundredth from three quarters
} plc_schedule_kind;

typedef struct plc_schedule {
    plc_schedule_kind kind;
    unsigned n_steps; // of the whole job
    unsigned n_first; // steps of the first of two cycles; 0: there is one
    float peak;       // largest learning rate
    float momentum;
    float warmup; // share of the steps, 0 to 1
} plc_schedule;

// "one-cycle", "two-cycles", "cosine" or "step"; fails with PLEACH_EUSAGE.
pleach_status plc_schedule_parse(pleach_ctx *ctx, const char *name, plc_schedule_kind *kind);

// Rate and momentum of step 0 <= step < n_steps.
void plc_schedule_at(const plc_schedule *schedule, unsigned step, float *learning_rate,
                     float *momentum);

#endif
