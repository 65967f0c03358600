// conv_transpose: the transpose of a convolution, by that convolution's own kernels: what is its data gradient is
// computed forward, and the other way round. Weight {C, K/groups, R, S} is that of the convolution from K to C channels.
#include <ops/conv_launch.h>
#include <ops/mask.h>
#include <ops/ops.h>

static pleach_status check_window(pleach_ctx *ctx, const plc_node *node, int axis)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs *a = &node->attrs;

    TRY(plc_op_check_window(ctx, node, "kernel", a->kernel[axis], 1));
    TRY(plc_op_check_window(ctx, node, "stride", a->stride[axis], 1));
    TRY(plc_op_check_window(ctx, node, "dilation", a->dilation[axis], 1));
    TRY(plc_op_check_window(ctx, node, "pad", a->pad[axis], 0));
    TRY(plc_op_check_window(ctx, node, "pad_after", a->pad_after[axis], -PLC_WINDOW_MAX));
done:
    return status;
}

// (H - 1) stride + dilation (R - 1) + 1 - pad - pad_after rows; pad_after below 0 adds rows (output_padding).
static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    const long long in[] = {x->h, x->w};
    long long out[2] = {0};

    for (int i = 0; i < 2; i++) {
        TRY(check_window(ctx, node, i));
        out[i] = (in[i] - 1) * a->stride[i] + (long long)a->dilation[i] * (a->kernel[i] - 1) + 1 -
                 a->pad[i] - a->pad_after[i];
    }
    if (a->out_channels < 1 || a->groups < 1 || x->c % a->groups || a->out_channels % a->groups)
        FAIL(ctx, PLEACH_EGRAPH,
             "conv_transpose '%s': %d groups do not divide its %d input and %d output channels",
             node->name, a->groups, x->c, a->out_channels);
    TRY(plc_op_set_shape(ctx, node, a->out_channels, out[0], out[1]));
    const bool grouped = a->groups > 1;
    const int weight[] = {x->c, a->out_channels / a->groups, a->kernel[0], a->kernel[1]};
    TRY(plc_op_add_param(ctx, node, "weight", weight, 4, grouped ? PLC_AXIS_NONE : PLC_AXIS_IN,
                         grouped ? PLC_AXIS_NONE : PLC_AXIS_OUT, true));
done:
    return status;
}

static bool is_masked_by(const pleach_graph *graph, int reader)
{
    const plc_node *n = &graph->nodes[reader];

    return plc_graph_is(graph, reader, "batch_norm") ||
           (plc_graph_is(graph, reader, "conv") && n->attrs.groups == n->shape.c &&
            n->attrs.groups == plc_op_input_shape(graph, n, 0)->c);
}

// Ends its input's channels and begins its own, which can leave where whatever reads them masks them.
static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    bool masked = true;

    for (int i = node + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            masked = masked && (graph->nodes[i].inputs[j] != node || is_masked_by(graph, i));
    if (graph->nodes[node].attrs.groups > 1)
        plc_op_channels_freeze(channels, graph, node);
    for (int c = 0; !masked && c < graph->nodes[node].shape.c; c++)
        plc_channels_freeze(channels, node, c);
}

// MACs = C H W (K / groups) R S.
static void cost(const pleach_graph *graph, const plc_node *node, plc_cost *cost)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);

    plc_op_cost_of_pass(graph, node, cost);
    cost->macs = (long long)plc_param_count(&node->params[0]) * x->h * x->w;
}

// The convolution of which this is the transpose: `big` is what it reads, `small` what it gives.
static conv_params make_params(const plc_lower *lower, int node, plc_tensor big, plc_tensor small)
{
    const plc_attrs *a = &lower->graph->nodes[node].attrs;
    conv_params p = {
        .C = big.shape.c / a->groups,
        .K = small.shape.c / a->groups,
        .groups = a->groups,
        .H = big.shape.h,
        .W = big.shape.w,
        .P = small.shape.h,
        .Q = small.shape.w,
        .R = a->kernel[0],
        .S = a->kernel[1],
        .stride_h = a->stride[0],
        .stride_w = a->stride[1],
        .pad_h = a->pad[0],
        .pad_w = a->pad[1],
        .dilation_h = a->dilation[0],
        .dilation_w = a->dilation[1],
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .w_offset = plc_lower_param(lower, node, 0),
        .rows = 1,
        .strips = 1,
        .splits = 1,
    };

    plc_conv_set_x(&p, big);
    plc_conv_set_y(&p, small);
    return p;
}

static double count_bytes(const plc_lower *lower, const conv_params *p, plc_tensor a, plc_tensor b)
{
    return plc_tensor_bytes(lower, a) + plc_tensor_bytes(lower, b) + plc_conv_weight_bytes(p);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const conv_params p = make_params(lower, step->node, y, x);

    return plc_direct_grad_data(lower, p, x.buffer, y.buffer, count_bytes(lower, &p, x, y));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const int input = lower->graph->nodes[step->node].inputs[0];
    const plc_tensor x = plc_lower_value(lower, input);
    plc_tensor dy, dx;
    bool accumulate, wanted;

    TRY(plc_lower_grad(lower, step->output, &dy));
    TRY(plc_direct_grad_weight(lower, make_params(lower, step->node, dy, x), dy, x));
    TRY(plc_lower_grad_target(lower, input, &dx, &accumulate, &wanted));
    if (!wanted)
        return status;
    TRY(plc_mask_stop_lower(lower, step->output));
    conv_params p = make_params(lower, step->node, dy, dx);
    const plc_conv_buffers buffers = {.x = dy.buffer,
                                      .y = dx.buffer,
                                      .add = dx.buffer,
                                      .scale = lower->weights,
                                      .shift = lower->weights,
                                      .sums = dx.buffer};
    p.add_planes = dx.planes;
    p.add_first = dx.first;
    p.flags = accumulate ? CONV_ADD : 0;
    TRY(plc_direct_forward(lower, p, &buffers, count_bytes(lower, &p, dy, dx)));
done:
    return status;
}

const struct op op_conv_transpose = {
    .name = "conv_transpose",
    .n_inputs = 1,
    .attrs = PLC_ATTR_KERNEL | PLC_ATTR_STRIDE | PLC_ATTR_PAD | PLC_ATTR_PAD_AFTER |
             PLC_ATTR_DILATION | PLC_ATTR_GROUPS | PLC_ATTR_OUT_CHANNELS,
    .shape = shape,
    .channels = channels,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
