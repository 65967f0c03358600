// Reading ONNX: pooling.
#include <io/onnx_reader.h>

// ceil_mode adds an output where the last window is not whole; without one it changes nothing.
static pleach_status check_ceil(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                                const plc_attrs *a)
{
    pleach_status status = PLEACH_OK;
    const int sizes[] = {x->h, x->w};
    int64_t ceil_mode = 0;

    TRY(plc_onnx_int(r, n, "ceil_mode", 0, &ceil_mode));
    for (int i = 0; ceil_mode && i < 2; i++)
        if (((long long)sizes[i] + 2LL * a->pad[i] - a->kernel[i]) % a->stride[i])
            TRY(plc_onnx_fail(r, n,
                              "ceil_mode with %d pixels, kernel %d, stride %d and pad %d leaves a "
                              "window that is not whole; export it with ceil_mode 0",
                              sizes[i], a->kernel[i], a->stride[i], a->pad[i]));
done:
    return status;
}

static pleach_status pool(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t include_pad = 0, order = 0;
    plc_attrs attrs = {0};
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_int(r, n, "count_include_pad", 0, &include_pad));
    TRY(plc_onnx_int(r, n, "storage_order", 0, &order)); // of the indices, which nobody reads
    TRY(plc_onnx_window(r, n, plc_onnx_shape(r, x), &attrs));
    if (attrs.dilation[0] != 1 || attrs.dilation[1] != 1)
        TRY(plc_onnx_fail(r, n, "dilations %d x %d; only 1 is read", attrs.dilation[0],
                          attrs.dilation[1]));
    if (include_pad && (attrs.pad[0] || attrs.pad[1]))
        TRY(plc_onnx_fail(r, n,
                          "count_include_pad with pad %d x %d; padding is left out of means here: "
                          "write a Pad in front of it",
                          attrs.pad[0], attrs.pad[1]));
    TRY(check_ceil(r, n, plc_onnx_shape(r, x), &attrs));
    TRY(plc_onnx_add(r, n, op, "", &x->node, 1, &attrs, &node));
    plc_onnx_set_node(r, n, node, 4);
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

static pleach_status global(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_add(r, n, "global_avg_pool", "", &x->node, 1, NULL, &node));
    plc_onnx_set_node(r, n, node, rank);
done:
    return status;
}

pleach_status plc_onnx_global_avg_pool(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return global(r, n, 4);
}

// The mean over height and width is a global pool.
pleach_status plc_onnx_reduce_mean(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;
    int64_t keep = 1, noop = 0;

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_axes(r, n, 1, 4, axes, &n_axes));
    TRY(plc_onnx_int(r, n, "keepdims", 1, &keep));
    TRY(plc_onnx_int(r, n, "noop_with_empty_axes", 0, &noop)); // without axes it is refused anyway
    if (n_axes != 2 || axes[0] + axes[1] != 5 || axes[0] < 2 || axes[1] < 2)
        TRY(plc_onnx_fail(r, n, "only the mean over height and width is read (axes 2 and 3)"));
    TRY(global(r, n, keep ? 4 : 2));
done:
    return status;
}
