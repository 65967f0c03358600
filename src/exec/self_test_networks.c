// Known answers of networks: one or two layers on small whole numbers.
#include <exec/self_test_cases.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/random.h>
#include <exec/expected.h>
#include <exec/session.h>
#include <ops/channel_lanes.h>

// The batch fills one block of lanes and begins a second: sums must leave its empty lanes out. A few images are
// inferred on channel lanes where the device has them.
enum { IMAGES_OF_SECOND_BLOCK = 3, FEW_IMAGES = 3, MAX_LAYERS = 6, MAX_CHANNELS = 5 };

static const unsigned long long seed = 11;

typedef struct layer {
    const char *op, *name;
    int out_channels, kernel;
    bool bias;
} layer;

typedef struct network {
    const char *name;
    plc_shape input; // of at most MAX_CHANNELS channels
    layer layers[MAX_LAYERS];
} network;

// The first layer's gradients come through the second's gradient of its input. Kernels of 3x3 behind
// another layer are computed by Winograd's algorithm where the device uses it. Channels are so many that
// every kernel has several work-groups, and the last ones are not full.
static const network networks[] = {
    {"matrix product",
     {5, 1, 1},
     {{"linear", "first", 7, 1, true}, {"linear", "second", 10, 1, true}}},
    {"convolution",
     {2, 9, 7},
     {{"conv", "first", 6, 3, true}, {"conv", "second", 9, 3, true}, {"flatten", "flat", 0, 0, 0}}},
    {"batch norm",
     {3, 6, 5},
     {{"conv", "first", 4, 3, false},
      {"batch_norm", "norm", 0, 0, false},
      {"relu", "relu", 0, 0, false},
      {"flatten", "flat", 0, 0, false}}},
};

// What channel lanes infer ends in values per class.
static const network of_few_images = {"channel lanes",
                                      {2, 9, 7},
                                      {{"conv", "first", 6, 3, false},
                                       {"batch_norm", "norm", 0, 0, false},
                                       {"relu", "relu", 0, 0, false},
                                       {"conv", "second", 9, 3, true},
                                       {"flatten", "flat", 0, 0, false},
                                       {"linear", "fc", 10, 1, true}}};
enum { N_NETWORKS = sizeof networks / sizeof *networks, MASKED_CHANNEL = 2 };

// One network while it runs.
typedef struct test {
    pleach_ctx *ctx;
    const char *name;        // of what it computes
    char *wrong;             // borrowed, PLC_SELF_TEST_TEXT_MAX
    pleach_graph *graph;     // owned
    pleach_session *session; // owned
    plc_expected *expected;  // owned
    int n_images;
    unsigned char *images; // owned, as the following
    int *labels;
    float *masks;
    float *got; // room for whatever is compared
} test;

// A whole number in [low, high], its place in a sequence of its own.
static int draw(unsigned sequence, size_t place, int low, int high)
{
    return low + (int)plc_random_below(plc_random_u32x4(seed, PLC_STREAM_TEST, sequence, place).x,
                                       (plc_u32)(high - low + 1));
}

static pleach_status make_graph(pleach_ctx *ctx, const network *network, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    int at = 0;

    TRY(plc_graph_create(ctx, network->name, network->input, graph));
    for (const layer *l = network->layers; l < network->layers + MAX_LAYERS && l->op; l++) {
        const plc_attrs attrs = {.kernel = {l->kernel, l->kernel},
                                 .pad = {l->kernel / 2, l->kernel / 2},
                                 .out_channels = l->out_channels,
                                 .bias = l->bias};
        TRY(plc_graph_add(ctx, *graph, l->op, l->name, &at, 1, &attrs, &at));
    }
done:
    return status;
}

static bool uses_winograd(const pleach_session *session)
{
    for (int i = 0; i < session->infer.n_items; i++)
        if (strstr(session->infer.items[i]->label, "winograd"))
            return true;
    return false;
}

// Images of whole numbers from -1 to 2 once they are normalised; labels that all images share out.
static pleach_status make_batch(test *t)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)t->n_images * (size_t)plc_expected_size(t->expected, 0);
    const int n_classes = plc_expected_size(t->expected, t->graph->n_nodes - 1);

    TRY(plc_alloc(t->ctx, n, 1, &t->images));
    TRY(plc_alloc(t->ctx, (size_t)t->n_images, sizeof *t->labels, &t->labels));
    for (size_t i = 0; i < n; i++) {
        t->images[i] = (unsigned char)draw(0, i, 0, 3);
        t->expected->values[0][i] = t->images[i] - 1;
    }
    for (int i = 0; i < t->n_images; i++)
        t->labels[i] = i % n_classes;
done:
    return status;
}

// Weights are eighths, which floats hold exactly; factors and variances are about 1.
static pleach_status write_weights(test *t)
{
    pleach_status status = PLEACH_OK;
    const plc_params_layout *layout = t->session->layout;
    float *weights = NULL;

    TRY(plc_alloc(t->ctx, (size_t)layout->n_floats, sizeof *weights, &weights));
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const char *name = t->graph->nodes[place->node].params[place->param].name;
        const float base =
            strcmp(name, "gamma") == 0 || strcmp(name, "running_var") == 0 ? 1.0f : 0.0f;
        for (int j = place->offset; j < place->offset + place->count; j++) {
            weights[j] = base + (float)draw(1, (size_t)j, -4, 4) / 8.0f;
            t->expected->weights[j] = (double)weights[j];
        }
    }
    TRY(plc_session_write_weights(t->session, weights));
done:
    free(weights);
    return status;
}

// One channel is pruned where a batch norm masks; all others stay.
static pleach_status write_masks(test *t)
{
    pleach_status status = PLEACH_OK;
    const int n = t->session->n_mask_floats;

    TRY(plc_alloc(t->ctx, (size_t)n + 1, sizeof *t->masks, &t->masks));
    for (int i = 0; i < n; i++)
        t->masks[i] = 1.0f;
    for (int node = 1; node < t->graph->n_nodes; node++)
        if (plc_graph_is(t->graph, node, "batch_norm") && t->session->mask_offsets[node] >= 0)
            t->masks[t->session->mask_offsets[node] + MASKED_CHANNEL] = 0.0f;
    if (n > 0)
        TRY(plc_buffer_write(t->session->device, t->session->masks, 0, (size_t)n * sizeof(float),
                             t->masks));
    t->expected->masks = t->masks;
    t->expected->mask_offsets = t->session->mask_offsets;
done:
    return status;
}

// Of t->n_images.
static pleach_status test_init(test *t, pleach_device *device, const network *network,
                               bool training)
{
    pleach_status status = PLEACH_OK;
    float level[MAX_CHANNELS]; // pixels count as whole numbers from -1: (x / 255 - 1 / 255) * 255
    const pleach_session_opts opts = {.inference_only = !training, .mean = level, .std = level};

    for (int i = 0; i < MAX_CHANNELS; i++)
        level[i] = 1.0f / 255.0f;
    t->ctx = device->ctx;
    TRY(make_graph(t->ctx, network, &t->graph));
    TRY(plc_session_create_untested(t->ctx, t->graph, device, t->n_images, &opts, &t->session));
    t->name = network != &of_few_images && uses_winograd(t->session) ? "Winograd convolution"
                                                                     : network->name;
    TRY(plc_expected_create(t->ctx, t->graph, t->session->layout, t->n_images, &t->expected));
    TRY(make_batch(t));
    TRY(write_weights(t));
    TRY(write_masks(t));
    const size_t n_logits =
        (size_t)t->n_images * (size_t)plc_expected_size(t->expected, t->graph->n_nodes - 1);
    const size_t n_floats = (size_t)t->session->layout->n_floats;
    TRY(plc_alloc(t->ctx, n_logits > n_floats ? n_logits : n_floats, sizeof *t->got, &t->got));
done:
    return status;
}

static void test_finish(test *t)
{
    plc_expected_destroy(&t->expected);
    pleach_session_destroy(&t->session);
    pleach_graph_destroy(&t->graph);
    free(t->images);
    free(t->labels);
    free(t->masks);
    free(t->got);
}

static pleach_status compare_logits(test *t, bool training)
{
    pleach_status status = PLEACH_OK;
    const int last = t->graph->n_nodes - 1;

    TRY(plc_session_read_logits(t->session, training, t->n_images, t->got));
    plc_self_test_compare(
        t->wrong, t->name, training ? "forward in training" : "forward in inference", t->got,
        t->expected->values[last], t->n_images * plc_expected_size(t->expected, last));
done:
    return status;
}

static pleach_status compare_metrics(test *t, unsigned slot)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics = {0};
    static const char *const names[] = {"sum of losses", "number of correct images",
                                        "number of images"};

    TRY(plc_session_read_metrics(t->session, slot, 1, &metrics));
    const float got[] = {(float)metrics.loss_sum, (float)metrics.n_correct,
                         (float)metrics.n_images};
    const double expected[] = {t->expected->loss_sum, t->expected->n_correct, t->n_images};
    for (int i = 0; i < 3; i++)
        plc_self_test_compare(t->wrong, t->name, names[i], &got[i], &expected[i], 1);
done:
    return status;
}

// One tensor of the parameters' arena that is in t->got.
static void compare_param(test *t, const plc_param_place *place, const char *of,
                          const double *expected)
{
    char name[PLC_PARAM_NAME_MAX], what[PLC_PARAM_NAME_MAX + 32];

    plc_param_name(&t->graph->nodes[place->node], place->param, name, sizeof name);
    snprintf(what, sizeof what, "%s%s", of, name);
    plc_self_test_compare(t->wrong, t->name, what, t->got + place->offset, expected + place->offset,
                          place->count);
}

// From the last layer to the first, as gradients flow: the first that is wrong is nearest to the cause.
static pleach_status compare_gradients(test *t)
{
    pleach_status status = PLEACH_OK;
    const plc_params_layout *layout = t->session->layout;

    TRY(plc_buffer_read(t->session->device, t->session->grads, 0,
                        (size_t)layout->n_trainable * sizeof(float), t->got));
    for (int i = layout->n_places - 1; i >= 0; i--)
        if (layout->places[i].offset < layout->n_trainable)
            compare_param(t, &layout->places[i], "gradient of ", t->expected->grads);
    TRY(plc_session_read_weights(t->session, t->got));
    for (int i = 0; i < layout->n_places; i++)
        compare_param(t, &layout->places[i], "", t->expected->weights);
done:
    return status;
}

// NaN in all that launches are to write. Memory is handed on as it was: that of an earlier test would hold
// the right answers already, and a launch that does nothing would pass.
static pleach_status poison(test *t)
{
    pleach_status status = PLEACH_OK;
    enum { NAN_PATTERN = 0x7fc07fc0 }; // of a float, and of two halfs
    pleach_session *s = t->session;
    const int last = t->graph->n_nodes - 1;
    plc_buffer *const buffers[] = {s->workspace,
                                   s->scratch_train,
                                   s->scratch_infer,
                                   s->grads,
                                   s->metrics,
                                   s->infer_values.items[0].buffer,
                                   s->infer_values.items[last].buffer,
                                   s->train_values.items ? s->train_values.items[0].buffer : NULL,
                                   s->train_values.items ? s->train_values.items[last].buffer
                                                         : NULL};

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i])
            TRY(plc_buffer_fill(s->device, buffers[i], 0,
                                buffers[i]->bytes / sizeof(float) * sizeof(float), NAN_PATTERN));
    for (int i = 0; i < s->slabs.n_items; i++)
        TRY(plc_buffer_fill(s->device, s->slabs.items[i], 0,
                            s->slabs.items[i]->bytes / sizeof(float) * sizeof(float), NAN_PATTERN));
    plc_session_touch(s); // coefficients went too
done:
    return status;
}

static pleach_status run_training(test *t)
{
    pleach_status status = PLEACH_OK;

    plc_expected_forward(t->expected, true);
    plc_expected_loss(t->expected, t->labels);
    plc_expected_backward(t->expected);
    TRY(poison(t));
    TRY(plc_session_train(t->session, 0));
    TRY(compare_logits(t, true));
    TRY(compare_metrics(t, 0));
    TRY(compare_gradients(t));
done:
    return status;
}

static pleach_status run_inference(test *t)
{
    pleach_status status = PLEACH_OK;

    plc_expected_forward(t->expected, false);
    plc_expected_loss(t->expected, t->labels);
    TRY(poison(t));
    TRY(plc_session_infer(t->session, 1, t->n_images));
    TRY(compare_logits(t, false));
    TRY(compare_metrics(t, 1));
done:
    return status;
}

static pleach_status run_network(pleach_device *device, const network *network, bool training,
                                 int n_images, char *wrong)
{
    pleach_status status = PLEACH_OK;
    test t = {.name = network->name, .wrong = wrong, .n_images = n_images};
    cl_event uploaded = NULL;

    TRY(test_init(&t, device, network, training));
    TRY(plc_session_upload(t.session, t.images, t.labels, t.n_images, &uploaded));
    if (training)
        TRY(run_training(&t));
    TRY(run_inference(&t));
done:
    if (status != PLEACH_OK)
        plc_fail_in(device->ctx, status, "%s", t.name);
    plc_device_drop_event(device, &uploaded);
    test_finish(&t);
    return status;
}

pleach_status plc_self_test_networks(pleach_device *device, bool training,
                                     plc_self_test_outcome *outcome)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < N_NETWORKS && !outcome->wrong[0]; i++)
        TRY(plc_self_test_count(device, networks[i].name,
                                run_network(device, &networks[i], training,
                                            device->lanes + IMAGES_OF_SECOND_BLOCK, outcome->wrong),
                                outcome));
done:
    return status;
}

pleach_status plc_self_test_few_images(pleach_device *device, plc_self_test_outcome *outcome)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;

    TRY(make_graph(device->ctx, &of_few_images, &graph));
    if (plc_channel_lanes_suit(device, graph, FEW_IMAGES))
        TRY(plc_self_test_count(
            device, of_few_images.name,
            run_network(device, &of_few_images, false, FEW_IMAGES, outcome->wrong), outcome));
done:
    pleach_graph_destroy(&graph);
    return status;
}
