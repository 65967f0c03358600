// Reading ONNX: functions of single values.
#include <io/onnx_reader.h>

#include <float.h>
#include <math.h>

static pleach_status add_function(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op,
                                  float alpha, float beta)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    const plc_attrs attrs = {.alpha = alpha, .beta = beta};
    int node = 0;

    if (!isfinite(alpha) || !isfinite(beta))
        TRY(plc_onnx_fail(r, n, "parameters %g and %g", (double)alpha, (double)beta));
    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_add(r, n, op, "", &x->node, 1, &attrs, &node));
    plc_onnx_set_node(r, n, node, x->rank);
done:
    return status;
}

pleach_status plc_onnx_relu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "relu", 0, 0);
}

// A bound of a Clip: an attribute before opset 11, then an input; none is the largest float.
static pleach_status bound(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                           int input, float none, float *value)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *given = NULL;

    TRY(plc_onnx_float(r, n, name, none, value));
    if (plc_onnx_has_input(n, input)) {
        TRY(plc_onnx_input_floats(r, n, input, &given));
        if (given->count != 1)
            TRY(plc_onnx_fail(r, n, "its %s has %zu values, expected one", name, given->count));
        *value = given->floats[0];
    }
    if (isinf(*value))
        *value = *value < 0 ? -FLT_MAX : FLT_MAX;
done:
    return status;
}

pleach_status plc_onnx_clip(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    float low = 0, high = 0;

    TRY(bound(r, n, "min", 1, -FLT_MAX, &low));
    TRY(bound(r, n, "max", 2, FLT_MAX, &high));
    if (low == 0 && high == FLT_MAX)
        return plc_onnx_relu(r, n);
    TRY(add_function(r, n, "clip", low, high));
done:
    return status;
}

pleach_status plc_onnx_leaky_relu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    float alpha = 0;

    TRY(plc_onnx_float(r, n, "alpha", 0.01f, &alpha));
    TRY(add_function(r, n, "leaky_relu", alpha, 0));
done:
    return status;
}

pleach_status plc_onnx_prelu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *slope = NULL;

    TRY(plc_onnx_input_floats(r, n, 1, &slope));
    for (size_t i = 0; i < slope->count; i++)
        if (!(slope->floats[i] == slope->floats[0])) // a NaN too
            TRY(plc_onnx_fail(r, n, "slopes %g and %g; only one slope for all channels is read",
                              (double)slope->floats[0], (double)slope->floats[i]));
    if (!slope->count)
        TRY(plc_onnx_fail(r, n, "no slope"));
    TRY(add_function(r, n, "leaky_relu", slope->floats[0], 0));
done:
    return status;
}

pleach_status plc_onnx_sigmoid(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "sigmoid", 0, 0);
}

pleach_status plc_onnx_hard_sigmoid(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    float alpha = 0, beta = 0;

    TRY(plc_onnx_float(r, n, "alpha", 0.2f, &alpha));
    TRY(plc_onnx_float(r, n, "beta", 0.5f, &beta));
    TRY(add_function(r, n, "hard_sigmoid", alpha, beta));
done:
    return status;
}

pleach_status plc_onnx_hard_swish(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "hard_swish", 0, 0);
}
