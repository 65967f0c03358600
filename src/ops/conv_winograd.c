// Launches of Winograd's F(4x4, 3x3): cl/conv_winograd.cl and cl/conv_winograd_grad_weight.cl.
#include <ops/conv_launch.h>

#include <stdio.h>
#include <ops/tensor_launch.h>
#include <winograd_params.h>

// Tiles of the matrix products: 8 channels x 2 Winograd tiles, 4 Winograd tiles in scratch, were the
// fastest of ten on 16 to 512 channels; in the weight gradient 4 x 4 channels, blocks of 16 x 16. With AVX2
// half of each tile is 1.3 to 1.6 times as fast.
enum { TT = 2, CHUNK = 4, GRAD_OT = 4, GRAD_CHUNK = 8, GRAD_BLOCK = 16 };

static int tile_outputs(const plc_lower *lower)
{
    return plc_conv_few_registers(lower) ? 4 : 8;
}

static int gradient_tile_inputs(const plc_lower *lower)
{
    return plc_conv_few_registers(lower) ? 2 : 4;
}

// Winograd tiles of a split of the weight gradient's sum: so many that its end goes unnoticed, or, where
// splits would be too few for the device, so many that its end costs no more than a third.
enum { SPLIT_TILES = 64, LEAST_SPLIT_TILES = 16, SPLITS_PER_UNIT = 2 };

// Work-groups per compute unit that even out the end of a launch.
enum { GROUPS_PER_UNIT = 4 };

// The chunk of tiles and channels must stay in the cache that a CPU calls local memory: with less than
// the second it is not tried, with less than the first it is not expected to pay.
enum { GOOD_LOCAL_BYTES = 1 << 19, LEAST_LOCAL_BYTES = 1 << 17 };

// Floats of a cache line: matrices in scratch and in the transformed filters lie an odd number of
// lines apart (cl/conv_winograd.cl).
enum { LINE_FLOATS = 16, OPTIONS_MAX = 32 };

static int n_tiles(const conv_params *p)
{
    return plc_conv_parts(p->P, WINOGRAD_OUT) * plc_conv_parts(p->Q, WINOGRAD_OUT);
}

// FLOPs of a 4x4 tile's transforms, for a channel of the input and one of the output or its gradient
// (the kernels' head comments).
enum { INPUT_FLOPS = 150, OUTPUT_FLOPS = 130, GRADIENT_FLOPS = 100 };

// What is executed: 36 products a tile, and its transforms.
static double executed_flops(const conv_params *p, double transforms)
{
    return (double)p->n_images * n_tiles(p) * (2.0 * WINOGRAD_POINTS * p->C * p->K + transforms);
}

bool plc_winograd_suits(const plc_lower *lower, int node)
{
    const plc_node *n = &lower->graph->nodes[node];
    const plc_attrs *a = &n->attrs;

    return a->kernel[0] == WINOGRAD_TAPS && a->kernel[1] == WINOGRAD_TAPS && a->stride[0] == 1 &&
           a->stride[1] == 1 && a->dilation[0] == 1 && a->dilation[1] == 1 && a->groups == 1 &&
           n->inputs[0] != 0 && lower->device->vector_lanes &&
           lower->device->fixed_tile.n_out == 0 &&
           lower->device->info->local_memory_bytes >= LEAST_LOCAL_BYTES;
}

// In small planes most of a tile is padding: half of it must be outputs.
bool plc_winograd_preferred(const plc_lower *lower, const conv_params *p)
{
    return 2 * p->P * p->Q >= WINOGRAD_OUT * WINOGRAD_OUT * n_tiles(p) &&
           lower->device->info->local_memory_bytes >= GOOD_LOCAL_BYTES;
}

static size_t scratch_bytes(const plc_lower *lower, int pixels)
{
    return (size_t)WINOGRAD_POINTS * (size_t)(pixels | 1) * (size_t)lower->device->lanes *
           sizeof(float);
}

// Tiles and channels of a pass that fit scratch: fewer tiles first, then fewer channels at a time.
static size_t fit_scratch(const plc_lower *lower, conv_params *p)
{
    const size_t most = lower->device->info->local_memory_bytes;
    size_t bytes;

    p->tiles = plc_conv_within(CHUNK, 1, p->n_blocks * n_tiles(p));
    p->channels = p->C;
    for (;;) {
        bytes = scratch_bytes(lower, p->channels * p->tiles) +
                scratch_bytes(lower, tile_outputs(lower) * p->tiles);
        if (bytes <= most)
            return bytes;
        if (p->tiles > 1)
            p->tiles--;
        else
            p->channels = plc_conv_parts(p->channels, 2);
    }
}

size_t plc_winograd_filter_floats(const plc_lower *lower, const conv_params *p)
{
    const int outputs = tile_outputs(lower);
    const int lines = plc_conv_parts(p->C * outputs, LINE_FLOATS) | 1;

    return (size_t)plc_conv_parts(p->K, outputs) * WINOGRAD_POINTS * (size_t)lines * LINE_FLOATS;
}

static void write_options(const plc_lower *lower, char *options)
{
    snprintf(options, OPTIONS_MAX, "-DOT=%d -DTT=%d", tile_outputs(lower), TT);
}

// Filters are transformed before each training step, in inference when weights have changed.
static pleach_status append_filters(plc_lower *lower, int node, conv_params *p, int flip,
                                    plc_buffer **filters)
{
    pleach_status status = PLEACH_OK;
    const int outputs = tile_outputs(lower);
    conv_params of_filters = *p;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    if (lower->training) {
        plc_lower_workspace(lower, plc_winograd_filter_floats(lower, p));
        *filters = lower->workspace;
    } else {
        TRY(plc_lower_scratch(lower, node, plc_winograd_filter_floats(lower, p), &p->u_offset));
        *filters = lower->scratch;
    }
    of_filters.u_offset = p->u_offset;
    of_filters.flags = flip;
    write_options(lower, options);
    TRY(plc_launch_add(lower->training ? lower->list : lower->prepare, "conv_winograd",
                       "winograd_filters", options, &launch));
    plc_launch_arg_buffer(launch, lower->weights);
    plc_launch_arg_buffer(launch, *filters);
    plc_launch_arg_value(launch, &of_filters, sizeof of_filters);
    plc_launch_groups(lower->device, launch, (size_t)plc_conv_parts(p->K, outputs),
                      (size_t)plc_conv_parts(outputs * p->C, lower->device->lanes), 1);
    launch->bytes =
        plc_conv_weight_bytes(p) + (double)plc_winograd_filter_floats(lower, p) * sizeof(float);
done:
    return status;
}

// The fewest runs of output channels that keep all compute units busy: each transforms the input anew.
static int count_runs(const plc_lower *lower, const conv_params *p, int chunks)
{
    const int units = lower->device->info->compute_units;
    const int most = plc_conv_parts(p->K, tile_outputs(lower));
    int runs = 1;

    while (runs < most && chunks * runs % units != 0 && chunks * runs < GROUPS_PER_UNIT * units)
        runs++;
    return runs;
}

// The sum's splits follow from the plane, the batch and the device, never from channels.
static int count_splits(const plc_lower *lower, int tiles)
{
    const int least = plc_conv_within(tiles / LEAST_SPLIT_TILES, 1,
                                      SPLITS_PER_UNIT * lower->device->info->compute_units);

    return plc_conv_within(tiles / SPLIT_TILES, least, tiles);
}

static pleach_status append(plc_lower *lower, int node, conv_params p, int flip,
                            const plc_conv_buffers *buffers, double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_buffer *filters = NULL;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];
    const size_t scratch = fit_scratch(lower, &p);
    const int chunks = plc_conv_parts(p.n_blocks * n_tiles(&p), p.tiles);

    p.k_runs = count_runs(lower, &p, chunks);
    TRY(append_filters(lower, node, &p, flip, &filters));
    write_options(lower, options);
    TRY(plc_launch_add(lower->list, "conv_winograd", "conv_winograd", options, &launch));
    plc_buffer *const arguments[] = {buffers->x,     filters,        buffers->y,     buffers->add,
                                     lower->weights, buffers->scale, buffers->shift, buffers->sums};
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++)
        plc_launch_arg_buffer(launch, arguments[i]);
    plc_launch_arg_local(launch, scratch);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch, (size_t)p.k_runs, (size_t)chunks, 1);
    launch->flops = plc_conv_flops(&p);
    launch->executed_flops =
        executed_flops(&p, (double)INPUT_FLOPS * p.C * p.k_runs + (double)OUTPUT_FLOPS * p.K);
    launch->bytes = bytes + (double)plc_winograd_filter_floats(lower, &p) * sizeof(float);
done:
    return status;
}

pleach_status plc_winograd_forward(plc_lower *lower, int node, conv_params p,
                                   const plc_conv_buffers *buffers, double bytes)
{
    return append(lower, node, p, 0, buffers, bytes);
}

int plc_winograd_sums(const conv_params *p)
{
    return p->n_blocks * n_tiles(p);
}

pleach_status plc_winograd_grad_data(plc_lower *lower, int node, conv_params p, plc_buffer *dy,
                                     plc_buffer *dx, double bytes)
{
    return append(lower, node, plc_conv_of_gradient(&p), CONV_FLIP,
                  &(plc_conv_buffers){dy, dx, dx, lower->weights, lower->weights, dx}, bytes);
}

// Tiles and channels of a pass of the weight gradient that fit scratch: smaller blocks of weights first,
// because these are held beside every tile.
static size_t fit_gradient(const plc_lower *lower, conv_params *p)
{
    int block = GRAD_BLOCK;
    size_t bytes;

    p->tiles = plc_conv_within(GRAD_CHUNK, 1, p->n_blocks * n_tiles(p));
    for (;;) {
        p->k_block = plc_conv_within(block, 1, p->K);
        p->channels = plc_conv_within(block, 1, p->C);
        bytes = scratch_bytes(lower, p->k_block * p->tiles) +
                scratch_bytes(lower, p->channels * p->tiles) +
                scratch_bytes(lower, p->k_block * p->channels);
        if (bytes <= lower->device->info->local_memory_bytes)
            return bytes;
        if (block > GRAD_OT)
            block /= 2;
        else
            p->tiles--;
    }
}

pleach_status plc_winograd_grad_weight(plc_lower *lower, conv_params p, plc_tensor x, plc_tensor dy)
{
    pleach_status status = PLEACH_OK;
    const int tiles = p.n_blocks * n_tiles(&p);
    const double weights = plc_conv_weight_bytes(&p);
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];
    size_t scratch;

    p.splits = count_splits(lower, tiles);
    p.rows = p.P;
    scratch = fit_gradient(lower, &p);
    plc_lower_workspace(lower,
                        (size_t)(p.K * p.C * WINOGRAD_TAPS * WINOGRAD_TAPS) * (size_t)p.splits);
    snprintf(options, sizeof options, "-DOT=%d -DCT=%d", GRAD_OT, gradient_tile_inputs(lower));
    TRY(plc_launch_add(lower->list, "conv_winograd_grad_weight", "conv_winograd_grad_weight",
                       options, &launch));
    plc_launch_arg_buffer(launch, x.buffer);
    plc_launch_arg_buffer(launch, dy.buffer);
    plc_launch_arg_buffer(launch, lower->workspace);
    plc_launch_arg_local(launch, scratch);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch,
                      (size_t)plc_conv_parts(p.K, p.k_block) *
                          (size_t)plc_conv_parts(p.C, p.channels),
                      (size_t)p.splits, 1);
    launch->flops = plc_conv_flops(&p);
    launch->executed_flops =
        executed_flops(&p, (double)INPUT_FLOPS * p.C * plc_conv_parts(p.K, p.k_block) +
                               (double)GRADIENT_FLOPS * p.K * plc_conv_parts(p.C, p.channels));
    launch->bytes = plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, dy) + weights * p.splits;
    TRY(plc_conv_reduce_append(lower, &p));
done:
    return status;
}
