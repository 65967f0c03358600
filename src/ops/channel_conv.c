// Convolutions and linear layers on channel lanes: which way, and the launches of cl/channel_conv.cl.
#include <ops/channel_conv.h>

#include <stdio.h>
#include <graph/graph.h>
#include <ops/tensor_launch.h>

// Pixels of a tile (cl/channel_product.h).
enum { PT = 8 };

// Work-groups per compute unit that even out the end of a launch, and multiply-adds that repay one.
enum { GROUPS_PER_UNIT = 4, GROUP_WORK = 1 << 15 };

enum { OPTIONS_MAX = 16 };

int plc_channel_vectors(const plc_lower *lower, int n)
{
    return plc_conv_parts(n, lower->device->lanes);
}

int plc_channel_blocks(const plc_lower *lower, int n)
{
    return plc_conv_parts(plc_channel_vectors(lower, n), PLC_CHANNEL_KT);
}

pleach_status plc_channel_conv_append(plc_launch_list *list, const char *file, const char *kernel,
                                      int kt, plc_launch **launch)
{
    char options[OPTIONS_MAX];

    snprintf(options, sizeof options, "-DKT=%d", kt);
    return plc_launch_add(list, file, kernel, options, launch);
}

static int padded_channels(const plc_lower *lower, const conv_params *p)
{
    return p->groups * plc_channel_vectors(lower, p->K) * lower->device->lanes;
}

pleach_status plc_channel_conv_prepare(plc_lower *lower, int node, conv_params *p,
                                       const plc_conv_buffers *buffers, int taps,
                                       size_t spare_floats)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    const int scale = p->scale_offset, shift = p->shift_offset, padded = padded_channels(lower, p);
    const size_t lanes = (size_t)lower->device->lanes;
    const size_t spare = (spare_floats + lanes - 1) / lanes * lanes;
    const size_t filters = (size_t)padded * (size_t)taps * (size_t)p->C;

    TRY(plc_lower_scratch(lower, node, filters + spare + 2 * (size_t)padded, &p->u_offset));
    p->scale_offset = p->u_offset + (int)(filters + spare);
    p->shift_offset = p->scale_offset + padded;
    TRY(plc_channel_conv_append(lower->prepare, "channel_conv", "channel_coefficients",
                                PLC_CHANNEL_KT, &launch));
    plc_launch_arg_buffer(launch, lower->weights);
    plc_launch_arg_buffer(launch, buffers->scale);
    plc_launch_arg_buffer(launch, buffers->shift);
    plc_launch_arg_buffer(launch, lower->scratch);
    plc_launch_arg_value(launch, p, sizeof *p);
    plc_launch_arg_int(launch, scale);
    plc_launch_arg_int(launch, shift);
    plc_launch_items(launch, (size_t)padded);
done:
    return status;
}

static pleach_status append_filters(plc_lower *lower, const conv_params *p, int kt)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    const int blocks = plc_conv_parts(plc_channel_vectors(lower, p->K), kt);

    TRY(plc_channel_conv_append(lower->prepare, "channel_conv", "channel_filters", kt, &launch));
    plc_launch_arg_buffer(launch, lower->weights);
    plc_launch_arg_buffer(launch, lower->scratch);
    plc_launch_arg_value(launch, p, sizeof *p);
    plc_launch_groups(lower->device, launch, (size_t)p->groups * (size_t)blocks,
                      (size_t)(p->R * p->S), 1);
done:
    return status;
}

// Cuts the pixels so that there are enough work-groups, each of enough work.
static int chunks_of(const plc_lower *lower, const conv_params *p, int blocks)
{
    const int n_pixels = p->n_images * p->P * p->Q;
    const double work = plc_conv_flops(p) / 2 / blocks;
    const int wanted = plc_conv_parts(GROUPS_PER_UNIT * lower->device->info->compute_units, blocks);
    const int repaid = work > (double)GROUP_WORK * wanted ? wanted : (int)(work / GROUP_WORK);

    return plc_conv_within(repaid, 1, plc_conv_parts(n_pixels, PT));
}

static pleach_status direct_forward(plc_lower *lower, int node, conv_params p,
                                    const plc_conv_buffers *buffers, double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    const bool depthwise = p.groups > 1 && p.C == 1 && p.K == 1;
    const int kt = depthwise ? 1 : PLC_CHANNEL_KT;

    if (depthwise) { // one group, whose filters see one channel
        p.K = p.groups;
        p.groups = 1;
    }
    const int blocks = p.groups * plc_conv_parts(plc_channel_vectors(lower, p.K), kt);
    TRY(plc_channel_conv_prepare(lower, node, &p, buffers, p.R * p.S, (size_t)(p.S * p.C)));
    TRY(append_filters(lower, &p, kt));
    const int chunks = chunks_of(lower, &p, blocks);
    p.tiles = plc_conv_parts(p.n_images * p.P * p.Q, chunks);
    TRY(plc_channel_conv_append(lower->list, "channel_conv",
                                depthwise ? "channel_conv_depthwise" : "channel_conv", kt,
                                &launch));
    plc_launch_arg_buffer(launch, buffers->x);
    plc_launch_arg_buffer(launch, buffers->y);
    plc_launch_arg_buffer(launch, buffers->add);
    plc_launch_arg_buffer(launch, lower->scratch);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch, (size_t)blocks,
                      (size_t)plc_conv_parts(p.n_images * p.P * p.Q, p.tiles), 1);
    launch->flops = plc_conv_flops(&p);
    launch->bytes = bytes;
done:
    return status;
}

// The value that a layer reads. A linear layer after a flatten is a convolution of what was flattened
// with a kernel as large: channel lanes hold pixels in another order than its weights.
static plc_tensor source_of(const plc_lower *lower, int node, conv_params *p)
{
    int source = lower->graph->nodes[node].inputs[0];

    if (plc_graph_is(lower->graph, node, "linear")) {
        while (plc_graph_is(lower->graph, source, "flatten"))
            source = lower->graph->nodes[source].inputs[0];
        const plc_shape shape = lower->graph->nodes[source].shape;
        p->C = shape.c;
        p->H = p->R = shape.h;
        p->W = p->S = shape.w;
    }
    return plc_lower_value(lower, source);
}

pleach_status plc_channel_conv_forward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    conv_params p = plc_conv_make_params(lower, step->node);
    const plc_tensor x = source_of(lower, step->node, &p);
    const plc_tensor y = plc_lower_value(lower, step->output);
    const bool has_add = step->add != PLC_NO_NODE;
    const plc_tensor add = plc_lower_value(lower, has_add ? step->add : step->output);
    plc_conv_buffers buffers = {.x = x.buffer, .y = y.buffer, .add = add.buffer};

    plc_conv_set_x(&p, x);
    plc_conv_set_y(&p, y);
    p.add_planes = add.planes;
    p.add_first = add.first;
    p.flags = has_add ? CONV_ADD : 0;
    TRY(plc_conv_set_epilogue(lower, step, &p, &buffers.scale, &buffers.shift));
    const double bytes = plc_tensor_bytes(lower, x) + (1 + has_add) * plc_tensor_bytes(lower, y) +
                         plc_conv_weight_bytes(&p);
    if (plc_channel_winograd_suits(lower, step->node, &p))
        TRY(plc_channel_winograd_forward(lower, step->node, p, &buffers, bytes));
    else
        TRY(direct_forward(lower, step->node, p, &buffers, bytes));
done:
    return status;
}
