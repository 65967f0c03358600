// mul: y = a * b of two values of one shape, or with b of one pixel per channel (a gate, as in squeeze-excite).
#include <mul_params.h>
#include <ops/channel_lanes.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static bool same_size(const plc_shape *a, const plc_shape *b)
{
    return a->h == b->h && a->w == b->w;
}

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *a = plc_op_input_shape(graph, node, 0);
    const plc_shape *b = plc_op_input_shape(graph, node, 1);

    if (a->c != b->c || (!same_size(a, b) && (b->h != 1 || b->w != 1)))
        return plc_fail(
            ctx, PLEACH_EGRAPH,
            "mul '%s': '%s' is %d x %d x %d, '%s' is %d x %d x %d; the second must have "
            "the first one's shape, or its channels with one pixel each",
            node->name, graph->nodes[node->inputs[0]].name, a->c, a->h, a->w,
            graph->nodes[node->inputs[1]].name, b->c, b->h, b->w);
    return plc_op_set_shape(ctx, node, a->c, a->h, a->w);
}

static mul_params make_params(const plc_lower *lower, plc_tensor a, plc_tensor b, plc_tensor y)
{
    return (mul_params){
        .C = a.shape.c,
        .size = a.shape.h * a.shape.w,
        .n_images = lower->n_images,
        .a_planes = a.planes,
        .a_first = a.first,
        .b_planes = b.planes,
        .b_first = b.first,
        .y_planes = y.planes,
        .y_first = y.first,
        .flags = same_size(&a.shape, &b.shape) ? 0 : MUL_GATE,
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_tensor a, plc_tensor b,
                            plc_tensor y, bool accumulate)
{
    plc_launch *launch = NULL;
    mul_params p = make_params(lower, a, b, y);
    const bool sums = !same_size(&a.shape, &y.shape);
    const plc_tiled_launch tiled = {
        .file = "mul",
        .kernel = kernel,
        .buffers = (plc_buffer *const[]){a.buffer, b.buffer, y.buffer},
        .n_buffers = 3,
        .result = 2,
        .params = &p,
        .params_bytes = sizeof p,
        .tile_items = &p.tile_pixels,
        .tile_channels = &p.tile_channels,
        .n_channels = p.C,
        .n_items = sums ? 1 : p.size,
        .item_pixels = sums ? p.size : 1,
        .bytes = plc_tensor_bytes(lower, a) + plc_tensor_bytes(lower, b) +
                 (1 + accumulate) * plc_tensor_bytes(lower, y),
    };

    if (accumulate)
        p.flags |= MUL_ACCUMULATE;
    return plc_append_tiled_launch(lower, &tiled, &launch);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const int *inputs = lower->graph->nodes[step->node].inputs;

    return append(lower, "mul_apply", plc_lower_value(lower, inputs[0]),
                  plc_lower_value(lower, inputs[1]), plc_lower_value(lower, step->output), false);
}

static pleach_status channel_forward(plc_lower *lower, const plc_step *step)
{
    const int *inputs = lower->graph->nodes[step->node].inputs;

    return plc_channel_product(lower, plc_lower_value(lower, inputs[0]),
                               plc_lower_value(lower, inputs[1]),
                               plc_lower_value(lower, step->output));
}

// da (+)= dy b, db (+)= dy a, summed over the plane where b has one pixel. a and b may be one value.
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const int *inputs = lower->graph->nodes[step->node].inputs;
    const plc_tensor a = plc_lower_value(lower, inputs[0]), b = plc_lower_value(lower, inputs[1]);
    plc_tensor dy, da, db;
    bool accumulate, wanted;

    TRY(plc_lower_grad(lower, step->output, &dy));
    TRY(plc_lower_grad_target(lower, inputs[0], &da, &accumulate, &wanted));
    if (wanted)
        TRY(append(lower, "mul_apply", dy, b, da, accumulate));
    TRY(plc_lower_grad_target(lower, inputs[1], &db, &accumulate, &wanted));
    if (wanted)
        TRY(append(lower, same_size(&a.shape, &b.shape) ? "mul_apply" : "mul_sum", dy, a, db,
                   accumulate));
done:
    return status;
}

const struct op op_mul = {
    .name = "mul",
    .n_inputs = 2,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .forward_channel_lanes = channel_forward,
    .backward = backward,
};
