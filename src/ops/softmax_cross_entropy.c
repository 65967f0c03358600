// Softmax cross-entropy: one launch for the images, one for the metrics of the step.
#include <ops/softmax_cross_entropy.h>

#include <loss_params.h>
#include <ops/tensor_launch.h>

_Static_assert(sizeof(plc_metric_slot) == METRIC_COUNT * sizeof(float),
               "loss_metrics writes rows of this size");

// Of an image's logits. In the middle of what works: ResNet-20's weight gradients come out the same with
// 1/8 and with 16384.
static const float largest_half_gradient = 64.0f;

float plc_loss_gradient_scale(const pleach_device *device, int n_images)
{
    float scale = largest_half_gradient;

    if (device->value_bytes == (int)sizeof(float))
        return 1.0f;
    while (scale < largest_half_gradient * (float)n_images)
        scale *= 2.0f;
    return scale;
}

pleach_status plc_loss_lower(plc_lower *lower, int logits_node, plc_buffer *labels,
                             plc_buffer *metrics, float label_smoothing, plc_loss *loss)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor x = plc_lower_value(lower, logits_node);
    plc_tensor dx = x;
    bool accumulate = false, wanted = false;
    plc_launch *launch = NULL;

    if (lower->training)
        TRY(plc_lower_grad_target(lower, logits_node, &dx, &accumulate, &wanted));
    if (!wanted)
        dx = x; // named, not touched
    const loss_params p = {
        .K = x.shape.c * x.shape.h * x.shape.w,
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .x_planes = x.planes,
        .x_first = x.first,
        .dx_planes = dx.planes,
        .dx_first = dx.first,
        .flags = (wanted ? LOSS_WRITE_GRADIENT : 0) | (accumulate ? LOSS_ACCUMULATE : 0),
        .gradient_scale = plc_loss_gradient_scale(lower->device, lower->n_images),
        .smoothing = label_smoothing,
    };
    plc_lower_workspace(lower, 2 * (size_t)lower->n_blocks * (size_t)lower->device->lanes);
    TRY(plc_append_tensor_launch(lower->list, "loss", "softmax_cross_entropy",
                                 PLC_BUFFERS(x.buffer, labels, dx.buffer, lower->workspace), &p,
                                 sizeof p, &launch));
    plc_launch_groups(lower->device, launch, (size_t)lower->n_blocks, 1, 1);
    launch->bytes = (wanted ? 2 : 1) * plc_tensor_bytes(lower, x);
    plc_launch_set_shape(launch, "%d classes", p.K);

    TRY(plc_append_tensor_launch(lower->list, "loss", "loss_metrics",
                                 PLC_BUFFERS(lower->workspace, metrics), &p, sizeof p, &launch));
    loss->launch = launch;
    loss->slot_arg = launch->n_args;
    plc_launch_arg_int(launch, 0);
    loss->valid_arg = launch->n_args;
    plc_launch_arg_int(launch, lower->n_images);
    plc_launch_groups(lower->device, launch, 1, 1, 1);
    launch->bytes = 2.0 * p.n_blocks * lower->device->lanes * sizeof(float);
    plc_launch_set_shape(launch, "%d classes", p.K);
done:
    return status;
}

pleach_status plc_distillation_lower(plc_lower *lower, int logits_node, plc_tensor teacher,
                                     float temperature, plc_distillation *distillation)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor x = plc_lower_value(lower, logits_node);
    const plc_tensor dx = lower->value_grads[logits_node];
    plc_launch *launch = NULL;
    const loss_params p = {
        .K = x.shape.c * x.shape.h * x.shape.w,
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .x_planes = x.planes,
        .x_first = x.first,
        .dx_planes = dx.planes,
        .dx_first = dx.first,
        .teacher_planes = teacher.planes,
        .teacher_first = teacher.first,
        .gradient_scale = plc_loss_gradient_scale(lower->device, lower->n_images),
    };

    TRY(plc_append_tensor_launch(lower->list, "loss", "distillation",
                                 PLC_BUFFERS(x.buffer, teacher.buffer, dx.buffer), &p, sizeof p,
                                 &launch));
    plc_launch_arg_float(launch, temperature);
    distillation->launch = launch;
    distillation->weight_arg = launch->n_args;
    plc_launch_arg_float(launch, 0.0f);
    plc_launch_groups(lower->device, launch, (size_t)lower->n_blocks, 1, 1);
    launch->bytes = 4 * plc_tensor_bytes(lower, x);
    plc_launch_set_shape(launch, "%d classes", p.K);
done:
    return status;
}
