// The loss: softmax cross-entropy with label smoothing, its gradient, and the metrics of a step.
#ifndef PLC_OPS_SOFTMAX_CROSS_ENTROPY_H
#define PLC_OPS_SOFTMAX_CROSS_ENTROPY_H

#include <ops/lower.h>

// What one step leaves in metrics[slot].
typedef struct plc_metric_slot {
    float loss_sum; // over n_images
    float n_correct;
    float n_images;
} plc_metric_slot;

typedef struct plc_loss {
    plc_launch *launch; // borrowed from lower->list: the one that holds both arguments
    int slot_arg;       // int: row of metrics that it writes
    int valid_arg;      // int: images that count, the first ones of the batch (at first n_images)
} plc_loss;

// What all gradients of a training step are multiplied with, from the loss on; the optimizer takes it out.
// A power of two, so results differ only where a range ends. 1 where values are float. Halfs end at
// 6e-8 and 65504: the largest gradient of an image's logits, 1 / n_images, is brought to 64 or a little more.
float plc_loss_gradient_scale(const pleach_device *device, int n_images);

// labels: int32 [n_images]; metrics: plc_metric_slot rows. In training also writes the gradient of the
// logits, scale (softmax - target) / n_images, 0 in lanes that hold no image.
// loss of an image = -sum_k target_k log softmax_k, target = (1 - s) onehot + s / K, s the smoothing.
pleach_status plc_loss_lower(plc_lower *lower, int logits_node, plc_buffer *labels,
                             plc_buffer *metrics, float label_smoothing, plc_loss *loss);

#endif
