// A graph evaluated on the host, plainly and in double precision.
#include "evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

#include "reference/activation.h"
#include "reference/images.h"

// One evaluation: the values of all nodes, C H W each.
typedef struct evaluation {
    const pleach_graph *graph;
    const plc_params_layout *layout;
    const float *params;
    const double *gates; // NULL: all 1
    double **values;
} evaluation;

static const float *param(const evaluation *e, int node, int i)
{
    return e->params + e->layout->offsets[node][i];
}

static void conv(const evaluation *e, int node, const double *x, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    const plc_shape *in = &e->graph->nodes[n->inputs[0]].shape, *out = &n->shape;
    const plc_attrs *a = &n->attrs;
    const float *weight = param(e, node, 0);
    int c_group = in->c / a->groups, k_group = out->c / a->groups;

    for (int k = 0; k < out->c; k++)
        for (int p = 0; p < out->h; p++)
            for (int q = 0; q < out->w; q++) {
                double sum = a->bias ? (double)param(e, node, 1)[k] : 0;
                for (int c = 0; c < c_group; c++)
                    for (int r = 0; r < a->kernel[0]; r++)
                        for (int s = 0; s < a->kernel[1]; s++) {
                            int h = p * a->stride[0] - a->pad[0] + r * a->dilation[0];
                            int w = q * a->stride[1] - a->pad[1] + s * a->dilation[1];
                            if (h < 0 || h >= in->h || w < 0 || w >= in->w)
                                continue;
                            int from = ((k / k_group * c_group + c) * in->h + h) * in->w + w;
                            int tap = ((k * c_group + c) * a->kernel[0] + r) * a->kernel[1] + s;
                            sum += x[from] * (double)weight[tap];
                        }
                y[(k * out->h + p) * out->w + q] = sum;
            }
}

static void linear(const evaluation *e, int node, const double *x, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    int n_in = e->graph->nodes[n->inputs[0]].shape.c;

    for (int k = 0; k < n->shape.c; k++) {
        y[k] = n->attrs.bias ? (double)param(e, node, 1)[k] : 0;
        for (int c = 0; c < n_in; c++)
            y[k] += x[c] * (double)param(e, node, 0)[k * n_in + c];
    }
}

static void batch_norm(const evaluation *e, int node, const double *x, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    const float *gamma = param(e, node, 0), *beta = param(e, node, 1);
    const float *mean = param(e, node, 2), *var = param(e, node, 3);
    int plane = n->shape.h * n->shape.w;

    for (int i = 0; i < n->shape.c * plane; i++) {
        int c = i / plane;
        double scale = (double)gamma[c] / sqrt((double)var[c] + (double)n->attrs.eps);
        y[i] = (x[i] - (double)mean[c]) * scale + (double)beta[c];
    }
}

static void pool(const evaluation *e, int node, bool max, const double *x, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    const plc_shape *in = &e->graph->nodes[n->inputs[0]].shape, *out = &n->shape;
    const plc_attrs *a = &n->attrs;

    for (int i = 0; i < out->c * out->h * out->w; i++) {
        int c = i / (out->h * out->w), p = i / out->w % out->h, q = i % out->w, count = 0;
        double sum = 0, best = -INFINITY;
        for (int r = 0; r < a->kernel[0]; r++)
            for (int s = 0; s < a->kernel[1]; s++) {
                int h = p * a->stride[0] - a->pad[0] + r * a->dilation[0];
                int w = q * a->stride[1] - a->pad[1] + s * a->dilation[1];
                if (h < 0 || h >= in->h || w < 0 || w >= in->w)
                    continue;
                double value = x[(c * in->h + h) * in->w + w];
                sum += value;
                best = fmax(best, value);
                count++;
            }
        y[i] = max ? best : sum / count;
    }
}

static void global_avg_pool(const evaluation *e, int node, const double *x, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    const plc_shape *in = &e->graph->nodes[n->inputs[0]].shape;
    int plane = in->h * in->w;

    for (int c = 0; c < in->c; c++) {
        y[c] = 0;
        for (int i = 0; i < plane; i++)
            y[c] += x[c * plane + i] / plane;
    }
}

// The second value may have one pixel per channel.
static void mul(const evaluation *e, int node, double *y)
{
    const plc_node *n = &e->graph->nodes[node];
    const plc_shape *a = &n->shape, *b = &e->graph->nodes[n->inputs[1]].shape;
    int plane = a->h * a->w, part = plane / (b->h * b->w);

    for (int i = 0; i < a->c * plane; i++)
        y[i] = e->values[n->inputs[0]][i] * e->values[n->inputs[1]][i / part];
}

static size_t size_of(const plc_shape *shape)
{
    return (size_t)shape->c * (size_t)shape->h * (size_t)shape->w;
}

static pleach_status compute(pleach_ctx *ctx, const evaluation *e, int node)
{
    const plc_node *n = &e->graph->nodes[node];
    const char *op = n->op->name;
    const double *x = e->values[n->inputs[0]];
    double *y = e->values[node];
    size_t size = size_of(&n->shape);
    const float *params[PLC_MAX_PARAMS] = {NULL};

    for (int i = 0; i < n->n_params; i++)
        params[i] = param(e, node, i);
    if (strcmp(op, "conv") == 0)
        conv(e, node, x, y);
    else if (strcmp(op, "linear") == 0)
        linear(e, node, x, y);
    else if (strcmp(op, "batch_norm") == 0)
        batch_norm(e, node, x, y);
    else if (strcmp(op, "max_pool") == 0 || strcmp(op, "avg_pool") == 0)
        pool(e, node, op[0] == 'm', x, y);
    else if (strcmp(op, "global_avg_pool") == 0)
        global_avg_pool(e, node, x, y);
    else if (strcmp(op, "flatten") == 0)
        memcpy(y, x, size * sizeof *y);
    else if (strcmp(op, "relu") == 0)
        for (size_t i = 0; i < size; i++)
            y[i] = x[i] > 0 ? x[i] : 0;
    else if (strcmp(op, "fading_relu") == 0)
        for (size_t i = 0; i < size; i++)
            y[i] = x[i] > 0 || !e->gates ? fmax(x[i], 0.0) : (1 - e->gates[node]) * x[i];
    else if (strcmp(op, "add") == 0)
        for (size_t i = 0; i < size; i++)
            y[i] = x[i] + e->values[n->inputs[1]][i];
    else if (strcmp(op, "concat") == 0)
        for (int j = 0; j < n->n_inputs; j++) {
            size_t part = size_of(&e->graph->nodes[n->inputs[j]].shape);
            memcpy(y, e->values[n->inputs[j]], part * sizeof *y);
            y += part;
        }
    else if (strcmp(op, "mul") == 0)
        mul(e, node, y);
    else if (plc_reference_image(e->graph, node, params, x, y))
        ;
    else if (!isnan(plc_reference_activation(op, (double)n->attrs.alpha, (double)n->attrs.beta, 0)))
        for (size_t i = 0; i < size; i++)
            y[i] =
                plc_reference_activation(op, (double)n->attrs.alpha, (double)n->attrs.beta, x[i]);
    else
        return plc_fail(ctx, PLEACH_EFAILED, "plc_evaluate: operator '%s' is not written yet", op);
    return PLEACH_OK;
}

static void scale(const evaluation *e, int node, const plc_channels *channels,
                  const unsigned char *mask, const double *gates)
{
    const plc_node *n = &e->graph->nodes[node];
    size_t plane = (size_t)n->shape.h * (size_t)n->shape.w;

    for (size_t i = 0; i < size_of(&n->shape); i++) {
        if (mask && strcmp(n->op->name, "batch_norm") == 0)
            e->values[node][i] *= mask[plc_channels_class(channels, node, (int)(i / plane))];
        if (gates && strcmp(n->op->name, "fading_relu") != 0)
            e->values[node][i] *= gates[node];
    }
}

pleach_status plc_evaluate(pleach_ctx *ctx, const pleach_graph *graph, const float *params,
                           const float *image, const plc_channels *channels,
                           const unsigned char *mask, const double *gates, double **logits)
{
    pleach_status status = PLEACH_OK;
    plc_params_layout *layout = NULL;
    evaluation e = {.graph = graph, .params = params, .gates = gates};
    int last = graph->n_nodes - 1;

    *logits = NULL;
    TRY(plc_params_layout_create(ctx, graph, &layout));
    e.layout = layout;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *e.values, &e.values));
    for (int i = 0; i < graph->n_nodes; i++)
        TRY(plc_alloc(ctx, size_of(&graph->nodes[i].shape), sizeof **e.values, &e.values[i]));
    for (size_t i = 0; i < size_of(&graph->nodes[0].shape); i++)
        e.values[0][i] = (double)image[i];
    for (int i = 1; i < graph->n_nodes; i++) {
        TRY(compute(ctx, &e, i));
        scale(&e, i, channels, mask, gates);
    }
    *logits = e.values[last];
    e.values[last] = NULL;
done:
    for (int i = 0; e.values && i < graph->n_nodes; i++)
        free(e.values[i]);
    free(e.values);
    plc_params_layout_destroy(&layout);
    return status;
}
