// Which kernels a step launches, on what, and how long each takes.
#ifndef PLC_PRICE_PROFILE_H
#define PLC_PRICE_PROFILE_H

#include <device/launch.h>
#include <price/peaks.h>
#include <price/workload.h>

// All launches of a step that run one kernel on one shape in one pass; numbers are of one step.
typedef struct plc_profile_row {
    const char *kernel;             // static
    char shape[PLC_MAX_SHAPE_TEXT]; // "" in a profile by kernel
    const char *pass;               // static, plc_workload_pass; "" in a profile by kernel
    int n_launches;
    double flops, executed_flops, bytes; // as plc_launch has them
    double seconds;                      // the least of the steps that were profiled; 0: none was
} plc_profile_row;

// Works when zero.
typedef struct plc_profile {
    plc_profile_row *items; // owned, in order of their first launch
    size_t n_items, capacity;
} plc_profile;

// Rows of a step, not timed yet: one per kernel, shape and pass, or one per kernel.
pleach_status plc_profile_create(const plc_workload *workload, bool by_shape, plc_profile *profile);
// Runs n_steps, waiting for each launch. The device must have been opened for profiling. What a row
// took in its fastest step is kept.
pleach_status plc_profile_run(plc_workload *workload, int n_steps, bool by_shape,
                              plc_profile *profile);
void plc_profile_sort(plc_profile *profile); // longest first
void plc_profile_finish(plc_profile *profile);

// Sum of all rows; its kernel is "".
plc_profile_row plc_profile_total(const plc_profile *profile);

// The least time of a step by the roofline, launch by launch: the sum of plc_peaks_seconds.
double plc_step_roofline_seconds(const plc_workload *workload, const plc_peaks *peaks);

// How near the device's peaks a row comes: of those that bound it the share, 0..1 (a little more where
// a peak was measured in a slow moment), and whether that is the peak of multiply-adds.
double plc_profile_share(const plc_profile_row *row, const plc_peaks *peaks, bool *compute_bound);

#endif
