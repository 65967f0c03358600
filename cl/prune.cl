// Dynamic pruning: scores of channels, masks, and what a pruned or returned channel loses.
// A class is a set of coupled channels; slices[starts[k] .. starts[k+1]) are its parts of the arena.
// Work: one item per class or per mask factor, 1-D. Sums run in the order of the slices.
#include "prune_params.h"

// scores[k] = norm over the slices of class k (PRUNE_*). Reads each slice once: bytes 4 per weight.
__kernel void score_norm(__global const float *restrict weights,
                         __global const prune_slice *restrict slices,
                         __global const int *restrict starts, __global float *restrict scores,
                         const int n_classes, const int norm)
{
    const int k = get_global_id(0);
    if (k >= n_classes)
        return;
    float sum = 0.0f;
    int count = 0;
    for (int i = starts[k]; i < starts[k + 1]; i++) {
        const prune_slice s = slices[i];
        for (int o = 0; o < s.n_outer; o++)
            for (int j = 0; j < s.n_inner; j++) {
                const float w = weights[s.offset + o * s.stride + j];
                sum += norm == PRUNE_L2 ? w * w : fabs(w);
            }
        count += s.n_outer * s.n_inner;
    }
    scores[k] = norm == PRUNE_L2 ? sqrt(sum) : norm == PRUNE_MEAN ? sum / max(count, 1) : sum;
}

// A step's estimate of what the loss would change by if a class were zero, into a running mean (of some
// 1/rate steps, from zero: selection compares within groups, where the beginning weighs on all alike):
//     means[k] += rate * (sum over batch norms of abs(gamma dgamma + beta dbeta) - means[k])
// which is abs(sum of a dL/da) over images and pixels at each batch norm's output a = gamma x + beta, as dgamma and
// dbeta are the sums of x dL/da and dL/da (Molchanov et al., "Importance Estimation for Neural Network
// Pruning", 2019). Slices: gamma and beta of each batch norm.
__kernel void score_taylor(__global const float *restrict weights,
                           __global const float *restrict gradients,
                           __global const prune_slice *restrict slices,
                           __global const int *restrict starts, __global float *restrict means,
                           const int n_classes, const float rate)
{
    const int k = get_global_id(0);
    if (k >= n_classes)
        return;
    float total = 0.0f;
    for (int i = starts[k]; i < starts[k + 1]; i++) {
        const prune_slice s = slices[i];
        float sum = 0.0f;
        for (int o = 0; o < s.n_outer; o++)
            sum += weights[s.offset + o * s.stride] * gradients[s.offset + o * s.stride];
        total += fabs(sum);
    }
    means[k] += rate * (total - means[k]);
}

// scores[k] = sum over the other classes j of k's group of the distance of their filters: small where the
// others could stand in (He et al., "Filter Pruning via Geometric Median", 2019). The classes of a group have
// slices of the same sizes. peers: lists of classes, one per group; peers_of[k]: where the list of k's group begins and
// ends, empty where it is frozen. Bytes: 8 per weight and peer.
__kernel void score_distance(__global const float *restrict weights,
                             __global const prune_slice *restrict slices,
                             __global const int *restrict starts,
                             __global const int *restrict peers,
                             __global const prune_peers *restrict peers_of,
                             __global float *restrict scores, const int n_classes)
{
    const int k = get_global_id(0);
    if (k >= n_classes)
        return;
    float total = 0.0f;
    for (int p = peers_of[k].begin; p < peers_of[k].end; p++) {
        const int ahead = starts[peers[p]] - starts[k];
        float sum = 0.0f;
        for (int i = starts[k]; i < starts[k + 1]; i++) {
            const prune_slice s = slices[i], other = slices[i + ahead];
            for (int o = 0; o < s.n_outer; o++)
                for (int j = 0; j < s.n_inner; j++) {
                    const float d = weights[s.offset + o * s.stride + j] -
                                    weights[other.offset + o * other.stride + j];
                    sum += d * d;
                }
        }
        total += sqrt(sum);
    }
    scores[k] = total;
}

// masks[i] = kept[class_of[i]]: 1 or 0 for every channel of every masking node. class_of -1: always 1.
__kernel void mask_scatter(__global const uchar *restrict kept, __global const int *restrict class_of,
                           __global float *restrict masks, const int n_masks)
{
    const int i = get_global_id(0);
    if (i >= n_masks)
        return;
    const int k = class_of[i];
    masks[i] = k < 0 || kept[k] ? 1.0f : 0.0f;
}

// Sets the slices of the classes with chosen[k] != 0 to zero in any arena of the weights' layout.
__kernel void zero_slices(__global float *restrict arena, __global const prune_slice *restrict slices,
                          __global const int *restrict starts, __global const uchar *restrict chosen,
                          const int n_classes)
{
    const int k = get_global_id(0);
    if (k >= n_classes || !chosen[k])
        return;
    for (int i = starts[k]; i < starts[k + 1]; i++) {
        const prune_slice s = slices[i];
        for (int o = 0; o < s.n_outer; o++)
            for (int j = 0; j < s.n_inner; j++)
                arena[s.offset + o * s.stride + j] = 0.0f;
    }
}
