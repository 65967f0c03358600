// Reading ONNX: operators with weights, and the windows that they share with pools.
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

pleach_status plc_onnx_window(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_shape *x,
                              plc_attrs *a, int pads[4])
{
    pleach_status status = PLEACH_OK;
    char auto_pad[16];
    int kernel[2];

    TRY(plc_onnx_sizes(r, n, "kernel_shape", 2, 0, kernel));
    if (a->kernel[0] && plc_onnx_attr(n, "kernel_shape") &&
        memcmp(a->kernel, kernel, sizeof kernel))
        TRY(plc_onnx_fail(r, n, "kernel_shape is %d x %d, its weights are %d x %d", kernel[0],
                          kernel[1], a->kernel[0], a->kernel[1]));
    if (!a->kernel[0])
        memcpy(a->kernel, kernel, sizeof kernel);
    TRY(plc_onnx_sizes(r, n, "strides", 2, 1, a->stride));
    TRY(plc_onnx_sizes(r, n, "dilations", 2, 1, a->dilation));
    for (int i = 0; i < 2; i++) // a zero would mean the default to our graph
        if (!a->kernel[i] || !a->stride[i] || !a->dilation[i])
            TRY(plc_onnx_fail(r, n, "kernel %d, stride %d, dilation %d; each must be at least 1",
                              a->kernel[i], a->stride[i], a->dilation[i]));
    TRY(plc_onnx_string(r, n, "auto_pad", "NOTSET", auto_pad, sizeof auto_pad));
    TRY(plc_onnx_sizes(r, n, "pads", 4, 0, pads));
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

pleach_status plc_onnx_conv(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *weight = NULL, *bias = NULL;
    plc_attrs attrs = {0};
    int64_t groups = 1;
    int node = 0, pads[4];

    TRY(plc_onnx_input_node(r, n, 0, 4, &x));
    TRY(plc_onnx_input_floats(r, n, 1, &weight));
    if (weight->n_dims != 4 || !weight->count)
        TRY(plc_onnx_fail(r, n,
                          "its weights have %d dimensions and %zu values, expected [K][C][R][S]",
                          weight->n_dims, weight->count));
    TRY(plc_onnx_int(r, n, "group", 1, &groups));
    if (groups < 1 || groups > weight->dims[0] || weight->dims[0] % groups)
        TRY(plc_onnx_fail(r, n, "group %lld of %lld filters", (long long)groups,
                          (long long)weight->dims[0]));
    attrs.out_channels = (int)weight->dims[0];
    attrs.kernel[0] = (int)weight->dims[2];
    attrs.kernel[1] = (int)weight->dims[3];
    attrs.groups = (int)groups;
    attrs.bias = plc_onnx_has_input(n, 2);
    if (attrs.bias)
        TRY(plc_onnx_input_floats(r, n, 2, &bias));
    if (weight->dims[1] * groups != plc_onnx_shape(r, x)->c)
        TRY(plc_onnx_fail(r, n, "its weights read %lld channels in %lld groups, the input has %d",
                          (long long)weight->dims[1], (long long)groups, plc_onnx_shape(r, x)->c));
    TRY(plc_onnx_window(r, n, plc_onnx_shape(r, x), &attrs, pads));
    node = x->node;
    if (!plc_onnx_is_even(pads))
        TRY(plc_onnx_pad_before(r, n, pads, &attrs, &node));
    TRY(plc_onnx_add(r, n, "conv", "", &(int){node}, 1, &attrs, &node));
    TRY(plc_onnx_set_param(r, n, node, 0, weight->floats, weight->count));
    if (bias)
        TRY(plc_onnx_set_param(r, n, node, 1, bias->floats, bias->count));
    plc_onnx_set_node(r, n, node, 4);
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
    // What does not count at inference must not keep a file from being read.
    attrs.momentum = momentum >= 0 && momentum < 1 ? 1 - momentum : 0.1f;
    TRY(plc_onnx_add(r, n, "batch_norm", "", &x->node, 1, &attrs, &node));
    for (int i = 0; i < 4; i++) { // gamma, beta, running mean, running variance in both
        TRY(plc_onnx_input_floats(r, n, 1 + i, &param));
        TRY(plc_onnx_set_param(r, n, node, i, param->floats, param->count));
    }
    plc_onnx_set_node(r, n, node, x->rank);
done:
    return status;
}

// weight [n_out][n_in] of a constant that has it so, or transposed; times `factor`.
static pleach_status linear_weight(plc_onnx_reader *r, const plc_onnx_value *given, bool transposed,
                                   float factor, const float **weight)
{
    pleach_status status = PLEACH_OK;
    const size_t rows = (size_t)given->dims[0], columns = (size_t)given->dims[1];
    float *made = NULL;

    *weight = given->floats;
    if (!transposed && factor == 1)
        return status;
    TRY(plc_onnx_take(r->ctx, &r->arena, given->count, sizeof *made, &made));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            made[transposed ? j * rows + i : i * columns + j] =
                factor * given->floats[i * columns + j];
    *weight = made;
done:
    return status;
}

// Gemm had to have a bias before this opset: one of zeros is none.
enum { BIAS_OPTIONAL_SINCE = 11 };

// A vector of n_out values from a constant that is broadcast to it, times `factor`; NULL for zeros that had to be
// there.
static pleach_status linear_bias(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *given, float factor, int n_out,
                                 const float **bias)
{
    pleach_status status = PLEACH_OK;
    float *made = NULL;
    bool any = r->opset >= BIAS_OPTIONAL_SINCE;

    if (given->count != 1 && given->count != (size_t)n_out)
        TRY(plc_onnx_fail(r, n, "its bias has %zu values for %d outputs", given->count, n_out));
    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)n_out, sizeof *made, &made));
    for (int i = 0; i < n_out; i++) {
        made[i] = factor * given->floats[given->count == 1 ? 0 : i];
        any = any || made[i] < 0 || made[i] > 0;
    }
    *bias = any ? made : NULL;
done:
    return status;
}

static pleach_status add_linear(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *x, const plc_onnx_value *weight,
                                bool transposed, float factor, const float *bias, int *node)
{
    pleach_status status = PLEACH_OK;
    const int64_t n_out = weight->dims[transposed ? 1 : 0], n_in = weight->dims[transposed ? 0 : 1];
    const plc_attrs attrs = {.out_channels = (int)n_out, .bias = bias != NULL};
    const float *values = NULL;

    if (n_in != plc_onnx_shape(r, x)->c || n_out < 1)
        TRY(plc_onnx_fail(r, n, "its weights make %lld features of %lld, the input has %d",
                          (long long)n_out, (long long)n_in, plc_onnx_shape(r, x)->c));
    TRY(linear_weight(r, weight, transposed, factor, &values));
    TRY(plc_onnx_add(r, n, "linear", "", &x->node, 1, &attrs, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, values, weight->count));
    if (bias)
        TRY(plc_onnx_set_param(r, n, *node, 1, bias, (size_t)n_out));
done:
    return status;
}

static pleach_status input_matrix(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                  const plc_onnx_value **value)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_input_floats(r, n, i, value));
    if ((*value)->n_dims != 2 || !(*value)->count)
        TRY(plc_onnx_fail(r, n, "input '%s' has %d dimensions and %zu values, expected a matrix",
                          n->input[i], (*value)->n_dims, (*value)->count));
done:
    return status;
}

pleach_status plc_onnx_gemm(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *weight = NULL, *given = NULL;
    int64_t trans_a = 0, trans_b = 0;
    float alpha = 1, beta = 1;
    const float *bias = NULL;
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 2, &x));
    TRY(input_matrix(r, n, 1, &weight));
    TRY(plc_onnx_int(r, n, "transA", 0, &trans_a));
    TRY(plc_onnx_int(r, n, "transB", 0, &trans_b));
    TRY(plc_onnx_float(r, n, "alpha", 1, &alpha));
    TRY(plc_onnx_float(r, n, "beta", 1, &beta));
    if (trans_a)
        TRY(plc_onnx_fail(r, n, "transA is set, which mixes images"));
    if (plc_onnx_has_input(n, 2)) {
        TRY(plc_onnx_input_floats(r, n, 2, &given));
        TRY(linear_bias(r, n, given, beta, (int)weight->dims[trans_b ? 0 : 1], &bias));
    }
    TRY(add_linear(r, n, x, weight, !trans_b, alpha, bias, &node));
    plc_onnx_set_node(r, n, node, 2);
done:
    return status;
}

// The Add of a constant that alone reads the node's value, or NULL; *bias is the constant.
static const Onnx__NodeProto *following_bias(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                             int64_t n_out, const plc_onnx_value **bias)
{
    const plc_onnx_value *y = plc_onnx_find(r, n->output[0]);
    const Onnx__NodeProto *next = y->n_readers == 1 ? r->file->node[y->reader] : NULL;

    if (!next || strcmp(plc_onnx_text(next->op_type), "Add") != 0 || next->n_input != 2 ||
        next->n_output != 1 || strcmp(y->name, plc_onnx_text(r->file->output[0]->name)) == 0)
        return NULL;
    const int other = strcmp(plc_onnx_text(next->input[0]), y->name) == 0 ? 1 : 0;
    if (plc_onnx_input_kind(r, next, other) != PLC_ONNX_FLOATS)
        return NULL;
    *bias = plc_onnx_find(r, next->input[other]);
    const int n_dims = (*bias)->n_dims;
    const bool is_vector = n_dims == 1 || (n_dims == 2 && (*bias)->dims[0] == 1);
    return is_vector && (*bias)->dims[n_dims - 1] == n_out ? next : NULL;
}

pleach_status plc_onnx_matmul(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *weight = NULL, *bias = NULL;
    int node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 2, &x));
    TRY(input_matrix(r, n, 1, &weight));
    const Onnx__NodeProto *add = following_bias(r, n, weight->dims[1], &bias);
    TRY(add_linear(r, n, x, weight, true, 1, add ? bias->floats : NULL, &node));
    plc_onnx_set_node(r, n, node, 2);
    if (add) {
        plc_onnx_set_node(r, add, node, 2);
        r->done[plc_onnx_find(r, n->output[0])->reader] = true;
    }
done:
    return status;
}
