// Running a session: upload, one training step, one inference, reading results.
#include <exec/session.h>

#include <stdlib.h>
#include <string.h>
#include <base/half.h>
#include <base/memory.h>

const pleach_graph *pleach_session_graph(const pleach_session *session)
{
    return session->graph;
}

int pleach_session_batch(const pleach_session *session)
{
    return session->batch;
}

pleach_status plc_session_upload(pleach_session *s, const unsigned char *images, const int *labels,
                                 int n, cl_event *done)
{
    pleach_status status = PLEACH_OK;
    const plc_shape input = s->graph->nodes[0].shape;
    const size_t image = (size_t)input.c * (size_t)input.h * (size_t)input.w;

    // The queue is in order: when the images' copy is done, so is that of the labels before it.
    if (labels)
        TRY(plc_buffer_write_async(s->device, s->labels, 0, (size_t)n * sizeof *labels, labels,
                                   NULL));
    TRY(plc_buffer_write_async(s->device, s->images, 0, (size_t)n * image, images, done));
done:
    if (status != PLEACH_OK)
        plc_device_settle(s->device); // the caller may free what the first copy still reads
    return status;
}

pleach_status plc_session_set_teacher(pleach_session *s, pleach_session *teacher, float weight)
{
    pleach_status status = PLEACH_OK;
    const float share = teacher ? weight : 0.0f;

    if (s->opts.distillation <= 0)
        FAIL(s->ctx, PLEACH_EUSAGE, "session of '%s' was not made to have a teacher",
             s->graph->name);
    if (teacher) {
        const plc_shape ends[] = {s->graph->nodes[0].shape,
                                  s->graph->nodes[s->graph->n_nodes - 1].shape};
        const plc_shape others[] = {teacher->graph->nodes[0].shape,
                                    teacher->graph->nodes[teacher->graph->n_nodes - 1].shape};
        if (memcmp(ends, others, sizeof ends) != 0 || teacher->device != s->device ||
            teacher->batch != s->batch || teacher->channel_lanes)
            FAIL(s->ctx, PLEACH_EUSAGE,
                 "'%s' cannot teach '%s': device, batch, input, classes or layout differ",
                 teacher->graph->name, s->graph->name);
    }
    s->teacher = teacher;
    TRY(plc_launch_update_arg(&s->train, s->distillation.launch, s->distillation.weight_arg,
                              &share));
done:
    return status;
}

// The teacher's logits of the images that the training step will see, augmented alike.
static pleach_status ask_teacher(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    pleach_session *t = s->teacher;
    const int last = t->graph->n_nodes - 1;
    const plc_buffer *images = s->train_values.items[0].buffer;
    const plc_buffer *logits = t->infer_values.items[last].buffer;

    TRY(plc_buffer_copy(s->device, images, 0, t->infer_values.items[0].buffer, 0, images->bytes));
    TRY(plc_session_infer_only(t));
    TRY(plc_buffer_copy(s->device, logits, 0, s->teacher_logits, 0, logits->bytes));
done:
    return status;
}

pleach_status plc_session_train(pleach_session *s, unsigned step)
{
    pleach_status status = PLEACH_OK;
    const int slot = (int)(step % PLC_METRIC_SLOTS);

    TRY(plc_launch_update_arg(&s->input_train, s->augment_train.launch, s->augment_train.step_arg,
                              &step));
    TRY(plc_launch_update_arg(&s->train, s->loss_train.launch, s->loss_train.slot_arg, &slot));
    TRY(plc_buffer_fill(s->device, s->grads, 0, (size_t)s->layout->n_trainable * sizeof(float), 0));
    TRY(plc_launch_list_run(&s->input_train));
    if (s->teacher)
        TRY(ask_teacher(s));
    TRY(plc_launch_list_run(&s->train));
    plc_session_touch(s);
done:
    return status;
}

pleach_status plc_session_set_momentum(pleach_session *s, float momentum)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < s->graph->n_nodes; i++) {
        const plc_running *running = &s->train_running[i];
        const float value = momentum > 0 ? momentum : s->graph->nodes[i].attrs.momentum;

        if (running->launch)
            TRY(plc_launch_update_arg(&s->train, running->launch, running->momentum_arg, &value));
    }
done:
    return status;
}

pleach_status plc_session_forward(pleach_session *s, unsigned step)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_launch_update_arg(&s->input_train, s->augment_train.launch, s->augment_train.step_arg,
                              &step));
    TRY(plc_launch_list_run(&s->input_train));
    TRY(plc_launch_list_run_first(&s->train, s->n_forward));
    plc_session_touch(s);
done:
    return status;
}

pleach_status plc_session_forward_watched(pleach_session *s, unsigned step,
                                          plc_session_watch *after, void *user)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_launch_update_arg(&s->input_train, s->augment_train.launch, s->augment_train.step_arg,
                              &step));
    TRY(plc_launch_list_run(&s->input_train));
    for (int i = 0; i < s->n_forward; i++) {
        const int node = s->train.items[i]->node;
        TRY(plc_launch_run(s->device, s->train.items[i]));
        if (i + 1 == s->n_forward || s->train.items[i + 1]->node != node)
            TRY(after(user, node));
    }
    plc_session_touch(s);
done:
    return status;
}

static pleach_status prepare(pleach_session *s)
{
    pleach_status status = PLEACH_OK;

    if (!s->prepared)
        TRY(plc_launch_list_run(&s->prepare));
    s->prepared = true;
done:
    return status;
}

plc_launch_list *plc_session_inference(pleach_session *s)
{
    return s->infer_network.n_items > 0 && !s->device->profile ? &s->infer_network : &s->infer;
}

pleach_status plc_session_infer(pleach_session *s, unsigned slot, int n_valid)
{
    pleach_status status = PLEACH_OK;
    const int wrapped = (int)(slot % PLC_METRIC_SLOTS);

    TRY(prepare(s));
    TRY(plc_launch_update_arg(&s->infer_loss, s->loss_infer.launch, s->loss_infer.slot_arg,
                              &wrapped));
    TRY(plc_launch_update_arg(&s->infer_loss, s->loss_infer.launch, s->loss_infer.valid_arg,
                              &n_valid));
    TRY(plc_launch_list_run(&s->input_infer));
    TRY(plc_launch_list_run(plc_session_inference(s)));
    TRY(plc_launch_list_run(&s->infer_loss));
done:
    return status;
}

pleach_status plc_session_infer_only(pleach_session *s)
{
    pleach_status status = PLEACH_OK;

    TRY(prepare(s));
    TRY(plc_launch_list_run(plc_session_inference(s)));
done:
    return status;
}

void plc_session_touch(pleach_session *s)
{
    s->prepared = false;
}

pleach_status plc_session_read_metrics(pleach_session *s, unsigned first, unsigned n,
                                       plc_metrics *metrics)
{
    pleach_status status = PLEACH_OK;
    plc_metric_slot *slots = NULL;

    TRY(plc_alloc(s->ctx, PLC_METRIC_SLOTS, sizeof *slots, &slots));
    TRY(plc_buffer_read(s->device, s->metrics, 0, PLC_METRIC_SLOTS * sizeof *slots, slots));
    for (unsigned i = 0; i < n; i++) {
        const plc_metric_slot *slot = &slots[(first + i) % PLC_METRIC_SLOTS];
        metrics->loss_sum += (double)slot->loss_sum;
        metrics->n_correct += (double)slot->n_correct;
        metrics->n_images += (double)slot->n_images;
    }
done:
    free(slots);
    return status;
}

pleach_status plc_session_read_logits(pleach_session *s, bool training, int n, float *logits)
{
    pleach_status status = PLEACH_OK;
    const int lanes = s->device->lanes;
    const bool channel_lanes = !training && s->channel_lanes;
    const plc_tensor view =
        (training ? s->train_values : s->infer_values).items[s->graph->n_nodes - 1];
    const int plane = view.shape.h * view.shape.w, n_values = view.shape.c * plane;
    const bool half = s->device->value_bytes < (int)sizeof(float);
    void *block = NULL;

    TRY(plc_alloc(s->ctx, view.buffer->bytes, 1, &block));
    TRY(plc_buffer_read(s->device, view.buffer, 0, view.buffer->bytes, block));
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_values; k++) {
            const int at =
                channel_lanes
                    ? (i * plane + k % plane) * view.planes + view.first + k / plane
                    : ((i / lanes * view.planes + view.first) * plane + k) * lanes + i % lanes;
            logits[i * n_values + k] = half ? plc_half_to_float(((const uint16_t *)block)[at])
                                            : ((const float *)block)[at];
        }
done:
    free(block);
    return status;
}

pleach_status pleach_session_predict(pleach_session *s, const unsigned char *images, int n,
                                     float *logits)
{
    pleach_status status = PLEACH_OK;
    cl_event done_event = NULL;

    if (n < 1 || n > s->batch)
        return plc_fail(s->ctx, PLEACH_EUSAGE, "%d images for a session of %d", n, s->batch);
    TRY(plc_session_upload(s, images, NULL, n, &done_event));
    TRY(prepare(s));
    TRY(plc_launch_list_run(&s->input_infer));
    TRY(plc_launch_list_run(plc_session_inference(s)));
    TRY(plc_session_read_logits(s, false, n, logits));
done:
    plc_device_drop_event(s->device, &done_event);
    return status;
}
