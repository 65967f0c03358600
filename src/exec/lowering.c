// From steps to launches for both directions, then memory for what the launches name.
#include <exec/lowering.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/limits.h>
#include <graph/op.h>
#include <ops/channel_lanes.h>
#include <ops/channel_network.h>

pleach_status plc_plan_buffer(pleach_ctx *ctx, const char *name, plc_buffer **buffer)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_alloc(ctx, 1, sizeof **buffer, buffer));
    (*buffer)->name = name;
done:
    return status;
}

// Replaces a planned buffer by memory of its own: launches keep naming the same object.
static pleach_status realize_buffer(pleach_device *device, plc_buffer *planned, size_t bytes)
{
    pleach_status status = PLEACH_OK;
    plc_buffer *real = NULL;

    TRY(plc_buffer_create(device, planned->name, bytes, &real));
    *planned = *real;
    free(real);
done:
    return status;
}

// State of one lowering; the per-node arrays live as long as it does.
static pleach_status lower_init(pleach_session *s, bool training, plc_values *values,
                                plc_lower *lower)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)s->graph->n_nodes;

    *lower = (plc_lower){
        .ctx = s->ctx,
        .device = s->device,
        .graph = s->graph,
        .layout = s->layout,
        .n_images = s->batch,
        .n_blocks = s->n_blocks,
        .training = training,
        .channel_lanes = !training && s->channel_lanes,
        .mask_gradients = s->opts.mask_gradients,
        .list = training ? &s->train : &s->infer,
        .prepare = &s->prepare,
        .weights = s->weights,
        .grads = s->grads,
        .masks = s->masks,
        .gates = s->gates,
        .scratch = training ? s->scratch_train : s->scratch_infer,
        .workspace = s->workspace,
        .values = values->items,
        .mask_offsets = s->mask_offsets,
        .roots = values->roots,
    };
    TRY(plc_alloc(s->ctx, n, sizeof *lower->scratch_offsets, &lower->scratch_offsets));
    for (size_t i = 0; i < n; i++)
        lower->scratch_offsets[i] = -1;
    if (training) {
        lower->value_grads = s->train_grads.items;
        TRY(plc_alloc(s->ctx, n, sizeof *s->train_sums, &s->train_sums));
        lower->sums = s->train_sums;
        TRY(plc_alloc(s->ctx, n, sizeof *s->train_running, &s->train_running));
        lower->running = s->train_running;
        TRY(plc_alloc(s->ctx, n, sizeof *lower->written, &lower->written));
        for (size_t i = 0; i < n; i++) {
            const plc_shape shape = s->graph->nodes[i].shape;
            TRY(plc_alloc(s->ctx, (size_t)shape.c * (size_t)shape.h * (size_t)shape.w,
                          sizeof **lower->written, &lower->written[i]));
        }
    }
done:
    return status;
}

static void lower_finish(plc_lower *lower)
{
    if (lower->written)
        for (int i = 0; i < lower->graph->n_nodes; i++)
            free(lower->written[i]);
    free(lower->written);
    free(lower->scratch_offsets);
}

// Says of launches what layer they work on: as its operator describes it, else its value, "16x32x32".
static void name_launches(plc_launch_list *list, int first, const pleach_graph *graph,
                          const plc_step *step)
{
    const plc_node *node = &graph->nodes[step->node];

    for (int i = first; i < list->n_items; i++) {
        list->items[i]->node = step->node;
        if (node->op->describe)
            node->op->describe(graph, node, list->items[i]->shape, sizeof list->items[i]->shape);
        else
            plc_launch_set_shape(list->items[i], "%dx%dx%d", node->shape.c, node->shape.h,
                                 node->shape.w);
    }
}

static pleach_status lower_steps(plc_lower *lower, const plc_steps *steps, bool backward)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < steps->n_items; i++) {
        const plc_step *step = &steps->items[backward ? steps->n_items - 1 - i : i];
        const struct op *op = lower->graph->nodes[step->node].op;
        pleach_status (*launch)(plc_lower *, const plc_step *) = backward ? op->backward
                                                                 : lower->channel_lanes
                                                                     ? op->forward_channel_lanes
                                                                     : op->forward;
        const int n_before = lower->list->n_items;

        if (launch)
            TRY(launch(lower, step));
        name_launches(lower->list, n_before, lower->graph, step);
    }
done:
    if (status != PLEACH_OK)
        plc_fail_in(lower->ctx, status, "session of '%s'", lower->graph->name);
    return status;
}

// The input's value and the logits outlive the lists: they get memory of their own.
static pleach_status realize_ends(pleach_session *s, plc_values *values, bool channel_lanes)
{
    pleach_status status = PLEACH_OK;
    const int ends[] = {0, s->graph->n_nodes - 1};

    for (int i = 0; i < 2; i++) {
        plc_buffer *buffer = values->items[ends[i]].buffer;
        TRY(plc_check_value(s, buffer, s->device->info->max_allocation_bytes, channel_lanes));
        if (buffer->mem == NULL)
            TRY(realize_buffer(s->device, buffer, buffer->bytes));
    }
done:
    return status;
}

static size_t lanes_bytes(const pleach_session *s)
{
    return (size_t)s->n_blocks * (size_t)s->device->lanes * (size_t)s->device->value_bytes;
}

// Without a teacher its logits are zeros of no weight.
static pleach_status lower_distillation(pleach_session *s, plc_lower *lower)
{
    pleach_status status = PLEACH_OK;
    const int node = s->graph->n_nodes - 1;
    const plc_shape shape = lower->values[node].shape;
    const size_t bytes = lanes_bytes(s) * (size_t)shape.c;

    TRY(plc_buffer_create(s->device, "teacher's logits", bytes, &s->teacher_logits));
    TRY(plc_buffer_fill(s->device, s->teacher_logits, 0, bytes, 0));
    const plc_tensor teacher = {s->teacher_logits, shape.c, 0, shape};
    TRY(plc_distillation_lower(lower, node, teacher, s->opts.distillation, &s->distillation));
done:
    return status;
}

pleach_status plc_session_lower_training(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    plc_steps steps = {0};
    plc_lower lower = {0};

    TRY(plc_steps_create(s->ctx, s->graph, true, &steps));
    TRY(plc_values_create(s->ctx, s->graph, &steps, "value", lanes_bytes(s), 0, &s->train_values));
    TRY(plc_values_create(s->ctx, s->graph, &steps, "gradient", lanes_bytes(s), 0,
                          &s->train_grads));
    for (int i = 0; i < s->graph->n_nodes;
         i++) // nothing needs the images' gradient, flattened or not
        if (s->train_grads.roots[i] == 0)
            s->train_grads.items[i].buffer = NULL;
    TRY(realize_ends(s, &s->train_values, false));
    TRY(plc_plan_buffer(s->ctx, "scratch", &s->scratch_train));
    TRY(lower_init(s, true, &s->train_values, &lower));
    lower.list = &s->input_train;
    TRY(plc_augment_lower(
        &lower, s->images, s->mean_std,
        &(plc_augment_opts){
            .training = true, .crop = s->opts.crop, .flip = s->opts.flip, .seed = s->opts.seed},
        &s->augment_train));
    lower.list = &s->train;
    TRY(lower_steps(&lower, &steps, false));
    s->n_forward = s->train.n_items;
    TRY(plc_loss_lower(&lower, s->graph->n_nodes - 1, s->labels, s->metrics,
                       s->opts.label_smoothing, &s->loss_train));
    if (s->opts.distillation > 0)
        TRY(lower_distillation(s, &lower));
    TRY(lower_steps(&lower, &steps, true));
    TRY(realize_buffer(s->device, s->scratch_train, lower.scratch_floats * sizeof(float)));
    s->workspace->bytes = lower.workspace_floats * sizeof(float);
done:
    lower_finish(&lower);
    plc_steps_finish(&steps);
    return status;
}

static pleach_status create_infer_values(pleach_session *s, const plc_steps *steps)
{
    if (s->channel_lanes)
        return plc_values_create(s->ctx, s->graph, steps, "value", (size_t)s->batch * sizeof(float),
                                 plc_spare_bytes(s, true), &s->infer_values);
    return plc_values_create(s->ctx, s->graph, steps, "value", lanes_bytes(s), 0, &s->infer_values);
}

// The loss reads logits on batch lanes.
static pleach_status lower_infer_loss(pleach_session *s, plc_lower *lower)
{
    pleach_status status = PLEACH_OK;
    const int node = s->graph->n_nodes - 1;
    const plc_tensor logits = lower->values[node];

    if (s->channel_lanes) {
        TRY(plc_buffer_create(s->device, "logits", lanes_bytes(s) * (size_t)logits.shape.c,
                              &s->lane_logits));
        lower->values[node] = (plc_tensor){s->lane_logits, logits.shape.c, 0, logits.shape};
        TRY(plc_channel_logits(lower, logits, s->lane_logits));
    }
    TRY(plc_loss_lower(lower, node, s->labels, s->metrics, 0.0f, &s->loss_infer));
done:
    lower->values[node] = logits;
    return status;
}

pleach_status plc_session_lower_inference(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    plc_steps steps = {0};
    plc_lower lower = {0};

    TRY(plc_steps_create(s->ctx, s->graph, false, &steps));
    s->channel_lanes =
        !s->opts.batch_lanes && plc_channel_lanes_suit(s->device, s->graph, s->batch);
    TRY(create_infer_values(s, &steps));
    TRY(realize_ends(s, &s->infer_values, s->channel_lanes));
    TRY(plc_plan_buffer(s->ctx, "coefficients", &s->scratch_infer));
    TRY(lower_init(s, false, &s->infer_values, &lower));
    lower.list = &s->input_infer;
    if (s->channel_lanes)
        TRY(plc_channel_images(&lower, s->images, s->mean_std));
    else
        TRY(plc_augment_lower(&lower, s->images, s->mean_std,
                              &(plc_augment_opts){.training = false}, &s->augment_infer));
    lower.list = &s->infer;
    TRY(lower_steps(&lower, &steps, false));
    lower.list = &s->infer_loss;
    TRY(lower_infer_loss(s, &lower));
    TRY(realize_buffer(s->device, s->scratch_infer, lower.scratch_floats * sizeof(float)));
    if (lower.workspace_floats * sizeof(float) > s->workspace->bytes)
        s->workspace->bytes = lower.workspace_floats * sizeof(float);
done:
    lower_finish(&lower);
    plc_steps_finish(&steps);
    return status;
}

static bool is_sums(const pleach_session *s, const plc_buffer *buffer)
{
    for (int i = 0; s->train_sums && i < s->graph->n_nodes; i++)
        if (s->train_sums[i].buffer == buffer)
            return true;
    return false;
}

static pleach_status check_lifetimes(const pleach_session *s, const plc_lifetime *items,
                                     int n_items, bool channel_lanes)
{
    pleach_status status = PLEACH_OK;
    const size_t slab = plc_slab_bytes(s->device);
    const plc_buffer *widest = NULL; // whose limit is that of all

    for (int i = 0; i < n_items; i++) {
        const plc_buffer *buffer = items[i].buffer;
        if (is_sums(s, buffer))
            TRY(plc_check_floats(s, buffer, slab));
        else if (widest == NULL || buffer->bytes > widest->bytes)
            widest = buffer;
    }
    if (widest)
        TRY(plc_check_value(s, widest, slab, channel_lanes));
done:
    return status;
}

pleach_status plc_session_plan_memory(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    const size_t alignment = (size_t)s->device->info->base_alignment_bytes;
    const size_t slab = plc_slab_bytes(s->device);
    plc_launch_list *lists[] = {&s->train, &s->infer};
    plc_lifetime *lifetimes[2] = {NULL, NULL};
    int n_lifetimes[2] = {0, 0};
    size_t total = 0;

    TRY(plc_check_floats(s, s->workspace, s->device->info->max_allocation_bytes));
    TRY(realize_buffer(s->device, s->workspace, s->workspace->bytes));
    for (int l = 0; l < 2; l++) {
        size_t bytes = 0;
        TRY(plc_lifetimes_create(s->ctx, lists[l], &lifetimes[l], &n_lifetimes[l]));
        TRY(check_lifetimes(s, lifetimes[l], n_lifetimes[l], l == 1 && s->channel_lanes));
        plc_lifetimes_place(lifetimes[l], n_lifetimes[l], alignment, slab, &bytes);
        total = bytes > total ? bytes : total;
    }
    TRY(plc_check_total(s, total));
    s->activation_bytes = total;
    TRY(plc_slabs_create(s->device, total, &s->slabs));
    for (int l = 0; l < 2; l++)
        TRY(plc_slabs_bind(s->device, &s->slabs, lifetimes[l], n_lifetimes[l]));
done:
    free(lifetimes[0]);
    free(lifetimes[1]);
    return status;
}

pleach_status plc_session_join_inference(pleach_session *s)
{
    const plc_channel_memory memory = {
        .slab = s->slabs.n_items > 0 ? s->slabs.items[0] : NULL,
        .input = s->infer_values.items[0].buffer,
        .logits = s->infer_values.items[s->graph->n_nodes - 1].buffer,
        .prepared = s->scratch_infer,
    };

    if (!s->channel_lanes || strcmp(s->device->info->kind, "cpu") != 0 ||
        s->device->fixed_tile.n_out > 0)
        return PLEACH_OK;
    return plc_channel_network_join(&s->infer, &memory, &s->infer_network, &s->network_launches,
                                    &s->network_state);
}
