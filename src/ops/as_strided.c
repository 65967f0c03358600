// as_strided: values of an image in another order, some of them, some repeatedly: transposes, reshapes, slices
// with steps, broadcasts. The output's values in row-major order are a nest of loops (attrs.view) over the input's, from
// value attrs.offset on; attrs.size are the output's C H W.
#include <as_strided_params.h>
#include <ops/ops.h>
#include <ops/tensor_launch.h>

static long long magnitude(int stride)
{
    return stride < 0 ? -(long long)stride : stride;
}

// Whether no value is visited by two steps of loops that do not repeat: each such loop must step over all that the
// loops of shorter steps span together.
static bool is_distinct(const plc_attrs *a, int n_dims)
{
    for (int i = 0; i < n_dims; i++) {
        long long span = 0;

        for (int j = 0; j < n_dims; j++) {
            const long long shorter = magnitude(a->view[j].stride);

            if (j != i && (shorter < magnitude(a->view[i].stride) ||
                           (shorter == magnitude(a->view[i].stride) && j > i)))
                span += shorter * (a->view[j].size - 1);
        }
        if (a->view[i].stride != 0 && a->view[i].size > 1 && magnitude(a->view[i].stride) <= span)
            return false;
    }
    return true;
}

static pleach_status shape(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = plc_op_input_shape(graph, node, 0);
    const plc_attrs *a = &node->attrs;
    const long long n_in = (long long)x->c * x->h * x->w;
    const int n_dims = plc_view_n_dims(a);
    long long least = a->offset, most = a->offset, count = 1;

    TRY(plc_op_set_shape(ctx, node, a->size[0], a->size[1], a->size[2]));
    const long long n_out = (long long)a->size[0] * a->size[1] * a->size[2];
    for (int i = 0; i < n_dims; i++) {
        const plc_view_dim dim = a->view[i];

        if (dim.size < 1 || dim.size > n_out || (dim.size > 1 && magnitude(dim.stride) > n_in))
            FAIL(ctx, PLEACH_EGRAPH, "as_strided '%s': a loop of %d steps of %d over %lld values",
                 node->name, dim.size, dim.stride, n_in);
        count *= dim.size; // below 2^62: checked after every factor
        *(dim.stride < 0 ? &least : &most) += (long long)dim.stride * (dim.size - 1);
        if (count > n_out)
            break;
    }
    if (count != n_out)
        FAIL(ctx, PLEACH_EGRAPH, "as_strided '%s': its loops do not make %lld values", node->name,
             n_out);
    if (a->offset < 0 || least < 0 || most >= n_in)
        FAIL(ctx, PLEACH_EGRAPH, "as_strided '%s': values %lld to %lld of %lld are read",
             node->name, least, most, n_in);
    if (!is_distinct(a, n_dims))
        FAIL(ctx, PLEACH_EGRAPH, "as_strided '%s': its loops meet a value twice", node->name);
done:
    return status;
}

// Appends the loops that repeat (or do not repeat) values of x.
static int add_loops(const plc_attrs *a, bool repeats, as_strided_params *p, int n, int *product)
{
    int y_strides[PLC_MAX_VIEW_DIMS], y_stride = 1;
    const int n_dims = plc_view_n_dims(a);

    for (int i = n_dims - 1; i >= 0; i--) {
        y_strides[i] = y_stride;
        y_stride *= a->view[i].size;
    }
    *product = 1;
    for (int i = 0; i < n_dims; i++)
        if ((a->view[i].stride == 0) == repeats) {
            p->loops[n++] = (as_strided_loop){a->view[i].size, a->view[i].stride, y_strides[i]};
            *product *= a->view[i].size;
        }
    return n;
}

static as_strided_params make_params(const plc_lower *lower, int node, plc_tensor x, plc_tensor y)
{
    const plc_attrs *a = &lower->graph->nodes[node].attrs;
    const int x_plane = x.shape.h * x.shape.w, y_plane = y.shape.h * y.shape.w;
    as_strided_params p = {
        .x_planes = x.planes * x_plane,
        .x_first = x.first * x_plane,
        .y_planes = y.planes * y_plane,
        .y_first = y.first * y_plane,
        .n_images = lower->n_images,
        .offset = a->offset,
    };

    p.n_dims = add_loops(a, false, &p, 0, &p.n_values);
    p.n_repeats_dims = add_loops(a, true, &p, p.n_dims, &p.n_repeats) - p.n_dims;
    return p;
}

static pleach_status append(plc_lower *lower, const char *kernel, plc_buffer *from, plc_buffer *to,
                            as_strided_params *p, double bytes)
{
    const plc_tiled_launch values = {.file = "as_strided",
                                     .kernel = kernel,
                                     .buffers = (plc_buffer *const[]){from, to},
                                     .n_buffers = 2,
                                     .params = p,
                                     .params_bytes = sizeof *p,
                                     .tile_items = &p->tile_values,
                                     .bytes = bytes};

    return plc_append_pixels_launch(lower, values, p->n_values);
}

static pleach_status forward(plc_lower *lower, const plc_step *step)
{
    const plc_tensor x = plc_lower_value(lower, lower->graph->nodes[step->node].inputs[0]);
    const plc_tensor y = plc_lower_value(lower, step->output);
    as_strided_params p = make_params(lower, step->node, x, y);

    return append(lower, "as_strided_forward", x.buffer, y.buffer, &p,
                  2 * plc_tensor_bytes(lower, y));
}

static pleach_status backward(plc_lower *lower, const plc_step *step)
{
    pleach_status status = PLEACH_OK;
    const int input = lower->graph->nodes[step->node].inputs[0];
    plc_tensor dy, dx;

    TRY(plc_lower_grad(lower, step->output, &dy));
    if (!lower->value_grads[input].buffer)
        return status;
    TRY(plc_lower_grad(lower, input, &dx)); // 0 where nothing was written yet
    as_strided_params p = make_params(lower, step->node, dx, dy);
    TRY(append(lower, "as_strided_backward", dy.buffer, dx.buffer, &p,
               3 * plc_tensor_bytes(lower, dy)));
done:
    return status;
}

const struct op op_as_strided = {
    .name = "as_strided",
    .n_inputs = 1,
    .attrs = PLC_ATTR_SIZE | PLC_ATTR_VIEW | PLC_ATTR_OFFSET,
    .shape = shape,
    .channels = plc_op_channels_freeze,
    .cost = plc_op_cost_of_pass,
    .forward = forward,
    .backward = backward,
};
