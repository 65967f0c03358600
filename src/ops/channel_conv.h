// What the two ways to compute a convolution on channel lanes share.
#ifndef PLC_OPS_CHANNEL_CONV_H
#define PLC_OPS_CHANNEL_CONV_H

#include <ops/channel_lanes.h>
#include <ops/conv_launch.h>

// Vectors of a block of output channels; the kernels' KT.
enum { PLC_CHANNEL_KT = 2 };

// Vectors that hold a group's n output channels, and blocks of them.
int plc_channel_vectors(const plc_lower *lower, int n);
int plc_channel_blocks(const plc_lower *lower, int n);

// Appends a launch of `kernel` of cl/<file>.cl, built for blocks of `kt` vectors.
pleach_status plc_channel_conv_append(plc_launch_list *list, const char *file, const char *kernel,
                                      int kt, plc_launch **launch);

// Makes room for filters of `taps` taps, `spare_floats` behind them, and the epilogue's coefficients: sets
// p->u_offset, and moves scale_offset and shift_offset to the new coefficients, which `buffers` feed.
pleach_status plc_channel_conv_prepare(plc_lower *lower, int node, conv_params *p,
                                       const plc_conv_buffers *buffers, int taps,
                                       size_t spare_floats);

// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3). Whether it suits follows from the batch and from
// what no pruning changes.
bool plc_channel_winograd_suits(const plc_lower *lower, int node, const conv_params *p);
pleach_status plc_channel_winograd_forward(plc_lower *lower, int node, conv_params p,
                                           const plc_conv_buffers *buffers, double bytes);

#endif
