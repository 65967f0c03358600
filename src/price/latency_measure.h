// Timing on the device: a step again and again, a start of an inference, a whole inference.
#ifndef PLC_PRICE_LATENCY_MEASURE_H
#define PLC_PRICE_LATENCY_MEASURE_H

#include <device/device.h>
#include <graph/graph.h>

// Milliseconds of one run of the step whose anchor is node `anchor` of `graph`, as one of many that follow
// one another in an inference of `batch` images; *start_ms is what an inference takes beside its steps.
// Where launches are joined into one (ops/channel_network.h), so are these. Blocks.
pleach_status plc_latency_time_step(pleach_device *device, const pleach_graph *graph, int anchor,
                                    int batch, double *step_ms, double *start_ms);

// Milliseconds of an inference of `batch` images by `graph` that waits for its end: the median of many series.
// Weights do not matter and are the session's own. Blocks for two seconds, or for thirty inferences that are longer.
pleach_status plc_latency_time_graph(pleach_device *device, const pleach_graph *graph, int batch,
                                     double *ms);

// How many times as long as by `reference` such an inference takes: both in turns, the median of the turns. Blocks for
// a second and a half, and unless `roughly` until that is known to within a percent, twelve seconds at most; for at
// least two dozen inferences of each.
pleach_status plc_latency_time_ratio(pleach_device *device, const pleach_graph *graph,
                                     const pleach_graph *reference, int batch, bool roughly,
                                     double *ratio);

#endif
