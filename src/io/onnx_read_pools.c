// Reading ONNX: pools and means.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

// ceil_mode adds an output where the last window is not whole: as if there were more padding behind. That is no
// pixel of the image and counts in no mean. A window that would begin there is none.
static void add_ceil(const int sizes[2], const plc_attrs *a, int pads[4])
{
    for (int i = 0; i < 2; i++) {
        const long long extent = (long long)a->dilation[i] * (a->kernel[i] - 1) + 1;
        const long long over =
            ((long long)sizes[i] + pads[i] + pads[2 + i] - extent) % a->stride[i];
        const long long more = over > 0 ? a->stride[i] - over : 0;
        const long long last_begin = (long long)sizes[i] + pads[2 + i] + more - extent;

        if (last_begin < sizes[i] && more <= INT_MAX - pads[2 + i])
            pads[2 + i] += (int)more;
    }
}

static pleach_status pool(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t include_pad = 0, order = 0, ceil_mode = 0, dims[PLC_ONNX_MAX_DIMS];
    plc_attrs attrs = {0};
    int node = 0, pads[4];

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_int(r, n, "count_include_pad", 0, &include_pad));
    TRY(plc_onnx_int(r, n, "storage_order", 0, &order)); // of the indices, which nobody reads
    TRY(plc_onnx_int(r, n, "ceil_mode", 0, &ceil_mode));
    TRY(plc_onnx_images(r, n, x, &node));
    const plc_shape shape = r->graph->nodes[node].shape;
    TRY(plc_onnx_window(r, n, &shape, x->n_dims - 2, &attrs, pads));
    const int sizes[] = {shape.h, shape.w}, behind[] = {pads[2], pads[3]};
    if (ceil_mode)
        add_ceil(sizes, &attrs, pads);
    if (include_pad && (pads[0] || pads[1] || behind[0] || behind[1])) {
        const int counted[] = {pads[0], pads[1], behind[0], behind[1]};

        TRY(plc_onnx_pad_before(r, n, counted, &attrs, &node));
        for (int i = 0; i < 4; i++) // what ceil_mode has added stays outside of the means
            pads[i] -= counted[i];
    }
    for (int i = 0; i < 2; i++)
        attrs.pad_more[i] = pads[2 + i] - pads[i];
    TRY(plc_onnx_add(r, n, op, "", &(int){node}, 1, &attrs, &node));
    plc_onnx_image_dims(r, x, node, (int)x->dims[1], dims);
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

pleach_status plc_onnx_max_pool(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return pool(r, n, "max_pool");
}

pleach_status plc_onnx_avg_pool(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return pool(r, n, "avg_pool");
}

static void ones_behind_channels(const plc_onnx_value *x, int64_t dims[PLC_ONNX_MAX_DIMS])
{
    for (int i = 0; i < x->n_dims; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
}

pleach_status plc_onnx_global_avg_pool(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_channels(r, n, x, &node));
    TRY(plc_onnx_add(r, n, "global_avg_pool", "", &(int){node}, 1, NULL, &node));
    ones_behind_channels(x, dims);
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// A pool whose window is the plane.
pleach_status plc_onnx_global_max_pool(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_channels(r, n, x, &node));
    const plc_shape shape = r->graph->nodes[node].shape;
    const plc_attrs attrs = {.kernel = {shape.h, shape.w}};
    TRY(plc_onnx_add(r, n, "max_pool", "", &(int){node}, 1, &attrs, &node));
    ones_behind_channels(x, dims);
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// Which dimensions a reduction takes: those named, or all of an image.
static pleach_status reduced_dims(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *x, bool reduced[PLC_ONNX_MAX_DIMS])
{
    pleach_status status = PLEACH_OK;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;
    int64_t noop = 0;

    TRY(plc_onnx_axes(r, n, 1, x->n_dims, axes, &n_axes));
    TRY(plc_onnx_int(r, n, "noop_with_empty_axes", 0, &noop));
    for (int i = 0; i < x->n_dims; i++)
        reduced[i] = n_axes == 0 && !noop;
    for (int i = 0; i < n_axes; i++)
        reduced[axes[i]] = true;
    if (reduced[0] && !r->whole)
        TRY(plc_onnx_fail(r, n, "over the images, which are kept apart"));
done:
    return status;
}

// A global pool of the dimensions that stay, as channels, over the others.
pleach_status plc_onnx_reduce_mean(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    bool reduced[PLC_ONNX_MAX_DIMS];
    int64_t keep = 1, dims[PLC_ONNX_MAX_DIMS];
    plc_onnx_loops loops, order = {0};
    int n_dims = 0, n_channels = 1, n_pixels = 1;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(reduced_dims(r, n, x, reduced));
    TRY(plc_onnx_int(r, n, "keepdims", 1, &keep));
    plc_onnx_loops_over(r, x, &loops);
    for (int pass = 0; pass < 2; pass++) // those that stay, then the others
        for (int i = 0; i < loops.n; i++)
            if (reduced[plc_onnx_first_dim(r) + i] == (pass == 1)) {
                order.items[order.n++] = loops.items[i];
                *(pass ? &n_pixels : &n_channels) *= loops.items[i].size;
            }
    for (int i = 0; i < x->n_dims; i++)
        if (keep || !reduced[i])
            dims[n_dims++] = reduced[i] ? 1 : x->dims[i];
    int node = x->node;
    const plc_shape shape = r->graph->nodes[node].shape;
    if (shape.c != n_channels || memcmp(&loops, &order, sizeof loops) != 0)
        TRY(plc_onnx_view(r, n, &order, (plc_shape){n_channels, 1, n_pixels}, &node));
    TRY(plc_onnx_add(r, n, "global_avg_pool", "", &(int){node}, 1, NULL, &node));
    plc_onnx_set_node(r, n, node, dims, n_dims);
done:
    return status;
}
