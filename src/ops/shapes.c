// What the shape and cost rules of the operators share: bounds, windows, parameters, descriptions.
#include <ops/ops.h>

#include <limits.h>
#include <stdio.h>

const plc_shape *plc_op_input_shape(const pleach_graph *graph, const plc_node *node, int i)
{
    return &graph->nodes[node->inputs[i]].shape;
}

pleach_status plc_op_set_shape(pleach_ctx *ctx, plc_node *node, long long c, long long h,
                               long long w)
{
    bool fits = c > 0 && h > 0 && w > 0 && c <= INT_MAX && h <= INT_MAX && w <= INT_MAX &&
                c * h <= INT_MAX / w;

    if (!fits)
        return plc_fail(
            ctx, PLEACH_EGRAPH,
            "%s '%s': output of %lld x %lld x %lld; each size must be positive and their "
            "product at most %d; use a smaller image or fewer channels",
            node->op->name, node->name, c, h, w, INT_MAX);
    node->shape = (plc_shape){(int)c, (int)h, (int)w};
    return PLEACH_OK;
}

pleach_status plc_op_shape_pass(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    return plc_op_set_shape(ctx, node, x->c, x->h, x->w);
}

pleach_status plc_op_check_window(pleach_ctx *ctx, const plc_node *node, const char *what,
                                  int value, int least)
{
    if (value >= least && value <= PLC_WINDOW_MAX)
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EGRAPH, "%s '%s': %s is %d; give a value from %d to %d",
                    node->op->name, node->name, what, value, least, PLC_WINDOW_MAX);
}

pleach_status plc_op_window(pleach_ctx *ctx, const plc_node *node, int axis, int size, int *out)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs *a = &node->attrs;
    int dilation = node->op->attrs & PLC_ATTR_DILATION ? a->dilation[axis] : 1;

    TRY(plc_op_check_window(ctx, node, "kernel", a->kernel[axis], 1));
    TRY(plc_op_check_window(ctx, node, "stride", a->stride[axis], 1));
    TRY(plc_op_check_window(ctx, node, "pad", a->pad[axis], 0));
    TRY(plc_op_check_window(ctx, node, "dilation", dilation, 1));
    TRY(plc_op_check_window(ctx, node, "pad_more", a->pad_more[axis], -PLC_WINDOW_MAX));
    TRY(plc_op_check_window(ctx, node, "pad below or to the right",
                            a->pad[axis] + a->pad_more[axis], 0));

    long long extent = (long long)dilation * (a->kernel[axis] - 1) + 1;
    long long padded = (long long)size + 2LL * a->pad[axis] + a->pad_more[axis];
    if (padded > INT_MAX)
        FAIL(ctx, PLEACH_EGRAPH, "%s '%s': %lld pixels with the padding; use a smaller image",
             node->op->name, node->name, padded);
    if (extent > padded)
        FAIL(ctx, PLEACH_EGRAPH,
             "%s '%s': its kernel spans %lld pixels along the %s, the padded input has %lld; use a "
             "larger image, a smaller kernel or more padding",
             node->op->name, node->name, extent, axis == 0 ? "height" : "width", padded);
    *out = (int)((padded - extent) / a->stride[axis] + 1);
done:
    return status;
}

pleach_status plc_op_add_param(pleach_ctx *ctx, plc_node *node, const char *name, const int *dims,
                               int n_dims, plc_axis axis0, plc_axis axis1, bool trainable)
{
    plc_param *param = &node->params[node->n_params];
    long long count = 1;

    *param =
        (plc_param){.name = name, .n_dims = n_dims, .axis = {axis0, axis1}, .trainable = trainable};
    for (int i = 0; i < n_dims; i++) {
        param->dims[i] = dims[i];
        count *= dims[i]; // below 2^62: checked after every factor
        if (count > INT_MAX)
            return plc_fail(
                ctx, PLEACH_EGRAPH,
                "%s '%s': parameter '%s' has more than %d elements; use fewer channels or a "
                "smaller kernel",
                node->op->name, node->name, name, INT_MAX);
    }
    node->n_params++;
    return PLEACH_OK;
}

void plc_op_cost_of_pass(const pleach_graph *graph, const plc_node *node, plc_cost *cost)
{
    long long floats = (long long)node->shape.c * node->shape.h * node->shape.w;

    *cost = (plc_cost){0};
    for (int i = 0; i < node->n_inputs; i++) {
        const plc_shape *x = plc_op_input_shape(graph, node, i);
        floats += (long long)x->c * x->h * x->w;
    }
    for (int i = 0; i < node->n_params; i++) {
        long long count = (long long)plc_param_count(&node->params[i]);
        floats += count;
        if (node->params[i].trainable)
            cost->params += count;
    }
    cost->bytes = floats * (long long)sizeof(float);
}

void plc_op_describe_weights(const pleach_graph *graph, const plc_node *node, char *text,
                             size_t size)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    const int *weight = node->params[0].dims;
    char groups[16] = "";

    if (node->params[0].n_dims < 4) {
        snprintf(text, size, "%d->%d", x->c, node->shape.c);
        return;
    }
    if (a->groups > 1)
        snprintf(groups, sizeof groups, " g%d", a->groups);
    snprintf(text, size, "%d->%d %dx%d s%d%s %dx%d", x->c, node->shape.c, weight[2], weight[3],
             a->stride[0], groups, x->h, x->w);
}

void plc_op_channels_pass(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    for (int i = 0; i < n->n_inputs; i++)
        for (int c = 0; c < n->shape.c; c++)
            plc_channels_tie(channels, n->inputs[i], c, node, c);
}

void plc_op_channels_freeze(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    for (int c = 0; c < plc_op_input_shape(graph, n, 0)->c; c++)
        plc_channels_freeze(channels, n->inputs[0], c);
    for (int c = 0; c < n->shape.c; c++)
        plc_channels_freeze(channels, node, c);
}
