// Reading ONNX: the table of operators, and what is checked of every node before its reader sees it.
#include <io/onnx_reader.h>

#include <string.h>
#include <base/text.h>

#define WINDOW "auto_pad dilations kernel_shape pads strides "

// In order of names. What a row says to people stands in docs/onnx.md too, printed by `pleach ops`.
// clang-format off
static const plc_onnx_rule rules[] = {
    {{"Add", "add, bias, conv, affine", ""},
     2, 2, "axis broadcast", plc_onnx_arithmetic, false},
    {{"AveragePool", "avg_pool", "one or two dimensions"},
     1, 1, WINDOW "ceil_mode count_include_pad", plc_onnx_avg_pool, false},
    {{"BatchNormalization", "batch_norm", "for inference"},
     5, 5, "epsilon is_test momentum spatial training_mode", plc_onnx_batch_norm, false},
    {{"Cast", "nothing", "images to float, sizes to integers"},
     1, 1, "saturate to", plc_onnx_cast, false},
    {{"Clip", "clip, relu", "bounds that are constants"},
     1, 3, "max min", plc_onnx_clip, false},
    {{"Concat", "concat", "not along the images"},
     1, -1, "axis", plc_onnx_concat, false},
    {{"Constant", "a parameter, or sizes", "no texts, nothing sparse"},
     0, 0, "value value_float value_floats value_int value_ints", plc_onnx_constant, false},
    {{"Conv", "conv", "one or two dimensions; constant weights"},
     2, 3, WINDOW "group", plc_onnx_conv, false},
    {{"ConvTranspose", "conv_transpose", "one or two dimensions; constant weights"},
     2, 3, WINDOW "group output_padding output_shape", plc_onnx_conv_transpose, false},
    {{"DepthToSpace", "as_strided", ""},
     1, 1, "blocksize mode", plc_onnx_depth_to_space, false},
    {{"Div", "conv, affine", "by a constant; of sizes"},
     2, 2, "axis broadcast", plc_onnx_arithmetic, false},
    {{"Dropout", "nothing", "for inference"},
     1, 3, "is_test ratio seed", plc_onnx_dropout, false},
    {{"Elu", "elu", ""},
     1, 1, "alpha", plc_onnx_elu, false},
    {{"Expand", "as_strided", "to sizes that are constants"},
     2, 2, "", plc_onnx_expand, false},
    {{"Flatten", "flatten", "axis 1, which keeps images apart"},
     1, 1, "axis", plc_onnx_flatten, false},
    {{"Gather", "slice, as_strided, sizes", "indices that are constants, in even steps"},
     2, 2, "axis", plc_onnx_gather, false},
    {{"Gemm", "linear, conv", "times a constant matrix"},
     2, 3, "alpha beta broadcast transA transB", plc_onnx_gemm, false},
    {{"GlobalAveragePool", "global_avg_pool", ""},
     1, 1, "", plc_onnx_global_avg_pool, false},
    {{"GlobalMaxPool", "max_pool", ""},
     1, 1, "", plc_onnx_global_max_pool, false},
    {{"HardSigmoid", "hard_sigmoid", ""},
     1, 1, "alpha beta", plc_onnx_hard_sigmoid, false},
    {{"HardSwish", "hard_swish", ""},
     1, 1, "", plc_onnx_hard_swish, false},
    {{"Identity", "nothing", ""},
     1, 1, "", plc_onnx_identity, false},
    {{"LeakyRelu", "leaky_relu", ""},
     1, 1, "alpha", plc_onnx_leaky_relu, false},
    {{"LogSoftmax", "log_softmax", "at the end of a network nothing: logits are what is compared"},
     1, 1, "axis", plc_onnx_softmax, false},
    {{"MatMul", "linear, conv", "times constant matrices; an Add behind it becomes the bias"},
     2, 2, "", plc_onnx_matmul, false},
    {{"MaxPool", "max_pool", "one or two dimensions; no indices"},
     1, 1, WINDOW "ceil_mode storage_order", plc_onnx_max_pool, false},
    {{"Mul", "mul, conv, affine", ""},
     2, 2, "axis broadcast", plc_onnx_arithmetic, false},
    {{"Neg", "conv", ""},
     1, 1, "", plc_onnx_negate, false},
    {{"PRelu", "prelu", "slopes that are constants"},
     2, 2, "", plc_onnx_prelu, false},
    {{"Pad", "pad", "the last two dimensions; constant, edge and reflect; nothing is cut"},
     1, 4, "mode pads value", plc_onnx_pad, false},
    {{"ReduceMean", "global_avg_pool", "not over the images"},
     1, 2, "axes keepdims noop_with_empty_axes", plc_onnx_reduce_mean, false},
    {{"Relu", "relu", ""},
     1, 1, "", plc_onnx_relu, false},
    {{"Reshape", "nothing, flatten, as_strided", "to sizes that are constants or computed of shapes"},
     1, 2, "allowzero shape", plc_onnx_reshape, false},
    {{"Resize", "resize", "the last two dimensions; no crops, no antialias"},
     1, 4, "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
     "extrapolation_value keep_aspect_ratio_policy mode nearest_mode", plc_onnx_resize, false},
    {{"Selu", "elu", ""},
     1, 1, "alpha gamma", plc_onnx_selu, false},
    {{"Shape", "sizes", "the number of images stays open"},
     1, 1, "end start", plc_onnx_shape_of, false},
    {{"Sigmoid", "sigmoid", ""},
     1, 1, "", plc_onnx_sigmoid, false},
    {{"Slice", "slice, as_strided, sizes", "not of the images"},
     1, 5, "axes ends starts", plc_onnx_slice, false},
    {{"Softmax", "softmax", "at the end of a network nothing: logits are what is compared"},
     1, 1, "axis", plc_onnx_softmax, false},
    {{"Softplus", "softplus", ""},
     1, 1, "", plc_onnx_softplus, false},
    {{"Softsign", "softsign", ""},
     1, 1, "", plc_onnx_softsign, false},
    {{"SpaceToDepth", "as_strided", ""},
     1, 1, "blocksize", plc_onnx_space_to_depth, false},
    {{"Split", "slice, as_strided", "not along the images"},
     1, 2, "axis num_outputs split", plc_onnx_split, true},
    {{"Squeeze", "nothing", ""},
     1, 2, "axes", plc_onnx_squeeze, false},
    {{"Sub", "add, conv, affine", ""},
     2, 2, "axis broadcast", plc_onnx_arithmetic, false},
    {{"Sum", "add", "of values that come of images, with the same dimensions"},
     1, -1, "", plc_onnx_sum, false},
    {{"Tanh", "tanh", ""},
     1, 1, "", plc_onnx_tanh, false},
    {{"Transpose", "nothing, as_strided", "the images stay first"},
     1, 1, "perm", plc_onnx_transpose, false},
    {{"Unsqueeze", "nothing", ""},
     1, 2, "axes", plc_onnx_unsqueeze, false},
    {{"Upsample", "resize", "the last two dimensions"},
     1, 2, "mode scales", plc_onnx_upsample, false},
};
// clang-format on
enum { N_RULES = sizeof rules / sizeof *rules };

const plc_onnx_rule *plc_onnx_rules(int *n_rules)
{
    *n_rules = N_RULES;
    return rules;
}

const plc_onnx_operator *plc_onnx_operator_at(int i)
{
    return i < N_RULES ? &rules[i].shown : NULL;
}

static pleach_status unknown(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    const char *names[N_RULES], *domain = plc_onnx_text(n->domain);

    for (int i = 0; i < N_RULES; i++)
        names[i] = rules[i].shown.onnx;
    const char *nearest = plc_nearest_name(plc_onnx_text(n->op_type), names, N_RULES);
    return plc_onnx_fail(
        r, n,
        "this operator of opset %d%s%s is not read%s%s%s; `pleach ops` lists those "
        "that are",
        r->opset, *domain ? " of domain " : "", domain, nearest ? " (the nearest that is: " : "",
        nearest ? nearest : "", nearest ? ")" : "");
}

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = words; *at;) {
        const size_t n = strcspn(at, " ");

        if (n == length && strncmp(at, word, n) == 0)
            return true;
        at += n + strspn(at + n, " ");
    }
    return false;
}

static pleach_status check_attributes(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                      const plc_onnx_rule *rule)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < n->n_attribute; i++) {
        const char *name = plc_onnx_text(n->attribute[i]->name);

        if (!*name || !has_word(rule->attrs, name))
            TRY(plc_onnx_fail(r, n, "attribute '%s' of opset %d is not read%s%s", name, r->opset,
                              *rule->attrs ? "; those that are: " : "", rule->attrs));
        if (plc_onnx_attr(n, name) != n->attribute[i])
            TRY(plc_onnx_fail(r, n, "attribute '%s' is given twice", name));
        if (*plc_onnx_text(n->attribute[i]->ref_attr_name))
            TRY(plc_onnx_fail(r, n, "attribute '%s' is that of a function, which are not read",
                              name));
    }
done:
    return status;
}

static pleach_status check_node(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_rule *rule)
{
    pleach_status status = PLEACH_OK;

    if (n->n_input < (size_t)rule->min_inputs ||
        (rule->max_inputs >= 0 && n->n_input > (size_t)rule->max_inputs))
        TRY(plc_onnx_fail(r, n, "%zu inputs; opset %d has %d%s", n->n_input, r->opset,
                          rule->min_inputs,
                          rule->max_inputs == rule->min_inputs ? "" : " or some more"));
    if (n->n_output < 1 || !*plc_onnx_text(n->output[0]))
        TRY(plc_onnx_fail(r, n, "it has no output"));
    for (size_t i = 1; !rule->many_outputs && i < n->n_output; i++) {
        const plc_onnx_value *value =
            *plc_onnx_text(n->output[i]) ? plc_onnx_find(r, n->output[i]) : NULL;

        if (value && value->n_readers)
            TRY(plc_onnx_fail(r, n, "its output %zu, '%s', is used, which is not read", i,
                              n->output[i]));
    }
    TRY(check_attributes(r, n, rule));
done:
    return status;
}

pleach_status plc_onnx_read_node(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const char *domain = plc_onnx_text(n->domain);
    const plc_onnx_rule *rule = NULL;

    for (int i = 0; i < N_RULES && (!*domain || strcmp(domain, "ai.onnx") == 0); i++)
        if (strcmp(rules[i].shown.onnx, plc_onnx_text(n->op_type)) == 0)
            rule = &rules[i];
    if (!rule)
        return unknown(r, n);
    TRY(check_node(r, n, rule));
    TRY(rule->read(r, n));
done:
    return status;
}
