// Reading ONNX: operators that see the same values in other dimensions.
#include <io/onnx_reader.h>

// Sizes of a node's value as ONNX has them: [N][C][H][W], or [N][C].
static void sizes_of(const plc_onnx_reader *r, const plc_onnx_value *x, int64_t sizes[4])
{
    const plc_shape *shape = plc_onnx_shape(r, x);

    sizes[0] = PLC_ONNX_BATCH;
    sizes[1] = shape->c;
    sizes[2] = shape->h;
    sizes[3] = shape->w;
}

// The value as a vector: nothing needs to be done for one pixel.
static pleach_status to_vector(plc_onnx_reader *r, const Onnx__NodeProto *n,
                               const plc_onnx_value *x)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *shape = plc_onnx_shape(r, x);
    int node = x->node;

    if (shape->h != 1 || shape->w != 1)
        TRY(plc_onnx_add(r, n, "flatten", "", &x->node, 1, NULL, &node));
    plc_onnx_set_node(r, n, node, 2);
done:
    return status;
}

pleach_status plc_onnx_flatten(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t axis = 1;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_int(r, n, "axis", 1, &axis));
    if (axis != 1 && axis != 1 - x->rank)
        TRY(plc_onnx_fail(r, n, "along axis %lld; only 1, which keeps images apart, is read",
                          (long long)axis));
    TRY(to_vector(r, n, x));
done:
    return status;
}

// The sizes that a Reshape asks for, its 0 and -1 filled in. The first is the number of images.
static pleach_status target_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *x, const plc_onnx_value *given,
                                  int64_t sizes[4])
{
    pleach_status status = PLEACH_OK;
    const plc_shape *shape = plc_onnx_shape(r, x);
    const int64_t all = (int64_t)shape->c * shape->h * shape->w;
    int64_t from[4] = {0}, product = 1;
    int open = -1;

    sizes_of(r, x, from);
    if (given->n_dims != 1 || (given->count != 2 && given->count != 4))
        TRY(plc_onnx_fail(r, n, "to %zu dimensions; 2 and 4 are read", given->count));
    for (int i = 0; i < (int)given->count; i++) {
        sizes[i] = given->ints[i];
        if (sizes[i] == 0 && i < x->rank)
            sizes[i] = from[i];
        if (sizes[i] == -1 && open >= 0)
            TRY(plc_onnx_fail(r, n, "two sizes are -1"));
        if (sizes[i] == -1)
            open = i;
        else if (i > 0 && (sizes[i] < 1 || sizes[i] > all))
            TRY(plc_onnx_fail(r, n, "size %d is %lld", i, (long long)sizes[i]));
        else if (i > 0)
            product *= sizes[i]; // below 2^62: at most `all` beside one more such factor
        if (product > all)
            TRY(plc_onnx_fail(r, n, "images have %lld values, the sizes need more",
                              (long long)all));
    }
    if (open > 0)
        sizes[open] = all / product;
    if ((open > 0 ? sizes[open] * product : product) != all)
        TRY(plc_onnx_fail(r, n, "%lld values of an image do not fit the sizes given",
                          (long long)all));
done:
    return status;
}

pleach_status plc_onnx_reshape(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    int64_t sizes[4] = {0}, zero_is_zero = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_input_ints(r, n, 1, &given));
    TRY(plc_onnx_int(r, n, "allowzero", 0, &zero_is_zero)); // an empty value is refused anyway
    TRY(target_sizes(r, n, x, given, sizes));
    const plc_shape *shape = plc_onnx_shape(r, x);
    if (given->count == 2) {
        TRY(to_vector(r, n, x));
        goto done;
    }
    if (sizes[1] != shape->c || sizes[2] != shape->h || sizes[3] != shape->w)
        TRY(plc_onnx_fail(
            r, n,
            "from %d x %d x %d to %lld x %lld x %lld; only to a vector, and from one to "
            "images of one pixel is read",
            shape->c, shape->h, shape->w, (long long)sizes[1], (long long)sizes[2],
            (long long)sizes[3]));
    plc_onnx_set_node(r, n, x->node, 4);
done:
    return status;
}

// Integers only change their number of dimensions: a scalar, or a list.
static pleach_status squeeze_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, int n_dims)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;

    TRY(plc_onnx_input_ints(r, n, 0, &x));
    if (n_dims == 0 && x->count != 1)
        TRY(plc_onnx_fail(r, n, "of %zu integers to none", x->count));
    plc_onnx_set_ints(r, n, x->ints, x->count, n_dims);
done:
    return status;
}

static bool are_height_and_width(const int *axes, int n_axes)
{
    return n_axes == 2 && axes[0] != axes[1] && axes[0] >= 2 && axes[1] >= 2;
}

pleach_status plc_onnx_squeeze(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return squeeze_ints(r, n, 0);
    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_axes(r, n, 1, 4, axes, &n_axes));
    const plc_shape *shape = plc_onnx_shape(r, x);
    if (!are_height_and_width(axes, n_axes) || shape->h != 1 || shape->w != 1)
        TRY(plc_onnx_fail(r, n, "only axes 2 and 3 of images of one pixel are read"));
    plc_onnx_set_node(r, n, x->node, 2);
done:
    return status;
}

pleach_status plc_onnx_unsqueeze(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return squeeze_ints(r, n, 1);
    TRY(plc_onnx_input_node(r, n, 0, 2, &x));
    TRY(plc_onnx_axes(r, n, 1, 4, axes, &n_axes));
    if (!are_height_and_width(axes, n_axes))
        TRY(plc_onnx_fail(r, n, "only axes 2 and 3 of a vector are read"));
    plc_onnx_set_node(r, n, x->node, 4);
done:
    return status;
}
