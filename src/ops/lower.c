// What operators share while they append launches: views, gradients that accumulate, scratch.
#include <ops/lower.h>

#include <limits.h>
#include <base/half.h>
#include <base/memory.h>
#include <ops/fill.h>

plc_tensor plc_lower_value(const plc_lower *lower, int node)
{
    return lower->values[node];
}

int plc_lower_param(const plc_lower *lower, int node, int param)
{
    return lower->layout->offsets[node][param];
}

// Channels of a view that some launch wrote already. The unit is the finest any view of the buffer
// uses: pixels of a plane count as channels after a flatten, so written[] is indexed in floats per image.
static int count_written(const bool *written, int begin, int end)
{
    int n = 0;

    for (int i = begin; i < end; i++)
        n += written[i];
    return n;
}

// Fills the runs of a gradient view that nothing has written.
static pleach_status fill_unwritten(plc_lower *lower, const plc_tensor *grad, bool *written)
{
    pleach_status status = PLEACH_OK;
    const int plane = grad->shape.h * grad->shape.w;

    for (int c = 0; c < grad->shape.c; c++) {
        bool *plane_written = &written[(grad->first + c) * plane];
        if (plane_written[0])
            continue;
        int run = 1;
        while (c + run < grad->shape.c && !plane_written[run * plane])
            run++;
        const plc_tensor part = {
            grad->buffer, grad->planes, grad->first + c, {run, grad->shape.h, grad->shape.w}};
        TRY(plc_fill_view(lower, part));
        for (int i = 0; i < run * plane; i++)
            plane_written[i] = true;
        c += run - 1;
    }
done:
    return status;
}

pleach_status plc_lower_grad(plc_lower *lower, int node, plc_tensor *grad)
{
    *grad = lower->value_grads[node];
    return fill_unwritten(lower, grad, lower->written[lower->roots[node]]);
}

pleach_status plc_lower_grad_target(plc_lower *lower, int node, plc_tensor *grad, bool *accumulate,
                                    bool *wanted)
{
    pleach_status status = PLEACH_OK;

    *grad = lower->value_grads[node];
    *wanted = grad->buffer != NULL;
    *accumulate = false;
    if (!*wanted)
        return status;
    bool *written = lower->written[lower->roots[node]];
    const int plane = grad->shape.h * grad->shape.w;
    const int begin = grad->first * plane, end = begin + grad->shape.c * plane;
    const int n_written = count_written(written, begin, end);

    if (n_written == 0) {
        for (int i = begin; i < end; i++)
            written[i] = true;
        return status;
    }
    *accumulate = true;
    if (n_written < end - begin)
        status = fill_unwritten(lower, grad, written);
    return status;
}

pleach_status plc_lower_step_grads(plc_lower *lower, const plc_step *step, plc_step_grads *grads)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_lower_grad(lower, step->output, &grads->dy));
    TRY(plc_lower_grad_target(lower, lower->graph->nodes[step->node].inputs[0], &grads->dx,
                              &grads->accumulate, &grads->wanted));
done:
    return status;
}

pleach_status plc_lower_scratch(plc_lower *lower, int node, size_t floats, int *offset)
{
    const size_t lanes = (size_t)lower->device->lanes;

    // Vectors of channels begin on cache lines and may be read beyond the last channel.
    if (lower->channel_lanes)
        floats = (floats + 2 * lanes - 1) / lanes * lanes;
    if (lower->scratch_offsets[node] < 0) {
        if (floats > INT_MAX - lower->scratch_floats)
            return plc_fail(lower->ctx, PLEACH_ENOMEM,
                            "prepared filters and coefficients need %zu floats, kernels index %d; "
                            "this network is too wide",
                            lower->scratch_floats + floats, INT_MAX);
        lower->scratch_offsets[node] = (int)lower->scratch_floats;
        lower->scratch_floats += floats;
    }
    *offset = lower->scratch_offsets[node];
    return PLEACH_OK;
}

void plc_lower_workspace(plc_lower *lower, size_t floats)
{
    if (floats > lower->workspace_floats)
        lower->workspace_floats = floats;
}

pleach_status plc_lower_sums(plc_lower *lower, int node, int batch_norm, int n_splits,
                             plc_buffer **buffer)
{
    pleach_status status = PLEACH_OK;
    plc_sums *sums = &lower->sums[node];
    const size_t n_channels = (size_t)lower->graph->nodes[node].shape.c;

    TRY(plc_alloc(lower->ctx, 1, sizeof **buffer, buffer));
    (*buffer)->name = "sums of a value";
    (*buffer)->bytes =
        n_channels * 2 * (size_t)n_splits * (size_t)lower->device->lanes * sizeof(float);
    *sums = (plc_sums){*buffer, n_splits, batch_norm};
done:
    return status;
}

int plc_lower_mask(const plc_lower *lower, int node)
{
    return lower->mask_offsets[node];
}

plc_clip plc_lower_stored_clip(const plc_lower *lower, plc_clip clip)
{
    if (lower->device->value_bytes == sizeof(uint16_t)) {
        clip.low = plc_half_to_float(plc_half_from_float(clip.low));
        clip.high = plc_half_to_float(plc_half_from_float(clip.high));
    }
    return clip;
}

double plc_tensor_bytes(const plc_lower *lower, plc_tensor tensor)
{
    const int n = lower->channel_lanes ? lower->n_images : lower->n_blocks * lower->device->lanes;

    return (double)n * tensor.shape.c * tensor.shape.h * tensor.shape.w *
           lower->device->value_bytes;
}
