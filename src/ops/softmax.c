// softmax, log_softmax: along channels, rows or columns of each image (attrs.axis 0, 1, 2), inside of a network.
#include <softmax_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    if (node->attrs.axis < 0 || node->attrs.axis > 2)
        return plc_fail(ctx, PLEACH_EGRAPH, "%s '%s': axis %d; 0 are channels, 1 rows, 2 columns",
                        node->op->name, node->name, node->attrs.axis);
    return plc_op_set_shape(ctx, node, x->c, x->h, x->w);
}

static softmax_params make_params(const plc_lower *lower, int node, plc_tensor x, plc_tensor y)
{
    const plc_node *n = &lower->graph->nodes[node];
    const int sizes[] = {n->shape.c, n->shape.h, n->shape.w}, axis = n->attrs.axis;
    const int plane = n->shape.h * n->shape.w;
    softmax_params p = {
        .outer = 1,
        .n = sizes[axis],
        .inner = 1,
        .n_images = lower->n_images,
        .x_planes = x.planes * plane,
        .x_first = x.first * plane,
        .y_planes = y.planes * plane,
        .y_first = y.first * plane,
        .flags = plc_graph_is(lower->graph, node, "log_softmax") ? SOFTMAX_LOG : 0,
    };

    for (int i = 0; i < axis; i++)
        p.outer *= sizes[i];
    for (int i = axis + 1; i < 3; i++)
        p.inner *= sizes[i];
    return p;
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, softmax_params *p, double bytes)
{
    plc_launch *launch = NULL;
    const plc_tiled_launch tiled = {.file = "softmax",
                                    .kernel = kernel,
                                    .buffers = buffers,
                                    .n_buffers = n_buffers,
                                    .result = n_buffers - 1,
                                    .params = p,
                                    .params_bytes = sizeof *p,
                                    .tile_items = &p->tile_lines,
                                    .n_channels = 1,
                                    .n_items = p->outer * p->inner,
                                    .item_pixels = p->n,
                                    .bytes = bytes};

    return plc_append_tiled_launch(lower, &tiled, &launch);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    softmax_params p = make_params(lower, step->node, x, y);

    return append(lower, "softmax_forward", PLC_BUFFERS(x.buffer, y.buffer), &p,
                  2 * plc_tensor_bytes(lower, y));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_tensor y = plc_lower_value(lower, step->output);
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        return status;
    softmax_params p = make_params(lower, step->node, g.dx, y);
    const int plane = g.dy.shape.h * g.dy.shape.w;
    p.dy_planes = g.dy.planes * plane;
    p.dy_first = g.dy.first * plane;
    p.flags |= g.accumulate ? SOFTMAX_ACCUMULATE : 0;
    TRY(append(lower, "softmax_backward", PLC_BUFFERS(y.buffer, g.dy.buffer, g.dx.buffer), &p,
               (3 + g.accumulate) * plc_tensor_bytes(lower, g.dx)));
done:
    return status;
}

const struct op op_softmax = {
    .name = "softmax",
    .n_inputs = 1,
    .attrs = PLC_ATTR_AXIS,
    .shape = shape,
    .channels = plc_op_channels_freeze,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};

const struct op op_log_softmax = {
    .name = "log_softmax",
    .n_inputs = 1,
    .attrs = PLC_ATTR_AXIS,
    .shape = shape,
    .channels = plc_op_channels_freeze,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
