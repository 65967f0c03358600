// Slices: walked per parameter, then sorted by class.
#include <prune/slices.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

typedef struct row {
    int class_id, order;
    prune_slice slice;
} row;

typedef struct collector {
    pleach_ctx *ctx;
    const plc_params_layout *layout;
    const plc_channels *channels;
    row *rows;
    size_t n, capacity;
} collector;

static pleach_status add(collector *c, int node, int channel, prune_slice slice)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(c->ctx, &c->rows, &c->capacity, c->n + 1));
    c->rows[c->n] = (row){plc_channels_class(c->channels, node, channel), (int)c->n, slice};
    c->n++;
done:
    return status;
}

// Rows and columns of a transposed convolution's weight {C, K, R, S}. Channels of one in groups stay.
static pleach_status add_transposed(collector *c, const pleach_graph *graph, int node, int offset,
                                    int kinds)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &graph->nodes[node];
    const int *dims = n->params[0].dims, kernel = dims[2] * dims[3], row_floats = dims[1] * kernel;

    if (n->attrs.groups > 1)
        return status;
    if (kinds & PLC_SLICES_PRODUCERS)
        for (int k = 0; k < dims[1]; k++)
            TRY(add(c, node, k, (prune_slice){offset + k * kernel, dims[0], row_floats, kernel}));
    if (kinds & PLC_SLICES_CONSUMERS)
        for (int i = 0; i < dims[0]; i++)
            TRY(add(c, n->inputs[0], i, (prune_slice){offset + i * row_floats, 1, 0, row_floats}));
done:
    return status;
}

// Rows and columns of a weight {K, C/groups, R, S} or {O, I}.
static pleach_status add_weight(collector *c, const pleach_graph *graph, int node, int offset,
                                int kinds)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &graph->nodes[node];
    const plc_param *param = &n->params[0];
    const int filters = param->dims[0], depth = param->dims[1];
    const int kernel = param->n_dims == 4 ? param->dims[2] * param->dims[3] : 1;
    const int groups = n->attrs.groups > 0 ? n->attrs.groups : 1;
    const int per_group = filters / groups, row_floats = depth * kernel;

    if (kinds & PLC_SLICES_PRODUCERS)
        for (int k = 0; k < filters; k++)
            TRY(add(c, node, k, (prune_slice){offset + k * row_floats, 1, 0, row_floats}));
    if ((kinds & PLC_SLICES_CONSUMERS) && !plc_graph_is_depthwise(graph, n))
        for (int i = 0; i < depth * groups; i++) {
            const int first = offset + i / depth * per_group * row_floats + i % depth * kernel;
            TRY(add(c, n->inputs[0], i, (prune_slice){first, per_group, row_floats, kernel}));
        }
done:
    return status;
}

static pleach_status add_param(collector *c, const pleach_graph *graph,
                               const plc_param_place *place, int kinds)
{
    pleach_status status = PLEACH_OK;
    const plc_param *param = &graph->nodes[place->node].params[place->param];
    const bool gamma = strcmp(param->name, "gamma") == 0;

    if (plc_graph_is(graph, place->node, "conv_transpose"))
        return add_transposed(c, graph, place->node, place->offset, kinds);
    if (strcmp(param->name, "weight") == 0)
        return add_weight(c, graph, place->node, place->offset, kinds);
    if (!param->trainable || !((kinds & PLC_SLICES_VECTORS) ||
                               (gamma && (kinds & (PLC_SLICES_GAMMA | PLC_SLICES_AFFINE)))))
        return PLEACH_OK;
    const bool affine = gamma && (kinds & PLC_SLICES_AFFINE);
    const int runs = affine ? 2 : 1; // beta is the parameter after gamma
    const int stride =
        affine ? c->layout->offsets[place->node][place->param + 1] - place->offset : 0;
    const int each = place->count / param->dims[0]; // 1 but for parameters of each value
    for (int k = 0; k < param->dims[0]; k++)
        TRY(add(c, place->node, k, (prune_slice){place->offset + k * each, runs, stride, each}));
done:
    return status;
}

static int by_class(const void *a, const void *b)
{
    const row *x = a, *y = b;

    return x->class_id != y->class_id ? x->class_id - y->class_id : x->order - y->order;
}

pleach_status plc_slices_create(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_params_layout *layout, const plc_channels *channels,
                                int kinds, plc_slices *slices)
{
    pleach_status status = PLEACH_OK;
    collector c = {.ctx = ctx, .layout = layout, .channels = channels};
    const int n_classes = plc_channels_n_classes(channels);

    *slices = (plc_slices){0};
    for (int i = 0; i < layout->n_places; i++)
        TRY(add_param(&c, graph, &layout->places[i], kinds));
    TRY(plc_alloc(ctx, c.n + 1, sizeof *slices->items, &slices->items));
    TRY(plc_alloc(ctx, (size_t)n_classes + 1, sizeof *slices->starts, &slices->starts));
    if (c.n > 0)
        qsort(c.rows, c.n, sizeof *c.rows, by_class);
    slices->n_items = (int)c.n;
    for (size_t i = 0; i < c.n; i++) {
        slices->items[i] = c.rows[i].slice;
        slices->starts[c.rows[i].class_id + 1]++;
    }
    for (int k = 0; k < n_classes; k++)
        slices->starts[k + 1] += slices->starts[k];
done:
    free(c.rows);
    return status;
}

void plc_slices_finish(plc_slices *slices)
{
    free(slices->items);
    free(slices->starts);
    *slices = (plc_slices){0};
}
