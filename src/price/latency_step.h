// A step of inference as the table of latencies knows it: its kind, its channels, and a graph that runs it.
#ifndef PLC_PRICE_LATENCY_STEP_H
#define PLC_PRICE_LATENCY_STEP_H

#include <exec/steps.h>

enum { PLC_STEP_KIND_MAX = 160 };

// What a step's time depends on: `text` says all of it but the channels.
typedef struct plc_step_kind {
    char text[PLC_STEP_KIND_MAX]; // "conv 3x3 s1x1 p1x1 d1x1 bn add clip 32x32, batch 1"
    int in, out;                  // channels, of a group where there are several
    int factor;       // out is in times this: depthwise, pools, batch norms; 0: both vary
    int groups;       // of a grouped convolution, else 1
    plc_shape source; // what the anchor reads; c is in * groups
    bool of_images;   // it reads the network's input
} plc_step_kind;

// Describes a step of `graph` (with channels as its shapes have them) at `batch` images. False: it takes
// no time (a view).
bool plc_step_describe(const pleach_graph *graph, const plc_step *step, int batch,
                       plc_step_kind *kind);

// A small network in which that step stands with `in` and `out` channels; *anchor is its node. The caller
// owns *small.
pleach_status plc_step_graph(pleach_ctx *ctx, const pleach_graph *graph, const plc_step *step,
                             const plc_step_kind *kind, int in, int out, pleach_graph **small,
                             int *anchor);

#endif
