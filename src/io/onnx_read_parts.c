// Reading ONNX: parts of values. Ranges of channels are `slice`, which pruning sees through; anything else is another
// order of values.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

// A range along a dimension: `size` steps of `step` from `begin` on.
typedef struct range {
    int64_t begin, size, step;
} range;

// Part of a value: a range of each dimension.
static pleach_status add_part(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *x,
                              const range ranges[PLC_ONNX_MAX_DIMS], int output)
{
    pleach_status status = PLEACH_OK;
    const int first = plc_onnx_first_dim(r);
    const plc_shape shape = *plc_onnx_shape(r, x);
    int64_t dims[PLC_ONNX_MAX_DIMS];
    plc_onnx_loops loops;
    bool of_channels = x->n_dims > 1 && !r->whole && shape.c == x->dims[1], all = true;
    int node = x->node;

    plc_onnx_loops_over(r, x, &loops);
    for (int i = first; i < x->n_dims; i++) {
        plc_view_dim *loop = &loops.items[i - first];

        of_channels =
            of_channels && ranges[i].step == 1 && (i == 1 || ranges[i].size == x->dims[i]);
        all = all && ranges[i].step == 1 && ranges[i].size == x->dims[i];
        loops.offset += (int)ranges[i].begin * loop->stride;
        // A step over a single value leads nowhere; the others stay within the image.
        const int step = ranges[i].size == 1 ? 1 : (int)ranges[i].step;
        *loop = (plc_view_dim){(int)ranges[i].size, step * loop->stride};
        dims[i] = ranges[i].size;
    }
    if (first)
        dims[0] = x->dims[0];
    if (of_channels && !all) {
        const plc_attrs attrs = {.offset = (int)ranges[1].begin,
                                 .out_channels = (int)ranges[1].size};
        char suffix[24] = "";

        if (n->n_output > 1)
            snprintf(suffix, sizeof suffix, ".%d", output);
        TRY(plc_onnx_add(r, n, "slice", suffix, &(int){node}, 1, &attrs, &node));
    } else if (!all) {
        TRY(plc_onnx_view(r, n, &loops, plc_onnx_usual_shape(r, dims, x->n_dims), &node));
    }
    plc_onnx_set_output(r, n, output, node, dims, x->n_dims);
done:
    return status;
}

static void whole_ranges(const plc_onnx_value *x, range ranges[PLC_ONNX_MAX_DIMS])
{
    for (int i = 0; i < x->n_dims; i++)
        ranges[i] = (range){0, x->dims[i], 1};
}

// What ONNX's start, end and step mean for n values.
static pleach_status make_range(plc_onnx_reader *r, const Onnx__NodeProto *n, int64_t start,
                                int64_t end, int64_t step, int64_t size, range *made)
{
    if (step == 0 || step > INT_MAX || step < -INT_MAX)
        return plc_onnx_fail(r, n, "a step of %lld", (long long)step);
    if (step > 0) {
        start = plc_onnx_within(start, size);
        end = plc_onnx_within(end, size);
        *made = (range){start, end > start ? (end - start + step - 1) / step : 0, step};
    } else { // an end before the first value is -1 here
        start = start < 0 ? start + size : start;
        start = start >= size ? size - 1 : start;
        end = end < 0 ? (end < -size ? -1 : end + size) : end;
        *made = (range){start, end < start ? (start - end - step - 1) / -step : 0, step};
    }
    if (made->size < 1 || made->begin < 0)
        return plc_onnx_fail(r, n, "%lld to %lld of %lld values is nothing", (long long)start,
                             (long long)end, (long long)size);
    return PLEACH_OK;
}

pleach_status plc_onnx_int_list(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                                int input, const int64_t **list, size_t *count)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, name);
    const plc_onnx_value *given = NULL;

    *list = attr ? attr->ints : NULL;
    *count = attr ? attr->n_ints : 0;
    if (attr || !plc_onnx_has_input(n, input))
        return status;
    TRY(plc_onnx_input_ints(r, n, input, &given));
    *list = given->ints;
    *count = given->count;
done:
    return status;
}

pleach_status plc_onnx_slice(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    const int64_t *starts = NULL, *ends = NULL, *steps = NULL;
    size_t n_starts = 0, n_ends = 0, n_steps = 0;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;
    range ranges[PLC_ONNX_MAX_DIMS];

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return plc_onnx_slice_ints(r, n);
    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_int_list(r, n, "starts", 1, &starts, &n_starts));
    TRY(plc_onnx_int_list(r, n, "ends", 2, &ends, &n_ends));
    TRY(plc_onnx_axes(r, n, 3, x->n_dims, axes, &n_axes));
    TRY(plc_onnx_int_list(r, n, "steps", 4, &steps, &n_steps));
    if (!plc_onnx_attr(n, "axes") && !plc_onnx_has_input(n, 3))
        for (; n_axes < (int)n_starts && n_axes < x->n_dims; n_axes++)
            axes[n_axes] = n_axes;
    if (n_starts != (size_t)n_axes || n_ends != n_starts || (n_steps && n_steps != n_starts))
        TRY(plc_onnx_fail(r, n, "%zu starts, %zu ends and %zu steps for %d axes", n_starts, n_ends,
                          n_steps, n_axes));
    whole_ranges(x, ranges);
    for (int i = 0; i < n_axes; i++) {
        const int64_t size = x->dims[axes[i]], step = n_steps ? steps[i] : 1;

        if (starts[i] == PLC_ONNX_BATCH || ends[i] == PLC_ONNX_BATCH)
            TRY(plc_onnx_fail(r, n, "up to the number of images, which stays open"));
        if (size == PLC_ONNX_BATCH && (starts[i] != 0 || ends[i] < INT_MAX || step != 1))
            TRY(plc_onnx_fail(r, n, "of the images, which are kept apart"));
        if (size != PLC_ONNX_BATCH)
            TRY(make_range(r, n, starts[i], ends[i], step, size, &ranges[axes[i]]));
    }
    TRY(add_part(r, n, x, ranges, 0));
done:
    return status;
}

// Sizes of the parts: an attribute before opset 13, then an input; without it equal ones.
static pleach_status part_size(plc_onnx_reader *r, const Onnx__NodeProto *n, const int64_t *sizes,
                               size_t n_sizes, int64_t all, int i, int64_t begin, int64_t *size)
{
    const int64_t n_parts = (int64_t)n->n_output, each = (all + n_parts - 1) / n_parts;

    if (n_sizes && n_sizes != n->n_output)
        return plc_onnx_fail(r, n, "%zu sizes for %zu outputs", n_sizes, n->n_output);
    *size = n_sizes ? sizes[i] : each < all - begin ? each : all - begin;
    if (*size < 1 || *size > all - begin)
        return plc_onnx_fail(r, n, "part %d has %lld of the %lld values that are left", i,
                             (long long)*size, (long long)(all - begin));
    return PLEACH_OK;
}

pleach_status plc_onnx_split(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    const int64_t *sizes = NULL;
    int64_t begin = 0, size = 0;
    size_t n_sizes = 0;
    range ranges[PLC_ONNX_MAX_DIMS];
    int axis = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_image_axis(r, n, x, 0, &axis));
    TRY(plc_onnx_int_list(r, n, "split", 1, &sizes, &n_sizes));
    for (int i = 0; i < (int)n->n_output; i++, begin += size) {
        TRY(part_size(r, n, sizes, n_sizes, x->dims[axis], i, begin, &size));
        const plc_onnx_value *output =
            *plc_onnx_text(n->output[i]) ? plc_onnx_find(r, n->output[i]) : NULL;
        if (!output || (!output->n_readers &&
                        strcmp(output->name, plc_onnx_text(r->file->output[0]->name)) != 0))
            continue;
        whole_ranges(x, ranges);
        ranges[axis] = (range){begin, size, 1};
        TRY(add_part(r, n, x, ranges, i));
    }
done:
    return status;
}

// Indices of a Gather from 0 to size - 1, in the arena.
static pleach_status read_indices(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *given, int64_t size, int64_t **indices)
{
    pleach_status status = PLEACH_OK;

    if (!given->count || given->n_dims > 1)
        TRY(plc_onnx_fail(r, n, "%zu indices in %d dimensions; a scalar or a list is read",
                          given->count, given->n_dims));
    TRY(plc_onnx_take(r->ctx, &r->arena, given->count, sizeof **indices, indices));
    for (size_t i = 0; i < given->count; i++) {
        (*indices)[i] = given->ints[i] < 0 ? given->ints[i] + size : given->ints[i];
        if ((*indices)[i] < 0 || (*indices)[i] >= size)
            TRY(plc_onnx_fail(r, n, "index %lld of %lld values", (long long)given->ints[i],
                              (long long)size));
    }
done:
    return status;
}

// How many of n indices, a divisor of n, go on in even steps in each block of so many; 1: there are none.
static int block_of(const int64_t *indices, int n)
{
    const int64_t step = indices[1] - indices[0];
    int length = 2;

    while (length < n && indices[length] - indices[length - 1] == step)
        length++;
    while (n % length)
        length--;
    for (int i = 1; i < n; i++)
        if (i % length && indices[i] - indices[i - 1] != step)
            return 1;
    return length;
}

// Indices as a nest of loops, the innermost found first, each `stride` values apart. Destroys them.
static pleach_status find_loops(plc_onnx_reader *r, const Onnx__NodeProto *n, int64_t *indices,
                                int count, int stride, plc_onnx_loops *loops)
{
    plc_view_dim found[PLC_ONNX_MAX_DIMS];
    int n_found = 0;

    loops->n = 0;
    loops->offset = (int)indices[0] * stride;
    while (count > 1) {
        const int length = block_of(indices, count);

        if (length == 1 || n_found == PLC_ONNX_MAX_DIMS)
            return plc_onnx_fail(r, n, "only indices in even steps, or nests of such, are read");
        found[n_found++] = (plc_view_dim){length, (int)(indices[1] - indices[0]) * stride};
        count /= length;
        for (int i = 0; i < count; i++)
            indices[i] = indices[i * length];
    }
    while (n_found > 0)
        loops->items[loops->n++] = found[--n_found];
    if (loops->n == 0)
        loops->items[loops->n++] = (plc_view_dim){1, 0};
    return PLEACH_OK;
}

// Other values along one axis: its loop is replaced by those of the indices.
static pleach_status add_picked(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *x, int axis, const plc_onnx_loops *picked,
                                int64_t count)
{
    pleach_status status = PLEACH_OK;
    const int first = plc_onnx_first_dim(r);
    plc_onnx_loops loops, all = {.offset = picked->offset};
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = x->node;

    plc_onnx_loops_over(r, x, &loops);
    for (int i = 0; i < loops.n; i++) {
        if (i != axis - first)
            all.items[all.n++] = loops.items[i];
        for (int j = 0; i == axis - first && j < picked->n; j++)
            all.items[all.n++] = picked->items[j];
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = count;
    TRY(plc_onnx_view(r, n, &all, plc_onnx_usual_shape(r, dims, x->n_dims), &node));
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// A scalar index drops its dimension.
pleach_status plc_onnx_gather(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *given = NULL;
    range ranges[PLC_ONNX_MAX_DIMS];
    plc_onnx_loops picked = {0};
    int64_t *indices = NULL;
    int axis = 0;

    if (plc_onnx_input_kind(r, n, 0) == PLC_ONNX_INTS)
        return plc_onnx_gather_ints(r, n);
    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_input_ints(r, n, 1, &given));
    TRY(plc_onnx_image_axis(r, n, x, 0, &axis));
    TRY(read_indices(r, n, given, x->dims[axis], &indices));
    const int64_t begin = indices[0], count = (int64_t)given->count;
    const int inner = (int)plc_onnx_product(x->dims, axis + 1, x->n_dims);
    TRY(find_loops(r, n, indices, (int)count, inner, &picked));
    if (picked.n == 1 && (picked.items[0].stride == inner || count == 1)) {
        whole_ranges(x, ranges);
        ranges[axis] = (range){begin, count, 1};
        TRY(add_part(r, n, x, ranges, 0));
    } else {
        TRY(add_picked(r, n, x, axis, &picked, count));
    }
    if (given->n_dims == 0) {
        plc_onnx_value *y = plc_onnx_find(r, n->output[0]);

        memmove(y->dims + axis, y->dims + axis + 1,
                (size_t)(y->n_dims - axis - 1) * sizeof *y->dims);
        y->n_dims--;
    }
done:
    return status;
}
