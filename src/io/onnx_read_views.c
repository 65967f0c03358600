// Reading ONNX: the same values in other dimensions or in another order.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

// The value in other dimensions: nothing is computed, but vectors get a node of their own.
static pleach_status set_dims(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *x,
                              const int64_t *dims, int n_dims)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *shape = plc_onnx_shape(r, x);
    int node = x->node;

    if (n_dims == 2 && x->n_dims > 2 && !r->whole && (shape->h != 1 || shape->w != 1))
        TRY(plc_onnx_add(r, n, "flatten", "", &x->node, 1, NULL, &node));
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}

// A constant in other dimensions.
static pleach_status set_float_dims(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                    const int64_t *dims, int n_dims)
{
    plc_onnx_value same = *plc_onnx_find(r, n->input[0]);

    same.n_dims = n_dims;
    memcpy(same.dims, dims, (size_t)n_dims * sizeof *dims);
    plc_onnx_set_same(r, n, &same);
    return PLEACH_OK;
}

// Input 0, computed of images or a constant.
static pleach_status input_values(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value **x)
{
    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_FLOATS)
        return plc_onnx_input_floats(r, n, 0, x);
    return plc_onnx_input_node(r, n, 0, 0, x);
}

pleach_status plc_onnx_flatten(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t axis = 1;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_int(r, n, "axis", 1, &axis));
    axis += axis < 0 ? x->n_dims : 0;
    if (axis < 0 || axis > x->n_dims || (!r->whole && axis != 1))
        TRY(plc_onnx_fail(r, n, "along axis %lld; only 1 keeps images apart", (long long)axis));
    const int64_t dims[] = {
        r->whole ? plc_onnx_product(x->dims, 0, (int)axis) : PLC_ONNX_BATCH,
        plc_onnx_product(x->dims, (int)axis, x->n_dims),
    };
    TRY(set_dims(r, n, x, dims, 2));
done:
    return status;
}

// Whether a size that a Reshape asks for is the number of images, which the others leave over.
static bool is_batch(const plc_onnx_reader *r, int64_t size)
{
    return size == PLC_ONNX_BATCH || size == -1 || (size > 0 && size == r->n_file_images);
}

// The sizes that a Reshape asks for, its 0 and -1 filled in.
static pleach_status target_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *x, const plc_onnx_value *given,
                                  int64_t dims[PLC_ONNX_MAX_DIMS])
{
    pleach_status status = PLEACH_OK;
    const int first = x->kind == PLC_ONNX_NODE ? plc_onnx_first_dim(r) : 0;
    const int64_t all = plc_onnx_product(x->dims, first, x->n_dims);
    int64_t product = 1;
    int open = -1;

    for (int i = 0; i < (int)given->count; i++) {
        dims[i] = given->ints[i];
        if (dims[i] == 0 && i < x->n_dims)
            dims[i] = x->dims[i];
        if (i < first) {
            if (!is_batch(r, dims[i]))
                TRY(plc_onnx_fail(r, n, "size 0 is %lld, not the number of images",
                                  (long long)dims[i]));
            dims[i] = PLC_ONNX_BATCH;
            continue;
        }
        if (dims[i] == -1 && open >= 0)
            TRY(plc_onnx_fail(r, n, "two sizes are -1"));
        if (dims[i] == -1)
            open = i;
        else if (dims[i] < 1 || dims[i] > all)
            TRY(plc_onnx_fail(r, n, "size %d is %lld%s", i, (long long)dims[i],
                              dims[i] == PLC_ONNX_BATCH ? " (the number of images)" : ""));
        else
            product *= dims[i]; // below 2^62: at most `all` beside one more such factor
        if (product > all)
            TRY(plc_onnx_fail(r, n, "images have %lld values, the sizes need more",
                              (long long)all));
    }
    if (open >= 0)
        dims[open] = all / product;
    if ((open >= 0 ? dims[open] * product : product) != all)
        TRY(plc_onnx_fail(r, n, "%lld values of an image do not fit the sizes given",
                          (long long)all));
done:
    return status;
}

pleach_status plc_onnx_reshape(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "shape"); // before opset 5
    int64_t dims[PLC_ONNX_MAX_DIMS] = {0}, zero_is_zero = 0;

    TRY(input_values(r, n, &x));
    const plc_onnx_value of_attr = {.count = attr ? attr->n_ints : 0,
                                    .ints = attr ? attr->ints : NULL};
    if (!attr)
        TRY(plc_onnx_input_ints(r, n, 1, &given));
    given = attr ? &of_attr : given;
    TRY(plc_onnx_int(r, n, "allowzero", 0, &zero_is_zero)); // an empty value is refused anyway
    if (given->count < 1 || given->count > PLC_ONNX_MAX_DIMS)
        TRY(plc_onnx_fail(r, n, "to %zu dimensions; 1 to %d are read", given->count,
                          PLC_ONNX_MAX_DIMS));
    TRY(target_sizes(r, n, x, given, dims));
    if (x->kind == PLC_ONNX_FLOATS)
        return set_float_dims(r, n, dims, (int)given->count);
    TRY(set_dims(r, n, x, dims, (int)given->count));
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

// Without axes all dimensions of 1 go. Where the file fixes one image its number is such a dimension, whose loss moves
// all that follow: that is read as a whole.
static pleach_status squeeze_all(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *x, bool goes[PLC_ONNX_MAX_DIMS])
{
    if (x->kind == PLC_ONNX_NODE && !r->whole && r->n_file_images == 1)
        return plc_onnx_fail(r, n, "without axes, so that of one image its number would go too");
    for (int i = 0; i < x->n_dims; i++)
        goes[i] = x->dims[i] == 1;
    return PLEACH_OK;
}

pleach_status plc_onnx_squeeze(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0, n_dims = 0;
    bool goes[PLC_ONNX_MAX_DIMS] = {false};
    int64_t dims[PLC_ONNX_MAX_DIMS];

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return squeeze_ints(r, n, 0);
    TRY(input_values(r, n, &x));
    TRY(plc_onnx_axes(r, n, 1, x->n_dims, axes, &n_axes));
    if (n_axes == 0)
        TRY(squeeze_all(r, n, x, goes));
    for (int i = 0; i < n_axes; i++) {
        if (x->dims[axes[i]] != 1)
            TRY(plc_onnx_fail(r, n, "dimension %d is %s", axes[i],
                              axes[i] ? "not 1" : "the number of images, or not 1"));
        goes[axes[i]] = true;
    }
    for (int i = 0; i < x->n_dims; i++)
        if (!goes[i])
            dims[n_dims++] = x->dims[i];
    if (x->kind == PLC_ONNX_FLOATS)
        return set_float_dims(r, n, dims, n_dims);
    TRY(set_dims(r, n, x, dims, n_dims));
done:
    return status;
}

pleach_status plc_onnx_unsqueeze(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "axes");
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0, from = 0;
    bool is_new[PLC_ONNX_MAX_DIMS] = {false};
    int64_t dims[PLC_ONNX_MAX_DIMS];

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return squeeze_ints(r, n, 1);
    TRY(input_values(r, n, &x));
    if (!attr)
        TRY(plc_onnx_input_ints(r, n, 1, &given));
    const size_t count = attr ? attr->n_ints : given->count;
    if (count > (size_t)(PLC_ONNX_MAX_DIMS - x->n_dims))
        TRY(plc_onnx_fail(r, n, "%zu axes to %d; at most %d dimensions are read", count, x->n_dims,
                          PLC_ONNX_MAX_DIMS));
    const int n_dims = x->n_dims + (int)count;
    TRY(plc_onnx_axes(r, n, 1, n_dims, axes, &n_axes));
    for (int i = 0; i < n_axes; i++) {
        if (is_new[axes[i]] || (x->kind == PLC_ONNX_NODE && axes[i] < plc_onnx_first_dim(r)))
            TRY(plc_onnx_fail(r, n, "axis %d is given twice, or before the number of images",
                              axes[i]));
        is_new[axes[i]] = true;
    }
    for (int i = 0; i < n_dims; i++)
        dims[i] = is_new[i] ? 1 : x->dims[from++];
    if (x->kind == PLC_ONNX_FLOATS)
        return set_float_dims(r, n, dims, n_dims);
    plc_onnx_set_node(r, n, x->node, dims, n_dims);
done:
    return status;
}

// A constant matrix transposed.
static pleach_status transpose_floats(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *perm = plc_onnx_attr(n, "perm");
    const plc_onnx_value *x = NULL;
    float *made = NULL;

    TRY(plc_onnx_input_floats(r, n, 0, &x));
    if (x->n_dims != 2 || (perm && (perm->n_ints != 2 || perm->ints[0] != 1 || perm->ints[1] != 0)))
        TRY(plc_onnx_fail(r, n, "of a constant of %d dimensions; of matrices it is read",
                          x->n_dims));
    const size_t rows = (size_t)x->dims[0], columns = (size_t)x->dims[1];
    TRY(plc_onnx_take(r->ctx, &r->arena, x->count, sizeof *made, &made));
    for (size_t i = 0; i < x->count; i++)
        made[i % columns * rows + i / columns] = x->floats[i];
    plc_onnx_value turned = *x;
    turned.floats = made;
    turned.dims[0] = x->dims[1];
    turned.dims[1] = x->dims[0];
    plc_onnx_set_same(r, n, &turned);
done:
    return status;
}

// Another order of dimensions; the number of images stays the first.
pleach_status plc_onnx_transpose(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "perm");
    const plc_onnx_value *x = NULL;
    const int first = plc_onnx_first_dim(r);
    plc_onnx_loops loops, order = {0};
    int64_t dims[PLC_ONNX_MAX_DIMS];
    bool seen[PLC_ONNX_MAX_DIMS] = {false};

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_FLOATS)
        return transpose_floats(r, n);
    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    if (attr && attr->n_ints != (size_t)x->n_dims)
        TRY(plc_onnx_fail(r, n, "perm has %zu axes for %d dimensions", attr->n_ints, x->n_dims));
    plc_onnx_loops_over(r, x, &loops);
    for (int i = 0; i < x->n_dims; i++) {
        const int64_t axis = attr ? attr->ints[i] : x->n_dims - 1 - i;

        if (axis < 0 || axis >= x->n_dims || seen[axis] || (i < first && axis != i))
            TRY(plc_onnx_fail(r, n, "dimension %d is %lld; each must come once, the images first",
                              i, (long long)axis));
        seen[axis] = true;
        dims[i] = x->dims[axis];
        if (i >= first)
            order.items[order.n++] = loops.items[axis - first];
    }
    int node = x->node;
    TRY(plc_onnx_view(r, n, &order, plc_onnx_usual_shape(r, dims, x->n_dims), &node));
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// Dimensions of 1 repeated.
pleach_status plc_onnx_expand(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0, n_dims = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_input_ints(r, n, 1, &given));
    if (given->count > PLC_ONNX_MAX_DIMS)
        TRY(plc_onnx_fail(r, n, "to %zu dimensions; at most %d are read", given->count,
                          PLC_ONNX_MAX_DIMS));
    plc_onnx_value wanted = {.n_dims = (int)given->count};
    for (int i = 0; i < wanted.n_dims; i++) {
        const bool open = given->ints[i] == PLC_ONNX_BATCH;

        wanted.dims[i] = open && i == 0 ? PLC_ONNX_BATCH : given->ints[i];
        if ((given->ints[i] < 1 && !open) || given->ints[i] > INT_MAX)
            TRY(plc_onnx_fail(r, n, "size %d is %lld", i, (long long)given->ints[i]));
    }
    TRY(plc_onnx_broadcast(r, n, x, &wanted, dims, &n_dims));
    TRY(plc_onnx_expand_to(r, n, x, dims, n_dims, &node));
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}

// Channels and the pixels of b x b blocks, in one order or the other. `blocks_first`: channels are [b][b][C].
static pleach_status move_blocks(plc_onnx_reader *r, const Onnx__NodeProto *n, bool to_space,
                                 bool blocks_first)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t block = 0;
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_images(r, n, x, &node));
    TRY(plc_onnx_int(r, n, "blocksize", 0, &block));
    const plc_shape s = r->graph->nodes[node].shape;
    const int64_t area = block > 0 && block < 1 << 15 ? block * block : 0;
    if (!area || (to_space ? s.c % area : s.h % block || s.w % block))
        TRY(plc_onnx_fail(r, n, "blocks of %lld in %d x %d x %d", (long long)block, s.c, s.h, s.w));
    const int b = (int)block, c = to_space ? s.c / (b * b) : s.c;
    const int h = to_space ? s.h : s.h / b, w = to_space ? s.w : s.w / b, plane = h * w;
    const int of_c = blocks_first ? plane : b * b * plane;
    const int of_b = blocks_first ? c * plane : plane;
    const plc_onnx_loops there = {.items = {{c, of_c}, {h, w}, {b, b * of_b}, {w, 1}, {b, of_b}},
                                  .n = 5};
    const plc_onnx_loops back = {
        .items = {{b, w * b}, {b, 1}, {c, plane * b * b}, {h, w * b * b}, {w, b}}, .n = 5};
    const plc_shape made = to_space ? (plc_shape){c, h * b, w * b} : (plc_shape){c * b * b, h, w};
    TRY(plc_onnx_view(r, n, to_space ? &there : &back, made, &node));
    const int64_t dims[] = {x->dims[0], made.c, made.h, made.w};
    plc_onnx_set_node(r, n, node, dims, 4);
done:
    return status;
}

pleach_status plc_onnx_depth_to_space(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    char mode[8];

    TRY(plc_onnx_string(r, n, "mode", "DCR", mode, sizeof mode));
    TRY(move_blocks(r, n, true, strcmp(mode, "CRD") != 0));
done:
    return status;
}

pleach_status plc_onnx_space_to_depth(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return move_blocks(r, n, false, true);
}
