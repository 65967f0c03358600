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

// The launch that mixes a teacher's logits into the gradient of the logits.
typedef struct plc_distillation {
    plc_launch *launch; // borrowed from lower->list
    int weight_arg;     // float: the teacher's share w, at first 0: it changes nothing
} plc_distillation;

// After plc_loss_lower in training: the gradient becomes that of
// (1 - w) loss + w T^2 KL(softmax(z / T) || softmax(x / T)) (Hinton, Vinyals, Dean 2015, section 2), x the
// logits, z those of the teacher, T the temperature. Metrics stay those of the labels.
pleach_status plc_distillation_lower(plc_lower *lower, int logits_node, plc_tensor teacher,
                                     float temperature, plc_distillation *distillation);

#endif
