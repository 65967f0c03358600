// Creating a session: arenas, lowering of both directions, the memory plan, frozen launches.
#include <exec/session.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/random.h>
#include <graph/op.h>

static pleach_status copy_floats(pleach_ctx *ctx, const float *from, int n, float fallback,
                                 const float **copy)
{
    pleach_status status = PLEACH_OK;
    float *floats = NULL;

    TRY(plc_alloc(ctx, (size_t)n, sizeof *floats, &floats));
    for (int i = 0; i < n; i++)
        floats[i] = from ? from[i] : fallback;
    *copy = floats;
done:
    return status;
}

static pleach_status create_ones(pleach_device *device, const char *name, int n,
                                 plc_buffer **buffer)
{
    pleach_status status = PLEACH_OK;
    const float one = 1.0f;
    unsigned pattern;

    memcpy(&pattern, &one, sizeof pattern);
    TRY(plc_buffer_create(device, name, (size_t)n * sizeof one, buffer));
    TRY(plc_buffer_fill(device, *buffer, 0, (size_t)n * sizeof one, pattern));
done:
    return status;
}

static pleach_status create_arenas(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    const plc_shape input = s->graph->nodes[0].shape;
    const size_t floats = (size_t)s->layout->n_floats * sizeof(float);
    const size_t trainable = (size_t)s->layout->n_trainable * sizeof(float);
    const size_t image = (size_t)input.c * (size_t)input.h * (size_t)input.w;

    TRY(plc_buffer_create(s->device, "weights", floats, &s->weights));
    if (!s->opts.inference_only)
        TRY(plc_buffer_create(s->device, "gradients", trainable, &s->grads));
    TRY(plc_mask_offsets_create(s->ctx, s->graph, &s->mask_offsets, &s->n_mask_floats));
    TRY(create_ones(s->device, "masks", s->n_mask_floats, &s->masks));
    TRY(create_ones(s->device, "gates", s->graph->n_nodes, &s->gates));
    TRY(plc_buffer_create(s->device, "images", (size_t)s->batch * image, &s->images));
    TRY(plc_buffer_create(s->device, "labels", (size_t)s->batch * sizeof(int), &s->labels));
    TRY(plc_buffer_create(s->device, "metrics", PLC_METRIC_SLOTS * sizeof(plc_metric_slot),
                          &s->metrics));
    TRY(plc_buffer_create(s->device, "normalisation", 2 * (size_t)input.c * sizeof(float),
                          &s->mean_std));
    TRY(plc_buffer_write(s->device, s->mean_std, 0, (size_t)input.c * sizeof(float), s->opts.mean));
    TRY(plc_buffer_write(s->device, s->mean_std, (size_t)input.c * sizeof(float),
                         (size_t)input.c * sizeof(float), s->opts.std));
done:
    return status;
}

// A planned buffer whose size is known only after lowering.
static pleach_status plan_buffer(pleach_ctx *ctx, const char *name, plc_buffer **buffer)
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

static pleach_status lower_steps(plc_lower *lower, const plc_steps *steps, bool backward)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < steps->n_items; i++) {
        const plc_step *step = &steps->items[backward ? steps->n_items - 1 - i : i];
        const struct op *op = lower->graph->nodes[step->node].op;
        pleach_status (*launch)(plc_lower *, const plc_step *) =
            backward ? op->backward : op->forward;
        if (launch)
            TRY(launch(lower, step));
    }
done:
    if (status != PLEACH_OK)
        plc_fail_in(lower->ctx, status, "session of '%s'", lower->graph->name);
    return status;
}

// The input's value and the logits outlive the lists: they get memory of their own.
static pleach_status realize_ends(pleach_session *s, plc_values *values)
{
    pleach_status status = PLEACH_OK;
    const int ends[] = {0, s->graph->n_nodes - 1};

    for (int i = 0; i < 2; i++) {
        plc_buffer *buffer = values->items[ends[i]].buffer;
        if (buffer->mem == NULL)
            TRY(realize_buffer(s->device, buffer, buffer->bytes));
    }
done:
    return status;
}

static size_t lanes_bytes(const pleach_session *s)
{
    return (size_t)s->n_blocks * (size_t)s->device->lanes * sizeof(float);
}

static pleach_status lower_training(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    plc_steps steps = {0};
    plc_lower lower = {0};

    TRY(plc_steps_create(s->ctx, s->graph, true, &steps));
    TRY(plc_values_create(s->ctx, s->graph, &steps, "value", lanes_bytes(s), &s->train_values));
    TRY(plc_values_create(s->ctx, s->graph, &steps, "gradient", lanes_bytes(s), &s->train_grads));
    s->train_grads.items[0].buffer = NULL; // nothing needs the images' gradient
    TRY(realize_ends(s, &s->train_values));
    TRY(plan_buffer(s->ctx, "scratch", &s->scratch_train));
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
    TRY(lower_steps(&lower, &steps, true));
    TRY(realize_buffer(s->device, s->scratch_train, lower.scratch_floats * sizeof(float)));
    s->workspace->bytes = lower.workspace_floats * sizeof(float);
done:
    lower_finish(&lower);
    plc_steps_finish(&steps);
    return status;
}

static pleach_status lower_inference(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    plc_steps steps = {0};
    plc_lower lower = {0};

    TRY(plc_steps_create(s->ctx, s->graph, false, &steps));
    TRY(plc_values_create(s->ctx, s->graph, &steps, "value", lanes_bytes(s), &s->infer_values));
    TRY(realize_ends(s, &s->infer_values));
    TRY(plan_buffer(s->ctx, "coefficients", &s->scratch_infer));
    TRY(lower_init(s, false, &s->infer_values, &lower));
    lower.list = &s->input_infer;
    TRY(plc_augment_lower(&lower, s->images, s->mean_std, &(plc_augment_opts){.training = false},
                          &s->augment_infer));
    lower.list = &s->infer;
    TRY(lower_steps(&lower, &steps, false));
    lower.list = &s->infer_loss;
    TRY(plc_loss_lower(&lower, s->graph->n_nodes - 1, s->labels, s->metrics, 0.0f, &s->loss_infer));
    TRY(realize_buffer(s->device, s->scratch_infer, lower.scratch_floats * sizeof(float)));
    if (lower.workspace_floats * sizeof(float) > s->workspace->bytes)
        s->workspace->bytes = lower.workspace_floats * sizeof(float);
done:
    lower_finish(&lower);
    plc_steps_finish(&steps);
    return status;
}

// A buffer must fit one allocation, and kernels index its floats with an int.
static pleach_status check_buffer(const pleach_session *s, const plc_buffer *buffer, size_t slab)
{
    const size_t indexed = (size_t)INT_MAX * sizeof(float);
    const size_t most = slab < indexed ? slab : indexed;

    if (buffer->bytes <= most)
        return PLEACH_OK;
    return plc_fail(
        s->ctx, PLEACH_ENOMEM,
        "one %s needs %zu bytes, at most %zu can be had at once on '%s'; a --batch of %d fits",
        buffer->name, buffer->bytes, most, s->device->info->name,
        (int)((double)s->batch * (double)most / (double)buffer->bytes));
}

// Both lists share the slabs: they never run at the same time.
static pleach_status plan_memory(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    const size_t alignment = (size_t)s->device->info->base_alignment_bytes;
    const size_t slab = s->device->info->max_allocation_bytes / alignment * alignment;
    plc_launch_list *lists[] = {&s->train, &s->infer};
    plc_lifetime *lifetimes[2] = {NULL, NULL};
    int n_lifetimes[2] = {0, 0};
    size_t total = 0;

    TRY(realize_buffer(s->device, s->workspace, s->workspace->bytes));
    for (int l = 0; l < 2; l++) {
        size_t bytes = 0;
        TRY(plc_lifetimes_create(s->ctx, lists[l], &lifetimes[l], &n_lifetimes[l]));
        for (int i = 0; i < n_lifetimes[l]; i++)
            TRY(check_buffer(s, lifetimes[l][i].buffer, slab));
        plc_lifetimes_place(lifetimes[l], n_lifetimes[l], alignment, slab, &bytes);
        total = bytes > total ? bytes : total;
    }
    if (s->device->memory_bytes + total > s->device->info->global_memory_bytes)
        FAIL(s->ctx, PLEACH_ENOMEM,
             "activations need %zu bytes beside %zu in use, '%s' has %zu; use a smaller --batch "
             "than %d",
             total, s->device->memory_bytes, s->device->info->name,
             s->device->info->global_memory_bytes, s->batch);
    s->activation_bytes = total;
    TRY(plc_slabs_create(s->device, total, &s->slabs));
    for (int l = 0; l < 2; l++)
        TRY(plc_slabs_bind(s->device, &s->slabs, lifetimes[l], n_lifetimes[l]));
done:
    free(lifetimes[0]);
    free(lifetimes[1]);
    return status;
}

static pleach_status freeze(pleach_session *s)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_launch_list_freeze(&s->input_train));
    TRY(plc_launch_list_freeze(&s->input_infer));
    TRY(plc_launch_list_freeze(&s->train));
    TRY(plc_launch_list_freeze(&s->prepare));
    TRY(plc_launch_list_freeze(&s->infer));
    TRY(plc_launch_list_freeze(&s->infer_loss));
done:
    return status;
}

void plc_initial_weights(const pleach_graph *graph, const plc_params_layout *layout,
                         unsigned long long seed, float *weights)
{
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_param *param = &graph->nodes[place->node].params[place->param];
        float *values = weights + place->offset;

        if (strcmp(param->name, "weight") == 0) {
            float fan_in = 1;
            for (int d = 1; d < param->n_dims; d++)
                fan_in *= (float)param->dims[d];
            plc_random_fill_normal(seed, PLC_STREAM_WEIGHTS, (plc_u32)i, 0.0f,
                                   param->n_dims > 2 ? sqrtf(2.0f / fan_in) : sqrtf(1.0f / fan_in),
                                   values, (size_t)place->count);
            continue;
        }
        const bool one =
            strcmp(param->name, "gamma") == 0 || strcmp(param->name, "running_var") == 0;
        for (int j = 0; j < place->count; j++)
            values[j] = one ? 1.0f : 0.0f;
    }
}

static pleach_status fill_initial_weights(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    float *weights = NULL;

    TRY(plc_alloc(s->ctx, (size_t)s->layout->n_floats, sizeof *weights, &weights));
    plc_initial_weights(s->graph, s->layout, s->opts.seed, weights);
    TRY(plc_session_write_weights(s, weights));
done:
    free(weights);
    return status;
}

pleach_status pleach_session_create(pleach_ctx *ctx, const pleach_graph *graph,
                                    pleach_device *device, int batch,
                                    const pleach_session_opts *opts, pleach_session **session)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts defaults = {0};
    pleach_session *s = NULL;

    if (batch < 1 || batch > PLC_MAX_BATCH)
        return plc_fail(ctx, PLEACH_EUSAGE, "a batch of %d images; it must be 1 to %d", batch,
                        PLC_MAX_BATCH);
    TRY(plc_alloc(ctx, 1, sizeof *s, &s));
    s->ctx = ctx;
    s->device = device;
    s->batch = batch;
    s->n_blocks = (batch + device->lanes - 1) / device->lanes;
    s->opts = opts ? *opts : defaults;
    const float *mean = s->opts.mean, *std = s->opts.std;
    s->opts.mean = s->opts.std = NULL;
    plc_launch_list *lists[] = {&s->input_train, &s->input_infer, &s->train,
                                &s->prepare,     &s->infer,       &s->infer_loss};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        plc_launch_list_init(lists[i], device);
    TRY(plc_graph_copy(ctx, graph, &s->graph));
    TRY(copy_floats(ctx, mean, s->graph->nodes[0].shape.c, 0.0f, &s->opts.mean));
    TRY(copy_floats(ctx, std, s->graph->nodes[0].shape.c, 1.0f, &s->opts.std));
    TRY(plc_params_layout_create(ctx, s->graph, &s->layout));
    TRY(create_arenas(s));
    TRY(plan_buffer(ctx, "workspace", &s->workspace));
    if (!s->opts.inference_only)
        TRY(lower_training(s));
    TRY(lower_inference(s));
    TRY(plan_memory(s));
    TRY(freeze(s));
    TRY(fill_initial_weights(s));
    *session = s;
    s = NULL;
done:
    pleach_session_destroy(&s);
    return status;
}

void pleach_session_destroy(pleach_session **session)
{
    pleach_session *s = *session;

    if (s == NULL)
        return;
    (void)plc_device_finish(s->device); // nothing may still use what goes
    plc_launch_list_finish(&s->input_train);
    plc_launch_list_finish(&s->input_infer);
    plc_launch_list_finish(&s->train);
    plc_launch_list_finish(&s->prepare);
    plc_launch_list_finish(&s->infer);
    plc_launch_list_finish(&s->infer_loss);
    plc_values_finish(s->device, &s->train_values);
    plc_values_finish(s->device, &s->train_grads);
    plc_values_finish(s->device, &s->infer_values);
    plc_slabs_finish(s->device, &s->slabs);
    plc_buffer **buffers[] = {&s->weights,      &s->grads,   &s->moments[0], &s->moments[1],
                              &s->masks,        &s->gates,   &s->images,     &s->labels,
                              &s->mean_std,     &s->metrics, &s->workspace,  &s->scratch_train,
                              &s->scratch_infer};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        plc_buffer_destroy(s->device, buffers[i]);
    free(s->mask_offsets);
    free((void *)s->opts.mean);
    free((void *)s->opts.std);
    plc_params_layout_destroy(&s->layout);
    pleach_graph_destroy(&s->graph);
    free(s);
    *session = NULL;
}
