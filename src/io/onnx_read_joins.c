// Reading ONNX: values put together. Along channels that is `concat`, which pruning sees through; along other axes they
// are brought in front, and back.
#include <io/onnx_reader.h>

#include <string.h>

// What is not computed of images among values to be joined: zero times something that is, plus the constant.
static pleach_status add_constant(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *constant, const plc_onnx_value *like,
                                  plc_onnx_value *made)
{
    pleach_status status = PLEACH_OK;
    const int n_dims = constant->n_dims, first = plc_onnx_first_dim(r);
    const float *values = NULL;
    float *zeros = NULL;
    size_t count = 0;

    *made = *constant;
    made->kind = PLC_ONNX_NODE;
    made->node = like->node;
    if (n_dims != like->n_dims || !constant->count || (first && constant->dims[0] != 1))
        TRY(plc_onnx_fail(r, n, "constant '%s' has %d dimensions, expected %d of one image",
                          constant->name, n_dims, like->n_dims));
    if (first)
        made->dims[0] = PLC_ONNX_BATCH;
    plc_onnx_loops one = {.n = 0};
    for (int i = first; i < n_dims; i++)
        one.items[one.n++] = (plc_view_dim){(int)constant->dims[i], 0};
    TRY(plc_onnx_view(r, n, &one, plc_onnx_usual_shape(r, made->dims, n_dims), &made->node));
    TRY(plc_onnx_repeat_floats(r, n, constant, made->dims, n_dims, &values, &count));
    TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *zeros, &zeros));
    TRY(plc_onnx_add(r, n, "affine", ".constant", &(int){made->node}, 1, NULL, &made->node));
    TRY(plc_onnx_set_param(r, n, made->node, 0, zeros, count));
    TRY(plc_onnx_set_param(r, n, made->node, 1, values, count));
done:
    return status;
}

// Values of all inputs; constants get nodes, which need one input that is computed of images.
static pleach_status joined_values(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                   plc_onnx_value **values)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *like = NULL, *x = NULL;

    for (int i = 0; i < (int)n->n_input && !like; i++)
        if (plc_onnx_input_kind(r, n, i) == PLC_ONNX_NODE)
            TRY(plc_onnx_input_node(r, n, i, 0, &like));
    if (!like)
        TRY(plc_onnx_input_node(r, n, 0, 0, &like)); // says what it is instead
    TRY(plc_onnx_take(r->ctx, &r->arena, n->n_input, sizeof **values, values));
    for (int i = 0; i < (int)n->n_input; i++) {
        if (plc_onnx_input_kind(r, n, i) == PLC_ONNX_FLOATS) {
            TRY(plc_onnx_input_floats(r, n, i, &x));
            TRY(add_constant(r, n, x, like, &(*values)[i]));
            continue;
        }
        TRY(plc_onnx_input_node(r, n, i, like->n_dims, &x));
        (*values)[i] = *x;
    }
done:
    return status;
}

// Joined along the channels of our graph, which are those of ONNX or dimensions in front of which there are only ones.
// Where there are others they are moved behind the axis, and back.
static pleach_status join(plc_onnx_reader *r, const Onnx__NodeProto *n,
                          const plc_onnx_value *values, int axis, int64_t *total, int *nodes)
{
    pleach_status status = PLEACH_OK;
    const int first = plc_onnx_first_dim(r);
    const plc_shape like = *plc_onnx_shape(r, &values[0]);
    const bool keeps_planes =
        plc_onnx_product(values[0].dims, first, axis) == 1 && like.c == values[0].dims[axis];

    *total = 0;
    for (int i = 0; i < (int)n->n_input; i++) {
        const plc_onnx_value *x = &values[i];

        for (int d = 0; d < x->n_dims; d++)
            if (d != axis && x->dims[d] != values[0].dims[d])
                TRY(plc_onnx_fail(r, n, "inputs 0 and %d differ in dimension %d", i, d));
        const int length = (int)x->dims[axis];
        const int outer = (int)plc_onnx_product(x->dims, first, axis);
        const int inner = (int)plc_onnx_product(x->dims, axis + 1, x->n_dims);
        const plc_onnx_loops axis_first = {
            .items = {{length, inner}, {outer, length * inner}, {inner, 1}}, .n = 3};
        const plc_shape shape =
            keeps_planes ? (plc_shape){length, like.h, like.w} : (plc_shape){length, outer, inner};
        nodes[i] = x->node;
        TRY(plc_onnx_view(r, n, &axis_first, shape, &nodes[i]));
        *total += length;
    }
done:
    return status;
}

pleach_status plc_onnx_concat(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    plc_onnx_value *values = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS], total = 0;
    int *nodes = NULL, axis = 0, node = 0;

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return plc_onnx_concat_ints(r, n);
    TRY(joined_values(r, n, &values));
    TRY(plc_onnx_image_axis(r, n, &values[0], 1, &axis));
    TRY(plc_onnx_take(r->ctx, &r->arena, n->n_input, sizeof *nodes, &nodes));
    TRY(join(r, n, values, axis, &total, nodes));
    TRY(plc_onnx_add(r, n, "concat", "", nodes, (int)n->n_input, NULL, &node));
    memcpy(dims, values[0].dims, sizeof dims);
    dims[axis] = total;
    const int first = plc_onnx_first_dim(r), n_dims = values[0].n_dims;
    const int outer = (int)plc_onnx_product(dims, first, axis);
    const int inner = (int)plc_onnx_product(dims, axis + 1, n_dims);
    const plc_onnx_loops back = {.items = {{outer, inner}, {(int)total, outer * inner}, {inner, 1}},
                                 .n = 3};
    if (outer > 1)
        TRY(plc_onnx_view(r, n, &back, plc_onnx_usual_shape(r, dims, n_dims), &node));
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}
