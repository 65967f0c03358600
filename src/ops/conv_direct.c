// Launches of the direct kernels: cl/conv.cl and cl/conv_grad_weight.cl.
#include <ops/conv_launch.h>

#include <limits.h>
#include <stdio.h>
#include <ops/tensor_launch.h>

// Output channels and pixels of a tile. In vectors 8 x 2 was the fastest of five on 3 to 256 channels, 1x1
// and 3x3, with AVX-512, and 4 x 2 of four with AVX2; on GPUs 4 x 4 gives 35 % of multiply-adds in the main loop where 8 x 2 gives 27 %, because
// weights take scalar registers.
typedef struct conv_tile {
    int n_out, n_pixels;
} conv_tile;

static conv_tile tile_of(const plc_lower *lower)
{
    const plc_fixed_tile fixed = lower->device->fixed_tile;

    if (fixed.n_out > 0)
        return (conv_tile){fixed.n_out, fixed.n_pixels};
    if (!lower->device->vector_lanes)
        return (conv_tile){4, 4};
    return plc_conv_few_registers(lower) ? (conv_tile){4, 2} : (conv_tile){8, 2};
}

// Kernels of these widths get their own variant; it is up to a tenth faster than the one for any
// width.
enum { FIXED_WIDTH_MIN = 2, FIXED_WIDTH_MAX = 7, FIXED_STRIDE_MAX = 2 };

// Widest kernels that work-items unroll whole (TAP_STEP): a row of a wider one has loads enough, and whole it takes
// compilers many seconds.
enum { WHOLE_WIDTH_MAX = 3 };

// Multiply-adds that repay starting a work-group on a CPU; a GPU wants many small groups.
enum { VECTOR_GROUP_WORK = 1 << 16 };

// Pixels that one split of the weight gradient's sum over the batch should have at least: on a CPU
// so many that adding the lanes at its end goes unnoticed; a GPU needs thousands of groups.
enum { VECTOR_SPLIT_PIXELS = 4096, WORK_ITEM_SPLIT_PIXELS = 128 };

// A GPU's splits at most: each has sums of all weights in the workspace, and with the tiles of weights there are thousands
// of groups by then.
enum { WORK_ITEM_SPLITS_MAX = 256 };

// Work-groups along the second axis of a grid: NVIDIA's GPUs take no more, and 512x512 pixels cut into tiles are.
enum { GROUPS_MAX = 65535 };

enum { OPTIONS_MAX = 96, TILE_OPTION_MAX = 32 };

static bool has_fixed_variant(const plc_lower *lower, const conv_params *p)
{
    return lower->device->fixed_tile.n_out == 0 && p->dilation_w == 1 && p->S >= FIXED_WIDTH_MIN &&
           p->S <= FIXED_WIDTH_MAX && p->stride_w <= FIXED_STRIDE_MAX;
}

static const char *one_tile(const plc_lower *lower)
{
    return lower->device->fixed_tile.n_out > 0 ? " -DONE_TILE" : "";
}

// Width and stride that are compiled in: 0 for the variant for any.
static const char *write_options(const plc_lower *lower, const conv_params *p, int n_out,
                                 const char *more, char *options)
{
    const bool fixed = has_fixed_variant(lower, p);

    snprintf(options, OPTIONS_MAX, "-DOT=%d -DKERNEL_S=%d -DSTRIDE=%d%s%s", n_out, fixed ? p->S : 0,
             fixed ? p->stride_w : 0, more, one_tile(lower));
    return options;
}

// Tile of the weight gradient: channels out and in, and kernel rows that a work-group computes. Its sums
// fit 32 registers.
typedef struct grad_tile {
    int n_out, n_in, rows;
} grad_tile;

static grad_tile tile_of_gradient(const plc_lower *lower, const conv_params *p)
{
    if (!has_fixed_variant(lower, p))
        return (grad_tile){4, 4, 1};
    if (p->S == 3 && p->R == 3)
        return (grad_tile){3, 1, 3};
    return p->S <= 3 ? (grad_tile){4, 2, 1} : (grad_tile){4, 1, 1};
}

static const char *write_weight_options(const plc_lower *lower, const conv_params *p, char *options)
{
    const grad_tile tile = tile_of_gradient(lower, p);
    char more[TILE_OPTION_MAX];

    snprintf(more, sizeof more, " -DCT=%d -DKERNEL_R=%d", tile.n_in, tile.rows);
    return write_options(lower, p, tile.n_out, more, options);
}

// Appends a launch whose work-groups compute rows of a tile of a group's n_out channels, n_rows rows of
// n_columns pixels in all. row_work: multiply-adds of one row of one channel. On a CPU a group has one or several whole
// rows; a GPU gets a group for each tile of pixels: it needs thousands at a time to hide its memory's latency.
static pleach_status append_rows(plc_lower *lower, const char *kernel, const char *options,
                                 plc_buffer *const *buffers, int n_buffers, conv_params *p,
                                 int n_out, int n_rows, int n_columns, double row_work,
                                 plc_launch **launch)
{
    pleach_status status = PLEACH_OK;
    const conv_tile tile = tile_of(lower);
    const int tile_out = tile.n_out;
    const double tile_row = row_work * (n_out < tile_out ? n_out : tile_out);

    if (lower->device->vector_lanes && tile_row < VECTOR_GROUP_WORK)
        p->rows =
            tile_row * n_rows < VECTOR_GROUP_WORK ? n_rows : (int)(VECTOR_GROUP_WORK / tile_row);
    if (!lower->device->vector_lanes && lower->device->fixed_tile.n_out == 0) {
        p->strips = plc_conv_within(plc_conv_parts(n_columns, tile.n_pixels), 1, GROUPS_MAX);
        p->rows = plc_conv_parts(n_rows, plc_conv_within(GROUPS_MAX / p->strips, 1, n_rows));
    }
    TRY(plc_launch_add(lower->list, "conv", kernel, options, launch));
    for (int i = 0; i < n_buffers; i++)
        plc_launch_arg_buffer(*launch, buffers[i]);
    plc_launch_arg_value(*launch, p, sizeof *p);
    plc_launch_groups(
        lower->device, *launch, (size_t)p->groups * (size_t)plc_conv_parts(n_out, tile_out),
        (size_t)plc_conv_parts(n_rows, p->rows) * (size_t)p->strips, (size_t)p->n_blocks);
    (*launch)->flops = plc_conv_flops(p);
done:
    return status;
}

static const char *tap_step_option(const plc_lower *lower, const conv_params *p)
{
    if (lower->device->vector_lanes || !has_fixed_variant(lower, p) || p->S > WHOLE_WIDTH_MAX)
        return "";
    return p->flags & CONV_FLIP ? " -DTAP_STEP=-1" : " -DTAP_STEP=1";
}

pleach_status plc_direct_forward(plc_lower *lower, conv_params p, const plc_conv_buffers *buffers,
                                 double bytes)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    const conv_tile tile = tile_of(lower);
    char options[OPTIONS_MAX], more[TILE_OPTION_MAX];

    snprintf(more, sizeof more, " -DPT=%d%s", tile.n_pixels, tap_step_option(lower, &p));
    TRY(append_rows(lower, "conv_forward", write_options(lower, &p, tile.n_out, more, options),
                    PLC_BUFFERS(buffers->x, lower->weights, buffers->y, buffers->add,
                                buffers->scale, buffers->shift),
                    &p, p.K, p.P, p.Q, (double)p.Q * p.C * p.R * p.S, &launch));
    launch->bytes = bytes;
done:
    return status;
}

// Of a stride above 1.
static pleach_status append_strided(plc_lower *lower, conv_params p, plc_buffer *dy, plc_buffer *dx,
                                    double bytes)
{
    pleach_status status = PLEACH_OK;
    const double row_work = (double)p.W * p.K * p.R * p.S / p.stride_h / p.stride_w;
    const conv_tile tile = tile_of(lower);
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    snprintf(options, sizeof options, "-DOT=%d -DPT=%d -DGRAD_DATA_STRIDED%s", tile.n_out,
             tile.n_pixels, one_tile(lower));
    TRY(append_rows(lower, "conv_grad_data_strided", options, PLC_BUFFERS(dy, lower->weights, dx),
                    &p, p.C, p.H, plc_conv_parts(p.W, p.stride_w), row_work, &launch));
    launch->bytes = bytes;
done:
    return status;
}

pleach_status plc_direct_grad_data(plc_lower *lower, conv_params p, plc_buffer *dy, plc_buffer *dx,
                                   double bytes)
{
    if (p.stride_h > 1 || p.stride_w > 1)
        return append_strided(lower, p, dy, dx, bytes);
    p = plc_conv_of_gradient(&p);
    p.flags |= CONV_FLIP;
    return plc_direct_forward(
        lower, p, &(plc_conv_buffers){dy, dx, dx, lower->weights, lower->weights, dx}, bytes);
}

// Cuts the sum over the batch, first between image blocks, then between rows: by the plane and the
// batch only, so that a compacted layer adds in the same order.
static void set_splits(const plc_lower *lower, conv_params *p)
{
    const bool vectors = lower->device->vector_lanes;
    const long long pixels = (long long)p->n_blocks * p->P * p->Q;
    const long long parts = pixels / (vectors ? VECTOR_SPLIT_PIXELS : WORK_ITEM_SPLIT_PIXELS);
    const int most = vectors ? INT_MAX : WORK_ITEM_SPLITS_MAX;
    const int wanted = parts < most ? (int)parts : most;

    p->splits = plc_conv_within(wanted, 1, p->n_blocks);
    p->rows = plc_conv_parts(p->P, plc_conv_within(wanted / p->splits, 1, p->P));
}

pleach_status plc_conv_reduce_append(plc_lower *lower, const conv_params *p)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_append_tensor_launch(lower->list, "conv_reduce", "conv_grad_weight_reduce",
                                 PLC_BUFFERS(lower->workspace, lower->grads), p, sizeof *p,
                                 &launch));
    plc_launch_items(launch, (size_t)(p->groups * p->K * p->C * p->R * p->S));
    launch->bytes = plc_conv_weight_bytes(p) * (p->splits * plc_conv_parts(p->P, p->rows) + 2);
done:
    return status;
}

pleach_status plc_direct_grad_weight(plc_lower *lower, conv_params p, plc_tensor x, plc_tensor dy)
{
    pleach_status status = PLEACH_OK;
    const int n_weights = p.groups * p.K * p.C * p.R * p.S;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    set_splits(lower, &p);
    const int n_chunks = plc_conv_parts(p.P, p.rows), n_splits = p.splits * n_chunks;
    const grad_tile tile = tile_of_gradient(lower, &p);
    const int tiles = plc_conv_parts(p.K, tile.n_out) * plc_conv_parts(p.C, tile.n_in);
    plc_lower_workspace(lower, (size_t)n_weights * (size_t)n_splits);
    write_weight_options(lower, &p, options);
    TRY(plc_launch_add(lower->list, "conv_grad_weight", "conv_grad_weight", options, &launch));
    plc_launch_arg_buffer(launch, x.buffer);
    plc_launch_arg_buffer(launch, dy.buffer);
    plc_launch_arg_buffer(launch, lower->workspace);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch,
                      (size_t)p.groups * (size_t)tiles *
                          (size_t)(has_fixed_variant(lower, &p) ? p.R / tile.rows : p.R * p.S),
                      (size_t)n_chunks, (size_t)p.splits);
    launch->flops = plc_conv_flops(&p);
    launch->bytes = plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, dy) +
                    plc_conv_weight_bytes(&p) * n_splits;
    TRY(plc_conv_reduce_append(lower, &p));
done:
    return status;
}

pleach_status plc_direct_grad_bias(plc_lower *lower, conv_params p, plc_tensor dy)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;
    char options[OPTIONS_MAX];

    // In the program that the weight gradient uses anyway.
    write_weight_options(lower, &p, options);
    TRY(plc_launch_add(lower->list, "conv_grad_weight", "conv_grad_bias", options, &launch));
    plc_launch_arg_buffer(launch, dy.buffer);
    plc_launch_arg_buffer(launch, lower->grads);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_groups(lower->device, launch, (size_t)p.groups * (size_t)p.K, 1, 1);
    launch->bytes = plc_tensor_bytes(lower, dy);
done:
    return status;
}
