// Creating a session: arenas, launches (lowering.c), their memory, frozen arguments.
#include <exec/session.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/first_runs.h>
#include <exec/limits.h>
#include <exec/lowering.h>
#include <exec/self_test.h>
#include <kernel/tuner.h>

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
    TRY(plc_check_images(s, image));
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

static pleach_status freeze(pleach_session *s)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_launch_list_freeze(&s->input_train));
    TRY(plc_launch_list_freeze(&s->input_infer));
    TRY(plc_launch_list_freeze(&s->train));
    TRY(plc_launch_list_freeze(&s->prepare));
    TRY(plc_launch_list_freeze(&s->infer));
    TRY(plc_launch_list_freeze(&s->infer_network));
    TRY(plc_launch_list_freeze(&s->infer_loss));
done:
    return status;
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
    pleach_session *s = NULL;

    TRY(plc_session_create_unset(ctx, graph, device, batch, opts, &s));
    TRY(fill_initial_weights(s));
    *session = s;
    s = NULL;
done:
    pleach_session_destroy(&s);
    return status;
}

// What the session uses, and no more.
static pleach_status require_self_test(const pleach_session *s)
{
    pleach_status status = PLEACH_OK;

    if (!s->opts.inference_only)
        TRY(plc_self_test_require(s->device, PLC_SELF_TEST_TRAINING));
    if (s->channel_lanes)
        TRY(plc_self_test_require(s->device, PLC_SELF_TEST_FEW_IMAGES));
    else if (s->opts.inference_only)
        TRY(plc_self_test_require(s->device, PLC_SELF_TEST_INFERENCE));
done:
    return status;
}

pleach_status plc_session_create_unset(pleach_ctx *ctx, const pleach_graph *graph,
                                       pleach_device *device, int batch,
                                       const pleach_session_opts *opts, pleach_session **session)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = NULL;

    // Tested after the session is made: by then nearly all that the test needs is compiled.
    TRY(plc_session_create_untested(ctx, graph, device, batch, opts, &s));
    TRY(require_self_test(s));
    *session = s;
    s = NULL;
done:
    pleach_session_destroy(&s);
    return status;
}

pleach_status plc_session_create_untested(pleach_ctx *ctx, const pleach_graph *graph,
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
    plc_launch_list *lists[] = {&s->input_train, &s->input_infer,   &s->train,     &s->prepare,
                                &s->infer,       &s->infer_network, &s->infer_loss};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        plc_launch_list_init(lists[i], device);
    TRY(plc_graph_copy(ctx, graph, &s->graph));
    TRY(copy_floats(ctx, mean, s->graph->nodes[0].shape.c, 0.0f, &s->opts.mean));
    TRY(copy_floats(ctx, std, s->graph->nodes[0].shape.c, 1.0f, &s->opts.std));
    TRY(plc_params_layout_create(ctx, s->graph, &s->layout));
    TRY(create_arenas(s));
    TRY(plc_plan_buffer(ctx, "workspace", &s->workspace));
    if (!s->opts.inference_only)
        TRY(plc_session_lower_training(s));
    TRY(plc_session_lower_inference(s));
    TRY(plc_session_plan_memory(s));
    TRY(plc_session_join_inference(s));
    TRY(freeze(s));
    plc_tuner_end_session(device);
    TRY(plc_session_first_runs(s));
    *session = s;
    s = NULL;
done:
    pleach_session_destroy(&s);
    return status;
}

static void destroy_buffers(pleach_device *device, plc_buffer **const *buffers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        plc_buffer_destroy(device, buffers[i]);
}

void plc_session_strip(pleach_session *s)
{
    plc_buffer **const buffers[] = {&s->workspace,     &s->scratch_train,    &s->scratch_infer,
                                    &s->lane_logits,   &s->network_launches, &s->network_state,
                                    &s->teacher_logits};

    plc_device_settle(s->device); // nothing may still use what goes
    plc_launch_list_finish(&s->input_train);
    plc_launch_list_finish(&s->input_infer);
    plc_launch_list_finish(&s->train);
    plc_launch_list_finish(&s->prepare);
    plc_launch_list_finish(&s->infer);
    plc_launch_list_finish(&s->infer_network);
    plc_launch_list_finish(&s->infer_loss);
    plc_values_finish(s->device, &s->train_values);
    plc_values_finish(s->device, &s->train_grads);
    plc_values_finish(s->device, &s->infer_values);
    for (int i = 0; s->train_sums && i < s->graph->n_nodes; i++)
        plc_buffer_destroy(s->device, &s->train_sums[i].buffer);
    free(s->train_sums);
    free(s->train_running);
    s->train_sums = NULL;
    s->train_running = NULL;
    plc_slabs_finish(s->device, &s->slabs);
    destroy_buffers(s->device, buffers, sizeof buffers / sizeof buffers[0]);
}

void pleach_session_destroy(pleach_session **session)
{
    pleach_session *s = *session;

    if (s == NULL)
        return;
    plc_buffer **const buffers[] = {&s->weights, &s->grads,   &s->moments[0], &s->moments[1],
                                    &s->masks,   &s->gates,   &s->images,     &s->labels,
                                    &s->metrics, &s->mean_std};
    plc_session_strip(s);
    destroy_buffers(s->device, buffers, sizeof buffers / sizeof buffers[0]);
    free(s->mask_offsets);
    free((void *)s->opts.mean);
    free((void *)s->opts.std);
    plc_params_layout_destroy(&s->layout);
    pleach_graph_destroy(&s->graph);
    free(s);
    *session = NULL;
}
