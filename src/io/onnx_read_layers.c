// Reading ONNX: convolutions and batch norms.
#include <io/onnx_reader.h>

#include <float.h>
#include <limits.h>
#include <string.h>

// Weights of a convolution over n_spatial dimensions, its groups and bias.
typedef struct filters {
    const plc_onnx_value *weight, *bias; // bias NULL: none
    int n_spatial;
    int64_t groups;
} filters;

static pleach_status read_filters(plc_onnx_reader *r, const Onnx__NodeProto *n, int n_spatial,
                                  filters *f, plc_attrs *attrs)
{
    pleach_status status = PLEACH_OK;

    *f = (filters){.n_spatial = n_spatial};
    TRY(plc_onnx_input_floats(r, n, 1, &f->weight));
    if (f->weight->n_dims != 2 + n_spatial || !f->weight->count)
        TRY(plc_onnx_fail(r, n, "its weights have %d dimensions and %zu values, expected %s",
                          f->weight->n_dims, f->weight->count,
                          n_spatial == 2 ? "[K][C][R][S]" : "[K][C][S]"));
    TRY(plc_onnx_int(r, n, "group", 1, &f->groups));
    if (f->groups < 1 || f->groups > f->weight->dims[0] || f->weight->dims[0] % f->groups)
        TRY(plc_onnx_fail(r, n, "group %lld of %lld filters", (long long)f->groups,
                          (long long)f->weight->dims[0]));
    attrs->kernel[0] = n_spatial == 2 ? (int)f->weight->dims[2] : 1;
    attrs->kernel[1] = (int)f->weight->dims[1 + n_spatial];
    attrs->groups = (int)f->groups;
    if (plc_onnx_has_input(n, 2))
        TRY(plc_onnx_input_floats(r, n, 2, &f->bias));
done:
    return status;
}

pleach_status plc_onnx_conv(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    filters f = {0};
    plc_attrs attrs = {0};
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0, pads[4];

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_images(r, n, x, &node));
    TRY(read_filters(r, n, x->n_dims - 2, &f, &attrs));
    attrs.out_channels = (int)f.weight->dims[0];
    attrs.bias = f.bias != NULL;
    const plc_shape shape = r->graph->nodes[node].shape;
    if (f.weight->dims[1] * f.groups != shape.c)
        TRY(plc_onnx_fail(r, n, "its weights read %lld channels in %lld groups, the input has %d",
                          (long long)f.weight->dims[1], (long long)f.groups, shape.c));
    TRY(plc_onnx_window(r, n, &shape, f.n_spatial, &attrs, pads));
    if (!plc_onnx_is_even(pads))
        TRY(plc_onnx_pad_before(r, n, pads, &attrs, &node));
    TRY(plc_onnx_add(r, n, "conv", "", &(int){node}, 1, &attrs, &node));
    TRY(plc_onnx_set_param(r, n, node, 0, f.weight->floats, f.weight->count));
    if (f.bias)
        TRY(plc_onnx_set_param(r, n, node, 1, f.bias->floats, f.bias->count));
    plc_onnx_image_dims(r, x, node, attrs.out_channels, dims);
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// Pads that the output's size, or auto_pad, asks for; output_padding counts as less padding behind.
static pleach_status transpose_pads(plc_onnx_reader *r, const Onnx__NodeProto *n, int n_spatial,
                                    const int in[2], plc_attrs *a, int pads[4])
{
    pleach_status status = PLEACH_OK;
    char auto_pad[16];
    int more[2], wanted[2];

    TRY(plc_onnx_spatial_sizes(r, n, "output_padding", n_spatial, 0, more));
    TRY(plc_onnx_spatial_sizes(r, n, "output_shape", n_spatial, 1, wanted));
    TRY(plc_onnx_string(r, n, "auto_pad", "NOTSET", auto_pad, sizeof auto_pad));
    const bool given = plc_onnx_attr(n, "output_shape") != NULL;
    const bool same = strncmp(auto_pad, "SAME_", 5) == 0;
    for (int i = 0; i < 2; i++) {
        const long long full = (in[i] - 1LL) * a->stride[i] +
                               (long long)a->dilation[i] * (a->kernel[i] - 1) + 1 + more[i];
        const long long size = given ? wanted[i] : (long long)in[i] * a->stride[i];
        const long long total = size < full ? full - size : 0;
        const bool is_dim = i >= 2 - n_spatial;

        if (is_dim && (given || same)) {
            if (total > INT_MAX)
                TRY(plc_onnx_fail(r, n, "%lld pixels of padding", total));
            pads[i] = (int)(strcmp(auto_pad, "SAME_UPPER") == 0 ? total / 2 : total - total / 2);
            pads[2 + i] = (int)total - pads[i];
            if (given && size > full)
                pads[2 + i] = (int)(full - size); // sizes are ints, and full is above 0
        }
        a->pad[i] = pads[i];
        a->pad_after[i] = pads[2 + i] - more[i];
    }
done:
    return status;
}

// A bias becomes a convolution of each channel behind it.
pleach_status plc_onnx_conv_transpose(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    filters f = {0};
    plc_attrs attrs = {0};
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0, pads[4];

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_images(r, n, x, &node));
    TRY(read_filters(r, n, x->n_dims - 2, &f, &attrs));
    const plc_shape shape = r->graph->nodes[node].shape;
    const int64_t n_out = f.weight->dims[1] * f.groups;
    if (f.weight->dims[0] != shape.c || n_out > INT_MAX)
        TRY(plc_onnx_fail(r, n, "its weights read %lld channels and give %lld, the input has %d",
                          (long long)f.weight->dims[0], (long long)n_out, shape.c));
    attrs.out_channels = (int)n_out;
    TRY(plc_onnx_window(r, n, &shape, f.n_spatial, &attrs, pads));
    TRY(transpose_pads(r, n, f.n_spatial, (int[]){shape.h, shape.w}, &attrs, pads));
    TRY(plc_onnx_add(r, n, "conv_transpose", "", &(int){node}, 1, &attrs, &node));
    TRY(plc_onnx_set_param(r, n, node, 0, f.weight->floats, f.weight->count));
    if (f.bias && f.bias->count != (size_t)n_out)
        TRY(plc_onnx_fail(r, n, "its bias has %zu values for %lld channels", f.bias->count,
                          (long long)n_out));
    if (f.bias)
        TRY(plc_onnx_affine(r, n, ".bias", NULL, f.bias->floats, &node));
    plc_onnx_image_dims(r, x, node, attrs.out_channels, dims);
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

pleach_status plc_onnx_batch_norm(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *param = NULL;
    int64_t training = 0, spatial = 1;
    float momentum = 0;
    plc_attrs attrs = {0};
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_int(r, n, "training_mode", 0, &training));
    TRY(plc_onnx_int(r, n, "spatial", 1, &spatial));
    if (training || !spatial)
        TRY(plc_onnx_fail(r, n, "%s; export the network for inference",
                          training ? "training_mode is set" : "spatial is 0"));
    TRY(plc_onnx_float(r, n, "epsilon", 1e-5f, &attrs.eps));
    TRY(plc_onnx_float(r, n, "momentum", 0.9f, &momentum));
    if (!(attrs.eps > 0))
        attrs.eps = FLT_MIN; // a zero would mean the default to our graph
    // What does not count at inference must not keep a file from being read.
    attrs.momentum = momentum >= 0 && momentum < 1 ? 1 - momentum : 0.1f;
    TRY(plc_onnx_channels(r, n, x, &node));
    TRY(plc_onnx_add(r, n, "batch_norm", "", &(int){node}, 1, &attrs, &node));
    for (int i = 0; i < 4; i++) { // gamma, beta, running mean, running variance in both
        TRY(plc_onnx_input_floats(r, n, 1 + i, &param));
        TRY(plc_onnx_set_param(r, n, node, i, param->floats, param->count));
    }
    plc_onnx_set_node(r, n, node, x->dims, x->n_dims);
done:
    return status;
}
