// concat: the channels of one or more values side by side; a view of them where the plan allows it.
#include <ops/eltwise.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *first = plc_op_input_shape(graph, node, 0);
    long long c = 0;

    for (int i = 0; i < node->n_inputs; i++) {
        const plc_shape *x = plc_op_input_shape(graph, node, i);
        if (x->h != first->h || x->w != first->w)
            return plc_fail(
                ctx, PLEACH_EGRAPH,
                "concat '%s': '%s' is %d x %d pixels, '%s' is %d x %d; all inputs must have one "
                "size, pool or pad one of them",
                node->name, graph->nodes[node->inputs[0]].name, first->h, first->w,
                graph->nodes[node->inputs[i]].name, x->h, x->w);
        c += x->c;
    }
    return plc_op_set_shape(ctx, node, c, first->h, first->w);
}

static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    for (int i = 0, at = 0; i < n->n_inputs; i++)
        for (int c = 0; c < plc_op_input_shape(graph, n, i)->c; c++)
            plc_channels_tie(channels, n->inputs[i], c, node, at++);
}

// The channels of the concat's tensor `y` that input number `i` makes.
static plc_tensor part(const pleach_graph *graph, const plc_node *node, plc_tensor y, int i)
{
    for (int j = 0; j < i; j++)
        y.first += plc_op_input_shape(graph, node, j)->c;
    y.shape.c = plc_op_input_shape(graph, node, i)->c;
    return y;
}

static bool is_same_view(plc_tensor a, plc_tensor b)
{
    return a.buffer == b.buffer && a.first == b.first;
}

// Copies the inputs that the plan could not make views of y.
static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];

    for (int i = 0; i < node->n_inputs; i++) {
        const plc_tensor x = plc_lower_value(lower, node->inputs[i]);
        const plc_tensor y = part(lower->graph, node, plc_lower_value(lower, step->output), i);
        if (!is_same_view(x, y))
            TRY(plc_eltwise_forward(lower, x, NULL, (plc_clip){0}, y));
    }
done:
    return status;
}

// The gradient of an input that is a view is a view of dy: there already.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    plc_tensor dy, dx;
    bool accumulate, wanted;

    for (int i = 0; i < node->n_inputs; i++) {
        if (is_same_view(lower->value_grads[node->inputs[i]],
                         part(lower->graph, node, lower->value_grads[step->output], i)))
            continue;
        TRY(plc_lower_grad(lower, step->output, &dy));
        TRY(plc_lower_grad_target(lower, node->inputs[i], &dx, &accumulate, &wanted));
        if (wanted)
            TRY(plc_eltwise_backward(lower, part(lower->graph, node, dy, i), dy, (plc_clip){0}, dx,
                                     accumulate));
    }
done:
    return status;
}

// No cost: a view.
const struct op op_concat = {
    .name = "concat",
    .n_inputs = -1,
    .shape = shape,
    .channels = channels,
    .forward = forward,
    .forward_channel_lanes = forward,
    .backward = backward,
};
