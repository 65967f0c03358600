// leaky_relu, sigmoid, hard_sigmoid, hard_swish, tanh, elu, softplus, softsign: y = f(x), value by value (cl/activation_params.h has the f).
#include <activation_params.h>
#include <ops/channel_lanes.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static bool is_positive(const pleach_graph *graph, int node)
{
    return plc_graph_is(graph, node, "sigmoid") || plc_graph_is(graph, node, "hard_sigmoid") ||
           plc_graph_is(graph, node, "softplus");
}

// Whether all that reads a value multiplies others with it, whose pruned channels are 0 themselves.
static bool is_factor_only(const pleach_graph *graph, int node)
{
    for (int i = node + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == node &&
                (!plc_graph_is(graph, i, "mul") ||
                 is_positive(graph, graph->nodes[i].inputs[1 - j])))
                return false;
    return node < graph->n_nodes - 1;
}

// A pruned channel is 0 before f. Where f(0) is not, what reads it would miss a constant.
static void sigmoid_channels(plc_channels *channels, const pleach_graph *graph, int node)
{
    (is_factor_only(graph, node) ? plc_op_channels_pass : plc_op_channels_freeze)(channels, graph,
                                                                                  node);
}

static int kind_of(const plc_node *node)
{
    const struct op *const ops[] = {
        [ACTIVATION_LEAKY_RELU] = &op_leaky_relu,
        [ACTIVATION_SIGMOID] = &op_sigmoid,
        [ACTIVATION_HARD_SIGMOID] = &op_hard_sigmoid,
        [ACTIVATION_HARD_SWISH] = &op_hard_swish,
        [ACTIVATION_TANH] = &op_tanh,
        [ACTIVATION_ELU] = &op_elu,
        [ACTIVATION_SOFTPLUS] = &op_softplus,
        [ACTIVATION_SOFTSIGN] = &op_softsign,
    };
    int kind = 0;

    while (ops[kind] != node->op)
        kind++;
    return kind;
}

static activation_params make_params(const plc_lower *lower, int node, plc_tensor x)
{
    const plc_node *n = &lower->graph->nodes[node];

    return (activation_params){
        .C = x.shape.c,
        .size = x.shape.h * x.shape.w,
        .n_images = lower->n_images,
        .x_planes = x.planes,
        .x_first = x.first,
        .kind = kind_of(n),
        .a = n->attrs.alpha,
        .b = n->attrs.beta,
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *const *buffers,
                            int n_buffers, activation_params *p, double bytes)
{
    const plc_tiled_launch pixels = {.file = "activation",
                                     .kernel = kernel,
                                     .buffers = buffers,
                                     .n_buffers = n_buffers,
                                     .params = p,
                                     .params_bytes = sizeof *p,
                                     .tile_items = &p->tile_pixels,
                                     .bytes = bytes};

    return plc_append_pixels_launch(lower, pixels, p->C * p->size);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    activation_params p = make_params(lower, step->node, x);

    p.y_planes = y.planes;
    p.y_first = y.first;
    return append(lower, "activation_forward", PLC_BUFFERS(x.buffer, y.buffer), &p,
                  2 * plc_tensor_bytes(lower, y));
}

static pleach_status channel_forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    activation_params p = make_params(lower, step->node, x);

    p.y_planes = y.planes;
    p.y_first = y.first;
    return plc_channel_append(lower, "channel_function", PLC_BUFFERS(x.buffer, y.buffer), &p,
                              sizeof p, &p.tile_pixels, p.n_images * p.size, p.C,
                              2 * plc_tensor_bytes(lower, y));
}

// dx (+)= dy f'(x).
static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const int input = lower->graph->nodes[step->node].inputs[0];
    const plc_tensor x = plc_lower_value(lower, input);
    activation_params p = make_params(lower, step->node, x);
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        return status;
    p.y_planes = g.dy.planes;
    p.y_first = g.dy.first;
    p.dx_planes = g.dx.planes;
    p.dx_first = g.dx.first;
    p.accumulate = g.accumulate;
    TRY(append(lower, "activation_backward", PLC_BUFFERS(g.dy.buffer, x.buffer, g.dx.buffer), &p,
               (3 + g.accumulate) * plc_tensor_bytes(lower, g.dx)));
done:
    return status;
}

#define ACTIVATION(function, attributes, channel_rule)                                             \
    const struct op op_##function = {                                                              \
        .name = #function,                                                                         \
        .n_inputs = 1,                                                                             \
        .attrs = (attributes),                                                                     \
        .shape = plc_op_shape_pass,                                                                \
        .channels = (channel_rule),                                                                \
        .cost = plc_op_cost_of_pass,                                                               \
        .forward = forward,                                                                        \
        .forward_channel_lanes = channel_forward,                                                  \
        .backward = backward,                                                                      \
    }

ACTIVATION(leaky_relu, PLC_ATTR_ALPHA, plc_op_channels_pass);
ACTIVATION(sigmoid, 0, sigmoid_channels);
ACTIVATION(hard_sigmoid, PLC_ATTR_ALPHA | PLC_ATTR_BETA, sigmoid_channels);
ACTIVATION(hard_swish, 0, plc_op_channels_pass);
ACTIVATION(tanh, 0, plc_op_channels_pass);
ACTIVATION(elu, PLC_ATTR_ALPHA | PLC_ATTR_BETA, plc_op_channels_pass);
ACTIVATION(softplus, 0, sigmoid_channels);
ACTIVATION(softsign, 0, plc_op_channels_pass);
