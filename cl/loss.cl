// loss.cl: softmax, cross entropy with label smoothing, their gradient, and the metrics of a step.
//
//   loss = log(sum exp x) - (1 - smoothing) x[label] - smoothing * mean(x)
//   dx = gradient_scale (softmax(x) - target) / n_images
// All sums over classes ascend; the largest logit is taken off first, so that exp never overflows.
#include "lanes.h"
#include "loss_params.h"

#pragma OPENCL FP_CONTRACT OFF

// Labels of the images of block nb; empty lanes get the last image's.
static inline mask_t load_labels(__global const int *restrict labels, int nb, int n_images)
{
#ifdef LANES_IN_VECTOR
    union {
        mask_t all;
        int lane[LANES];
    } of;

    for (int l = 0; l < LANES; l++)
        of.lane[l] = labels[min(nb * LANES + l, n_images - 1)];
    return of.all;
#else
    return labels[min(nb * LANES + LANE, n_images - 1)];
#endif
}

// logits, dx [N/L][K][1][1][L]; labels [n_images], 0..K-1; per_image [2][n_blocks][L]: loss, and 1
// where the largest logit (the first of equals) is the label's.
// Work: a group per block. Reads the logits three times (from the cache), writes dx once; empty
// lanes of dx are 0.
GROUP __kernel void softmax_cross_entropy(__global const stored_t *restrict logits,
                                          __global const int *restrict labels,
                                          __global stored_t *restrict dx,
                                          __global real_t *restrict per_image, const loss_params p)
{
    const int nb = GRID(0);
    const mask_t label = load_labels(labels, nb, p.n_images), mask = lane_mask(nb, p.n_images);
    __global const stored_t *restrict x = logits + AT(VIEW(nb, p.x_planes, p.x_first, 0, 1));
    const real_t zero = 0.0f;
    real_t largest = load(x), of_label = zero, sum = zero, sum_exp = zero;
    mask_t first_largest = 0;

    for (int k = 0; k < p.K; k++) {
        const real_t v = load(x + k * STEP);
        first_largest = select(first_largest, (mask_t)(k), v > largest);
        largest = select(largest, v, v > largest);
        of_label = select(of_label, v, label == (mask_t)(k));
        sum += v;
    }
    for (int k = 0; k < p.K; k++)
        sum_exp += exp(load(x + k * STEP) - largest);

    // Relative to the largest logit, so that nothing large cancels.
    const real_t log_sum = log(sum_exp);
    const real_t mean = sum / (float)p.K - largest;
    const real_t loss = log_sum - (1.0f - p.smoothing) * (of_label - largest) - p.smoothing * mean;
    per_image[AT(nb)] = loss;
    per_image[AT(p.n_blocks + nb)] = select(zero, (real_t)(1.0f), first_largest == label);

    if (p.flags & LOSS_WRITE_GRADIENT) {
        const float scale = p.gradient_scale / (float)p.n_images;
        const float off = p.smoothing / (float)p.K, on = 1.0f - p.smoothing + off;
        const real_t over_sum = 1.0f / sum_exp;

        dx += AT(VIEW(nb, p.dx_planes, p.dx_first, 0, 1));
        for (int k = 0; k < p.K; k++) {
            const real_t target = select((real_t)(off), (real_t)(on), label == (mask_t)(k));
            const real_t softmax = exp(load(x + k * STEP) - largest) * over_sum;
            const real_t g = keep(mask, (softmax - target) * scale);
            store(dx + k * STEP, p.flags & LOSS_ACCUMULATE ? load(dx + k * STEP) + g : g);
        }
    }
}

// metrics[METRIC_COUNT * slot ..] = sum of the losses, number of correct images, n_valid; images
// 0..n_valid-1 count.
// Work: one group.
GROUP __kernel void loss_metrics(__global const real_t *restrict per_image,
                                 __global float *restrict metrics, const loss_params p, int slot,
                                 int n_valid)
{
    LANE_SCRATCH(scratch, 2);
    real_t loss = 0.0f, correct = 0.0f;

    for (int nb = 0; nb < p.n_blocks; nb++) {
        const mask_t mask = lane_mask(nb, n_valid);
        loss += keep(mask, per_image[AT(nb)]);
        correct += keep(mask, per_image[AT(p.n_blocks + nb)]);
    }
    park(scratch, 0, loss);
    park(scratch, 1, correct);
    LANE_BARRIER();
    if (LANE == 0) {
        metrics[METRIC_COUNT * slot + METRIC_LOSS_SUM] = parked_sum(scratch, 0);
        metrics[METRIC_COUNT * slot + METRIC_CORRECT] = parked_sum(scratch, 1);
        metrics[METRIC_COUNT * slot + METRIC_N_VALID] = (float)n_valid;
    }
}
