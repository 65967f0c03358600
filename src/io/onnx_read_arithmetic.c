// Reading ONNX: sums, differences, products and quotients.
#include <io/onnx_reader.h>

#include <string.h>

static bool is(const Onnx__NodeProto *n, const char *op)
{
    return strcmp(n->op_type, op) == 0;
}

pleach_status plc_onnx_affine(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *suffix,
                              const float *scale, const float *shift, int *node)
{
    pleach_status status = PLEACH_OK;
    const int channels = r->graph->nodes[*node].shape.c;
    const plc_attrs attrs = {
        .out_channels = channels, .kernel = {1, 1}, .groups = channels, .bias = shift != NULL};
    float *ones = NULL;

    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)channels, sizeof *ones, &ones));
    for (int c = 0; c < channels; c++)
        ones[c] = 1;
    TRY(plc_onnx_add(r, n, "conv", suffix, &(int){*node}, 1, &attrs, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, scale ? scale : ones, (size_t)channels));
    if (shift)
        TRY(plc_onnx_set_param(r, n, *node, 1, shift, (size_t)channels));
done:
    return status;
}

// Before opset 7 a constant's dimensions stand from `axis` on, not at the end: ones are put behind them.
static pleach_status line_up(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *x,
                             plc_onnx_value *constant)
{
    pleach_status status = PLEACH_OK;
    int axis = 0;

    if (!plc_onnx_attr(n, "axis"))
        return status;
    TRY(plc_onnx_axis(r, n, x->n_dims, 0, &axis));
    if (axis + constant->n_dims > x->n_dims)
        TRY(plc_onnx_fail(r, n, "%d dimensions from axis %d of %d", constant->n_dims, axis,
                          x->n_dims));
    while (axis + constant->n_dims < x->n_dims)
        constant->dims[constant->n_dims++] = 1;
done:
    return status;
}

// What `values` of a constant do to x as y = scale x + shift; either may be left at NULL.
static pleach_status make_affine(plc_onnx_reader *r, const Onnx__NodeProto *n, bool constant_first,
                                 const float *values, size_t count, float **scale, float **shift)
{
    pleach_status status = PLEACH_OK;
    const bool scales = is(n, "Mul") || is(n, "Div"), negates = is(n, "Sub") && constant_first;

    *scale = *shift = NULL;
    if (is(n, "Div") && constant_first)
        TRY(plc_onnx_fail(r, n, "a constant divided by what comes of images is not read"));
    if (scales || negates)
        TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof **scale, scale));
    if (!scales)
        TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof **shift, shift));
    for (size_t i = 0; i < count; i++) {
        if (*scale)
            (*scale)[i] = is(n, "Div") ? 1 / values[i] : negates ? -1 : values[i];
        if (*shift)
            (*shift)[i] = is(n, "Sub") && !constant_first ? -values[i] : values[i];
    }
done:
    return status;
}

bool plc_onnx_is_per_channel(const plc_onnx_reader *r, const plc_onnx_value *x, int64_t channels,
                             const plc_onnx_value *constant)
{
    const int channel_dim = constant->n_dims - (x->n_dims - 1);

    if (constant->count == 1)
        return true;
    return x->n_dims > 1 && (!r->whole || x->dims[0] == 1) && x->dims[1] == channels &&
           channel_dim >= 0 && constant->count == (size_t)channels &&
           constant->dims[channel_dim] == channels;
}

pleach_status plc_onnx_channel_values(plc_onnx_reader *r, const plc_onnx_value *constant,
                                      size_t channels, const float **values)
{
    pleach_status status = PLEACH_OK;
    float *made = NULL;

    TRY(plc_onnx_take(r->ctx, &r->arena, channels, sizeof *made, &made));
    for (size_t c = 0; c < channels; c++)
        made[c] = constant->floats[constant->count == 1 ? 0 : c];
    *values = made;
done:
    return status;
}

static pleach_status add_values(plc_onnx_reader *r, const Onnx__NodeProto *n, float *scale,
                                float *shift, size_t count, int *node)
{
    pleach_status status = PLEACH_OK;
    float *missing = NULL;

    if (!scale || !shift)
        TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *missing, &missing));
    for (size_t i = 0; missing && i < count; i++)
        missing[i] = scale ? 0 : 1;
    TRY(plc_onnx_add(r, n, "affine", "", &(int){*node}, 1, NULL, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, scale ? scale : missing, count));
    TRY(plc_onnx_set_param(r, n, *node, 1, shift ? shift : missing, count));
done:
    return status;
}

// What comes of images and a constant, in either order.
static pleach_status with_constant(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                   bool constant_first)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    const float *values = NULL;
    float *scale = NULL, *shift = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0, n_dims = 0;
    size_t count = 0;

    TRY(plc_onnx_input_node(r, n, constant_first ? 1 : 0, 0, &x));
    TRY(plc_onnx_input_floats(r, n, constant_first ? 0 : 1, &given));
    plc_onnx_value constant = *given;
    TRY(line_up(r, n, x, &constant));
    TRY(plc_onnx_broadcast(r, n, x, &constant, dims, &n_dims));
    TRY(plc_onnx_expand_to(r, n, x, dims, n_dims, &node));
    const int channels = r->graph->nodes[node].shape.c;
    if (node == x->node && plc_onnx_is_per_channel(r, x, channels, &constant)) {
        count = (size_t)channels;
        TRY(plc_onnx_channel_values(r, &constant, count, &values));
        TRY(make_affine(r, n, constant_first, values, count, &scale, &shift));
        TRY(plc_onnx_affine(r, n, "", scale, shift, &node));
    } else {
        TRY(plc_onnx_repeat_floats(r, n, &constant, dims, n_dims, &values, &count));
        TRY(make_affine(r, n, constant_first, values, count, &scale, &shift));
        TRY(add_values(r, n, scale, shift, count, &node));
    }
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}

// The negative of a node's values behind it.
static pleach_status negate(plc_onnx_reader *r, const Onnx__NodeProto *n, int *node)
{
    pleach_status status = PLEACH_OK;
    const int channels = r->graph->nodes[*node].shape.c;
    float *scale = NULL;

    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)channels, sizeof *scale, &scale));
    for (int c = 0; c < channels; c++)
        scale[c] = -1;
    TRY(plc_onnx_affine(r, n, ".negative", scale, NULL, node));
done:
    return status;
}

static bool is_gate(const plc_shape *gate, const plc_shape *of)
{
    return gate->c == of->c && gate->h == 1 && gate->w == 1;
}

// The nodes of a product where one is a pixel for each channel of the other, which comes last here.
static bool order_gate(const plc_onnx_reader *r, const plc_onnx_value *a, const plc_onnx_value *b,
                       int nodes[2])
{
    const plc_shape *first = plc_onnx_shape(r, a), *second = plc_onnx_shape(r, b);
    const bool second_is_gate = is_gate(second, first);

    // Channels must be the same dimension of both, and what lies before them, of one image, nothing.
    if (r->whole && (a->dims[0] != 1 || b->dims[0] != 1))
        return false;
    if (a->n_dims != b->n_dims || a->n_dims < 2 || a->dims[1] != b->dims[1] ||
        first->c != a->dims[1] || (!second_is_gate && !is_gate(first, second)))
        return false;
    nodes[0] = second_is_gate ? a->node : b->node;
    nodes[1] = second_is_gate ? b->node : a->node;
    return true;
}

// Both repeated to the same dimensions, and with the same C H W.
static pleach_status match(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *a,
                           const plc_onnx_value *b, const int64_t *dims, int n_dims, int nodes[2])
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_expand_to(r, n, a, dims, n_dims, &nodes[0]));
    TRY(plc_onnx_expand_to(r, n, b, dims, n_dims, &nodes[1]));
    const int other = nodes[0] == a->node ? 1 : 0; // one that is new already follows the other
    TRY(plc_onnx_regroup(r, n, r->graph->nodes[nodes[1 - other]].shape, &nodes[other]));
done:
    return status;
}

static pleach_status of_images(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *a = NULL, *b = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int nodes[2], node = 0, n_dims = 0;

    if (is(n, "Div"))
        TRY(plc_onnx_fail(r, n, "of two values that both come of images is not read"));
    TRY(plc_onnx_input_node(r, n, 0, 0, &a));
    TRY(plc_onnx_input_node(r, n, 1, 0, &b));
    TRY(plc_onnx_broadcast(r, n, a, b, dims, &n_dims));
    if (!is(n, "Mul") || !order_gate(r, a, b, nodes))
        TRY(match(r, n, a, b, dims, n_dims, nodes));
    if (is(n, "Sub"))
        TRY(negate(r, n, &nodes[1]));
    TRY(plc_onnx_add(r, n, is(n, "Mul") ? "mul" : "add", "", nodes, 2, NULL, &node));
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}

pleach_status plc_onnx_arithmetic(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    const plc_onnx_kind a = plc_onnx_input_kind(r, n, 0), b = plc_onnx_input_kind(r, n, 1);

    if (a == PLC_ONNX_INTS && b == PLC_ONNX_INTS)
        return plc_onnx_arithmetic_ints(r, n);
    if (a == PLC_ONNX_FLOATS || b == PLC_ONNX_FLOATS)
        return with_constant(r, n, a == PLC_ONNX_FLOATS);
    return of_images(r, n);
}

// Additions one after the other, of images that have the same dimensions.
pleach_status plc_onnx_sum(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *first = NULL, *x = NULL;

    TRY(plc_onnx_input_node(r, n, 0, 0, &first));
    int node = first->node;
    for (int i = 1; i < (int)n->n_input; i++) {
        TRY(plc_onnx_input_node(r, n, i, first->n_dims, &x));
        if (memcmp(x->dims, first->dims, (size_t)x->n_dims * sizeof *x->dims) != 0)
            TRY(plc_onnx_fail(r, n, "inputs 0 and %d differ in their dimensions", i));
        int nodes[] = {node, x->node};
        TRY(plc_onnx_regroup(r, n, r->graph->nodes[node].shape, &nodes[1]));
        TRY(plc_onnx_add(r, n, "add", i + 1 < (int)n->n_input ? ".part" : "", nodes, 2, NULL,
                         &node));
    }
    plc_onnx_set_node(r, n, node, first->dims, first->n_dims);
done:
    return status;
}

pleach_status plc_onnx_negate(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    int node = x->node;
    TRY(negate(r, n, &node));
    plc_onnx_set_node(r, n, node, x->dims, x->n_dims);
done:
    return status;
}
