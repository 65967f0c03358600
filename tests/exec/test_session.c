// Sessions as wholes: compaction keeps the bits, gradients are those of the loss, runs repeat exactly.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <exec/session.h>
#include <fuse/importance.h>
#include <graph/op.h>
#include <prune/pruner.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <rewrite/drop.h>
#include <rewrite/fold.h>
#include <train/optimizer.h>
#include <difference.h>
#include <evaluate.h>
#include <half_device.h>
#include <random_graph.h>
#include <platform.h>

enum { N_GRAPHS = 24, BATCH = 5 };

typedef struct devices {
    pleach_ctx *ctx;
    pleach_device *vector, *few_lanes, *work_item; // few_lanes: less than BATCH
    pleach_device *half_vector, *half_work_item;
} devices;

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(ctx));                                          \
    } while (0)

static int open_devices(void **state)
{
    devices *d = calloc(1, sizeof *d);
    const pleach_device_opts vector = {.mapping = PLEACH_MAPPING_VECTOR};
    const pleach_device_opts few_lanes = {.mapping = PLEACH_MAPPING_VECTOR, .lanes = 4};
    const pleach_device_opts work_item = {.mapping = PLEACH_MAPPING_WORK_ITEM, .lanes = 8};

    pleach_device_opts half_vector = vector, half_work_item = work_item;

    half_vector.precision = half_work_item.precision = PLEACH_PRECISION_HALF;
    *state = d;
    if (d == NULL || pleach_ctx_create(&d->ctx) != PLEACH_OK)
        return -1;
    if (pleach_device_open(d->ctx, plc_test_device(), &vector, &d->vector) != PLEACH_OK ||
        pleach_device_open(d->ctx, plc_test_device(), &few_lanes, &d->few_lanes) != PLEACH_OK ||
        pleach_device_open(d->ctx, plc_test_device(), &work_item, &d->work_item) != PLEACH_OK ||
        plc_open_with_halfs(d->ctx, &half_vector, &d->half_vector) != PLEACH_OK ||
        plc_open_with_halfs(d->ctx, &half_work_item, &d->half_work_item) != PLEACH_OK) {
        print_error("%s\n", pleach_error(d->ctx));
        return -1;
    }
    return 0;
}

static int close_devices(void **state)
{
    devices *d = *state;

    pleach_device_close(&d->vector);
    pleach_device_close(&d->few_lanes);
    pleach_device_close(&d->work_item);
    pleach_device_close(&d->half_vector);
    pleach_device_close(&d->half_work_item);
    pleach_ctx_destroy(&d->ctx);
    free(d);
    return 0;
}

// Inference on channel lanes, on batch lanes in vectors, and on batch lanes in work-items.
static pleach_device *device_of(const devices *d, unsigned seed)
{
    return seed % 3 == 0 ? d->vector : seed % 3 == 1 ? d->few_lanes : d->work_item;
}

static size_t image_bytes(const pleach_graph *graph)
{
    const plc_shape s = graph->nodes[0].shape;

    return (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static unsigned char *random_images(const pleach_graph *graph, unsigned seed)
{
    const size_t n = BATCH * image_bytes(graph);
    unsigned char *images = malloc(n);

    assert_non_null(images);
    for (size_t i = 0; i < n; i++)
        images[i] = (unsigned char)plc_random_u32x4(seed, PLC_STREAM_TEST, 7, i).x;
    return images;
}

static pleach_session *make_session(pleach_device *device, const pleach_graph *graph,
                                    const float *weights)
{
    pleach_ctx *ctx = device->ctx;
    pleach_session *session = NULL;
    const float mean[] = {0.4f, 0.5f, 0.6f}, std[] = {0.2f, 0.3f, 0.25f};
    const pleach_session_opts opts = {.seed = 3, .mean = mean, .std = std};

    CHECK(pleach_session_create(ctx, graph, device, BATCH, &opts, &session));
    if (weights)
        CHECK(plc_session_write_weights(session, weights));
    return session;
}

// Logits of one training step (forward) or of inference.
static float *logits_of(pleach_session *session, const unsigned char *images, bool training)
{
    pleach_ctx *ctx = session->ctx;
    const int classes = session->graph->nodes[session->graph->n_nodes - 1].shape.c;
    float *logits = calloc((size_t)(BATCH * classes), sizeof *logits);

    assert_non_null(logits);
    if (!training) {
        CHECK(pleach_session_predict(session, images, BATCH, logits));
        return logits;
    }
    CHECK(plc_session_upload(session, images, NULL, BATCH, NULL));
    CHECK(plc_session_forward(session, 0));
    CHECK(plc_session_read_logits(session, true, BATCH, logits));
    return logits;
}

static void assert_same_bits(const pleach_graph *graph, unsigned seed, const float *a,
                             const float *b)
{
    const size_t n = (size_t)(BATCH * graph->nodes[graph->n_nodes - 1].shape.c);

    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_msg("random graph %u, logit %zu: %.9g and %.9g", seed, i, (double)a[i],
                     (double)b[i]);
}

// A network whose last operator goes that only batch lanes know may change to channel lanes, and so its rounding.
static bool may_change_lanes(const pleach_graph *graph, const plc_block *block)
{
    for (int i = 0; i < block->n_branch_nodes; i++)
        if (graph->nodes[block->branch_nodes[i]].op->forward_channel_lanes == NULL)
            return true;
    return false;
}

// Empties inner groups of residual branches: the gates of their blocks are to be closed. Returns how many.
static int empty_branches(pleach_session *masked, const plc_channels *channels, unsigned seed,
                          unsigned char *mask, bool *closed)
{
    pleach_ctx *ctx = masked->ctx;
    plc_blocks *blocks = NULL;
    int *block_of = NULL, n_emptied = 0;

    CHECK(plc_blocks_find(ctx, masked->graph, &blocks));
    CHECK(plc_blocks_of_groups(ctx, masked->graph, channels, blocks, &block_of));
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        if (block_of[g] < 0 || (seed + (unsigned)g) % 3 == 0 ||
            may_change_lanes(masked->graph, &blocks->items[block_of[g]]))
            continue;
        for (int i = 0; i < group->n_classes; i++)
            mask[group->classes[i]] = 0;
        closed[blocks->items[block_of[g]].gate] = true;
        n_emptied++;
    }
    free(block_of);
    plc_blocks_destroy(&blocks);
    return n_emptied;
}

// Weights and mask follow the seed. Returns how many branches were emptied.
static int compare_masked_compacted(pleach_device *device, const pleach_graph *graph, unsigned seed,
                                    bool empties)
{
    enum { MOST_NODES = 128 };
    bool closed[MOST_NODES] = {false};
    int n_emptied = 0;
    pleach_ctx *ctx = device->ctx;
    pleach_graph *small_graph = NULL;
    plc_channels *channels = NULL;
    unsigned char *mask = NULL, *images;
    float *weights = NULL;
    plc_pruner *pruner = NULL;
    plc_edits *edits = NULL;
    pleach_session *masked, *compacted = NULL;

    CHECK(plc_channels_create(ctx, graph, &channels));
    CHECK(plc_random_mask(ctx, channels, seed, 0.5, &mask));
    CHECK(plc_random_params(ctx, graph, seed, &weights));
    images = random_images(graph, seed);
    masked = make_session(device, graph, weights);
    CHECK(plc_pruner_create(masked, channels, &pruner));
    assert_true(graph->n_nodes <= MOST_NODES);
    if (empties)
        n_emptied = empty_branches(masked, channels, seed, mask, closed);
    CHECK(plc_pruner_set_masks(pruner, mask));
    for (int i = 0; i < graph->n_nodes; i++)
        if (closed[i])
            CHECK(plc_gate_set(masked, i, 0.0f));
    CHECK(plc_compact_describe(ctx, graph, channels, mask, &small_graph, &edits));
    CHECK(plc_rewrite_session(masked, small_graph, edits, false, &compacted));
    for (int training = 0; training < 2; training++) {
        float *a = logits_of(masked, images, training), *b = logits_of(compacted, images, training);
        assert_same_bits(graph, seed, a, b);
        free(a);
        free(b);
    }
    plc_pruner_destroy(&pruner);
    pleach_session_destroy(&compacted);
    pleach_session_destroy(&masked);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&small_graph);
    free(mask);
    free(weights);
    free(images);
    return n_emptied;
}

static int compare_random_graph(pleach_device *device, unsigned seed, bool empties)
{
    pleach_ctx *ctx = device->ctx;
    pleach_graph *graph = NULL;

    CHECK(plc_random_graph(ctx, seed, &graph));
    const int n_emptied = compare_masked_compacted(device, graph, seed, empties);
    pleach_graph_destroy(&graph);
    return n_emptied;
}

static void masked_network_gives_the_same_bits_as_compacted(void **state)
{
    const devices *d = *state;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++)
        compare_random_graph(device_of(d, seed), seed, false);
}

static void an_emptied_branch_gives_the_same_bits_as_none(void **state)
{
    const devices *d = *state;
    int n_emptied = 0;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++)
        n_emptied += compare_random_graph(device_of(d, seed), seed, true);
    assert_true(n_emptied >= N_GRAPHS / 2);
}

static int layer(pleach_graph *graph, pleach_ctx *ctx, const char *op, const char *name, int input)
{
    const plc_attrs attrs = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 5};
    const bool is_conv = strcmp(op, "conv") == 0;
    int node = PLC_NO_NODE;

    CHECK(plc_graph_add(ctx, graph, op, name, &input, 1, is_conv ? &attrs : NULL, &node));
    return node;
}

// Without its block the convolution before it takes over a batch norm that read the sum.
static void a_norm_behind_an_emptied_branch_gives_the_same_bits(void **state)
{
    const devices *d = *state;
    enum { N_DEVICES = 3, N_SEEDS = 3 };
    pleach_ctx *ctx = d->vector->ctx;
    pleach_graph *graph = NULL;
    int node = 0, n_emptied = 0;

    CHECK(plc_graph_create(ctx, "norm behind a sum", (plc_shape){3, 7, 7}, &graph));
    const int trunk = layer(graph, ctx, "conv", "trunk", 0);
    node = layer(graph, ctx, "conv", "in", trunk);
    node = layer(graph, ctx, "batch_norm", "in.norm", node);
    node = layer(graph, ctx, "relu", "in.relu", node);
    node = layer(graph, ctx, "conv", "out", node);
    node = layer(graph, ctx, "batch_norm", "out.norm", node);
    CHECK(plc_graph_add(ctx, graph, "add", "sum", (int[]){node, trunk}, 2, NULL, &node));
    node = layer(graph, ctx, "batch_norm", "norm", node);
    node = layer(graph, ctx, "relu", "relu", node);
    node = layer(graph, ctx, "conv", "last", node);
    node = layer(graph, ctx, "global_avg_pool", "mean", node);
    node = layer(graph, ctx, "flatten", "logits", node);
    for (unsigned i = 0; i < N_DEVICES * N_SEEDS; i++)
        n_emptied += compare_masked_compacted(device_of(d, i / N_SEEDS), graph, i, true);
    assert_true(n_emptied >= N_DEVICES);
    pleach_graph_destroy(&graph);
}

static void masked_network_gives_the_same_bits_with_halfs(void **state)
{
    const devices *d = *state;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++)
        compare_random_graph(seed % 3 == 2 ? d->half_work_item : d->half_vector, seed, false);
}

static void inference_agrees_with_double_precision(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++) {
        pleach_graph *graph = NULL;
        float *weights = NULL, *image;
        double *expected = NULL;
        CHECK(plc_random_graph(ctx, seed, &graph));
        CHECK(plc_random_params(ctx, graph, seed, &weights));
        unsigned char *images = random_images(graph, seed);
        pleach_session *session = make_session(device_of(d, seed), graph, weights);
        float *logits = logits_of(session, images, false);
        const plc_shape s = graph->nodes[0].shape;
        const int classes = graph->nodes[graph->n_nodes - 1].shape.c;
        image = calloc(image_bytes(graph), sizeof *image);
        assert_non_null(image);
        for (int n = 0; n < BATCH; n++) {
            for (size_t i = 0; i < image_bytes(graph); i++) {
                const size_t c = i / (size_t)(s.h * s.w);
                image[i] = ((float)images[(size_t)n * image_bytes(graph) + i] / 255.0f -
                            session->opts.mean[c]) /
                           session->opts.std[c];
            }
            CHECK(plc_evaluate(ctx, graph, weights, image, NULL, NULL, NULL, &expected));
            for (int k = 0; k < classes; k++)
                if (!(fabs((double)logits[n * classes + k] - expected[k]) <=
                      2e-4 * (1 + fabs(expected[k]))))
                    fail_msg("random graph %u, image %d, logit %d: %g, expected %g", seed, n, k,
                             (double)logits[n * classes + k], expected[k]);
            free(expected);
        }
        free(image);
        free(logits);
        free(images);
        free(weights);
        pleach_session_destroy(&session);
        pleach_graph_destroy(&graph);
    }
}

static double loss_at(pleach_session *session, const unsigned char *images, const int *labels,
                      const float *weights, unsigned slot)
{
    pleach_ctx *ctx = session->ctx;
    plc_metrics metrics = {0};

    CHECK(plc_session_write_weights(session, weights));
    CHECK(plc_session_upload(session, images, labels, BATCH, NULL));
    CHECK(plc_session_train(session, slot));
    CHECK(plc_session_read_metrics(session, slot, 1, &metrics));
    return metrics.loss_sum / metrics.n_images;
}

// A tensor that no gradient reaches stands still, and a slope along the gradient of all others does not see it.
static void assert_every_tensor_has_a_gradient(const pleach_session *session, unsigned seed,
                                               const float *gradient)
{
    for (int i = 0; i < session->layout->n_places; i++) {
        const plc_param_place *place = &session->layout->places[i];
        const plc_node *node = &session->graph->nodes[place->node];
        // In front of a batch norm a bias has none: its rounding errors may come to exactly 0.
        bool any = !node->params[place->param].trainable ||
                   strcmp(node->params[place->param].name, "bias") == 0;

        for (int j = 0; j < place->count && !any; j++)
            any = gradient[place->offset + j] < 0 || gradient[place->offset + j] > 0;
        if (!any)
            fail_msg("random graph %u: %s of '%s' has no gradient", seed,
                     node->params[place->param].name, node->name);
    }
}

// The loss along the gradient g must rise by |g| per unit of length.
static void compare_gradient(pleach_device *device, unsigned seed)
{
    pleach_ctx *ctx = device->ctx;
    pleach_graph *graph = NULL;
    float *weights = NULL;
    int labels[BATCH];

    CHECK(plc_random_graph(ctx, seed, &graph));
    CHECK(plc_random_params(ctx, graph, seed, &weights));
    unsigned char *images = random_images(graph, seed);
    pleach_session *session = make_session(device, graph, weights);
    const int classes = graph->nodes[graph->n_nodes - 1].shape.c, n = session->layout->n_trainable;
    for (int i = 0; i < BATCH; i++)
        labels[i] = i % classes;
    float *gradient = calloc((size_t)n, sizeof *gradient),
          *moved = calloc((size_t)session->layout->n_floats, sizeof *moved);
    assert_non_null(gradient);
    assert_non_null(moved);
    loss_at(session, images, labels, weights, 0);
    CHECK(plc_buffer_read(device, session->grads, 0, (size_t)n * sizeof *gradient, gradient));
    assert_every_tensor_has_a_gradient(session, seed, gradient);
    double length = 0;
    for (int i = 0; i < n; i++)
        length += (double)gradient[i] * (double)gradient[i];
    length = sqrt(length);
    assert_true(length > 1e-4);
    double best = INFINITY, slope = 0;
    // Too long a step meets kinks of ReLU and max pooling, too short a one rounding: one of these fits.
    for (double step = 3e-2; step > 2e-4; step /= 3) {
        double losses[2];
        for (int side = 0; side < 2; side++) {
            memcpy(moved, weights, (size_t)session->layout->n_floats * sizeof *moved);
            for (int i = 0; i < n; i++)
                moved[i] += (float)((side ? step : -step) * (double)gradient[i] / length);
            losses[side] = loss_at(session, images, labels, moved, 1);
        }
        const double found = (losses[1] - losses[0]) / (2 * step);
        if (fabs(found - length) < best) {
            best = fabs(found - length);
            slope = found;
        }
    }
    if (!(best <= 0.03 * length))
        fail_msg("random graph %u: the loss rises by %g along a gradient of length %g", seed, slope,
                 length);
    free(gradient);
    free(moved);
    free(images);
    free(weights);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
}

static void gradients_are_the_slope_of_the_loss(void **state)
{
    const devices *d = *state;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++)
        compare_gradient(seed % 3 == 1 ? d->work_item : d->vector, seed);
}

static float *train_some_steps(pleach_device *device, plc_optimizer_kind kind)
{
    pleach_ctx *ctx = device->ctx;
    pleach_graph *graph = NULL;
    plc_optimizer *optimizer = NULL;
    const plc_optimizer_opts opts = {.kind = kind, .nesterov = true, .weight_decay = 1e-3f};

    CHECK(pleach_graph_create(ctx, "resnet20", 1, 12, 12, 10, &graph));
    unsigned char *images = random_images(graph, 1);
    const int labels[BATCH] = {1, 2, 3, 4, 5};
    pleach_session *session = NULL;
    const pleach_session_opts session_opts = {
        .seed = 9, .crop = 2, .flip = true, .label_smoothing = 0.1f};
    CHECK(pleach_session_create(ctx, graph, device, BATCH, &session_opts, &session));
    CHECK(plc_optimizer_create(session, &opts, &optimizer));
    for (unsigned step = 0; step < 6; step++) {
        CHECK(plc_session_upload(session, images, labels, BATCH, NULL));
        CHECK(plc_session_train(session, step));
        CHECK(plc_optimizer_step(optimizer, 0.01f, 0.9f));
    }
    float *weights = calloc((size_t)session->layout->n_floats, sizeof *weights);
    assert_non_null(weights);
    CHECK(plc_session_read_weights(session, weights));
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    free(images);
    return weights;
}

static void same_seed_gives_the_same_bits(void **state)
{
    const devices *d = *state;

    for (int kind = 0; kind < 2; kind++) {
        float *a = train_some_steps(d->vector, (plc_optimizer_kind)kind);
        float *b = train_some_steps(d->vector, (plc_optimizer_kind)kind);
        pleach_ctx *ctx = d->ctx;
        pleach_graph *graph = NULL;
        plc_params_layout *layout = NULL;
        CHECK(pleach_graph_create(ctx, "resnet20", 1, 12, 12, 10, &graph));
        CHECK(plc_params_layout_create(ctx, graph, &layout));
        for (int i = 0; i < layout->n_floats; i++)
            assert_true(isfinite(a[i]));
        assert_memory_equal(a, b, (size_t)layout->n_floats * sizeof *a);
        plc_params_layout_destroy(&layout);
        pleach_graph_destroy(&graph);
        free(a);
        free(b);
    }
}

// A compacted resnet20 with optimizer, as a run makes it.
static void a_step_after_compaction_changes_every_parameter(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    pleach_graph *graph = NULL, *small_graph = NULL;
    plc_channels *channels = NULL;
    plc_edits *edits = NULL;
    unsigned char *mask = NULL;
    plc_optimizer *optimizer = NULL, *small_optimizer = NULL;
    pleach_session *small = NULL;
    const plc_optimizer_opts opts = {.nesterov = true, .weight_decay = 1e-3f};

    CHECK(pleach_graph_create(ctx, "resnet20", 1, 12, 12, 10, &graph));
    CHECK(plc_channels_create(ctx, graph, &channels));
    CHECK(plc_random_mask(ctx, channels, 5, 0.4, &mask));
    unsigned char *images = random_images(graph, 2);
    const int labels[BATCH] = {1, 2, 3, 4, 5};
    pleach_session *session = make_session(d->vector, graph, NULL);
    CHECK(plc_optimizer_create(session, &opts, &optimizer));
    CHECK(plc_session_upload(session, images, labels, BATCH, NULL));
    CHECK(plc_session_train(session, 0));
    CHECK(plc_optimizer_step(optimizer, 0.01f, 0.9f));
    CHECK(plc_compact_describe(ctx, graph, channels, mask, &small_graph, &edits));
    CHECK(plc_rewrite_session(session, small_graph, edits, false, &small));
    CHECK(plc_optimizer_create(small, &opts, &small_optimizer));
    const size_t n = (size_t)small->layout->n_trainable;
    float *before = calloc((size_t)small->layout->n_floats, sizeof *before);
    float *after = calloc((size_t)small->layout->n_floats, sizeof *after);
    float *moments = calloc(n, sizeof *moments);
    CHECK(plc_session_read_weights(small, before));
    CHECK(plc_buffer_read(d->vector, small->moments[0], 0, n * sizeof *moments, moments));
    CHECK(plc_session_upload(small, images, labels, BATCH, NULL));
    CHECK(plc_session_train(small, 1));
    CHECK(plc_optimizer_step(small_optimizer, 0.01f, 0.9f));
    CHECK(plc_session_read_weights(small, after));
    size_t with_momentum = 0;
    for (size_t i = 0; i < n; i++) {
        with_momentum += moments[i] != 0.0f;
        if (before[i] == after[i] && moments[i] != 0.0f)
            fail_msg("parameter float %zu of %zu did not change", i, n);
    }
    assert_true(with_momentum > n * 9 / 10);
    free(before);
    free(after);
    free(moments);
    free(images);
    free(mask);
    plc_optimizer_destroy(&optimizer);
    plc_optimizer_destroy(&small_optimizer);
    pleach_session_destroy(&small);
    pleach_session_destroy(&session);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&small_graph);
    pleach_graph_destroy(&graph);
}

static void assert_close(const pleach_graph *graph, unsigned seed, const float *a, const float *b,
                         double tolerance)
{
    const double difference =
        plc_difference_of_floats(a, b, (size_t)(BATCH * graph->nodes[graph->n_nodes - 1].shape.c));

    if (!(difference <= tolerance))
        fail_msg("random graph %u: logits differ by %g of the largest", seed, difference);
}

static void folded_network_gives_the_same_logits(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;

    for (unsigned seed = 0; seed < N_GRAPHS; seed++) {
        pleach_graph *graph = NULL, *folded_graph = NULL;
        plc_edits *edits = NULL;
        float *weights = NULL;
        pleach_session *folded = NULL;
        CHECK(plc_random_graph(ctx, seed, &graph));
        CHECK(plc_random_params(ctx, graph, seed, &weights));
        unsigned char *images = random_images(graph, seed);
        pleach_session *session = make_session(d->vector, graph, weights);
        CHECK(plc_fold_describe(ctx, graph, &folded_graph, &edits, NULL));
        CHECK(plc_rewrite_session(session, folded_graph, edits, true, &folded));
        float *a = logits_of(session, images, false), *b = logits_of(folded, images, false);
        assert_close(graph, seed, a, b, 1e-5);
        free(a);
        free(b);
        free(images);
        free(weights);
        pleach_session_destroy(&folded);
        pleach_session_destroy(&session);
        plc_edits_destroy(&edits);
        pleach_graph_destroy(&folded_graph);
        pleach_graph_destroy(&graph);
    }
}

static void dropping_a_faded_block_changes_nothing(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    pleach_graph *graph = NULL;
    plc_blocks *blocks = NULL;
    float *weights = NULL;

    CHECK(pleach_graph_create(ctx, "resnet20", 1, 14, 14, 10, &graph));
    CHECK(plc_random_params(ctx, graph, 4, &weights));
    CHECK(plc_blocks_find(ctx, graph, &blocks));
    assert_int_equal(blocks->n_items, 9);
    unsigned char *images = random_images(graph, 3);
    for (int i = 0; i < blocks->n_items; i++) {
        pleach_graph *small_graph = NULL;
        plc_edits *edits = NULL;
        pleach_session *small = NULL, *session = make_session(d->vector, graph, weights);
        CHECK(plc_gate_set(session, blocks->items[i].gate, 0.0f));
        CHECK(plc_drop_describe(ctx, graph, blocks->items[i].add, blocks->items[i].shortcut,
                                &small_graph, &edits));
        CHECK(plc_rewrite_session(session, small_graph, edits, false, &small));
        float *a = logits_of(session, images, false), *b = logits_of(small, images, false);
        assert_close(graph, (unsigned)i, a, b, 1e-6);
        free(a);
        free(b);
        pleach_session_destroy(&small);
        pleach_session_destroy(&session);
        plc_edits_destroy(&edits);
        pleach_graph_destroy(&small_graph);
    }
    free(images);
    free(weights);
    plc_blocks_destroy(&blocks);
    pleach_graph_destroy(&graph);
}

// Logits and metrics of the first n images in a session of `batch`.
static float *infer_first(pleach_device *device, const pleach_graph *graph, const float *weights,
                          const unsigned char *images, const int *labels, int batch, int n,
                          plc_metrics *metrics)
{
    pleach_ctx *ctx = device->ctx;
    const pleach_session_opts opts = {.inference_only = true};
    const size_t classes = (size_t)graph->nodes[graph->n_nodes - 1].shape.c;
    pleach_session *session = NULL;
    float *logits = calloc((size_t)BATCH * classes, sizeof *logits);

    assert_non_null(logits);
    *metrics = (plc_metrics){0};
    CHECK(pleach_session_create(ctx, graph, device, batch, &opts, &session));
    assert_int_equal(session->channel_lanes, batch < device->lanes);
    // What runs on channel lanes joins into one launch on CPUs, whatever its operators.
    if (strcmp(device->info->kind, "cpu") == 0)
        assert_int_equal(session->infer_network.n_items, session->channel_lanes);
    CHECK(plc_session_write_weights(session, weights));
    for (int repeat = 0; repeat < 3; repeat++) { // the joined launch must leave its state as it was
        CHECK(plc_session_upload(session, images, labels, n, NULL));
        CHECK(plc_session_infer(session, 0, n));
    }
    CHECK(plc_session_read_logits(session, false, n, logits));
    CHECK(plc_session_read_metrics(session, 0, 1, metrics));
    pleach_session_destroy(&session);
    return logits;
}

static int add_node(pleach_ctx *ctx, pleach_graph *graph, const char *op, const int *inputs, int n,
                    const plc_attrs *attrs)
{
    const plc_attrs none = {0};
    char name[16];
    int node;

    snprintf(name, sizeof name, "node%d", graph->n_nodes);
    CHECK(plc_graph_add(ctx, graph, op, name, inputs, n, attrs ? attrs : &none, &node));
    return node;
}

// As mobile networks are made: a depthwise and a pointwise convolution with functions between and a gate of
// squeeze-excite behind, pooled, flattened with its pixels, and a linear layer.
static pleach_graph *make_mobile(pleach_ctx *ctx)
{
    const plc_attrs wide = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 21};
    const plc_attrs depthwise = {
        .kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .groups = 21, .out_channels = 21};
    const plc_attrs pointwise = {.kernel = {1, 1}, .out_channels = 35, .bias = true};
    const plc_attrs window = {.kernel = {2, 2}, .stride = {2, 2}};
    const plc_attrs linear = {.out_channels = 7, .bias = true};
    const plc_attrs border = {.pad_after = {1, 2}};
    const plc_attrs bounds = {.alpha = -0.5f, .beta = 0.8f};
    const struct {
        const char *op;
        const plc_attrs *attrs;
    } nodes[] = {{"conv", &wide},       {"batch_norm", NULL}, {"hard_swish", NULL},
                 {"pad", &border},      {"conv", &depthwise}, {"batch_norm", NULL},
                 {"clip", &bounds},     {"conv", &pointwise}, {"mul", NULL},
                 {"avg_pool", &window}, {"clip", &bounds},    {"flatten", NULL},
                 {"linear", &linear}};
    pleach_graph *graph = NULL;
    int x = 0;

    CHECK(plc_graph_create(ctx, "mobile", (plc_shape){3, 11, 13}, &graph));
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        int inputs[2] = {x};
        const bool gated = strcmp(nodes[i].op, "mul") == 0;
        if (gated) {
            inputs[1] = add_node(ctx, graph, "global_avg_pool", &x, 1, NULL);
            inputs[1] = add_node(ctx, graph, "sigmoid", &inputs[1], 1, NULL);
        }
        x = add_node(ctx, graph, nodes[i].op, inputs, 1 + gated, nodes[i].attrs);
    }
    return graph;
}

static void few_images_give_the_same_logits_as_many(void **state)
{
    static const char *const models[] = {"resnet20", "vgg16", "densenet40", NULL};
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    const int labels[BATCH] = {1, 2, 3, 4, 5};

    for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++) {
        pleach_graph *graph = NULL;
        float *weights = NULL;
        plc_metrics expected_metrics, metrics;
        if (models[i])
            CHECK(pleach_graph_create(ctx, models[i], 3, 32, 32, 10, &graph));
        else
            graph = make_mobile(ctx);
        CHECK(plc_random_params(ctx, graph, 1, &weights));
        unsigned char *images = random_images(graph, i);
        const int many = d->vector->lanes < BATCH ? 2 * d->vector->lanes : d->vector->lanes;
        for (int n = 1; n <= BATCH; n += BATCH - 1) {
            float *expected =
                infer_first(d->vector, graph, weights, images, labels, many, n, &expected_metrics);
            float *few = infer_first(d->vector, graph, weights, images, labels, n, n, &metrics);
            assert_close(graph, i, expected, few, 1e-4);
            assert_true(metrics.n_images == n && metrics.n_correct == expected_metrics.n_correct);
            assert_true(fabs(metrics.loss_sum - expected_metrics.loss_sum) <=
                        1e-3 * (1 + fabs(expected_metrics.loss_sum)));
            free(expected);
            free(few);
        }
        free(images);
        free(weights);
        pleach_graph_destroy(&graph);
    }
}

// No kernel is compiled, and none is finished by a driver, in a step: all have been launched before.
static void a_session_has_launched_all_its_kernels(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    pleach_graph *graph = NULL;

    CHECK(pleach_graph_create(ctx, "cnn5", 3, 32, 32, 10, &graph));
    for (int batch = 1; batch <= BATCH; batch += BATCH - 1) {
        pleach_session *s = NULL;
        CHECK(pleach_session_create(ctx, graph, d->vector, batch, NULL, &s));
        const plc_launch_list *const lists[] = {
            &s->input_train,          &s->train,     &s->prepare, &s->input_infer,
            plc_session_inference(s), &s->infer_loss};
        for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
            for (int i = 0; i < lists[l]->n_items; i++) {
                bool is_new = true;
                CHECK(plc_kernels_note_launch(d->vector, lists[l]->items[i], &is_new));
                assert_false(is_new);
            }
        pleach_session_destroy(&s);
    }
    pleach_graph_destroy(&graph);
}

// Nothing needs the gradient of the images, also where the network begins with flattening them.
static void flattened_images_get_no_gradient(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    const plc_attrs linear = {.out_channels = 7, .bias = true};
    pleach_graph *graph = NULL;
    pleach_session *s = NULL;
    int node = 0, n_products = 0;

    CHECK(plc_graph_create(ctx, "mlp", (plc_shape){3, 4, 4}, &graph));
    node = add_node(ctx, graph, "flatten", &node, 1, NULL);
    node = add_node(ctx, graph, "linear", &node, 1, &linear);
    CHECK(pleach_session_create(ctx, graph, d->vector, BATCH, NULL, &s));
    for (int i = 0; i < s->train.n_items; i++) // forward alone, no product for dx
        n_products += strstr(s->train.items[i]->label, "conv_forward") != NULL;
    assert_int_equal(n_products, 1);
    pleach_session_destroy(&s);
    pleach_graph_destroy(&graph);
}

static void a_batch_that_cannot_be_is_refused(void **state)
{
    const devices *d = *state;
    pleach_ctx *ctx = d->ctx;
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;

    // 65536 of these images alone are 37 GiB: more than devices of this decade allocate at once.
    CHECK(pleach_graph_create(ctx, "resnet20", 3, 448, 448, 10, &graph));
    assert_int_equal(pleach_session_create(ctx, graph, d->vector, 0, NULL, &session),
                     PLEACH_EUSAGE);
    assert_int_equal(pleach_session_create(ctx, graph, d->vector, 65536, NULL, &session),
                     PLEACH_ENOMEM);
    assert_non_null(strstr(pleach_error(ctx), "batch"));
    assert_null(session);
    pleach_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_network_gives_the_same_bits_as_compacted),
        cmocka_unit_test(an_emptied_branch_gives_the_same_bits_as_none),
        cmocka_unit_test(a_norm_behind_an_emptied_branch_gives_the_same_bits),
        cmocka_unit_test(masked_network_gives_the_same_bits_with_halfs),
        cmocka_unit_test(inference_agrees_with_double_precision),
        cmocka_unit_test(gradients_are_the_slope_of_the_loss),
        cmocka_unit_test(same_seed_gives_the_same_bits),
        cmocka_unit_test(a_step_after_compaction_changes_every_parameter),
        cmocka_unit_test(folded_network_gives_the_same_logits),
        cmocka_unit_test(dropping_a_faded_block_changes_nothing),
        cmocka_unit_test(few_images_give_the_same_logits_as_many),
        cmocka_unit_test(a_session_has_launched_all_its_kernels),
        cmocka_unit_test(flattened_images_get_no_gradient),
        cmocka_unit_test(a_batch_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
