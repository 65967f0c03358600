// Random small networks with everything that couples channels: residuals, concats, depthwise and
// grouped convolutions, pooling, flatten. Every convolution has a batch norm, so every group can be masked.
#ifndef PLC_TESTS_RANDOM_GRAPH_H
#define PLC_TESTS_RANDOM_GRAPH_H

#include <graph/channels.h>

// A valid graph that depends on the seed alone: 1 to 3 x 8 to 13 pixels in, 2 to 5 classes out. The
// caller owns *graph. Seeds 0..n together use every operator of the table from about n = 20.
pleach_status plc_random_graph(pleach_ctx *ctx, unsigned seed, pleach_graph **graph);

// A mask over the classes that prunes about `share` of them, keeps the frozen ones and at least one
// of each group. The caller frees *mask.
pleach_status plc_random_mask(pleach_ctx *ctx, const plc_channels *channels, unsigned seed,
                              double share, unsigned char **mask);

// Parameter arena of the graph's layout with plausible values (running variances positive). Each
// value depends on the seed and its offset. The caller frees *params.
pleach_status plc_random_params(pleach_ctx *ctx, const pleach_graph *graph, unsigned seed,
                                float **params);

#endif
