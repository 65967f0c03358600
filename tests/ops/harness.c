// One operator on a device: buffers with canaries around random views, and comparison with a
// reference.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/half.h>
#include <base/memory.h>
#include <base/random.h>
#include <half_device.h>

enum { DRAW_PLANES = 1000, DRAW_FIRST = 2000, DRAW_MASK = 3000, SPARE_PLANES_MAX = 2 };

// Written to planes outside a view: a NaN whose bits nothing computes. Its first two bytes are one as a
// half.
static const unsigned CANARY = 0x7fc07eefu;

static void *take(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    assert_non_null(memory);
    return memory;
}

int plc_harness_open_devices(void **state)
{
    static const pleach_device_opts opts[PLC_HARNESS_DEVICES] = {
        {.lanes = 16, .mapping = PLEACH_MAPPING_VECTOR},
        {.lanes = 8, .mapping = PLEACH_MAPPING_WORK_ITEM},
        {.lanes = 16, .mapping = PLEACH_MAPPING_VECTOR, .precision = PLEACH_PRECISION_HALF},
        {.lanes = 8, .mapping = PLEACH_MAPPING_WORK_ITEM, .precision = PLEACH_PRECISION_HALF},
        {.lanes = 8, .mapping = PLEACH_MAPPING_VECTOR},
        {.lanes = 4, .mapping = PLEACH_MAPPING_VECTOR},
        {.lanes = 32, .mapping = PLEACH_MAPPING_WORK_ITEM},
    };
    plc_harness_devices *devices = calloc(1, sizeof *devices);

    *state = devices;
    if (devices == NULL || pleach_ctx_create(&devices->ctx) != PLEACH_OK)
        return 1;
    devices->n = plc_test_is_quick() ? PLC_HARNESS_QUICK_DEVICES : PLC_HARNESS_DEVICES;
    for (unsigned i = 0; i < devices->n; i++) {
        pleach_device_opts with_cache = opts[i];
        with_cache.cache_dir = plc_test_cache();
        if (plc_open_with_halfs(devices->ctx, &with_cache, &devices->items[i]) != PLEACH_OK) {
            fprintf(stderr, "%s\n", pleach_error(devices->ctx));
            return 1;
        }
    }
    return 0;
}

int plc_harness_close_devices(void **state)
{
    plc_harness_devices *devices = *state;

    for (unsigned i = 0; i < devices->n; i++)
        pleach_device_close(&devices->items[i]);
    pleach_ctx_destroy(&devices->ctx);
    free(devices);
    return 0;
}

void plc_harness_check(const plc_harness *h, pleach_status status)
{
    if (status != PLEACH_OK)
        fail_msg("%s: %s", h->opts.label, pleach_error(h->ctx));
}

int plc_harness_pick(unsigned seed, unsigned draw, int low, int high)
{
    const plc_u32x4 bits = plc_random_u32x4(seed, PLC_STREAM_TEST, draw, 0);

    return low + (int)plc_random_below(bits.x, (plc_u32)(high - low + 1));
}

int plc_harness_add_node(pleach_ctx *ctx, pleach_graph *graph, const char *op, const int *inputs,
                         int n_inputs, const plc_attrs *attrs)
{
    char name[32];
    const plc_attrs none = {0};
    int node = PLC_NO_NODE;

    snprintf(name, sizeof name, "%s%d", op, graph->n_nodes);
    if (plc_graph_add(ctx, graph, op, name, inputs, n_inputs, attrs ? attrs : &none, &node) !=
        PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    return node;
}

plc_clip plc_harness_clip(int choice)
{
    static const plc_clip clips[PLC_HARNESS_CLIPS] = {
        {0}, {true, 0.0f, INFINITY}, {true, 0.0f, 1.3f}, {true, -0.4f, 0.7f}};

    return clips[choice];
}

int plc_harness_add_clip(pleach_ctx *ctx, pleach_graph *graph, int node, plc_clip clip)
{
    const plc_attrs attrs = {.alpha = clip.low, .beta = clip.high};

    if (!clip.on)
        return node;
    return plc_harness_add_node(ctx, graph, isinf(clip.high) ? "relu" : "clip", &node, 1, &attrs);
}

double plc_harness_low(plc_clip clip)
{
    return clip.on ? (double)clip.low : (double)-INFINITY;
}

double plc_harness_high(plc_clip clip)
{
    return clip.on ? (double)clip.high : (double)INFINITY;
}

int plc_harness_image_size(const plc_harness *h, int node)
{
    const plc_shape s = h->graph->nodes[node].shape;

    return s.c * s.h * s.w;
}

size_t plc_harness_value_size(const plc_harness *h, int node)
{
    return (size_t)h->opts.n_images * (size_t)plc_harness_image_size(h, node);
}

static size_t value_bytes(const plc_harness *h)
{
    return (size_t)h->opts.device->value_bytes;
}

static bool is_half(const plc_harness *h)
{
    return value_bytes(h) < sizeof(float);
}

float plc_harness_stored(const plc_harness *h, float value)
{
    return is_half(h) ? plc_half_to_float(plc_half_from_float(value)) : value;
}

void plc_harness_store_values(plc_harness *h)
{
    for (int node = 0; node < h->graph->n_nodes; node++)
        for (size_t i = 0; i < plc_harness_value_size(h, node); i++)
            h->values[node][i] = plc_harness_stored(h, h->values[node][i]);
}

double plc_harness_rounding(const plc_harness *h)
{
    return is_half(h) ? 0x1p-11 : 0;
}

// Value i of memory as the device has it.
static void set_value(const plc_harness *h, void *block, size_t i, float value)
{
    if (is_half(h))
        ((uint16_t *)block)[i] = plc_half_from_float(value);
    else
        ((float *)block)[i] = value;
}

static float get_value(const plc_harness *h, const void *block, size_t i)
{
    return is_half(h) ? plc_half_to_float(((const uint16_t *)block)[i]) : ((const float *)block)[i];
}

static char *place_of_value(const plc_harness *h, void *block, size_t i)
{
    return (char *)block + i * value_bytes(h);
}

static plc_buffer *make_bytes(plc_harness *h, const char *name, size_t bytes)
{
    plc_buffer *buffer = NULL;

    plc_harness_check(h, plc_buffer_create(h->opts.device, name, bytes, &buffer));
    return buffer;
}

static plc_buffer *make_buffer(plc_harness *h, const char *name, size_t floats)
{
    return make_bytes(h, name, floats * sizeof(float));
}

// A buffer with room for the node's view and up to SPARE_PLANES_MAX planes on each side.
static plc_tensor make_tensor(plc_harness *h, int node, unsigned draw)
{
    const plc_shape s = h->graph->nodes[node].shape;
    const int first = plc_harness_pick(h->opts.seed, draw + DRAW_FIRST, 0, SPARE_PLANES_MAX);
    const int planes =
        first + s.c + plc_harness_pick(h->opts.seed, draw + DRAW_PLANES, 0, SPARE_PLANES_MAX);
    const size_t lanes = (size_t)h->opts.device->lanes, image = (size_t)(planes * s.h * s.w);
    const size_t n_values = h->opts.channel_lanes ? (size_t)h->opts.n_images * image + lanes
                                                  : (size_t)h->lower.n_blocks * lanes * image;

    return (plc_tensor){make_bytes(h, "tensor", n_values * value_bytes(h)), planes, first, s};
}

static plc_buffer *make_planned(const char *name)
{
    plc_buffer *buffer = take(1, sizeof *buffer);

    buffer->name = name;
    return buffer;
}

static float *random_floats(const plc_harness *h, unsigned step, size_t n)
{
    float *floats = take(n, sizeof *floats);

    plc_random_fill_normal(h->opts.seed, PLC_STREAM_TEST, step, 0.0f, 1.0f, floats, n);
    return floats;
}

// Random values as the device stores them.
static float *random_values(const plc_harness *h, unsigned step, size_t n)
{
    float *values = random_floats(h, step, n);

    for (size_t i = 0; i < n; i++)
        values[i] = plc_harness_stored(h, values[i]);
    return values;
}

static float *ones(size_t n)
{
    float *floats = take(n, sizeof *floats);

    for (size_t i = 0; i < n; i++)
        floats[i] = 1.0f;
    return floats;
}

static void make_node(plc_harness *h, int node)
{
    plc_lower *lower = &h->lower;
    const unsigned draw = (unsigned)node * 2;

    lower->values[node] = make_tensor(h, node, draw);
    lower->value_grads[node] = make_tensor(h, node, draw + 1);
    lower->roots[node] = node;
    lower->mask_offsets[node] = -1;
    lower->scratch_offsets[node] = -1;
    const plc_tensor g = lower->value_grads[node];
    lower->written[node] = take((size_t)g.planes * (size_t)(g.shape.h * g.shape.w), sizeof(bool));
    h->values[node] = random_values(h, draw, plc_harness_value_size(h, node));
    h->grads[node] = random_values(h, draw + 1, plc_harness_value_size(h, node));
}

// Random weights; running variances between 0.5 and 1.5.
static void make_arenas(plc_harness *h)
{
    const size_t n = (size_t)h->layout->n_floats;

    h->weights = random_floats(h, 5000, n);
    h->weight_grads = random_floats(h, 5001, n);
    for (int i = 0; i < h->layout->n_places; i++) {
        const plc_param_place *place = &h->layout->places[i];
        if (strcmp(h->graph->nodes[place->node].params[place->param].name, "running_var") == 0)
            plc_random_fill_uniform(h->opts.seed, PLC_STREAM_TEST, 5002, 0.5f, 1.5f,
                                    h->weights + place->offset, (size_t)place->count);
    }
    h->lower.weights = make_buffer(h, "weights", n ? n : 1);
    h->lower.grads = make_buffer(h, "grads", n ? n : 1);
}

plc_harness *plc_harness_create(pleach_graph *graph, const plc_harness_opts *opts)
{
    plc_harness *h = take(1, sizeof *h);
    const size_t n = (size_t)graph->n_nodes;
    plc_lower *lower = &h->lower;

    h->opts = *opts;
    h->ctx = opts->device->ctx;
    h->graph = graph;
    plc_harness_check(h, plc_params_layout_create(h->ctx, graph, &h->layout));
    plc_launch_list_init(&h->forward, opts->device);
    plc_launch_list_init(&h->backward, opts->device);
    plc_launch_list_init(&h->prepare, opts->device);
    h->values = take(n, sizeof *h->values);
    h->grads = take(n, sizeof *h->grads);
    *lower = (plc_lower){
        .ctx = h->ctx,
        .device = opts->device,
        .graph = graph,
        .layout = h->layout,
        .n_images = opts->n_images,
        .n_blocks = (opts->n_images + opts->device->lanes - 1) / opts->device->lanes,
        .training = !opts->inference,
        .channel_lanes = opts->channel_lanes,
        .mask_gradients = opts->mask_gradients,
        .prepare = &h->prepare,
        .scratch = make_planned("scratch"),
        .workspace = make_planned("workspace"),
        .values = take(n, sizeof *lower->values),
        .value_grads = take(n, sizeof *lower->value_grads),
        .mask_offsets = take(n, sizeof *lower->mask_offsets),
        .scratch_offsets = take(n, sizeof *lower->scratch_offsets),
        .written = take(n, sizeof *lower->written),
        .sums = take(n, sizeof *lower->sums),
        .running = take(n, sizeof *lower->running),
        .roots = take(n, sizeof *lower->roots),
    };
    for (int node = 0; node < graph->n_nodes; node++) {
        make_node(h, node);
        h->n_masks += graph->nodes[node].shape.c;
    }
    make_arenas(h);
    h->masks = ones((size_t)h->n_masks);
    h->gates = ones(n);
    lower->masks = make_buffer(h, "masks", (size_t)h->n_masks);
    lower->gates = make_buffer(h, "gates", n);
    return h;
}

void plc_harness_alias(plc_harness *h, int node, int root, int first)
{
    plc_lower *lower = &h->lower;
    const plc_shape s = h->graph->nodes[node].shape, r = h->graph->nodes[root].shape;
    const int split = r.h * r.w / (s.h * s.w); // a flattened value counts pixels as planes
    plc_tensor *views[2] = {&lower->values[node], &lower->value_grads[node]};
    const plc_tensor *roots[2] = {&lower->values[root], &lower->value_grads[root]};

    for (int i = 0; i < 2; i++) {
        plc_buffer_destroy(h->opts.device, &views[i]->buffer);
        *views[i] = (plc_tensor){roots[i]->buffer, roots[i]->planes * split,
                                 (roots[i]->first + first) * split, s};
    }
    lower->roots[node] = root;
}

void plc_harness_mask(plc_harness *h, int node)
{
    int offset = 0;

    for (int i = 0; i < node; i++)
        offset += h->graph->nodes[i].shape.c;
    h->lower.mask_offsets[node] = offset;
    for (int c = 0; c < h->graph->nodes[node].shape.c; c++)
        h->masks[offset + c] =
            plc_harness_pick(h->opts.seed, DRAW_MASK + (unsigned)c, 0, 9) < 4 ? 0.0f : 1.0f;
}

static size_t count_values(const plc_harness *h, const plc_tensor *t)
{
    return t->buffer->bytes / value_bytes(h);
}

// Index of image n's element i of a view in its buffer.
static size_t place_of(const plc_harness *h, const plc_tensor *t, int n, int i)
{
    const size_t lanes = (size_t)h->opts.device->lanes, image = (size_t)n;
    const size_t plane = (size_t)(t->shape.h * t->shape.w);

    if (h->opts.channel_lanes)
        return (image * plane + (size_t)i % plane) * (size_t)t->planes + (size_t)t->first +
               (size_t)i / plane;
    return ((image / lanes * (size_t)t->planes + (size_t)t->first) * plane + (size_t)i) * lanes +
           image % lanes;
}

// Images that a buffer has room for: on batch lanes those of the empty lanes too.
static int n_places(const plc_harness *h)
{
    return h->opts.channel_lanes ? h->opts.n_images : h->lower.n_blocks * h->opts.device->lanes;
}

// Writes a view from host floats (NULL: NaN everywhere). `empty` goes to empty lanes.
static void write_view(plc_harness *h, const plc_tensor *t, int node, const float *from,
                       float empty, void *block)
{
    const int size = plc_harness_image_size(h, node);
    const int n_lanes = n_places(h);

    for (int n = 0; n < n_lanes; n++)
        for (int i = 0; i < size; i++)
            set_value(h, block, place_of(h, t, n, i),
                      n >= h->opts.n_images ? empty
                      : from                ? from[n * size + i]
                                            : NAN);
}

// Uploads the values or the gradients of all nodes: canaries first, then roots, then the views in
// them.
static void upload(plc_harness *h, const plc_tensor *tensors, float *const *from, float empty,
                   const bool *unset)
{
    for (int root = 0; root < h->graph->n_nodes; root++) {
        if (h->lower.roots[root] != root)
            continue;
        const plc_tensor *t = &tensors[root];
        void *block = take(count_values(h, t), value_bytes(h));
        for (size_t i = 0; i < count_values(h, t); i++)
            memcpy(place_of_value(h, block, i), &CANARY, value_bytes(h));
        for (int pass = 0; pass < 2; pass++)
            for (int node = 0; node < h->graph->n_nodes; node++)
                if (h->lower.roots[node] == root && (node == root) == (pass == 0))
                    write_view(h, &tensors[node], node, unset && unset[node] ? NULL : from[node],
                               empty, block);
        plc_harness_check(h,
                          plc_buffer_write(h->opts.device, t->buffer, 0, t->buffer->bytes, block));
        free(block);
    }
}

// True where [first, first + C) of any node's view covers the value.
static void mark_views(const plc_harness *h, const plc_tensor *tensors, int root, bool *covered)
{
    const int n_lanes = n_places(h);

    for (int node = 0; node < h->graph->n_nodes; node++)
        if (h->lower.roots[node] == root)
            for (int n = 0; n < n_lanes; n++)
                for (int i = 0; i < plc_harness_image_size(h, node); i++)
                    covered[place_of(h, &tensors[node], n, i)] = true;
}

// Downloads, and checks that planes outside the views kept the canary. `zero[node]`: its empty
// lanes must be 0.
static void download(plc_harness *h, const plc_tensor *tensors, float **to, const bool *zero)
{
    const int n_lanes = n_places(h);

    for (int node = 0; node < h->graph->n_nodes; node++) {
        const plc_tensor *t = &tensors[node];
        const int size = plc_harness_image_size(h, node);
        void *block = take(count_values(h, t), value_bytes(h));
        bool *covered = take(count_values(h, t), sizeof *covered);

        plc_harness_check(h,
                          plc_buffer_read(h->opts.device, t->buffer, 0, t->buffer->bytes, block));
        mark_views(h, tensors, h->lower.roots[node], covered);
        for (size_t i = 0; i < count_values(h, t); i++)
            if (!covered[i] && memcmp(place_of_value(h, block, i), &CANARY, value_bytes(h)) != 0)
                fail_msg("%s: value %zu outside the view of node %d was overwritten", h->opts.label,
                         i, node);
        for (int n = 0; n < n_lanes; n++)
            for (int i = 0; i < size; i++) {
                const float value = get_value(h, block, place_of(h, t, n, i));
                if (n < h->opts.n_images)
                    to[node][n * size + i] = value;
                else if (zero && zero[node] && !(value == 0.0f))
                    fail_msg("%s: empty lane %d of node %d's gradient is %g", h->opts.label, n,
                             node, (double)value);
            }
        free(covered);
        free(block);
    }
}

static void write_arena(plc_harness *h, plc_buffer *buffer, const float *from, int n)
{
    if (n > 0)
        plc_harness_check(
            h, plc_buffer_write(h->opts.device, buffer, 0, (size_t)n * sizeof *from, from));
}

static void read_arena(plc_harness *h, plc_buffer *buffer, float *to, int n)
{
    if (n > 0)
        plc_harness_check(h,
                          plc_buffer_read(h->opts.device, buffer, 0, (size_t)n * sizeof *to, to));
}

static void upload_values(plc_harness *h, const bool *unset)
{
    upload(h, h->lower.values, h->values, NAN, unset);
    write_arena(h, h->lower.weights, h->weights, h->layout->n_floats);
    write_arena(h, h->lower.grads, h->weight_grads, h->layout->n_floats);
    write_arena(h, h->lower.masks, h->masks, h->n_masks);
    write_arena(h, h->lower.gates, h->gates, h->graph->n_nodes);
}

void plc_harness_upload(plc_harness *h)
{
    upload_values(h, NULL);
    upload(h, h->lower.value_grads, h->grads, 0.0f, NULL);
}

void plc_harness_download(plc_harness *h)
{
    download(h, h->lower.values, h->values, NULL);
    download(h, h->lower.value_grads, h->grads, NULL);
}

static void place(plc_harness *h, plc_buffer **buffer, size_t floats)
{
    plc_buffer *real = make_buffer(h, (*buffer)->name, floats ? floats : 1);

    // Launches hold the planned buffer's address: it gets the memory.
    (*buffer)->bytes = real->bytes;
    (*buffer)->mem = real->mem;
    (*buffer)->counted = real->counted;
    free(real);
}

void plc_harness_place(plc_harness *h)
{
    place(h, &h->lower.scratch, h->lower.scratch_floats);
    place(h, &h->lower.workspace, h->lower.workspace_floats);
    for (int node = 0; node < h->graph->n_nodes; node++)
        if (h->lower.sums[node].buffer)
            place(h, &h->lower.sums[node].buffer,
                  h->lower.sums[node].buffer->bytes / sizeof(float));
    // What nothing wrote is NaN, so that no kernel relies on zeros.
    plc_buffer *buffers[2] = {h->lower.scratch, h->lower.workspace};
    for (int i = 0; i < 2; i++)
        plc_harness_check(
            h, plc_buffer_fill(h->opts.device, buffers[i], 0, buffers[i]->bytes, CANARY));
}

// Whether each node is one of the step's inputs.
static void mark_inputs(const plc_harness *h, const plc_step *step, bool *inputs)
{
    const plc_node *node = &h->graph->nodes[step->node];

    for (int i = 0; i < node->n_inputs; i++)
        inputs[node->inputs[i]] = true;
    if (step->add != PLC_NO_NODE)
        inputs[step->add] = true;
}

// Marks the gradients that hold something before the step's backward.
static void mark_written(plc_harness *h, const plc_step *step)
{
    for (int node = 0; node < h->graph->n_nodes; node++) {
        const plc_tensor *g = &h->lower.value_grads[node];
        const int plane = g->shape.h * g->shape.w;
        bool *written = h->lower.written[h->lower.roots[node]];
        if (node == step->output || h->opts.accumulate)
            for (int i = g->first * plane; i < (g->first + g->shape.c) * plane; i++)
                written[i] = true;
    }
}

static void lower_step(plc_harness *h, const plc_step *step)
{
    const struct op *op = h->graph->nodes[step->node].op;

    h->lower.list = &h->forward;
    if (op->forward)
        plc_harness_check(
            h, (h->opts.channel_lanes ? op->forward_channel_lanes : op->forward)(&h->lower, step));
    h->lower.list = &h->backward;
    mark_written(h, step);
    if (!h->opts.inference && op->backward)
        plc_harness_check(h, op->backward(&h->lower, step));
    plc_harness_place(h);
    h->lowered = true;
}

void plc_harness_run_list(plc_harness *h, plc_launch_list *list)
{
    plc_harness_check(h, plc_launch_list_freeze(list));
    plc_harness_check(h, plc_launch_list_run(list));
    plc_harness_check(h, plc_device_finish(h->opts.device));
}

void plc_harness_run_forward(plc_harness *h, const plc_step *step)
{
    bool *unset = take((size_t)h->graph->n_nodes, sizeof *unset);

    if (!h->lowered)
        lower_step(h, step);
    // A view's values stand in the root that will hold the output.
    unset[step->output] = true;
    upload_values(h, unset);
    plc_harness_run_list(h, &h->prepare);
    plc_harness_run_list(h, &h->forward);
    download(h, h->lower.values, h->values, NULL);
    read_arena(h, h->lower.weights, h->weights, h->layout->n_floats);
    free(unset);
}

void plc_harness_run_backward(plc_harness *h, const plc_step *step)
{
    bool *inputs = take((size_t)h->graph->n_nodes, sizeof *inputs);
    bool *unset = take((size_t)h->graph->n_nodes, sizeof *unset);

    mark_inputs(h, step, inputs);
    for (int node = 0; node < h->graph->n_nodes; node++)
        unset[node] = inputs[node] && !h->opts.accumulate && h->lower.roots[node] == node;
    upload(h, h->lower.value_grads, h->grads, 0.0f, unset);
    plc_harness_run_list(h, &h->backward);
    download(h, h->lower.value_grads, h->grads, inputs);
    read_arena(h, h->lower.grads, h->weight_grads, h->layout->n_floats);
    free(inputs);
    free(unset);
}

void plc_harness_compare(const plc_harness *h, const char *what, const float *got,
                         const double *expected, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)got[i] - expected[i]);
        if (!(error <= tolerance * (1.0 + fabs(expected[i]))))
            fail_msg("%s: %s[%zu] is %.9g, expected %.9g (%d lanes, %s)", h->opts.label, what, i,
                     (double)got[i], expected[i], h->opts.device->lanes,
                     plc_device_layout_name(h->opts.device));
    }
}

void plc_harness_destroy(plc_harness **harness)
{
    plc_harness *h = *harness;

    if (h == NULL)
        return;
    for (int node = 0; node < h->graph->n_nodes; node++) {
        if (h->lower.roots[node] == node) {
            plc_buffer_destroy(h->opts.device, &h->lower.values[node].buffer);
            plc_buffer_destroy(h->opts.device, &h->lower.value_grads[node].buffer);
        }
        plc_buffer_destroy(h->opts.device, &h->lower.sums[node].buffer);
        free(h->lower.written[node]);
        free(h->values[node]);
        free(h->grads[node]);
    }
    plc_buffer **buffers[] = {&h->lower.weights, &h->lower.grads,   &h->lower.masks,
                              &h->lower.gates,   &h->lower.scratch, &h->lower.workspace};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        plc_buffer_destroy(h->opts.device, buffers[i]);
    plc_launch_list_finish(&h->forward);
    plc_launch_list_finish(&h->backward);
    plc_launch_list_finish(&h->prepare);
    void *memory[] = {h->values,
                      h->grads,
                      h->weights,
                      h->weight_grads,
                      h->masks,
                      h->gates,
                      h->lower.values,
                      h->lower.value_grads,
                      h->lower.mask_offsets,
                      h->lower.scratch_offsets,
                      h->lower.written,
                      h->lower.sums,
                      h->lower.running,
                      h->lower.roots};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        free(memory[i]);
    plc_params_layout_destroy(&h->layout);
    pleach_graph_destroy(&h->graph);
    free(h);
    *harness = NULL;
}
