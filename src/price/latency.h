// What a network costs in milliseconds of inference on a device, from a table that is measured on it.
//
// Each step of inference (a convolution with the batch norm, add and clip that it takes along, a pool ...) is
// timed alone, for a grid of channel counts; between them times are interpolated, and a network is the sum of its
// steps and of a start. The table is kept in <cache>/latency/, a readable file per device, driver and version of
// the kernels, so a second run measures nothing. What it cannot know (caches, other programs) a caller corrects by
// measuring a network as a whole: plc_latency_measure.
#ifndef PLC_PRICE_LATENCY_H
#define PLC_PRICE_LATENCY_H

#include <device/device.h>
#include <graph/channels.h>

typedef struct plc_latency plc_latency;

// Opens the table for inferences of `batch` images on `device` (borrowed), with what its file knows. A file
// that cannot be used is put aside with a warning.
pleach_status plc_latency_open(pleach_device *device, int batch, plc_latency **latency);
void plc_latency_close(plc_latency **latency);
int plc_latency_batch(const plc_latency *latency);

// Milliseconds of one inference by `graph` as if compacted to `mask` (graph/kept.h), without building it;
// channels and mask NULL: by the whole graph, which may be as small as one block. Blocks while steps are measured that
// no one has measured yet, about 20 ms each; later calls take microseconds a node. What was measured is written to the
// file; where that fails, a warning is all.
// Fails with PLEACH_EGRAPH when the mask leaves a value no channels, and as sessions fail.
pleach_status plc_latency_of_graph(plc_latency *latency, const pleach_graph *graph,
                                   const plc_channels *channels, const unsigned char *mask,
                                   double *total_ms);

// Milliseconds of one inference by `graph`, measured: a session of its own, runs with a wait after each. The
// first network that is measured is the reference: later ones are timed in turns with it, and what is told is their
// share of its milliseconds, as if the machine had kept the speed that it had then. Blocks for a second or two if
// `roughly` is enough, else for up to twelve seconds.
pleach_status plc_latency_measure(plc_latency *latency, const pleach_graph *graph, bool roughly,
                                  double *ms);

// Points measured since the table was opened.
int plc_latency_n_measured(const plc_latency *latency);

// The grid: neighbours of n >= 1 among 1, 2, 3, 4, 6, 8, 12 ... times `unit`, *low <= n <= *high but where n is
// less than unit (then both are unit). Steps that compute `unit` channels at once cost the same for all counts
// between two multiples: for them n is rounded up first.
void plc_latency_grid(int n, int unit, int *low, int *high);

#endif
