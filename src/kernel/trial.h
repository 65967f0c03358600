// Trials: candidates of a tuning problem run on the device, checked, then timed.
#ifndef PLC_KERNEL_TRIAL_H
#define PLC_KERNEL_TRIAL_H

#include <kernel/tuner.h>

// How long a measurement takes: `n_rounds` rounds in which every candidate runs for about
// `round_seconds`; the best round counts.
typedef struct plc_trial_effort {
    double round_seconds;
    int n_rounds;
} plc_trial_effort;

// Runs every candidate once on the same inputs and compares its result with that of candidate 0 (the
// first that runs). Those that cannot be launched or differ are rejected with the reason; the others are
// timed. entry gets operation, shape, mapping, candidates in the problem's order and the fastest as
// chosen: candidate 0 unless another is clearly faster.
// Fails with PLEACH_ENOMEM, also where a buffer would be larger than 1 GiB, and with the first candidate's error
// when none runs.
pleach_status plc_trial_run(pleach_device *device, const plc_tune_problem *problem,
                            plc_trial_effort effort, plc_tuning_entry *entry);

#endif
