// Correlations of feature maps over images and pixels: which channels say what others say already.
// Work: groups that hold all lanes of an image block (cl/lanes.h), but plain 1-D items in the last two. The order
// of every sum is fixed and does not depend on the number of channels; empty lanes of the last block stay out.
#include "features_params.h"
#include "lanes.h"
#include "prune_params.h"

// means[c] = mean of channel c.   x [n_blocks][planes][size][L]   means [C]
// Grid: (C, 1, 1). Bytes: x once.
GROUP __kernel void feature_means(__global const stored_t *restrict x,
                                  __global float *restrict means, const features_params p)
{
    LANE_SCRATCH(scratch, 1);
    const int c = GRID(0);
    real_t sum = (real_t)(0.0f);

    for (int nb = 0; nb < p.n_blocks; nb++) {
        const int base = VIEW(nb, p.planes, p.first, c, p.size);
        real_t block = (real_t)(0.0f);
        for (int i = 0; i < p.size; i++)
            block += load(x + AT(base + i));
        sum += keep(lane_mask(nb, p.n_images), block);
    }
    const float total = lane_sum(scratch, sum);
    if (LANE == 0)
        means[c] = total / ((float)p.n_images * (float)p.size);
}

// partial[s][k][j] = sum of (x_k - mean_k) (x_j - mean_j) over the image blocks of part s.
// x [n_blocks][planes][size][L]   means [C]   partial [n_splits][C][C]
// Grid: (pairs a <= b of tiles of FEATURES_TILE channels, n_splits, 1). Bytes: x C / FEATURES_TILE times, mostly
// from caches. FLOPs: C * C per value of a channel.
GROUP __kernel void feature_products(__global const stored_t *restrict x,
                                     __global const float *restrict means,
                                     __global float *restrict partial, const features_params p)
{
    LANE_SCRATCH(scratch, FEATURES_TILE * FEATURES_TILE);
    const int split = GRID(1), n_tiles = parts_of(p.C, FEATURES_TILE);
    const int2 blocks = run_of(p.n_blocks, p.n_splits, split);
    int a = 0, b = GRID(0);

    for (; b >= n_tiles - a; a++)
        b -= n_tiles - a;
    b += a;
    int of_a[FEATURES_TILE], of_b[FEATURES_TILE]; // the last channel again where a tile is not full
    real_t mean_a[FEATURES_TILE], mean_b[FEATURES_TILE];
    real_t sum[FEATURES_TILE * FEATURES_TILE];
    #pragma unroll
    for (int t = 0; t < FEATURES_TILE; t++) {
        of_a[t] = min(a * FEATURES_TILE + t, p.C - 1);
        of_b[t] = min(b * FEATURES_TILE + t, p.C - 1);
        mean_a[t] = (real_t)(means[of_a[t]]);
        mean_b[t] = (real_t)(means[of_b[t]]);
    }
    #pragma unroll
    for (int t = 0; t < FEATURES_TILE * FEATURES_TILE; t++)
        sum[t] = (real_t)(0.0f);
    for (int nb = blocks.x; nb < blocks.x + blocks.y; nb++) {
        const mask_t mask = lane_mask(nb, p.n_images);
        const int base = VIEW(nb, p.planes, p.first, 0, p.size);
        for (int i = 0; i < p.size; i++) {
            real_t from_a[FEATURES_TILE], from_b[FEATURES_TILE];
            #pragma unroll
            for (int t = 0; t < FEATURES_TILE; t++) {
                from_a[t] = keep(mask, load(x + AT(base + of_a[t] * p.size + i)) - mean_a[t]);
                from_b[t] = keep(mask, load(x + AT(base + of_b[t] * p.size + i)) - mean_b[t]);
            }
            #pragma unroll
            for (int t = 0; t < FEATURES_TILE; t++)
                #pragma unroll
                for (int u = 0; u < FEATURES_TILE; u++)
                    sum[t * FEATURES_TILE + u] += from_a[t] * from_b[u];
        }
    }
    #pragma unroll
    for (int t = 0; t < FEATURES_TILE * FEATURES_TILE; t++)
        park(scratch, t, sum[t]);
    LANE_BARRIER();
    for (int t = LANE; t < FEATURES_TILE * FEATURES_TILE; t += STEP) {
        const int k = a * FEATURES_TILE + t / FEATURES_TILE;
        const int j = b * FEATURES_TILE + t % FEATURES_TILE;
        if (k < p.C && j < p.C && k <= j) {
            const float total = parked_sum(scratch, t);
            partial[(split * p.C + k) * p.C + j] = total;
            partial[(split * p.C + j) * p.C + k] = total;
        }
    }
}

// products[offset + i] += sum over parts of partial[s][i], in their order.   partial [n_splits][n], i below n
__kernel void feature_products_add(__global const float *restrict partial,
                                   __global float *restrict products, const int offset, const int n,
                                   const int n_splits)
{
    const int i = get_global_id(0);
    if (i >= n)
        return;
    float sum = 0.0f;
    for (int s = 0; s < n_splits; s++)
        sum += partial[s * n + i];
    products[offset + i] += sum;
}

// scores[k] = 1 - max over the kept classes j of k's group with a higher norm (of equal ones: a lower number) of
//     the mean over the layers that make the group of abs(correlation of their feature maps k and j),
// 1 for the class of the highest norm. A map that is constant is as good as any other's multiple: 1 with all.
// places[place_starts[k] .. place_starts[k + 1]) are class k's channels, the classes of a group in the same layers;
// peers and peers_of as score_distance (cl/prune.cl) has them. Work: one item per class.
__kernel void score_redundancy(__global const float *restrict products,
                               __global const features_place *restrict places,
                               __global const int *restrict place_starts,
                               __global const int *restrict peers,
                               __global const prune_peers *restrict peers_of,
                               __global const float *restrict norms,
                               __global const uchar *restrict kept, __global float *restrict scores,
                               const int n_classes)
{
    const int k = get_global_id(0);
    if (k >= n_classes)
        return;
    const int n_places = place_starts[k + 1] - place_starts[k];
    float most = 0.0f;
    for (int p = peers_of[k].begin; p < peers_of[k].end; p++) {
        const int j = peers[p];
        if (!kept[j] || norms[j] < norms[k] || (norms[j] == norms[k] && j >= k))
            continue;
        float sum = 0.0f;
        for (int i = 0; i < n_places; i++) {
            const features_place of_k = places[place_starts[k] + i];
            const features_place of_j = places[place_starts[j] + i];
            __global const float *layer = products + of_k.offset;
            const float var_k = layer[of_k.c * of_k.C + of_k.c];
            const float var_j = layer[of_j.c * of_j.C + of_j.c];
            const float both = sqrt(var_k) * sqrt(var_j);
            sum += var_k <= 0.0f ? 1.0f
                   : both <= 0.0f
                       ? 0.0f
                       : fabs(layer[of_k.c * of_k.C + of_j.c]) / both;
        }
        most = max(most, sum / (float)max(n_places, 1));
    }
    scores[k] = 1.0f - min(most, 1.0f);
}
