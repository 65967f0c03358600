// loss.cl: softmax, cross entropy with label smoothing, their gradient, distillation, and the metrics of a step.
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

// The largest of K logits, and with it the sum of exp((x - largest) / temperature).
static inline real_t softmax_sum(__global const stored_t *restrict x, int K, float over_temperature,
                                 real_t *largest)
{
    real_t top = load(x), sum = 0.0f;

    for (int k = 1; k < K; k++)
        top = fmax(top, load(x + k * STEP));
    for (int k = 0; k < K; k++)
        sum += exp((load(x + k * STEP) - top) * over_temperature);
    *largest = top;
    return sum;
}

// dx = (1 - weight) dx + weight T scale (softmax(x / T) - softmax(z / T)) / n_images; logits x of the student, z
// of the teacher, dx [N/L][K][1][1][L].
// Work: a group per block. Reads x and z three times (from the cache), dx once, writes it; empty lanes of
// dx stay 0.
GROUP __kernel void distillation(__global const stored_t *restrict logits,
                                 __global const stored_t *restrict teacher,
                                 __global stored_t *restrict dx, const loss_params p,
                                 float temperature, float weight)
{
    const int nb = GRID(0);
    const mask_t mask = lane_mask(nb, p.n_images);
    const float over = 1.0f / temperature;
    const float scale = weight * temperature * p.gradient_scale / (float)p.n_images;
    __global const stored_t *restrict x = logits + AT(VIEW(nb, p.x_planes, p.x_first, 0, 1));
    __global const stored_t *restrict z = 
        teacher + AT(VIEW(nb, p.teacher_planes, p.teacher_first, 0, 1));
    real_t x_top, z_top;
    const real_t x_over = 1.0f / softmax_sum(x, p.K, over, &x_top);
    const real_t z_over = 1.0f / softmax_sum(z, p.K, over, &z_top);

    dx += AT(VIEW(nb, p.dx_planes, p.dx_first, 0, 1));
    for (int k = 0; k < p.K; k++) {
        const real_t from_student = exp((load(x + k * STEP) - x_top) * over) * x_over;
        const real_t from_teacher = exp((load(z + k * STEP) - z_top) * over) * z_over;
        const real_t g = (1.0f - weight) * load(dx + k * STEP) + (from_student - from_teacher) * scale;
        store(dx + k * STEP, keep(mask, g));
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
