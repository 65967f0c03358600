// conv: two-dimensional convolution, zero padding, groups; weight OIHW {K, C/groups, R, S},
// optional bias {K}.
#include <ops/conv.h>

#include <ops/batch_norm.h>
#include <ops/channel_lanes.h>
#include <ops/conv_launch.h>
#include <ops/mask.h>
#include <ops/ops.h>

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    int p = 0, q = 0;

    TRY(plc_op_window(ctx, node, 0, x->h, &p));
    TRY(plc_op_window(ctx, node, 1, x->w, &q));
    if (a->out_channels < 1)
        FAIL(ctx, PLEACH_EGRAPH, "conv '%s': %d output channels; give at least 1", node->name,
             a->out_channels);
    if (a->groups < 1 || x->c % a->groups != 0 || a->out_channels % a->groups != 0)
        FAIL(ctx, PLEACH_EGRAPH,
             "conv '%s': %d groups do not divide its %d input and %d output channels; give a "
             "number that "
             "divides both",
             node->name, a->groups, x->c, a->out_channels);
    TRY(plc_op_set_shape(ctx, node, a->out_channels, p, q));

    // A depthwise filter has one input channel, which is its own group: nothing leaves axis 1.
    plc_axis axis_in = plc_graph_is_depthwise(graph, node) ? PLC_AXIS_NONE : PLC_AXIS_IN;
    int weight[4] = {a->out_channels, x->c / a->groups, a->kernel[0], a->kernel[1]};
    TRY(plc_op_add_param(ctx, node, "weight", weight, 4, PLC_AXIS_OUT, axis_in, true));
    if (a->bias)
        TRY(plc_op_add_param(ctx, node, "bias", weight, 1, PLC_AXIS_OUT, PLC_AXIS_NONE, true));
done:
    return status;
}

// Channel `j` of every group of `per_group` channels of `value` leaves together with that of group
// 0.
static void tie_across_groups(plc_channels *channels, int value, int n_groups, int per_group)
{
    for (int g = 1; g < n_groups; g++)
        for (int j = 0; j < per_group; j++)
            plc_channels_tie(channels, value, j, value, g * per_group + j);
}

// A dense convolution ends its input's channels and begins its own.
// Depthwise: input channel c stands for outputs c * mult .. c * mult + mult - 1.
// Otherwise grouped: equal numbers leave every group, on either side.
static void channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];
    int in = plc_op_input_shape(graph, n, 0)->c, out = n->shape.c, groups = n->attrs.groups;

    if (groups == 1)
        return;
    if (plc_graph_is_depthwise(graph, n)) {
        int mult = out / in;
        for (int k = 0; k < out; k++)
            plc_channels_tie(channels, n->inputs[0], k / mult, node, k);
        return;
    }
    tie_across_groups(channels, n->inputs[0], groups, in / groups);
    tie_across_groups(channels, node, groups, out / groups);
}

// MACs = K P Q (C / groups) R S; the bias is not counted, as in papers.
static void cost(const pleach_graph *graph, const plc_node *node, plc_cost *cost)
{
    plc_op_cost_of_pass(graph, node, cost);
    cost->macs = (long long)plc_param_count(&node->params[0]) * node->shape.h * node->shape.w;
}

static int or_one(int n)
{
    return n ? n : 1;
}

// Of a linear layer as well: there all attributes but its features are zero.
conv_params plc_conv_make_params(const plc_lower *lower, int node)
{
    const plc_node *n = &lower->graph->nodes[node];
    const plc_attrs *a = &n->attrs;
    const plc_shape x = lower->graph->nodes[n->inputs[0]].shape, y = n->shape;
    const int groups = or_one(a->groups);

    return (conv_params){
        .C = x.c / groups,
        .K = y.c / groups,
        .groups = groups,
        .H = x.h,
        .W = x.w,
        .P = y.h,
        .Q = y.w,
        .R = or_one(a->kernel[0]),
        .S = or_one(a->kernel[1]),
        .stride_h = or_one(a->stride[0]),
        .stride_w = or_one(a->stride[1]),
        .pad_h = a->pad[0],
        .pad_w = a->pad[1],
        .dilation_h = or_one(a->dilation[0]),
        .dilation_w = or_one(a->dilation[1]),
        .n_images = lower->n_images,
        .n_blocks = lower->n_blocks,
        .w_offset = plc_lower_param(lower, node, 0),
        .bias_offset = n->n_params > 1 ? plc_lower_param(lower, node, 1) : 0,
        .rows = 1,
        .strips = 1,
        .splits = 1,
    };
}

void plc_conv_set_x(conv_params *p, plc_tensor x)
{
    p->x_planes = x.planes;
    p->x_first = x.first;
}

void plc_conv_set_y(conv_params *p, plc_tensor y)
{
    p->y_planes = y.planes;
    p->y_first = y.first;
}

conv_params plc_conv_of_gradient(const conv_params *p)
{
    conv_params t = *p;

    t.C = p->K;
    t.K = p->C;
    t.H = p->P;
    t.W = p->Q;
    t.P = p->H;
    t.Q = p->W;
    t.pad_h = (p->R - 1) * p->dilation_h - p->pad_h;
    t.pad_w = (p->S - 1) * p->dilation_w - p->pad_w;
    t.x_planes = p->y_planes;
    t.x_first = p->y_first;
    t.y_planes = t.add_planes = p->x_planes;
    t.y_first = t.add_first = p->x_first;
    return t;
}

double plc_conv_flops(const conv_params *p)
{
    return 2.0 * p->n_images * p->P * p->Q * p->groups * p->K * p->C * p->R * p->S;
}

double plc_conv_weight_bytes(const conv_params *p)
{
    return (double)sizeof(float) * p->groups * p->K * p->C * p->R * p->S;
}

int plc_conv_parts(int n, int largest)
{
    return (n + largest - 1) / largest;
}

enum { WIDE_VECTOR_FLOATS = 16 };

bool plc_conv_few_registers(const plc_lower *lower)
{
    return lower->device->info->vector_width_float < WIDE_VECTOR_FLOATS;
}

int plc_conv_within(int n, int low, int high)
{
    return n < low ? low : n > high ? high : n;
}

pleach_status plc_conv_set_epilogue(plc_lower *lower, const plc_step *step, conv_params *p,
                                    plc_buffer **scale, plc_buffer **shift)
{
    pleach_status status = PLEACH_OK;
    const int mask = plc_lower_mask(lower, step->node);

    *scale = *shift = lower->weights;
    if (lower->graph->nodes[step->node].n_params > 1)
        p->flags |= CONV_BIAS;
    if (step->clip.on)
        p->flags |= CONV_CLIP;
    p->low = step->clip.low;
    p->high = step->clip.high;
    if (step->batch_norm != PLC_NO_NODE) {
        TRY(plc_batch_norm_coefficients(lower, step->batch_norm, &p->scale_offset,
                                        &p->shift_offset));
        p->flags |= CONV_SCALE;
        *scale = *shift = lower->scratch;
    } else if (mask >= 0) {
        p->flags |= CONV_MASK;
        p->scale_offset = mask;
        *scale = lower->masks;
    }
done:
    return status;
}

pleach_status plc_conv_forward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    conv_params p = plc_conv_make_params(lower, step->node);
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const bool has_add = step->add != PLC_NO_NODE;
    const plc_tensor add = plc_lower_value(lower, has_add ? step->add : step->output);
    plc_conv_buffers buffers = {.x = x.buffer, .y = y.buffer, .add = add.buffer, .sums = y.buffer};
    bool winograd;

    plc_conv_set_x(&p, x);
    plc_conv_set_y(&p, y);
    p.add_planes = add.planes;
    p.add_first = add.first;
    p.flags = has_add ? CONV_ADD : 0;
    TRY(plc_conv_set_epilogue(lower, step, &p, &buffers.scale, &buffers.shift));
    const double bytes = plc_tensor_bytes(lower, x) + (1 + has_add) * plc_tensor_bytes(lower, y) +
                         plc_conv_weight_bytes(&p);
    TRY(plc_conv_choose(lower, step->node, p, &winograd));
    if (!winograd) {
        TRY(plc_direct_forward(lower, p, &buffers, bytes));
        goto done;
    }
    const int batch_norm = lower->training ? plc_batch_norm_after(lower, step->node) : PLC_NO_NODE;
    if (batch_norm != PLC_NO_NODE) {
        p.flags |= CONV_SUMS;
        p.mean_offset = plc_batch_norm_mean(lower, batch_norm);
        TRY(plc_lower_sums(lower, step->node, batch_norm, plc_winograd_sums(&p), &buffers.sums));
    }
    TRY(plc_winograd_forward(lower, step->node, p, &buffers, bytes));
done:
    return status;
}

// A depthwise layer hands its pruned channels' gradient on where they are not masked before it as well
// (plc_mask_offsets_create): the layer that makes them is pruned with it, and learns with it.
static bool hands_gradient_on(const plc_lower *lower, int node)
{
    const plc_node *nodes = lower->graph->nodes;

    if (!plc_graph_is_depthwise(lower->graph, &nodes[node]))
        return false;
    do {
        node = nodes[node].inputs[0];
    } while (nodes[node].n_inputs == 1 && !plc_graph_is(lower->graph, node, "batch_norm") &&
             nodes[node].n_params == 0);
    return plc_graph_is(lower->graph, node, "batch_norm") && plc_lower_mask(lower, node) < 0;
}

pleach_status plc_conv_backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    conv_params p = plc_conv_make_params(lower, step->node);
    const plc_tensor x = plc_lower_value(lower, node->inputs[0]);
    plc_tensor dy, dx;
    bool accumulate, wanted, winograd;

    TRY(plc_conv_choose(lower, step->node, p, &winograd));
    TRY(plc_mask_gradient_lower(lower, step->node));
    TRY(plc_lower_grad(lower, step->output, &dy));
    plc_conv_set_x(&p, x);
    plc_conv_set_y(&p, dy);
    if (winograd)
        TRY(plc_winograd_grad_weight(lower, p, x, dy));
    else
        TRY(plc_direct_grad_weight(lower, p, x, dy));
    if (node->n_params > 1)
        TRY(plc_direct_grad_bias(lower, p, dy));
    TRY(plc_lower_grad_target(lower, node->inputs[0], &dx, &accumulate, &wanted));
    if (!wanted)
        return status;
    if (!hands_gradient_on(lower, step->node))
        TRY(plc_mask_stop_lower(lower, step->output));
    plc_conv_set_x(&p, dx);
    p.flags = accumulate ? CONV_ADD : 0;
    const double bytes = plc_tensor_bytes(lower, dy) +
                         (1 + accumulate) * plc_tensor_bytes(lower, dx) + plc_conv_weight_bytes(&p);
    if (winograd)
        TRY(plc_winograd_grad_data(lower, step->node, p, dy.buffer, dx.buffer, bytes));
    else
        TRY(plc_direct_grad_data(lower, p, dy.buffer, dx.buffer, bytes));
done:
    return status;
}

const struct op op_conv = {
    .name = "conv",
    .n_inputs = 1,
    .attrs = PLC_ATTR_KERNEL | PLC_ATTR_STRIDE | PLC_ATTR_PAD | PLC_ATTR_DILATION |
             PLC_ATTR_GROUPS | PLC_ATTR_OUT_CHANNELS | PLC_ATTR_BIAS,
    .shape = shape,
    .channels = channels,
    .cost = cost,
    .describe = plc_op_describe_weights,
    .forward = plc_conv_forward,
    .forward_channel_lanes = plc_channel_conv_forward,
    .backward = plc_conv_backward,
};
