// resize: images of attrs.size[1] x attrs.size[2] pixels. Output row p lies over input row scale[0] p + shift[0],
// columns the same; attrs.mode says what is read there: the pixel before or behind, or an interpolation.
#include <math.h>
#include <resize_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

// Places beyond have no use, and stay within an int when they are rounded.
static const float PLACE_MAX = 1e6f;

// Whether all places lie on the image's pixels, each as wide as 1: then some weight of RESIZE_CUBIC_INSIDE is not 0.
static bool lies_on(const plc_attrs *a, int axis, int n_pixels)
{
    const float first = a->shift[axis];
    const float last = first + a->scale[axis] * (float)(a->size[1 + axis] - 1);

    return first > -0.501f && last < (float)n_pixels - 0.499f;
}

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    bool good =
        a->mode >= PLC_RESIZE_FLOOR && a->mode <= PLC_RESIZE_CUBIC_INSIDE && isfinite(a->alpha);

    for (int i = 0; i < 2; i++) // written so that a NaN fails too
        good = good && a->scale[i] >= 0 && fabsf(a->shift[i]) < PLACE_MAX &&
               (float)a->size[1 + i] * a->scale[i] < PLACE_MAX &&
               (a->mode != PLC_RESIZE_CUBIC_INSIDE || lies_on(a, i, i == 0 ? x->h : x->w));
    if (!good)
        return plc_fail(ctx, PLEACH_EGRAPH, "resize '%s': mode %d, rows %g p %+g, columns %g q %+g",
                        node->name, a->mode, (double)a->scale[0], (double)a->shift[0],
                        (double)a->scale[1], (double)a->shift[1]);
    return plc_op_set_shape(ctx, node, x->c, a->size[1], a->size[2]);
}

static resize_params make_params(const plc_lower *lower, int node, plc_tensor x, plc_tensor y)
{
    const plc_attrs *a = &lower->graph->nodes[node].attrs;

    return (resize_params){
        .C = x.shape.c,
        .rows = {x.shape.h, y.shape.h, a->scale[0], a->shift[0]},
        .columns = {x.shape.w, y.shape.w, a->scale[1], a->shift[1]},
        .n_images = lower->n_images,
        .x_planes = x.planes,
        .x_first = x.first,
        .y_planes = y.planes,
        .y_first = y.first,
        .mode = a->mode,
        .a = a->alpha,
    };
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *from, plc_buffer *to,
                            resize_params *p, int rows, int columns, double bytes)
{
    plc_launch *launch = NULL;
    const plc_tiled_launch tiled = {.file = "resize",
                                    .kernel = kernel,
                                    .buffers = (plc_buffer *const[]){from, to},
                                    .n_buffers = 2,
                                    .result = 1,
                                    .params = p,
                                    .params_bytes = sizeof *p,
                                    .tile_items = &p->tile_rows,
                                    .tile_channels = &p->tile_channels,
                                    .n_channels = p->C,
                                    .n_items = rows,
                                    .item_pixels = columns,
                                    .bytes = bytes};

    return plc_append_tiled_launch(lower, &tiled, &launch);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    resize_params p = make_params(lower, step->node, x, y);

    return append(lower, "resize_forward", x.buffer, y.buffer, &p, p.rows.out, p.columns.out,
                  plc_tensor_bytes(lower, x) + plc_tensor_bytes(lower, y));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    plc_step_grads g;

    TRY(plc_lower_step_grads(lower, step, &g));
    if (!g.wanted)
        return status;
    resize_params p = make_params(lower, step->node, g.dx, g.dy);
    p.accumulate = g.accumulate;
    TRY(append(lower, "resize_backward", g.dy.buffer, g.dx.buffer, &p, p.rows.in, p.columns.in,
               plc_tensor_bytes(lower, g.dy) + (1 + g.accumulate) * plc_tensor_bytes(lower, g.dx)));
done:
    return status;
}

const struct op op_resize = {
    .name = "resize",
    .n_inputs = 1,
    .attrs = PLC_ATTR_SIZE | PLC_ATTR_SCALE | PLC_ATTR_SHIFT | PLC_ATTR_MODE | PLC_ATTR_ALPHA,
    .shape = shape,
    .channels = plc_op_channels_pass,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
