// What is measured: whole steps of a network, training or inference, on images that are on the device.
#ifndef PLC_PRICE_WORKLOAD_H
#define PLC_PRICE_WORKLOAD_H

#include <kernel/kernels.h>
#include <train/optimizer.h>

// Works when zero.
typedef struct plc_workload {
    pleach_session *session;  // owned
    plc_optimizer *optimizer; // owned; NULL: inference
    unsigned step;
    double create_seconds;     // until the session stood, kernels built
    double first_step_seconds; // from the beginning of that to the end of the first step
    plc_build_counts build;    // the programs that this took
} plc_workload;

// A session of `graph` with weights (params layout; NULL: from the seed), noise for images, and SGD when
// it trains. Has run one step at its end. Borrows graph and device. Blocks.
pleach_status plc_workload_create(pleach_device *device, const pleach_graph *graph,
                                  const float *weights, int batch, bool trains,
                                  unsigned long long seed, plc_workload *workload);
void plc_workload_finish(plc_workload *workload);

// Enqueues n steps and waits for the last.
pleach_status plc_workload_run(plc_workload *workload, int n);

// The launch lists that a step runs. Borrowed from the workload.
enum { PLC_WORKLOAD_MAX_LISTS = 3 };
int plc_workload_lists(const plc_workload *workload,
                       const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS]);

// The pass of a step to which launch number `index` of one of these lists belongs, a static text:
// "input" "forward" "backward" (which begins with the loss) "update".
const char *plc_workload_pass(const plc_workload *workload, const plc_launch_list *list, int index);

// Images per second of steps that follow one another without a wait, and the time of steps with a
// wait after each, in seconds: of all such steps, p50 and p90 of them (the least time that 50 and
// 90 % do not exceed).
typedef struct plc_speed {
    double best, median; // images per second
    double p50, p90;
    int n_waited;
    double
        joules_per_image; // of the processors; NAN where the machine does not tell, or for no CPU
} plc_speed;

// Takes n_repeats measurements of about half a second each, then steps with waits for about as long
// as two of them. Blocks.
pleach_status plc_workload_speed(plc_workload *workload, int n_repeats, plc_speed *speed);

// The least number that `share` (0..1] of values[0..n) do not exceed; n > 0. Sorts the values.
double plc_quantile(double *values, size_t n, double share);

#endif
