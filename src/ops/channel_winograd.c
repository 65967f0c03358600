// Launches of Winograd's F(4x4, 3x3) on channel lanes: cl/channel_winograd.cl.
#include <ops/channel_conv.h>

#include <ops/tensor_launch.h>
#include <winograd_params.h>

// Most Winograd tiles of a work-group.
enum { CHUNK = 8 };

// Transformed filters are four times as large and each is used once per Winograd tile: with fewer tiles than
// these reading them takes longer than the direct kernel.
enum { TILES_MIN = 4 };

// Floats of a cache line: matrices in scratch lie an odd number of lines apart.
enum { LINE_FLOATS = 16 };

static int n_tiles(const conv_params *p)
{
    return p->n_images * plc_conv_parts(p->P, WINOGRAD_OUT) * plc_conv_parts(p->Q, WINOGRAD_OUT);
}

bool plc_channel_winograd_suits(const plc_lower *lower, int node, const conv_params *p)
{
    return n_tiles(p) >= TILES_MIN && plc_winograd_suits(lower, node) &&
           plc_winograd_preferred(lower, p);
}

static size_t scratch_bytes(int floats)
{
    return (size_t)WINOGRAD_POINTS * (size_t)(plc_conv_parts(floats, LINE_FLOATS) | 1) *
           LINE_FLOATS * sizeof(float);
}

// Cuts tiles, or where there are few the channels too, so that every compute unit has a work-group.
static void set_chunks(const plc_lower *lower, conv_params *p)
{
    const int tiles = n_tiles(p), units = lower->device->info->compute_units;
    const int blocks = plc_channel_blocks(lower, p->K);
    int chunks = plc_conv_parts(tiles, CHUNK);

    if (chunks * blocks < units)
        chunks = plc_conv_within(plc_conv_parts(units, blocks), 1, tiles);
    p->tiles = plc_conv_parts(tiles, chunks);
    p->k_runs = plc_conv_within(plc_conv_parts(units, chunks), 1, blocks);
}

// Tiles and channels of a pass that fit scratch: fewer tiles first, then fewer channels at a time.
static size_t fit_scratch(const plc_lower *lower, conv_params *p)
{
    const size_t most = lower->device->info->local_memory_bytes;
    const int lanes = lower->device->lanes;
    int vectors = plc_channel_vectors(lower, p->C);

    for (;;) {
        p->channels = vectors * lanes;
        const size_t bytes = scratch_bytes(p->tiles * p->channels) +
                             scratch_bytes(p->tiles * PLC_CHANNEL_KT * lanes);
        if (bytes <= most || (p->tiles == 1 && vectors == 1))
            return bytes;
        if (p->tiles > 1)
            p->tiles--;
        else
            vectors = plc_conv_parts(vectors, 2);
    }
}

static pleach_status append_filters(plc_lower *lower, const conv_params *p)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_channel_conv_append(lower->prepare, "channel_winograd", "channel_winograd_filters",
                                PLC_CHANNEL_KT, &launch));
    plc_launch_arg_buffer(launch, lower->weights);
    plc_launch_arg_buffer(launch, lower->scratch);
    plc_launch_arg_value(launch, p, sizeof *p);
    plc_launch_groups(lower->device, launch,
                      (size_t)p->groups * (size_t)plc_channel_blocks(lower, p->K), (size_t)p->C, 1);
done:
    return status;
}

pleach_status plc_channel_winograd_forward(plc_lower *lower, int node, conv_params p,
                                           const plc_conv_buffers *buffers, double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_channel_conv_prepare(lower, node, &p, buffers, WINOGRAD_POINTS, 0));
    TRY(append_filters(lower, &p));
    set_chunks(lower, &p);
    const size_t scratch = fit_scratch(lower, &p);
    TRY(plc_channel_conv_append(lower->list, "channel_winograd", "channel_winograd", PLC_CHANNEL_KT,
                                &launch));
    plc_launch_arg_buffer(launch, buffers->x);
    plc_launch_arg_buffer(launch, buffers->y);
    plc_launch_arg_buffer(launch, buffers->add);
    plc_launch_arg_buffer(launch, lower->scratch);
    plc_launch_arg_local(launch, scratch);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch, (size_t)p.groups * (size_t)p.k_runs,
                      (size_t)plc_conv_parts(n_tiles(&p), p.tiles), 1);
    launch->flops = plc_conv_flops(&p);
    launch->bytes = bytes;
done:
    return status;
}
