// Reading ONNX: the dimensions that ONNX gives to what nodes compute, and other orders of it.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

int plc_onnx_first_dim(const plc_onnx_reader *r)
{
    return r->whole ? 0 : 1;
}

int64_t plc_onnx_product(const int64_t *dims, int begin, int end)
{
    int64_t product = 1;

    for (int i = begin; i < end; i++)
        product *= dims[i]; // that of a node's dimensions fits an int
    return product;
}

static bool is_shape(const plc_shape *a, plc_shape b)
{
    return a->c == b.c && a->h == b.h && a->w == b.w;
}

// Joins neighbours that are one longer loop, and drops those of one step.
static int join_loops(const plc_onnx_loops *loops, plc_view_dim *joined)
{
    int n = 0;

    for (int i = 0; i < loops->n; i++) {
        const plc_view_dim dim = loops->items[i];

        if (dim.size == 1)
            continue;
        if (n > 0 && joined[n - 1].stride == (int64_t)dim.size * dim.stride)
            joined[n - 1] = (plc_view_dim){joined[n - 1].size * dim.size, dim.stride};
        else
            joined[n++] = dim;
    }
    if (n == 0)
        joined[n++] = (plc_view_dim){1, 1};
    return n;
}

pleach_status plc_onnx_view(plc_onnx_reader *r, const Onnx__NodeProto *n,
                            const plc_onnx_loops *loops, plc_shape shape, int *node)
{
    pleach_status status = PLEACH_OK;
    const plc_shape from = r->graph->nodes[*node].shape;
    plc_attrs attrs = {.size = {shape.c, shape.h, shape.w}, .offset = loops->offset};
    plc_view_dim joined[2 * PLC_ONNX_MAX_DIMS];
    const int n_joined = join_loops(loops, joined);
    const bool same_order =
        n_joined == 1 && joined[0].stride == 1 && joined[0].size == from.c * from.h * from.w;

    if (same_order && is_shape(&from, shape))
        return status;
    if (same_order && shape.h == 1 && shape.w == 1) {
        TRY(plc_onnx_add(r, n, "flatten", ".flat", &(int){*node}, 1, NULL, node));
        return status;
    }
    if (n_joined > PLC_MAX_VIEW_DIMS)
        TRY(plc_onnx_fail(r, n, "its order of values takes %d loops; at most %d are read", n_joined,
                          PLC_MAX_VIEW_DIMS));
    memcpy(attrs.view, joined, (size_t)n_joined * sizeof *joined);
    TRY(plc_onnx_add(r, n, "as_strided", ".view", &(int){*node}, 1, &attrs, node));
done:
    return status;
}

pleach_status plc_onnx_regroup(plc_onnx_reader *r, const Onnx__NodeProto *n, plc_shape shape,
                               int *node)
{
    const plc_shape from = r->graph->nodes[*node].shape;
    const plc_onnx_loops all = {.items = {{from.c * from.h * from.w, 1}}, .n = 1};

    return plc_onnx_view(r, n, &all, shape, node);
}

pleach_status plc_onnx_group(plc_onnx_reader *r, const Onnx__NodeProto *n,
                             const plc_onnx_value *value, int n_channels, int n_rows, int *node)
{
    const int rows = plc_onnx_first_dim(r) + n_channels, columns = rows + n_rows;
    const plc_shape shape = {
        (int)plc_onnx_product(value->dims, plc_onnx_first_dim(r), rows),
        (int)plc_onnx_product(value->dims, rows, columns),
        (int)plc_onnx_product(value->dims, columns, value->n_dims),
    };

    *node = value->node;
    return plc_onnx_regroup(r, n, shape, node);
}

// Where all dimensions are of one image, the first must be a number of images of 1.
static pleach_status check_channels(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                    const plc_onnx_value *value)
{
    if (value->n_dims < 2)
        return plc_onnx_fail(r, n, "its input has %d dimensions and so no channels", value->n_dims);
    if (r->whole && value->dims[0] != 1)
        return plc_onnx_fail(r, n, "%lld images, which are mixed elsewhere; only one is read then",
                             (long long)value->dims[0]);
    return PLEACH_OK;
}

pleach_status plc_onnx_channels(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *value, int *node)
{
    pleach_status status = PLEACH_OK;

    TRY(check_channels(r, n, value));
    *node = value->node;
    if (plc_onnx_shape(r, value)->c != value->dims[1])
        TRY(plc_onnx_group(r, n, value, 2 - plc_onnx_first_dim(r), 0, node));
done:
    return status;
}

pleach_status plc_onnx_images(plc_onnx_reader *r, const Onnx__NodeProto *n,
                              const plc_onnx_value *value, int *node)
{
    pleach_status status = PLEACH_OK;

    TRY(check_channels(r, n, value));
    if (value->n_dims != 3 && value->n_dims != 4)
        TRY(plc_onnx_fail(r, n, "its input has %d dimensions, expected [N][C][H][W] or [N][C][W]",
                          value->n_dims));
    TRY(plc_onnx_group(r, n, value, 2 - plc_onnx_first_dim(r), value->n_dims - 3, node));
done:
    return status;
}

void plc_onnx_loops_over(const plc_onnx_reader *r, const plc_onnx_value *value,
                         plc_onnx_loops *loops)
{
    const int first = plc_onnx_first_dim(r);
    int stride = 1;

    *loops = (plc_onnx_loops){.n = value->n_dims - first};
    for (int i = loops->n - 1; i >= 0; i--) {
        loops->items[i] = (plc_view_dim){(int)value->dims[first + i], stride};
        stride *= (int)value->dims[first + i];
    }
}

plc_shape plc_onnx_usual_shape(const plc_onnx_reader *r, const int64_t *dims, int n_dims)
{
    const int first = plc_onnx_first_dim(r), n = n_dims - first;
    const int planes = n_dims - (n > 2 ? 2 : n > 1 ? 1 : 0);

    return (plc_shape){
        (int)plc_onnx_product(dims, first, planes),
        n > 2 ? (int)dims[n_dims - 2] : 1,
        n > 1 ? (int)dims[n_dims - 1] : 1,
    };
}

static int64_t dim_from_end(const plc_onnx_value *value, int i)
{
    return i < value->n_dims ? value->dims[value->n_dims - 1 - i] : 1;
}

pleach_status plc_onnx_broadcast(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *a, const plc_onnx_value *b,
                                 int64_t dims[PLC_ONNX_MAX_DIMS], int *n_dims)
{
    pleach_status status = PLEACH_OK;
    int64_t count = 1;

    *n_dims = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    for (int i = 0; i < *n_dims; i++) {
        const int64_t of_a = dim_from_end(a, i), of_b = dim_from_end(b, i);

        if (of_a != of_b && of_a != 1 && of_b != 1)
            TRY(plc_onnx_fail(r, n, "dimension %d from the end is %lld and %lld%s", i + 1,
                              (long long)of_a, (long long)of_b,
                              of_a == PLC_ONNX_BATCH || of_b == PLC_ONNX_BATCH
                                  ? "; the number of images (shown as the smallest) stays open"
                                  : ""));
        dims[*n_dims - 1 - i] = of_a == 1 ? of_b : of_a;
        if (dims[*n_dims - 1 - i] == PLC_ONNX_BATCH && i != *n_dims - 1)
            TRY(plc_onnx_fail(r, n, "the number of images would no longer be the first dimension"));
        if (dims[*n_dims - 1 - i] != PLC_ONNX_BATCH)
            count *= dims[*n_dims - 1 - i]; // below 2^62: checked after every factor
        if (count > INT_MAX)
            TRY(plc_onnx_fail(r, n, "an image of more than %d values", INT_MAX));
    }
    if (!r->whole && dims[0] != PLC_ONNX_BATCH)
        TRY(plc_onnx_fail(r, n, "%lld images of a constant; the number of images stays open",
                          (long long)dims[0]));
done:
    return status;
}

pleach_status plc_onnx_expand_to(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *value, const int64_t *dims, int n_dims,
                                 int *node)
{
    const int first = plc_onnx_first_dim(r), more = n_dims - value->n_dims;
    plc_onnx_loops loops = {.n = n_dims - first};
    int stride = 1;
    bool expands = false;

    *node = value->node;
    for (int i = n_dims - 1; i >= first; i--) {
        const int64_t own = i < more + first ? 1 : value->dims[i - more];

        loops.items[i - first] = (plc_view_dim){(int)dims[i], own == 1 ? 0 : stride};
        stride *= (int)own;
        expands = expands || own != dims[i];
    }
    return expands ? plc_onnx_view(r, n, &loops, plc_onnx_usual_shape(r, dims, n_dims), node)
                   : PLEACH_OK;
}

pleach_status plc_onnx_repeat_floats(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                     const plc_onnx_value *constant, const int64_t *dims,
                                     int n_dims, const float **floats, size_t *count)
{
    pleach_status status = PLEACH_OK;
    const int first = plc_onnx_first_dim(r);
    float *made = NULL;

    *count = (size_t)plc_onnx_product(dims, first, n_dims);
    *floats = constant->floats;
    for (int d = 0; d < n_dims - first || d < constant->n_dims; d++) {
        const int64_t own = dim_from_end(constant, d);
        const int64_t size = d < n_dims - first ? dims[n_dims - 1 - d] : 1;

        if (own != 1 && own != size)
            TRY(plc_onnx_fail(r, n,
                              "a constant of %lld values along dimension %d from the last, "
                              "where %lld are expected",
                              (long long)own, d + 1, (long long)size));
    }
    if (constant->count == *count)
        return status;
    if (!constant->count)
        TRY(plc_onnx_fail(r, n, "a constant without values"));
    TRY(plc_onnx_take(r->ctx, &r->arena, *count, sizeof *made, &made));
    for (size_t i = 0; i < *count; i++) {
        size_t rest = i, at = 0, stride = 1;

        for (int d = 0; d < n_dims - first; d++) {
            const size_t size = (size_t)dims[n_dims - 1 - d];
            const size_t own = (size_t)dim_from_end(constant, d);

            at += own == 1 ? 0 : rest % size * stride;
            stride *= own;
            rest /= size;
        }
        made[i] = constant->floats[at];
    }
    *floats = made;
done:
    return status;
}

pleach_status plc_onnx_axis(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank, int missing,
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

pleach_status plc_onnx_image_axis(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *value, int missing, int *axis)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_axis(r, n, value->n_dims, missing, axis));
    if (*axis < plc_onnx_first_dim(r))
        TRY(plc_onnx_fail(r, n, "along axis %d, the images", *axis));
done:
    return status;
}
