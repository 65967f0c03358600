// Reading ONNX: functions of single values.
#include <io/onnx_reader.h>

#include <float.h>
#include <math.h>
#include <string.h>

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
    plc_onnx_set_node(r, n, node, x->dims, x->n_dims);
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

// One slope, one for each channel, or one for each value of an image, which are channels of one pixel then.
pleach_status plc_onnx_prelu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *slope = NULL;
    const float *slopes = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    int node = 0, n_dims = 0;
    size_t count = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_input_floats(r, n, 1, &slope));
    // Before opset 7 slopes are those of channels.
    plc_onnx_value lined_up = *slope;
    if (r->opset < 7 && slope->n_dims == 1 && slope->count > 1)
        while (lined_up.n_dims < x->n_dims - 1)
            lined_up.dims[lined_up.n_dims++] = 1;
    slope = &lined_up;
    TRY(plc_onnx_broadcast(r, n, x, slope, dims, &n_dims));
    if (n_dims != x->n_dims || memcmp(dims, x->dims, (size_t)n_dims * sizeof *dims) != 0)
        TRY(plc_onnx_fail(r, n, "its slopes have more values than its input"));
    const bool has_channels = x->n_dims > 1 && (!r->whole || x->dims[0] == 1);
    if (has_channels && plc_onnx_is_per_channel(r, x, x->dims[1], slope)) {
        count = (size_t)x->dims[1];
        TRY(plc_onnx_channels(r, n, x, &node));
        TRY(plc_onnx_channel_values(r, slope, count, &slopes));
    } else {
        TRY(plc_onnx_group(r, n, x, x->n_dims - plc_onnx_first_dim(r), 0, &node));
        TRY(plc_onnx_repeat_floats(r, n, slope, dims, n_dims, &slopes, &count));
    }
    TRY(plc_onnx_add(r, n, "prelu", "", &(int){node}, 1, NULL, &node));
    TRY(plc_onnx_set_param(r, n, node, 0, slopes, count));
    plc_onnx_set_node(r, n, node, x->dims, x->n_dims);
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

pleach_status plc_onnx_tanh(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "tanh", 0, 0);
}

pleach_status plc_onnx_elu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    float alpha = 0;

    TRY(plc_onnx_float(r, n, "alpha", 1, &alpha));
    TRY(add_function(r, n, "elu", alpha, 1));
done:
    return status;
}

pleach_status plc_onnx_selu(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    float alpha = 0, gamma = 0;

    TRY(plc_onnx_float(r, n, "alpha", 1.67326319217681884765625f, &alpha));
    TRY(plc_onnx_float(r, n, "gamma", 1.05070102214813232421875f, &gamma));
    TRY(add_function(r, n, "elu", alpha, gamma));
done:
    return status;
}

pleach_status plc_onnx_softplus(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "softplus", 0, 0);
}

pleach_status plc_onnx_softsign(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    return add_function(r, n, "softsign", 0, 0);
}

// At the end of a network it is left out, where its axis holds all values.
static bool is_end(const plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *x,
                   int axis)
{
    return r->to_logits &&
           plc_onnx_product(x->dims, plc_onnx_first_dim(r), x->n_dims) == x->dims[axis] &&
           strcmp(n->output[0], plc_onnx_text(r->file->output[0]->name)) == 0;
}

// Before opset 13 over all dimensions from the axis on, since then over that one.
pleach_status plc_onnx_softmax(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const bool over_rest = r->opset < 13;
    const plc_onnx_value *x = NULL;
    int axis = 0, node = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_image_axis(r, n, x, over_rest ? 1 : -1, &axis));
    if (is_end(r, n, x, axis)) {
        plc_log(r->ctx, PLEACH_LOG_INFO,
                "%s '%s' is left out: logits are what is trained and compared", n->op_type,
                plc_onnx_text(n->name));
        plc_onnx_set_same(r, n, x);
        return status;
    }
    const int before = axis - plc_onnx_first_dim(r);
    const plc_attrs attrs = {.axis = before == 0 ? 0 : 1};
    TRY(plc_onnx_group(r, n, x, before == 0 ? (over_rest ? x->n_dims - axis : 1) : before,
                       over_rest && before ? x->n_dims - axis
                       : before            ? 1
                                           : 0,
                       &node));
    TRY(plc_onnx_add(r, n, n->op_type[0] == 'L' ? "log_softmax" : "softmax", "", &(int){node}, 1,
                     &attrs, &node));
    plc_onnx_set_node(r, n, node, x->dims, x->n_dims);
done:
    return status;
}

// What changes nothing at inference.
pleach_status plc_onnx_identity(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    const plc_onnx_value *x = plc_onnx_has_input(n, 0) ? plc_onnx_find(r, n->input[0]) : NULL;

    if (!x || x->kind == PLC_ONNX_UNKNOWN)
        return plc_onnx_fail(r, n, "input 0 is missing");
    plc_onnx_set_same(r, n, x);
    return PLEACH_OK;
}

// Nothing at inference; in training mode it would need its draws.
pleach_status plc_onnx_dropout(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *training = NULL, *ratio = NULL;

    if (plc_onnx_has_input(n, 2)) {
        TRY(plc_onnx_input_ints(r, n, 2, &training));
        if (plc_onnx_has_input(n, 1))
            TRY(plc_onnx_input_floats(r, n, 1, &ratio));
        const bool drops = !ratio || !ratio->count || ratio->floats[0] > 0;
        if (training->count && training->ints[0] && drops)
            TRY(plc_onnx_fail(r, n, "training_mode is set; export the network for inference"));
    }
    TRY(plc_onnx_identity(r, n));
done:
    return status;
}
