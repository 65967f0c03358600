// Merging convolutions: two with nothing but a linear map between them are one (docs/method.md, "Fusion").
//
//     conv -> [batch_norm] -> relu        -> conv         as it was trained
//     conv -> [batch_norm] -> fading_relu -> conv         all padding in front, plc_fade_describe
//     conv of kernel k1 + (k2 - 1) s1, stride s1 s2       once the gate is 0, plc_merge_describe
//
// With all padding in the first layer, the second one sees at its border what the first makes of zeros
// (a bias, a batch norm's shift) where it saw zeros before: that changes the network a little, before
// the fade, and is what makes the composition exact.
#ifndef PLC_REWRITE_MERGE_H
#define PLC_REWRITE_MERGE_H

#include <rewrite/edits.h>

// Two convolutions of which nobody else reads what stands between; PLC_NO_NODE where nothing does.
typedef struct plc_pair {
    int first, norm, activation, second;
    int norm_behind; // the batch norm that alone reads the second: it takes the bias
} plc_pair;

// The pair that ends in `second`; false when there is none, or one that cannot be composed (dilation).
bool plc_pair_find(const pleach_graph *graph, int second, plc_pair *pair);

// The graph in which each pair whose second convolution `seconds` [n_nodes] marks is ready to fade: its
// ReLU is a fading_relu and, with `pad_in_front`, its padding is in the first convolution (in a chain of
// three in the first of all). Every parameter is copied whole; nodes keep their numbers and names. The caller owns both.
// Fails with PLEACH_EGRAPH where a marked node ends no pair.
pleach_status plc_fade_describe(pleach_ctx *ctx, const pleach_graph *graph, const bool *seconds,
                                bool pad_in_front, pleach_graph **new_graph, plc_edits **edits);

// The graph in which the pair that ends in `second` is one convolution with the second's name. The
// first's batch norm (running statistics) goes into its weights; a constant goes into the running
// mean of the batch norm behind, which stays, so that the layer trains on as any other; without one
// it is a bias. Groups are those that both layers keep apart (depthwise and dense make dense).
// Exact at inference where the gate of the fading_relu is 0. The caller owns both. Fails with
// PLEACH_EGRAPH unless a fading_relu or nothing stands between and the second has no padding.
pleach_status plc_merge_describe(pleach_ctx *ctx, const pleach_graph *graph, int second,
                                 pleach_graph **new_graph, plc_edits **edits);

// The graph in which each sum x + conv(x) is one convolution: the identity joins its kernel, 1 at the
// centre of each channel's own filter. For folded graphs: a batch norm behind the convolution keeps
// its sum from joining. *n_joined is how many did. The caller owns both graph and edits.
pleach_status plc_join_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                pleach_graph **new_graph, plc_edits **edits, int *n_joined);

#endif
