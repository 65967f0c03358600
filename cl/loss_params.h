// loss_params.h: run-time arguments of the kernels in loss.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_LOSS_PARAMS_H
#define PLEACH_LOSS_PARAMS_H

#define LOSS_WRITE_GRADIENT 1
#define LOSS_ACCUMULATE 2

// A step's metrics: floats at METRIC_COUNT * slot.
enum { METRIC_LOSS_SUM, METRIC_CORRECT, METRIC_N_VALID, METRIC_COUNT };

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int K;                  // classes
    int n_images, n_blocks; // batch, and ceil(batch / LANES)
    int x_planes, x_first;  // logits
    int dx_planes, dx_first;
    int teacher_planes, teacher_first; // logits of the teacher, of distillation alone
    int flags;
    float gradient_scale; // a power of two, plc_loss_gradient_scale
    float smoothing; // target = (1 - smoothing) * one_hot + smoothing / K
} loss_params;

#endif
