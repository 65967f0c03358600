// Reading ONNX: windows of convolutions and pools over images of one or two dimensions.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

// Padding of SAME_UPPER and SAME_LOWER along one axis: as many outputs as input / stride, rounded up.
static pleach_status same_pad(plc_onnx_reader *r, const Onnx__NodeProto *n, int size, int axis,
                              bool upper, const plc_attrs *a, int pads[4])
{
    const long long stride = a->stride[axis];
    const long long extent = (long long)a->dilation[axis] * (a->kernel[axis] - 1LL) + 1;
    const long long out = (size + stride - 1) / stride;
    const long long needed = (out - 1) * stride + extent - size, total = needed > 0 ? needed : 0;

    if (total > INT_MAX)
        return plc_onnx_fail(r, n, "auto_pad would put %lld pixels around the image", total);
    pads[axis] = (int)(upper ? total / 2 : total - total / 2);
    pads[2 + axis] = (int)(total - pads[axis]);
    return PLEACH_OK;
}

pleach_status plc_onnx_spatial_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                                     int n_spatial, int missing, int values[2])
{
    values[0] = missing;
    return plc_onnx_sizes(r, n, name, n_spatial, missing, values + 2 - n_spatial);
}

// Pads in the order of ONNX: those in front of all dimensions, then those behind.
static pleach_status read_pads(plc_onnx_reader *r, const Onnx__NodeProto *n, int n_spatial,
                               int pads[4])
{
    pleach_status status = PLEACH_OK;
    int given[4];

    TRY(plc_onnx_sizes(r, n, "pads", 2 * n_spatial, 0, given));
    memset(pads, 0, 4 * sizeof *pads);
    for (int i = 0; i < n_spatial; i++) {
        pads[2 - n_spatial + i] = given[i];
        pads[4 - n_spatial + i] = given[n_spatial + i];
    }
done:
    return status;
}

pleach_status plc_onnx_window(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                              int n_spatial, plc_attrs *a, int pads[4])
{
    pleach_status status = PLEACH_OK;
    char auto_pad[16];
    int kernel[2];

    TRY(plc_onnx_spatial_sizes(r, n, "kernel_shape", n_spatial, 1, kernel));
    if (a->kernel[0] && plc_onnx_attr(n, "kernel_shape") &&
        memcmp(a->kernel, kernel, sizeof kernel))
        TRY(plc_onnx_fail(r, n, "kernel_shape is %d x %d, its weights are %d x %d", kernel[0],
                          kernel[1], a->kernel[0], a->kernel[1]));
    if (!a->kernel[0] && !plc_onnx_attr(n, "kernel_shape"))
        TRY(plc_onnx_fail(r, n, "it has no kernel_shape"));
    if (!a->kernel[0])
        memcpy(a->kernel, kernel, sizeof kernel);
    TRY(plc_onnx_spatial_sizes(r, n, "strides", n_spatial, 1, a->stride));
    TRY(plc_onnx_spatial_sizes(r, n, "dilations", n_spatial, 1, a->dilation));
    for (int i = 0; i < 2; i++) // a zero would mean the default to our graph
        if (!a->kernel[i] || !a->stride[i] || !a->dilation[i])
            TRY(plc_onnx_fail(r, n, "kernel %d, stride %d, dilation %d; each must be at least 1",
                              a->kernel[i], a->stride[i], a->dilation[i]));
    TRY(plc_onnx_string(r, n, "auto_pad", "NOTSET", auto_pad, sizeof auto_pad));
    TRY(read_pads(r, n, n_spatial, pads));
    const bool upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    if (upper || strcmp(auto_pad, "SAME_LOWER") == 0) {
        TRY(same_pad(r, n, x->h, 0, upper, a, pads));
        TRY(same_pad(r, n, x->w, 1, upper, a, pads));
    } else if (strcmp(auto_pad, "VALID") == 0) {
        memset(pads, 0, 4 * sizeof *pads);
    } else if (strcmp(auto_pad, "NOTSET") != 0) {
        TRY(plc_onnx_fail(r, n, "auto_pad '%s' is not known", auto_pad));
    }
    a->pad[0] = pads[0];
    a->pad[1] = pads[1];
done:
    return status;
}

bool plc_onnx_is_even(const int pads[4])
{
    return pads[0] == pads[2] && pads[1] == pads[3];
}

pleach_status plc_onnx_pad_before(plc_onnx_reader *r, const Onnx__NodeProto *n, const int pads[4],
                                  plc_attrs *attrs, int *node)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs pad = {.pad = {pads[0], pads[1]}, .pad_after = {pads[2], pads[3]}};

    TRY(plc_onnx_add(r, n, "pad", ".pad", &(int){*node}, 1, &pad, node));
    attrs->pad[0] = attrs->pad[1] = 0;
done:
    return status;
}

void plc_onnx_image_dims(const plc_onnx_reader *r, const plc_onnx_value *input, int node,
                         int channels, int64_t dims[PLC_ONNX_MAX_DIMS])
{
    const plc_shape *shape = &r->graph->nodes[node].shape;

    dims[0] = input->dims[0];
    dims[1] = channels;
    if (input->n_dims == 4)
        dims[2] = shape->h;
    dims[input->n_dims - 1] = shape->w;
}
