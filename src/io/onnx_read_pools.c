// Reading ONNX: pooling and padding.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

// ceil_mode adds an output where the last window is not whole; without one it changes nothing.
static pleach_status check_ceil(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                                const plc_attrs *a, const int pads[4])
{
    pleach_status status = PLEACH_OK;
    const int sizes[] = {x->h, x->w};
    int64_t ceil_mode = 0;

    TRY(plc_onnx_int(r, n, "ceil_mode", 0, &ceil_mode));
    for (int i = 0; ceil_mode && i < 2; i++)
        if (((long long)sizes[i] + pads[i] + pads[2 + i] - a->kernel[i]) % a->stride[i])
            TRY(plc_onnx_fail(
                r, n,
                "ceil_mode with %d pixels, kernel %d, stride %d and pads %d and %d leaves a "
                "window that is not whole; export it with ceil_mode 0",
                sizes[i], a->kernel[i], a->stride[i], pads[i], pads[2 + i]));
done:
    return status;
}

static pleach_status pool(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t include_pad = 0, order = 0;
    plc_attrs attrs = {0};
    int node = 0, pads[4];

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_int(r, n, "count_include_pad", 0, &include_pad));
    TRY(plc_onnx_int(r, n, "storage_order", 0, &order)); // of the indices, which nobody reads
    TRY(plc_onnx_window(r, n, plc_onnx_shape(r, x), &attrs, pads));
    if (attrs.dilation[0] != 1 || attrs.dilation[1] != 1)
        TRY(plc_onnx_fail(r, n, "dilations %d x %d; only 1 is read", attrs.dilation[0],
                          attrs.dilation[1]));
    const bool pads_count = include_pad && (pads[0] || pads[1] || pads[2] || pads[3]);
    if (!pads_count && !plc_onnx_is_even(pads))
        TRY(plc_onnx_fail(r, n,
                          "pads [%d, %d, %d, %d]; only the same on opposite sides is read where "
                          "padding is no zeros",
                          pads[0], pads[1], pads[2], pads[3]));
    TRY(check_ceil(r, n, plc_onnx_shape(r, x), &attrs, pads));
    node = x->node;
    if (pads_count)
        TRY(plc_onnx_pad_before(r, n, pads, &attrs, &node));
    TRY(plc_onnx_add(r, n, op, "", &(int){node}, 1, &attrs, &node));
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

// Zeros around images. Pads of all dimensions, first those in front: an attribute before opset 11, then an input.
pleach_status plc_onnx_pad(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "pads");
    const plc_onnx_value *x = NULL, *given = NULL, *constant = NULL;
    const int64_t *pads = attr ? attr->ints : NULL;
    size_t n_pads = attr ? attr->n_ints : 0;
    char mode[16];
    float value = 0;
    plc_attrs attrs = {0};
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_string(r, n, "mode", "constant", mode, sizeof mode));
    TRY(plc_onnx_float(r, n, "value", 0, &value));
    if (!attr) {
        TRY(plc_onnx_input_ints(r, n, 1, &given));
        pads = given->ints;
        n_pads = given->count;
    }
    if (plc_onnx_has_input(n, 2)) {
        TRY(plc_onnx_input_floats(r, n, 2, &constant));
        value = constant->count == 1 ? constant->floats[0] : 1;
    }
    if (strcmp(mode, "constant") != 0 || value != 0)
        TRY(plc_onnx_fail(r, n, "mode '%s' with %g; only zeros are read", mode, (double)value));
    if (n_pads != 8)
        TRY(plc_onnx_fail(r, n, "%zu pads; 8 are read, for [N][C][H][W]", n_pads));
    for (int i = 0; i < 8; i++)
        if (pads[i] < 0 || pads[i] > INT_MAX || (i % 4 < 2 && pads[i] != 0))
            TRY(plc_onnx_fail(r, n,
                              "pad %d is %lld; only height and width are padded, nothing is cut", i,
                              (long long)pads[i]));
    for (int i = 0; i < 2; i++) {
        attrs.pad[i] = (int)pads[2 + i];
        attrs.pad_after[i] = (int)pads[6 + i];
    }
    TRY(plc_onnx_add(r, n, "pad", "", &x->node, 1, &attrs, &node));
    plc_onnx_set_node(r, n, node, 4);
done:
    return status;
}
