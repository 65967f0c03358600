// Random small networks.
#include "random_graph.h"

#include <stdio.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

typedef struct draft {
    pleach_ctx *ctx;
    pleach_graph *graph;
    unsigned long long state; // of the random numbers
    int at;                   // the value to continue from
    int n_names;
} draft;

// splitmix64 (Steele et al. 2014): tests need numbers, not the library's streams.
static unsigned long long next_random(unsigned long long *state)
{
    unsigned long long z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

// From low to high, both included.
static int pick(draft *d, int low, int high)
{
    return low + (int)(next_random(&d->state) % (unsigned long long)(high - low + 1));
}

static double unit(unsigned long long *state)
{
    return (double)(next_random(state) >> 11) / 9007199254740992.0; // 2^53
}

static const plc_shape *shape_at(const draft *d)
{
    return &d->graph->nodes[d->at].shape;
}

static pleach_status add(draft *d, const char *op, const int *inputs, int n_inputs,
                         const plc_attrs *attrs)
{
    char name[64];

    snprintf(name, sizeof name, "%s%d", op, d->n_names++);
    return plc_graph_add(d->ctx, d->graph, op, name, inputs, n_inputs, attrs, &d->at);
}

static pleach_status add_one(draft *d, const char *op)
{
    return add(d, op, &(int){d->at}, 1, NULL);
}

// Convolution of the given kernel and batch norm; keeps the image size when stride is 1.
static pleach_status conv_norm(draft *d, int filters, int kernel, int stride, int groups)
{
    pleach_status status = PLEACH_OK;
    plc_attrs attrs = {.kernel = {kernel, kernel},
                       .stride = {stride, stride},
                       .pad = {kernel / 2, kernel / 2},
                       .groups = groups,
                       .out_channels = filters,
                       .bias = pick(d, 0, 3) == 0};

    TRY(add(d, "conv", &(int){d->at}, 1, &attrs));
    TRY(add_one(d, "batch_norm"));
done:
    return status;
}

static pleach_status conv_norm_relu(draft *d, int filters, int kernel, int stride, int groups)
{
    pleach_status status = conv_norm(d, filters, kernel, stride, groups);
    // Others now and then, without a random number; a fading_relu's gate is 1 where nobody sets it.
    static const struct {
        const char *op;
        float alpha, beta;
    } others[] = {{"fading_relu", 0, 0},
                  {"clip", 0, 6},
                  {"leaky_relu", 0.1f, 0},
                  {"hard_swish", 0, 0},
                  {"fading_relu", 0, 0}};
    const int other = d->n_names % 16 == 5 ? (filters + kernel) % 5 : -1;

    if (status != PLEACH_OK || other < 0)
        return status == PLEACH_OK ? add_one(d, "relu") : status;
    return add(d, others[other].op, &(int){d->at}, 1,
               &(plc_attrs){.alpha = others[other].alpha, .beta = others[other].beta});
}

// Squeeze and excite: the channels are multiplied by what a layer makes of their means.
static pleach_status gate(draft *d)
{
    pleach_status status = PLEACH_OK;
    const int x = d->at, c = shape_at(d)->c;
    const bool hard = d->n_names % 2 == 1;

    TRY(add_one(d, "global_avg_pool"));
    TRY(conv_norm(d, c, 1, 1, 1));
    TRY(add(d, hard ? "hard_sigmoid" : "sigmoid", &(int){d->at}, 1,
            &(plc_attrs){.alpha = 0.2f, .beta = 0.5f}));
    TRY(add(d, "mul", (int[]){x, d->at}, 2, NULL));
done:
    return status;
}

static pleach_status plain(draft *d)
{
    int stride = shape_at(d)->h >= 4 && pick(d, 0, 3) == 0 ? 2 : 1;

    return conv_norm_relu(d, pick(d, 2, 9), pick(d, 0, 1) ? 3 : 1, stride, 1);
}

static pleach_status depthwise(draft *d)
{
    int c = shape_at(d)->c;

    return conv_norm_relu(d, c * pick(d, 1, 2), 3, 1, c);
}

static pleach_status grouped(draft *d)
{
    pleach_status status = PLEACH_OK;
    int groups = pick(d, 2, 3);

    if (shape_at(d)->c % groups != 0)
        TRY(conv_norm_relu(d, groups * pick(d, 1, 3), 1, 1, 1));
    TRY(conv_norm_relu(d, groups * pick(d, 1, 3), 3, 1, groups));
done:
    return status;
}

static pleach_status residual(draft *d)
{
    pleach_status status = PLEACH_OK;
    int x = d->at, c = shape_at(d)->c, branch = 0;
    bool identity = pick(d, 0, 2) > 0;

    if (!identity)
        c = pick(d, 2, 8);
    TRY(conv_norm_relu(d, pick(d, 2, 6), 3, 1, 1));
    TRY(conv_norm(d, c, 3, 1, 1));
    branch = d->at;
    d->at = x;
    if (!identity)
        TRY(conv_norm(d, c, 1, 1, 1));
    TRY(add(d, "add", (int[]){branch, d->at}, 2, NULL));
    if (d->n_names % 8 == 3) // without a random number
        TRY(add(d, "clip", &(int){d->at}, 1, &(plc_attrs){.alpha = -0.5f, .beta = 2}));
    else
        TRY(add_one(d, "relu"));
done:
    return status;
}

// Two or three ways side by side; the first may be the input itself, as in a DenseNet.
static pleach_status side_by_side(draft *d)
{
    pleach_status status = PLEACH_OK;
    int x = d->at, ways[3] = {x, x, x}, n_ways = pick(d, 2, 3);

    for (int i = pick(d, 0, 1); i < n_ways; i++) {
        d->at = x;
        TRY(conv_norm_relu(d, pick(d, 1, 5), pick(d, 0, 1) ? 3 : 1, 1, 1));
        ways[i] = d->at;
    }
    TRY(add(d, "concat", ways, n_ways, NULL));
done:
    return status;
}

static pleach_status pool(draft *d)
{
    int kernel = pick(d, 2, 3);
    plc_attrs attrs = {
        .kernel = {kernel, kernel}, .stride = {2, 2}, .pad = {kernel / 3, kernel / 3}};

    if (shape_at(d)->h < kernel || shape_at(d)->w < kernel)
        return PLEACH_OK;
    return add(d, pick(d, 0, 1) ? "max_pool" : "avg_pool", &(int){d->at}, 1, &attrs);
}

// Larger images, as decoders make them.
static pleach_status larger(draft *d)
{
    pleach_status status = PLEACH_OK;
    const plc_shape s = *shape_at(d);
    const int stride = s.h <= 6 ? 2 : 1, c = s.c + 1;

    TRY(add(d, "resize", &(int){d->at}, 1,
            &(plc_attrs){.size = {0, s.h + 1, 2 * s.w},
                         .mode = d->n_names % 4,
                         .scale = {(float)s.h / (float)(s.h + 1), 0.5f},
                         .shift = {0.5f * (float)s.h / (float)(s.h + 1) - 0.5f, -0.25f},
                         .alpha = -0.75f}));
    TRY(add(
        d, "conv_transpose", &(int){d->at}, 1,
        &(plc_attrs){.kernel = {2, 3}, .stride = {stride, 1}, .pad = {0, 1}, .out_channels = c}));
    TRY(add_one(d, "batch_norm"));
    TRY(add_one(d, "prelu"));
    TRY(conv_norm(d, c, 3, 2, 1));
    TRY(add_one(d, "tanh"));
done:
    return status;
}

// Some of the channels, some in another order, and functions of all.
static pleach_status reordered(draft *d)
{
    pleach_status status = PLEACH_OK;
    const int c = shape_at(d)->c, h = shape_at(d)->h, w = shape_at(d)->w, plane = h * w;

    TRY(add(d, "slice", &(int){d->at}, 1,
            &(plc_attrs){.offset = c / 3, .out_channels = (c + 1) / 2}));
    TRY(conv_norm(d, c, 1, 1, 1));
    TRY(add(d, "elu", &(int){d->at}, 1, &(plc_attrs){.alpha = 1.5f, .beta = 1.1f}));
    TRY(add_one(d, d->n_names % 8 < 4 ? "softsign" : "softplus"));
    TRY(add(d, "as_strided", &(int){d->at}, 1,
            &(plc_attrs){.size = {c, w, h},
                         .offset = (c - 1) * plane,
                         .view = {{c, -plane}, {w, 1}, {h, w}}}));
    TRY(add_one(d, "affine"));
    TRY(add(d, d->n_names % 8 < 4 ? "softmax" : "log_softmax", &(int){d->at}, 1,
            &(plc_attrs){.axis = d->n_names % 3}));
done:
    return status;
}

static pleach_status classifier(draft *d)
{
    pleach_status status = PLEACH_OK;

    if (pick(d, 0, 1))
        TRY(add_one(d, "global_avg_pool"));
    TRY(add_one(d, "flatten"));
    if (pick(d, 0, 1)) {
        TRY(add(d, "linear", &(int){d->at}, 1, &(plc_attrs){.out_channels = pick(d, 3, 8)}));
        TRY(add_one(d, "batch_norm"));
        TRY(add_one(d, "relu"));
    }
    TRY(add(d, "linear", &(int){d->at}, 1,
            &(plc_attrs){.out_channels = pick(d, 2, 5), .bias = true}));
done:
    return status;
}

pleach_status plc_random_graph(pleach_ctx *ctx, unsigned seed, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    static pleach_status (*const parts[])(draft *) = {plain,    depthwise,    grouped, residual,
                                                      residual, side_by_side, pool};
    draft d = {.ctx = ctx, .state = seed};
    char name[32];

    snprintf(name, sizeof name, "random%u", seed);
    plc_shape input = {pick(&d, 1, 3), pick(&d, 8, 13), pick(&d, 8, 13)};
    TRY(plc_graph_create(ctx, name, input, graph));
    d.graph = *graph;
    TRY(conv_norm_relu(&d, pick(&d, 3, 8), 3, 1, 1));
    for (int n = pick(&d, 2, 6); n > 0; n--)
        TRY(parts[pick(&d, 0, (int)(sizeof parts / sizeof *parts) - 1)](&d));
    if (seed % 4 == 1)
        TRY(gate(&d));
    if (seed % 4 == 3)
        TRY(add(&d, "pad", &(int){d.at}, 1, &(plc_attrs){.pad = {1, 0}, .pad_after = {0, 2}}));
    if (seed % 4 == 0)
        TRY(larger(&d));
    if (seed % 4 == 2)
        TRY(reordered(&d));
    TRY(classifier(&d));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}

pleach_status plc_random_mask(pleach_ctx *ctx, const plc_channels *channels, unsigned seed,
                              double share, unsigned char **mask)
{
    pleach_status status = PLEACH_OK;
    unsigned long long state = seed;

    TRY(plc_alloc(ctx, (size_t)plc_channels_n_classes(channels), 1, mask));
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        int spared = (int)(next_random(&state) % (unsigned)group->n_classes);
        for (int i = 0; i < group->n_classes; i++)
            (*mask)[group->classes[i]] = group->frozen || i == spared || unit(&state) >= share;
    }
done:
    return status;
}

pleach_status plc_random_params(pleach_ctx *ctx, const pleach_graph *graph, unsigned seed,
                                float **params)
{
    pleach_status status = PLEACH_OK;
    plc_params_layout *layout = NULL;

    *params = NULL;
    TRY(plc_params_layout_create(ctx, graph, &layout));
    TRY(plc_alloc(ctx, (size_t)layout->n_floats, sizeof **params, params));
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *p = &layout->places[i];
        const char *name = graph->nodes[p->node].params[p->param].name;
        bool around_one = strcmp(name, "gamma") == 0 || strcmp(name, "running_var") == 0;
        for (int j = 0; j < p->count; j++) {
            unsigned long long state = ((unsigned long long)seed << 32) + (unsigned)(p->offset + j);
            (*params)[p->offset + j] = (float)(unit(&state) - 0.5) + (around_one ? 1.0f : 0.0f);
        }
    }
done:
    plc_params_layout_destroy(&layout);
    return status;
}
