// Reading ONNX: what is computed of shapes while the file is read. The number of images stays open in it.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

pleach_status plc_onnx_constant(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *tensor = plc_onnx_attr(n, "value");
    const Onnx__AttributeProto *number = plc_onnx_attr(n, "value_int");
    const Onnx__AttributeProto *list = plc_onnx_attr(n, "value_ints");
    const Onnx__AttributeProto *real = plc_onnx_attr(n, "value_float");
    const Onnx__AttributeProto *reals = plc_onnx_attr(n, "value_floats");
    plc_onnx_value made = {0};

    if (tensor && tensor->t) {
        TRY(plc_onnx_read_tensor(r, tensor->t, &made));
    } else if (number && number->has_i) {
        made = (plc_onnx_value){.kind = PLC_ONNX_INTS, .count = 1};
        TRY(plc_onnx_take_ints(r, &number->i, 1, &made.ints));
    } else if (list) {
        made = (plc_onnx_value){.kind = PLC_ONNX_INTS,
                                .n_dims = 1,
                                .dims = {(int64_t)list->n_ints},
                                .count = list->n_ints};
        TRY(plc_onnx_take_ints(r, list->ints, list->n_ints, &made.ints));
    } else if (real && real->has_f) {
        made = (plc_onnx_value){.kind = PLC_ONNX_FLOATS, .count = 1, .floats = &real->f};
    } else if (reals) {
        made = (plc_onnx_value){.kind = PLC_ONNX_FLOATS,
                                .n_dims = 1,
                                .dims = {(int64_t)reals->n_floats},
                                .count = reals->n_floats,
                                .floats = reals->floats};
    } else {
        TRY(plc_onnx_fail(r, n, "it has neither value, value_int(s) nor value_float(s)"));
    }
    plc_onnx_set_same(r, n, &made);
done:
    return status;
}

pleach_status plc_onnx_shape_of(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t *sizes = NULL, start = 0, end = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_take(r->ctx, &r->arena, PLC_ONNX_MAX_DIMS, sizeof *sizes, &sizes));
    memcpy(sizes, x->dims, sizeof x->dims);
    TRY(plc_onnx_int(r, n, "start", 0, &start));
    TRY(plc_onnx_int(r, n, "end", x->n_dims, &end));
    start += start < 0 ? x->n_dims : 0;
    end += end < 0 ? x->n_dims : 0;
    if (start < 0 || end > x->n_dims || start > end)
        TRY(plc_onnx_fail(r, n, "sizes from %lld to %lld of %d", (long long)start, (long long)end,
                          x->n_dims));
    plc_onnx_set_ints(r, n, sizes + start, (size_t)(end - start), 1);
done:
    return status;
}

// Integers of a list by their indices: a scalar index gives a scalar.
pleach_status plc_onnx_gather_ints(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *indices = NULL;
    int64_t *made = NULL, axis = 0;

    TRY(plc_onnx_input_ints(r, n, 0, &x));
    TRY(plc_onnx_input_ints(r, n, 1, &indices));
    TRY(plc_onnx_int(r, n, "axis", 0, &axis));
    if (axis != 0 || x->n_dims != 1 || indices->n_dims > 1)
        TRY(plc_onnx_fail(r, n, "only from a list of sizes is read"));
    TRY(plc_onnx_take(r->ctx, &r->arena, indices->count, sizeof *made, &made));
    for (size_t i = 0; i < indices->count; i++) {
        const int64_t n_ints = (int64_t)x->count;
        const int64_t at = indices->ints[i];

        if (at < -n_ints || at >= n_ints)
            TRY(plc_onnx_fail(r, n, "index %lld of %lld sizes", (long long)at, (long long)n_ints));
        made[i] = x->ints[at < 0 ? at + n_ints : at];
    }
    plc_onnx_set_ints(r, n, made, indices->count, indices->n_dims);
done:
    return status;
}

// Start or end of a Slice: an attribute until opset 9, then an input.
static pleach_status slice_end(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                               int input, int64_t *value)
{
    pleach_status status = PLEACH_OK;
    const int64_t *list = NULL;
    size_t count = 0;

    TRY(plc_onnx_int_list(r, n, name, input, &list, &count));
    if (count != 1 || list[0] == PLC_ONNX_BATCH)
        TRY(plc_onnx_fail(r, n, "its %s are not one known integer", name));
    *value = list[0];
done:
    return status;
}

int64_t plc_onnx_within(int64_t value, int64_t n)
{
    if (value < 0)
        value = value < -n ? 0 : value + n;
    return value > n ? n : value;
}

pleach_status plc_onnx_slice_ints(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *steps = NULL;
    int64_t start = 0, end = 0;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;

    TRY(plc_onnx_input_ints(r, n, 0, &x));
    TRY(slice_end(r, n, "starts", 1, &start));
    TRY(slice_end(r, n, "ends", 2, &end));
    TRY(plc_onnx_axes(r, n, 3, 1, axes, &n_axes));
    if (plc_onnx_has_input(n, 4))
        TRY(plc_onnx_input_ints(r, n, 4, &steps));
    if (x->n_dims != 1 || (steps && (steps->count != 1 || steps->ints[0] != 1)))
        TRY(plc_onnx_fail(r, n, "only in steps of 1 and from a list of sizes is read"));
    start = plc_onnx_within(start, (int64_t)x->count);
    end = plc_onnx_within(end, (int64_t)x->count);
    plc_onnx_set_ints(r, n, x->ints + start, (size_t)(end > start ? end - start : 0), 1);
done:
    return status;
}

// Sizes stay integers, images floats.
pleach_status plc_onnx_cast(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = plc_onnx_has_input(n, 0) ? plc_onnx_find(r, n->input[0]) : NULL;
    int64_t to = 0;

    TRY(plc_onnx_int(r, n, "to", 0, &to));
    const bool to_int =
        to == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || to == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    const bool same =
        x && (x->kind == PLC_ONNX_INTS
                  ? to_int
                  : x->kind != PLC_ONNX_UNKNOWN && to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    if (!same)
        TRY(plc_onnx_fail(r, n, "to type %lld is not read; images stay floats, sizes integers",
                          (long long)to));
    plc_onnx_set_same(r, n, x);
done:
    return status;
}

pleach_status plc_onnx_concat_ints(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t *made = NULL;
    size_t count = 0, at = 0;

    for (size_t i = 0; i < n->n_input; i++) {
        TRY(plc_onnx_input_ints(r, n, (int)i, &x));
        count += x->count; // each is in memory; there are few enough nodes that the sum is too
    }
    if (count > PLC_ONNX_MAX_DIMS)
        TRY(plc_onnx_fail(r, n, "%zu sizes; at most %d are read", count, PLC_ONNX_MAX_DIMS));
    TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *made, &made));
    for (size_t i = 0; i < n->n_input; i++) {
        TRY(plc_onnx_input_ints(r, n, (int)i, &x));
        for (size_t j = 0; j < x->count; j++)
            made[at++] = x->ints[j];
    }
    plc_onnx_set_ints(r, n, made, count, 1);
done:
    return status;
}

static pleach_status compute(plc_onnx_reader *r, const Onnx__NodeProto *n, int64_t a, int64_t b,
                             int64_t *y)
{
    const char *op = n->op_type;
    const bool open = a == PLC_ONNX_BATCH || b == PLC_ONNX_BATCH;
    bool overflows = false;

    if (open && b == 1 && (strcmp(op, "Mul") == 0 || strcmp(op, "Div") == 0)) {
        *y = a;
        return PLEACH_OK;
    }
    if (open)
        return plc_onnx_fail(r, n, "a size is computed of the number of images, which stays open");
    if (strcmp(op, "Add") == 0)
        overflows = __builtin_add_overflow(a, b, y);
    else if (strcmp(op, "Sub") == 0)
        overflows = __builtin_sub_overflow(a, b, y);
    else if (strcmp(op, "Mul") == 0)
        overflows = __builtin_mul_overflow(a, b, y);
    else if (b == 0 || (a == INT64_MIN && b == -1))
        overflows = true;
    else
        *y = a / b;
    if (overflows || *y == PLC_ONNX_BATCH)
        return plc_onnx_fail(r, n, "of %lld and %lld is no number of 64 bits", (long long)a,
                             (long long)b);
    return PLEACH_OK;
}

pleach_status plc_onnx_arithmetic_ints(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *a = NULL, *b = NULL;
    int64_t *made = NULL;

    TRY(plc_onnx_input_ints(r, n, 0, &a));
    TRY(plc_onnx_input_ints(r, n, 1, &b));
    const size_t count = a->count > b->count ? a->count : b->count;
    if ((a->count != count && a->count != 1) || (b->count != count && b->count != 1))
        TRY(plc_onnx_fail(r, n, "of %zu and %zu integers", a->count, b->count));
    TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *made, &made));
    for (size_t i = 0; i < count; i++)
        TRY(compute(r, n, a->ints[a->count == 1 ? 0 : i], b->ints[b->count == 1 ? 0 : i],
                    &made[i]));
    plc_onnx_set_ints(r, n, made, count, a->n_dims > b->n_dims ? a->n_dims : b->n_dims);
done:
    return status;
}
