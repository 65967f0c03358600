// Writing ONNX: the form of each operator.
#include <io/onnx_writer.h>

#include <stdio.h>
#include <string.h>

pleach_status plc_onnx_value_of_rank(plc_onnx_writer *w, int node, int input, int rank,
                                     char **value)
{
    pleach_status status = PLEACH_OK;
    char *inputs[2] = {w->values[input], NULL}, *made = NULL, what[32];
    Onnx__NodeProto *n = NULL;

    *value = inputs[0];
    if (w->ranks[input] == rank)
        return status;
    snprintf(what, sizeof what, "rank%d.%zu", rank, w->n_nodes);
    TRY(plc_onnx_name(w, w->graph->nodes[node].name, what, &made));
    if (rank == 2) {
        TRY(plc_onnx_add_node(w, "Flatten", made, inputs, 1, &n));
        TRY(plc_onnx_attr_int(w, n, "axis", 1));
    } else {
        TRY(plc_onnx_name(w, made, "shape", &inputs[1]));
        TRY(plc_onnx_add_ints(w, inputs[1], (const int64_t[]){0, -1, 1, 1}, 4));
        TRY(plc_onnx_add_node(w, "Reshape", made, inputs, 2, &n));
    }
    *value = n->output[0];
done:
    return status;
}

pleach_status plc_onnx_needs(const plc_onnx_writer *w, int node, const char *why, int opset)
{
    const plc_node *n = &w->graph->nodes[node];

    return plc_fail(w->ctx, PLEACH_EGRAPH,
                    "%s '%s': %s it needs opset %d or newer, not %d: --opset %d", n->op->name,
                    n->name, why, opset, w->opset, opset);
}

// A node of one input whose value keeps its dimensions.
static pleach_status write_same(plc_onnx_writer *w, int node, const char *op,
                                Onnx__NodeProto **made)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];

    w->ranks[node] = w->ranks[n->inputs[0]];
    TRY(plc_onnx_add_node(w, op, n->name, &w->values[n->inputs[0]], 1, made));
done:
    return status;
}

pleach_status plc_onnx_attr_window(plc_onnx_writer *w, Onnx__NodeProto *made, const plc_attrs *a)
{
    pleach_status status = PLEACH_OK;
    const int pads[] = {a->pad[0], a->pad[1], a->pad[0] + a->pad_more[0],
                        a->pad[1] + a->pad_more[1]};

    TRY(plc_onnx_attr_ints(w, made, "kernel_shape", a->kernel, 2));
    TRY(plc_onnx_attr_ints(w, made, "strides", a->stride, 2));
    TRY(plc_onnx_attr_ints(w, made, "pads", pads, 4));
done:
    return status;
}

static pleach_status write_input(plc_onnx_writer *w, int node)
{
    return plc_onnx_print(w->ctx, &w->arena, &w->values[node], "%s", w->graph->nodes[node].name);
}

static pleach_status write_conv(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char *inputs[3] = {NULL};
    Onnx__NodeProto *made = NULL;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &inputs[0]));
    for (int i = 0; i < n->n_params; i++)
        TRY(plc_onnx_add_param(w, node, i, &inputs[1 + i]));
    TRY(plc_onnx_add_node(w, "Conv", n->name, inputs, 1 + n->n_params, &made));
    TRY(plc_onnx_attr_window(w, made, &n->attrs));
    TRY(plc_onnx_attr_ints(w, made, "dilations", n->attrs.dilation, 2));
    TRY(plc_onnx_attr_int(w, made, "group", n->attrs.groups));
done:
    return status;
}

static pleach_status write_linear(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int bias_optional_since = 11;
    char *inputs[3] = {NULL};
    Onnx__NodeProto *made = NULL;
    float *zeros = NULL;
    int n_inputs = 1 + n->n_params;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 2, &inputs[0]));
    for (int i = 0; i < n->n_params; i++)
        TRY(plc_onnx_add_param(w, node, i, &inputs[1 + i]));
    if (!n->attrs.bias && w->opset < bias_optional_since) {
        TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n->shape.c, sizeof *zeros, &zeros));
        TRY(plc_onnx_name(w, n->name, "zeros", &inputs[2]));
        TRY(plc_onnx_add_floats(w, inputs[2], zeros, n->shape.c));
        n_inputs = 3;
    }
    w->ranks[node] = 2;
    TRY(plc_onnx_add_node(w, "Gemm", n->name, inputs, n_inputs, &made));
    TRY(plc_onnx_attr_int(w, made, "transB", 1));
done:
    return status;
}

static pleach_status write_batch_norm(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char *inputs[1 + PLC_MAX_PARAMS] = {w->values[n->inputs[0]]};
    Onnx__NodeProto *made = NULL;

    // gamma, beta, running mean, running variance: ONNX has the same order
    for (int i = 0; i < n->n_params; i++)
        TRY(plc_onnx_add_param(w, node, i, &inputs[1 + i]));
    w->ranks[node] = w->ranks[n->inputs[0]];
    TRY(plc_onnx_add_node(w, "BatchNormalization", n->name, inputs, 1 + n->n_params, &made));
    TRY(plc_onnx_attr_float(w, made, "epsilon", n->attrs.eps));
    TRY(plc_onnx_attr_float(w, made, "momentum", 1.0f - n->attrs.momentum));
done:
    return status;
}

static pleach_status write_relu(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_same(w, node, "Relu", &made);
}

// Bounds are attributes before opset 11, then inputs.
static pleach_status write_clip(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int inputs_since = 11;
    char *inputs[3] = {w->values[n->inputs[0]]};
    Onnx__NodeProto *made = NULL;

    w->ranks[node] = w->ranks[n->inputs[0]];
    if (w->opset < inputs_since) {
        TRY(plc_onnx_add_node(w, "Clip", n->name, inputs, 1, &made));
        TRY(plc_onnx_attr_float(w, made, "min", n->attrs.alpha));
        TRY(plc_onnx_attr_float(w, made, "max", n->attrs.beta));
        return status;
    }
    TRY(plc_onnx_name(w, n->name, "min", &inputs[1]));
    TRY(plc_onnx_name(w, n->name, "max", &inputs[2]));
    TRY(plc_onnx_add_scalar(w, inputs[1], n->attrs.alpha));
    TRY(plc_onnx_add_scalar(w, inputs[2], n->attrs.beta));
    TRY(plc_onnx_add_node(w, "Clip", n->name, inputs, 3, &made));
done:
    return status;
}

static pleach_status write_leaky_relu(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *made = NULL;

    TRY(write_same(w, node, "LeakyRelu", &made));
    TRY(plc_onnx_attr_float(w, made, "alpha", w->graph->nodes[node].attrs.alpha));
done:
    return status;
}

static pleach_status write_sigmoid(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_same(w, node, "Sigmoid", &made);
}

static pleach_status write_hard_sigmoid(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *made = NULL;

    TRY(write_same(w, node, "HardSigmoid", &made));
    TRY(plc_onnx_attr_float(w, made, "alpha", w->graph->nodes[node].attrs.alpha));
    TRY(plc_onnx_attr_float(w, made, "beta", w->graph->nodes[node].attrs.beta));
done:
    return status;
}

static pleach_status write_tanh(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_same(w, node, "Tanh", &made);
}

static pleach_status write_softplus(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_same(w, node, "Softplus", &made);
}

static pleach_status write_softsign(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_same(w, node, "Softsign", &made);
}

static pleach_status write_elu(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs *a = &w->graph->nodes[node].attrs;
    Onnx__NodeProto *made = NULL;

    TRY(write_same(w, node, a->beta < 1 || a->beta > 1 ? "Selu" : "Elu", &made));
    TRY(plc_onnx_attr_float(w, made, "alpha", a->alpha));
    if (made->op_type[0] == 'S')
        TRY(plc_onnx_attr_float(w, made, "gamma", a->beta));
done:
    return status;
}

// One operator since opset 14; before, its definition.
static pleach_status write_hard_swish(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int since = 14;
    char *inputs[2] = {w->values[n->inputs[0]], NULL};
    Onnx__NodeProto *made = NULL;

    if (w->opset >= since)
        return write_same(w, node, "HardSwish", &made);
    w->ranks[node] = w->ranks[n->inputs[0]];
    TRY(plc_onnx_name(w, n->name, "gate", &inputs[1]));
    TRY(plc_onnx_add_node(w, "HardSigmoid", inputs[1], inputs, 1, &made));
    TRY(plc_onnx_attr_float(w, made, "alpha", 1.0f / 6.0f));
    TRY(plc_onnx_attr_float(w, made, "beta", 0.5f));
    TRY(plc_onnx_add_node(w, "Mul", n->name, inputs, 2, &made));
done:
    return status;
}

// All inputs with as many dimensions as the first.
static pleach_status write_joined(plc_onnx_writer *w, int node, const char *op,
                                  Onnx__NodeProto **made)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char **inputs = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n->n_inputs, sizeof *inputs, &inputs));
    w->ranks[node] = w->ranks[n->inputs[0]];
    for (int i = 0; i < n->n_inputs; i++)
        TRY(plc_onnx_value_of_rank(w, node, n->inputs[i], w->ranks[node], &inputs[i]));
    TRY(plc_onnx_add_node(w, op, n->name, inputs, n->n_inputs, made));
done:
    return status;
}

static pleach_status write_add(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_joined(w, node, "Add", &made);
}

// A gate of one pixel is broadcast, so both are images then.
static pleach_status write_mul(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char *inputs[2] = {NULL};
    Onnx__NodeProto *made = NULL;

    w->ranks[node] = n->shape.h * n->shape.w > 1 ? 4 : w->ranks[n->inputs[0]];
    for (int i = 0; i < 2; i++)
        TRY(plc_onnx_value_of_rank(w, node, n->inputs[i], w->ranks[node], &inputs[i]));
    TRY(plc_onnx_add_node(w, "Mul", n->name, inputs, 2, &made));
done:
    return status;
}

static pleach_status write_concat(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *made = NULL;

    TRY(write_joined(w, node, "Concat", &made));
    TRY(plc_onnx_attr_int(w, made, "axis", 1));
done:
    return status;
}

static pleach_status write_flatten(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *made = NULL;

    TRY(write_same(w, node, "Flatten", &made));
    TRY(plc_onnx_attr_int(w, made, "axis", 1));
    w->ranks[node] = 2;
done:
    return status;
}

// A row for every operator of src/ops/table.c that has an ONNX form.
static const struct {
    const char *op;
    pleach_status (*write)(plc_onnx_writer *w, int node);
} forms[] = {
    {"input", write_input},
    {"conv", write_conv},
    {"linear", write_linear},
    {"batch_norm", write_batch_norm},
    {"relu", write_relu},
    {"fading_relu", write_relu}, // gates are no part of a model file: whoever reads it has a ReLU
    {"clip", write_clip},
    {"leaky_relu", write_leaky_relu},
    {"sigmoid", write_sigmoid},
    {"hard_sigmoid", write_hard_sigmoid},
    {"hard_swish", write_hard_swish},
    {"add", write_add},
    {"mul", write_mul},
    {"concat", write_concat},
    {"pad", plc_onnx_write_pad},
    {"slice", plc_onnx_write_slice},
    {"as_strided", plc_onnx_write_as_strided},
    {"softmax", plc_onnx_write_softmax},
    {"log_softmax", plc_onnx_write_softmax},
    {"prelu", plc_onnx_write_prelu},
    {"affine", plc_onnx_write_affine},
    {"resize", plc_onnx_write_resize},
    {"conv_transpose", plc_onnx_write_conv_transpose},
    {"tanh", write_tanh},
    {"elu", write_elu},
    {"softplus", write_softplus},
    {"softsign", write_softsign},
    {"max_pool", plc_onnx_write_max_pool},
    {"avg_pool", plc_onnx_write_avg_pool},
    {"global_avg_pool", plc_onnx_write_global_avg_pool},
    {"flatten", write_flatten},
};

pleach_status plc_onnx_write_node(plc_onnx_writer *w, int node)
{
    const plc_node *n = &w->graph->nodes[node];

    w->values[node] = n->name; // ONNX nodes of one value are called as it is
    w->ranks[node] = 4;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].op, n->op->name) == 0)
            return forms[i].write(w, node);
    return plc_fail(
        w->ctx, PLEACH_EGRAPH,
        "%s '%s': this operator has no ONNX form yet (docs/onnx.md lists those that do)",
        n->op->name, n->name);
}
