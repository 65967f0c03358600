// Reading ONNX: operators that map pixel to pixel, and those that leave their input as it is.
#include <io/onnx_reader.h>

#include <string.h>

// What is one value or a value per channel of x, into channel_values[C].
static pleach_status per_channel(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *x, const plc_onnx_value *constant,
                                 float **values)
{
    pleach_status status = PLEACH_OK;
    const int channels = plc_onnx_shape(r, x)->c;
    // Dimensions are lined up at their ends: the channel's is the second of x.
    const int channel_dim = constant->n_dims - (x->rank - 1);
    const bool fits = constant->count == 1 ||
                      (constant->count == (size_t)channels && channel_dim >= 0 &&
                       constant->n_dims <= x->rank && constant->dims[channel_dim] == channels);

    if (!fits)
        TRY(plc_onnx_fail(
            r, n,
            "a constant of %zu values in %d dimensions meets %d channels; one value, or "
            "one for each channel is read",
            constant->count, constant->n_dims, channels));
    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)channels, sizeof **values, values));
    for (int c = 0; c < channels; c++)
        (*values)[c] = constant->floats[constant->count == 1 ? 0 : c];
done:
    return status;
}

// y[c] = scale[c] x[c] + shift[c] is a convolution of each channel with one weight; scale or shift may be NULL.
static pleach_status add_affine(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *x, const float *scale, const float *shift)
{
    pleach_status status = PLEACH_OK;
    const int channels = plc_onnx_shape(r, x)->c;
    const plc_attrs attrs = {
        .out_channels = channels, .kernel = {1, 1}, .groups = channels, .bias = shift != NULL};
    float *ones = NULL;
    int node = 0;

    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)channels, sizeof *ones, &ones));
    for (int c = 0; c < channels; c++)
        ones[c] = 1;
    TRY(plc_onnx_add(r, n, "conv", "", &x->node, 1, &attrs, &node));
    TRY(plc_onnx_set_param(r, n, node, 0, scale ? scale : ones, (size_t)channels));
    if (shift)
        TRY(plc_onnx_set_param(r, n, node, 1, shift, (size_t)channels));
    plc_onnx_set_node(r, n, node, x->rank);
done:
    return status;
}

static bool is(const Onnx__NodeProto *n, const char *op)
{
    return strcmp(n->op_type, op) == 0;
}

// Images and a constant, in either order.
static pleach_status with_constant(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                   bool constant_first)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *constant = NULL;
    float *scale = NULL, *shift = NULL;

    TRY(plc_onnx_input_node(r, n, constant_first ? 1 : 0, 0, &x));
    TRY(plc_onnx_input_floats(r, n, constant_first ? 0 : 1, &constant));
    const int channels = plc_onnx_shape(r, x)->c;
    TRY(per_channel(r, n, x, constant, is(n, "Mul") || is(n, "Div") ? &scale : &shift));
    if (is(n, "Div") && constant_first)
        TRY(plc_onnx_fail(r, n, "a constant divided by images is not read"));
    if (is(n, "Sub") && constant_first)
        TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)channels, sizeof *scale, &scale));
    for (int c = 0; c < channels; c++) {
        if (is(n, "Div"))
            scale[c] = 1 / scale[c];
        else if (is(n, "Sub") && constant_first)
            scale[c] = -1;
        else if (is(n, "Sub"))
            shift[c] = -shift[c];
    }
    TRY(add_affine(r, n, x, scale, shift));
done:
    return status;
}

static pleach_status of_images(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *a = NULL, *b = NULL;
    int node = 0;

    if (!is(n, "Add") && !is(n, "Mul"))
        TRY(plc_onnx_fail(r, n, "of two values that both come of images is not read"));
    TRY(plc_onnx_input_node(r, n, 0, 0, &a));
    TRY(plc_onnx_input_node(r, n, 1, a->rank, &b));
    int inputs[] = {a->node, b->node};
    const plc_shape *first = plc_onnx_shape(r, a), *second = plc_onnx_shape(r, b);
    if (is(n, "Mul") && first->h * first->w < second->h * second->w) { // the gate comes last here
        inputs[0] = b->node;
        inputs[1] = a->node;
    }
    TRY(plc_onnx_add(r, n, is(n, "Add") ? "add" : "mul", "", inputs, 2, NULL, &node));
    plc_onnx_set_node(r, n, node, a->rank);
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

// The axis of a node: `missing` where it is absent; from 0 to rank - 1.
static pleach_status read_axis(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank, int missing,
                               int *axis)
{
    pleach_status status = PLEACH_OK;
    int64_t given = 0;

    TRY(plc_onnx_int(r, n, "axis", missing, &given));
    if (given < -rank || given >= rank)
        TRY(plc_onnx_fail(r, n, "axis %lld of %d dimensions", (long long)given, rank));
    *axis = (int)(given < 0 ? given + rank : given);
done:
    return status;
}

pleach_status plc_onnx_concat(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int *inputs = NULL, axis = 0, node = 0, rank = 0;

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return plc_onnx_concat_ints(r, n);
    TRY(plc_onnx_take(r->ctx, &r->arena, n->n_input, sizeof *inputs, &inputs));
    for (size_t i = 0; i < n->n_input; i++) {
        TRY(plc_onnx_input_node(r, n, (int)i, rank, &x));
        inputs[i] = x->node;
        rank = x->rank;
    }
    TRY(read_axis(r, n, rank, 1, &axis));
    if (axis != 1)
        TRY(plc_onnx_fail(r, n, "along axis %d; only channels, axis 1, are read", axis));
    TRY(plc_onnx_add(r, n, "concat", "", inputs, (int)n->n_input, NULL, &node));
    plc_onnx_set_node(r, n, node, rank);
done:
    return status;
}

// What changes nothing at inference.
pleach_status plc_onnx_identity(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    const plc_onnx_value *x = plc_onnx_has_input(n, 0) ? plc_onnx_find(r, n->input[0]) : NULL;

    if (!x || x->kind == PLC_ONNX_UNKNOWN)
        return plc_onnx_fail(r, n, "input 0 is missing");
    plc_onnx_set_same(r, n, x);
    return PLEACH_OK;
}

// At the end of the network it is left out.
pleach_status plc_onnx_softmax(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int axis = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(read_axis(r, n, x->rank, r->opset < 13 ? 1 : -1, &axis));
    const plc_shape *shape = plc_onnx_shape(r, x);
    if (axis != 1 || shape->h != 1 || shape->w != 1 ||
        strcmp(n->output[0], plc_onnx_text(r->file->output[0]->name)) != 0)
        TRY(plc_onnx_fail(r, n, "only a softmax over classes at the end of a network is read"));
    plc_log(r->ctx, PLEACH_LOG_INFO, "%s '%s' is left out: logits are what is trained and compared",
            n->op_type, plc_onnx_text(n->name));
    plc_onnx_set_same(r, n, x);
done:
    return status;
}
