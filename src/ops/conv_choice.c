// Which way computes a convolution: by rule, or as the tuner has measured it.
#include <ops/conv_launch.h>

#include <stdio.h>
#include <kernel/tuner.h>

// Buffers of a measurement.
enum { X, WEIGHTS, Y, WORKSPACE, N_BUFFERS };

enum { DIRECT, WINOGRAD, N_WAYS, CLASS_MAX = 80 };

// Winograd's transforms round more: 5e-6 of the results' size, measured on 64 to 512 channels.
static const double TOLERANCE = 1e-4;

typedef struct trial {
    plc_lower *lower;
    int node;
    conv_params p;
    int ways[N_WAYS]; // the default first
} trial;

// A plc_tune_append: the forward convolution as training computes it.
static pleach_status append_way(plc_launch_list *list, const void *user, int candidate,
                                plc_buffer *const *buffers)
{
    const trial *t = user;
    plc_lower lower = *t->lower;
    const plc_conv_buffers views = {.x = buffers[X],
                                    .y = buffers[Y],
                                    .add = buffers[Y],
                                    .scale = buffers[WEIGHTS],
                                    .shift = buffers[WEIGHTS],
                                    .sums = buffers[Y]};

    lower.list = list;
    lower.weights = buffers[WEIGHTS];
    lower.workspace = buffers[WORKSPACE];
    lower.training = true;
    return t->ways[candidate] == WINOGRAD ? plc_winograd_forward(&lower, t->node, t->p, &views, 0)
                                          : plc_direct_forward(&lower, t->p, &views, 0);
}

// Memory of a tensor in floats: lanes are at least two, so halfs fill whole ones.
static size_t tensor_floats(const trial *t, int channels, int height, int width)
{
    const pleach_device *device = t->lower->device;

    return (size_t)t->p.n_blocks * (size_t)device->lanes * (size_t)channels * (size_t)height *
           (size_t)width * (size_t)device->value_bytes / sizeof(float);
}

// The layer alone: its tensors are whole buffers, its weights begin the arena.
static void isolate(trial *t)
{
    t->p.x_planes = t->p.C;
    t->p.y_planes = t->p.add_planes = t->p.K;
    t->p.x_first = t->p.y_first = t->p.add_first = 0;
    t->p.w_offset = t->p.bias_offset = t->p.flags = 0;
}

pleach_status plc_conv_choose(plc_lower *lower, int node, conv_params p, bool *winograd)
{
    pleach_status status = PLEACH_OK;
    static const char *const all_names[N_WAYS] = {"direct", "winograd 4x4"};
    const int preferred = plc_winograd_preferred(lower, &p) ? WINOGRAD : DIRECT;
    trial t = {lower, node, p, {preferred, !preferred}};
    const char *const names[N_WAYS] = {all_names[preferred], all_names[!preferred]};
    char shape[CLASS_MAX];
    int chosen = 0;

    *winograd = false;
    if (!plc_winograd_suits(lower, node))
        goto done;
    isolate(&t);
    snprintf(shape, sizeof shape, "%dx%d pad %dx%d images %d", p.H, p.W, p.pad_h, p.pad_w,
             plc_tune_round(p.n_images));
    const plc_tune_problem problem = {
        .operation = "conv 3x3",
        .shape = shape,
        .names = names,
        .n_candidates = N_WAYS,
        .append = append_way,
        .user = &t,
        .buffer_floats = {[X] = tensor_floats(&t, p.C, p.H, p.W),
                          [WEIGHTS] = (size_t)(p.K * p.C * p.R * p.S),
                          [Y] = tensor_floats(&t, p.K, p.P, p.Q),
                          [WORKSPACE] = plc_winograd_filter_floats(lower, &p)},
        .n_buffers = N_BUFFERS,
        .result = Y,
        .result_is_tensor = true,
        .changes_bits = true,
        .tolerance = TOLERANCE,
    };
    TRY(plc_tuner_choose(lower->device, &problem, &chosen));
    *winograd = t.ways[chosen] == WINOGRAD;
done:
    return status;
}
