// conv: two-dimensional convolution, zero padding, groups; weight OIHW {K, C/groups, R, S},
// optional bias {K}.
#include <ops/conv.h>

#include <stdio.h>
#include <conv_params.h>
#include <ops/batch_norm.h>
#include <ops/mask.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static bool is_depthwise(const plc_node *node, int in_channels)
{
    return node->attrs.groups > 1 && node->attrs.groups == in_channels;
}

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
    plc_axis axis_in = is_depthwise(node, x->c) ? PLC_AXIS_NONE : PLC_AXIS_IN;
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
    if (is_depthwise(n, in)) {
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

// Output channels of a tile; 4 x 4 pixels was the fastest of 12 tiles on 16 to 64 channels.
enum { OT = 4 };

// Kernels of these widths get their own variant; it is up to a tenth faster than the one for any
// width.
enum { FIXED_WIDTH_MIN = 2, FIXED_WIDTH_MAX = 7, FIXED_STRIDE_MAX = 2 };

// Multiply-adds that repay starting a work-group on a CPU; a GPU wants many small groups.
enum { VECTOR_GROUP_WORK = 1 << 16 };

// Pixels that one split of the weight gradient's sum over the batch should have at least: on a CPU
// so many that adding the lanes at its end goes unnoticed; a GPU needs thousands of groups.
enum { VECTOR_SPLIT_PIXELS = 4096, WORK_ITEM_SPLIT_PIXELS = 128 };

enum { OPTIONS_MAX = 80, TILE_OPTION_MAX = 16 };

static int parts_of(int n, int largest)
{
    return (n + largest - 1) / largest;
}

static int within(int n, int low, int high)
{
    return n < low ? low : n > high ? high : n;
}

static int or_one(int n)
{
    return n ? n : 1;
}

// Of a linear layer as well: there all attributes but its features are zero.
static conv_params make_params(const plc_lower *lower, int node)
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
        .splits = 1,
    };
}

static void set_x(conv_params *p, plc_tensor x)
{
    p->x_planes = x.planes;
    p->x_first = x.first;
}

static void set_y(conv_params *p, plc_tensor y)
{
    p->y_planes = y.planes;
    p->y_first = y.first;
}

static bool has_fixed_variant(const conv_params *p)
{
    return p->dilation_w == 1 && p->S >= FIXED_WIDTH_MIN && p->S <= FIXED_WIDTH_MAX &&
           p->stride_w <= FIXED_STRIDE_MAX;
}

// Width and stride that are compiled in: 0 for the variant for any.
static const char *write_options(const conv_params *p, const char *more, char *options)
{
    const bool fixed = has_fixed_variant(p);

    snprintf(options, OPTIONS_MAX, "-DOT=%d -DKERNEL_S=%d -DSTRIDE=%d%s", OT, fixed ? p->S : 0,
             fixed ? p->stride_w : 0, more);
    return options;
}

// Input channels of the weight gradient's tile: OT x input_tile x taps sums fit 32 registers.
static int input_tile(const conv_params *p)
{
    return !has_fixed_variant(p) ? 4 : p->S <= 3 ? 2 : 1;
}

static const char *write_weight_options(const conv_params *p, char *options)
{
    char tile[TILE_OPTION_MAX];

    snprintf(tile, sizeof tile, " -DCT=%d", input_tile(p));
    return write_options(p, tile, options);
}

static double count_flops(const conv_params *p)
{
    return 2.0 * p->n_images * p->P * p->Q * p->groups * p->K * p->C * p->R * p->S;
}

static double weight_bytes(const conv_params *p)
{
    return (double)sizeof(float) * p->groups * p->K * p->C * p->R * p->S;
}

// Appends a launch whose work-groups compute rows of OT of a group's n_out channels, n_rows rows in
// all. row_work: multiply-adds of one row of one channel.
static pleach_status append_rows(plc_lower *lower, const char *kernel, const char *options,
                                 plc_buffer *const *buffers, int n_buffers, conv_params *p,
                                 int n_out, int n_rows, double row_work, plc_launch **launch)
{
    pleach_status status = PLEACH_OK;
    const double tile_row = row_work * (n_out < OT ? n_out : OT);

    if (lower->device->vector_lanes && tile_row < VECTOR_GROUP_WORK)
        p->rows = within((int)(VECTOR_GROUP_WORK / tile_row), 1, n_rows);
    TRY(plc_launch_add(lower->list, "conv", kernel, options, launch));
    for (int i = 0; i < n_buffers; i++)
        plc_launch_arg_buffer(*launch, buffers[i]);
    plc_launch_arg_value(*launch, p, sizeof *p);
    plc_launch_groups(lower->device, *launch, (size_t)p->groups * (size_t)parts_of(n_out, OT),
                      (size_t)parts_of(n_rows, p->rows), (size_t)p->n_blocks);
    (*launch)->flops = count_flops(p);
done:
    return status;
}

// Sets flags, and the buffers of scales (or masks) and shifts; one that is not read is that of the
// weights.
static pleach_status set_epilogue(plc_lower *lower, const plc_step *step, conv_params *p,
                                  plc_buffer **scale, plc_buffer **shift)
{
    pleach_status status = PLEACH_OK;
    const int mask = plc_lower_mask(lower, step->node);

    *scale = *shift = lower->weights;
    if (lower->graph->nodes[step->node].n_params > 1)
        p->flags |= CONV_BIAS;
    if (step->relu)
        p->flags |= CONV_RELU;
    if (step->batch_norm != PLC_NO_NODE) {
        TRY(plc_batch_norm_coefficients(lower, step->batch_norm, &p->scale_offset,
                                        &p->shift_offset));
        p->flags |= CONV_SCALE | CONV_SHIFT;
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
    conv_params p = make_params(lower, step->node);
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const bool has_add = step->add != PLC_NO_NODE;
    const plc_tensor add = plc_lower_value(lower, has_add ? step->add : step->output);
    plc_buffer *scale = NULL, *shift = NULL;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    set_x(&p, x);
    set_y(&p, y);
    p.add_planes = add.planes;
    p.add_first = add.first;
    p.flags = has_add ? CONV_ADD : 0;
    TRY(set_epilogue(lower, step, &p, &scale, &shift));
    TRY(append_rows(lower, "conv_forward", write_options(&p, "", options),
                    PLC_BUFFERS(x.buffer, lower->weights, y.buffer, add.buffer, scale, shift), &p,
                    p.K, p.P, (double)p.Q * p.C * p.R * p.S, &launch));
    launch->bytes =
        plc_tensor_bytes(lower, x) + (1 + has_add) * plc_tensor_bytes(lower, y) + weight_bytes(&p);
done:
    return status;
}

// Cuts the sum over the batch, first between image blocks, then between rows: by the plane and the
// batch only, so that a compacted layer adds in the same order.
static void set_splits(const plc_lower *lower, conv_params *p)
{
    const int pixels = lower->device->vector_lanes ? VECTOR_SPLIT_PIXELS : WORK_ITEM_SPLIT_PIXELS;
    const int wanted = (int)((long long)p->n_blocks * p->P * p->Q / pixels);

    p->splits = within(wanted, 1, p->n_blocks);
    p->rows = parts_of(p->P, within(wanted / p->splits, 1, p->P));
}

static pleach_status append_grad_weight(plc_lower *lower, conv_params p, plc_tensor x,
                                        plc_tensor dy)
{
    pleach_status status = PLEACH_OK;
    const int n_weights = p.groups * p.K * p.C * p.R * p.S;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    set_splits(lower, &p);
    const int n_chunks = parts_of(p.P, p.rows), n_splits = p.splits * n_chunks;
    const int tiles = parts_of(p.K, OT) * parts_of(p.C, input_tile(&p));
    plc_lower_workspace(lower, (size_t)n_weights * (size_t)n_splits);
    write_weight_options(&p, options);
    TRY(plc_launch_add(lower->list, "conv_grad_weight", "conv_grad_weight", options, &launch));
    plc_launch_arg_buffer(launch, x.buffer);
    plc_launch_arg_buffer(launch, dy.buffer);
    plc_launch_arg_buffer(launch, lower->workspace);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch,
                      (size_t)p.groups * (size_t)tiles *
                          (size_t)(has_fixed_variant(&p) ? p.R : p.R * p.S),
                      (size_t)n_chunks, (size_t)p.splits);
    launch->flops = count_flops(&p);
    launch->bytes =
        plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, dy) + weight_bytes(&p) * n_splits;

    TRY(plc_launch_add(lower->list, "conv_grad_weight", "conv_grad_weight_reduce", options,
                       &launch));
    plc_launch_arg_buffer(launch, lower->workspace);
    plc_launch_arg_buffer(launch, lower->grads);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_items(launch, (size_t)n_weights);
    launch->bytes = weight_bytes(&p) * (n_splits + 2);
done:
    return status;
}

static pleach_status append_grad_bias(plc_lower *lower, conv_params p, plc_tensor dy)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    // In the program that the weight gradient uses anyway.
    write_weight_options(&p, options);
    TRY(plc_launch_add(lower->list, "conv_grad_weight", "conv_grad_bias", options, &launch));
    plc_launch_arg_buffer(launch, dy.buffer);
    plc_launch_arg_buffer(launch, lower->grads);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch, (size_t)p.groups * (size_t)p.K, 1, 1);
    launch->bytes = plc_tensor_bytes(lower, dy);
done:
    return status;
}

static pleach_status append_grad_data(plc_lower *lower, conv_params p, plc_tensor dy, plc_tensor dx,
                                      bool accumulate)
{
    pleach_status status = PLEACH_OK;
    const bool strided = p.stride_h > 1 || p.stride_w > 1;
    const double row_work = (double)p.W * p.K * p.R * p.S / (p.stride_h * p.stride_w);
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    set_x(&p, dx);
    p.flags = accumulate ? CONV_ADD : 0;
    if (strided)
        snprintf(options, sizeof options, "-DOT=%d -DGRAD_DATA_STRIDED", OT);
    else
        write_options(&p, " -DGRAD_DATA", options);
    TRY(append_rows(lower, strided ? "conv_grad_data_strided" : "conv_grad_data", options,
                    PLC_BUFFERS(dy.buffer, lower->weights, dx.buffer), &p, p.C, p.H, row_work,
                    &launch));
    launch->bytes = plc_tensor_bytes(lower, dy) + (1 + accumulate) * plc_tensor_bytes(lower, dx) +
                    weight_bytes(&p);
done:
    return status;
}

pleach_status plc_conv_backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &lower->graph->nodes[step->node];
    conv_params p = make_params(lower, step->node);
    const plc_tensor x = plc_lower_value(lower, node->inputs[0]);
    plc_tensor dy, dx;
    bool accumulate, wanted;

    TRY(plc_mask_gradient_lower(lower, step->node));
    TRY(plc_lower_grad(lower, step->output, &dy));
    set_x(&p, x);
    set_y(&p, dy);
    TRY(append_grad_weight(lower, p, x, dy));
    if (node->n_params > 1)
        TRY(append_grad_bias(lower, p, dy));
    TRY(plc_lower_grad_target(lower, node->inputs[0], &dx, &accumulate, &wanted));
    if (wanted)
        TRY(append_grad_data(lower, p, dy, dx, accumulate));
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
    .backward = plc_conv_backward,
};
