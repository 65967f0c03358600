// Writing ONNX: the forms of operators on whole images: parts, orders, pads.
#include <io/onnx_writer.h>

#include <string.h>

// Constants that some operators have as inputs since an opset, before as attributes.
enum { SLICE_INPUTS_SINCE = 10, SOFTMAX_OF_AXIS_SINCE = 13 };

// A constant list "<node>.<what>" as an input.
static pleach_status add_list(plc_onnx_writer *w, int node, const char *what, const int64_t *values,
                              int n, char **name)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_name(w, w->graph->nodes[node].name, what, name));
    TRY(plc_onnx_add_ints(w, *name, values, n));
done:
    return status;
}

pleach_status plc_onnx_write_slice(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int begin = n->attrs.offset, end = begin + n->attrs.out_channels, axis = 1;
    char *inputs[4] = {w->values[n->inputs[0]]};
    Onnx__NodeProto *made = NULL;

    w->ranks[node] = w->ranks[n->inputs[0]];
    if (w->opset < SLICE_INPUTS_SINCE) {
        TRY(plc_onnx_add_node(w, "Slice", n->name, inputs, 1, &made));
        TRY(plc_onnx_attr_ints(w, made, "starts", &begin, 1));
        TRY(plc_onnx_attr_ints(w, made, "ends", &end, 1));
        TRY(plc_onnx_attr_ints(w, made, "axes", &axis, 1));
        return status;
    }
    TRY(add_list(w, node, "starts", &(int64_t){begin}, 1, &inputs[1]));
    TRY(add_list(w, node, "ends", &(int64_t){end}, 1, &inputs[2]));
    TRY(add_list(w, node, "axes", &(int64_t){axis}, 1, &inputs[3]));
    TRY(plc_onnx_add_node(w, "Slice", n->name, inputs, 4, &made));
done:
    return status;
}

// Where in the input each value of the output comes from.
static pleach_status list_sources(plc_onnx_writer *w, const plc_node *n, int64_t **sources,
                                  int *count)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs *a = &n->attrs;

    *count = n->shape.c * n->shape.h * n->shape.w;
    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)*count, sizeof **sources, sources));
    for (int i = 0; i < *count; i++) {
        int rest = i;

        (*sources)[i] = a->offset;
        for (int d = plc_view_n_dims(a) - 1; d >= 0; d--) {
            (*sources)[i] += (int64_t)(rest % a->view[d].size) * a->view[d].stride;
            rest /= a->view[d].size;
        }
    }
done:
    return status;
}

// The input as a list, of it the sources, and these in the output's shape; only the last where the order is the same.
pleach_status plc_onnx_write_as_strided(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const plc_shape *x = &w->graph->nodes[n->inputs[0]].shape;
    const int64_t list[] = {0, -1}, shape[] = {0, n->shape.c, n->shape.h, n->shape.w};
    char *flat[2] = {w->values[n->inputs[0]]}, *picked[2], *shaped[2] = {flat[0]}, *name = NULL;
    Onnx__NodeProto *made = NULL;
    int64_t *sources = NULL;
    int count = 0;
    bool same_order = true;

    TRY(list_sources(w, n, &sources, &count));
    for (int i = 0; i < count; i++)
        same_order = same_order && sources[i] == i;
    if (!same_order || count != x->c * x->h * x->w) {
        TRY(add_list(w, node, "list", list, 2, &flat[1]));
        TRY(plc_onnx_name(w, n->name, "flat", &name));
        TRY(plc_onnx_add_node(w, "Reshape", name, flat, 2, &made));
        picked[0] = made->output[0];
        TRY(add_list(w, node, "sources", sources, count, &picked[1]));
        TRY(plc_onnx_name(w, n->name, "picked", &name));
        TRY(plc_onnx_add_node(w, "Gather", name, picked, 2, &made));
        TRY(plc_onnx_attr_int(w, made, "axis", 1));
        shaped[0] = made->output[0];
    }
    TRY(add_list(w, node, "shape", shape, 4, &shaped[1]));
    TRY(plc_onnx_add_node(w, "Reshape", n->name, shaped, 2, &made));
done:
    return status;
}

// Before opset 13 a softmax is over all dimensions from its axis on.
pleach_status plc_onnx_write_softmax(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int inner[] = {n->shape.h * n->shape.w, n->shape.w, 1};
    char *input = NULL;
    Onnx__NodeProto *made = NULL;

    if (w->opset < SOFTMAX_OF_AXIS_SINCE && inner[n->attrs.axis] > 1)
        TRY(plc_onnx_needs(w, node, "along its axis", SOFTMAX_OF_AXIS_SINCE));
    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &input));
    TRY(plc_onnx_add_node(w, n->op->name[0] == 'l' ? "LogSoftmax" : "Softmax", n->name, &input, 1,
                          &made));
    TRY(plc_onnx_attr_int(w, made, "axis", 1 + n->attrs.axis));
done:
    return status;
}

// A parameter of images, {C} as {C, 1, 1}.
static pleach_status add_image_param(plc_onnx_writer *w, int node, int param, char **name)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const plc_param *p = &n->params[param];
    const int64_t shape[] = {p->dims[0], 1, 1};
    char *inputs[2];
    Onnx__NodeProto *made = NULL;

    TRY(plc_onnx_add_param(w, node, param, name));
    if (p->n_dims == 3)
        return status;
    inputs[0] = *name;
    TRY(plc_onnx_name(w, *name, "shape", &inputs[1]));
    TRY(plc_onnx_add_ints(w, inputs[1], shape, 3));
    TRY(plc_onnx_name(w, inputs[0], "of_channels", name));
    TRY(plc_onnx_add_node(w, "Reshape", *name, inputs, 2, &made));
done:
    return status;
}

pleach_status plc_onnx_write_prelu(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char *inputs[2];
    Onnx__NodeProto *made = NULL;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &inputs[0]));
    TRY(add_image_param(w, node, 0, &inputs[1]));
    TRY(plc_onnx_add_node(w, "PRelu", n->name, inputs, 2, &made));
done:
    return status;
}

static bool is_all(const plc_onnx_writer *w, int node, int param, float value)
{
    const float *values = w->weights + w->layout->offsets[node][param];
    const size_t count = plc_param_count(&w->graph->nodes[node].params[param]);

    for (size_t i = 0; i < count; i++)
        if (values[i] < value || values[i] > value)
            return false;
    return true;
}

// A product and a sum; one of them alone where the other changes nothing, as in what was read.
pleach_status plc_onnx_write_affine(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const bool shifts = !is_all(w, node, 1, 0), scales = !is_all(w, node, 0, 1) || !shifts;
    char *scaled[2], *shifted[2], *name = n->name;
    Onnx__NodeProto *made = NULL;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &scaled[0]));
    shifted[0] = scaled[0];
    if (scales) {
        if (shifts)
            TRY(plc_onnx_name(w, n->name, "scaled", &name));
        TRY(add_image_param(w, node, 0, &scaled[1]));
        TRY(plc_onnx_add_node(w, "Mul", name, scaled, 2, &made));
        shifted[0] = made->output[0];
    }
    if (shifts) {
        TRY(add_image_param(w, node, 1, &shifted[1]));
        TRY(plc_onnx_add_node(w, "Add", n->name, shifted, 2, &made));
    }
done:
    return status;
}

pleach_status plc_onnx_write_conv_transpose(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const plc_attrs *a = &n->attrs;
    int pads[] = {a->pad[0], a->pad[1], a->pad_after[0], a->pad_after[1]}, more[2] = {0};
    char *inputs[2];
    Onnx__NodeProto *made = NULL;

    for (int i = 0; i < 2; i++)
        if (pads[2 + i] < 0) {
            more[i] = -pads[2 + i];
            pads[2 + i] = 0;
        }
    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &inputs[0]));
    TRY(plc_onnx_add_param(w, node, 0, &inputs[1]));
    TRY(plc_onnx_add_node(w, "ConvTranspose", n->name, inputs, 2, &made));
    TRY(plc_onnx_attr_ints(w, made, "kernel_shape", a->kernel, 2));
    TRY(plc_onnx_attr_ints(w, made, "strides", a->stride, 2));
    TRY(plc_onnx_attr_ints(w, made, "dilations", a->dilation, 2));
    TRY(plc_onnx_attr_ints(w, made, "pads", pads, 4));
    TRY(plc_onnx_attr_ints(w, made, "output_padding", more, 2));
    TRY(plc_onnx_attr_int(w, made, "group", a->groups));
done:
    return status;
}

// Pads of all dimensions, first those in front: an attribute before opset 11, then an input.
pleach_status plc_onnx_write_pad(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    static const char *const modes[] = {
        [PLC_PAD_VALUE] = "constant", [PLC_PAD_EDGE] = "edge", [PLC_PAD_REFLECT] = "reflect"};
    const plc_node *n = &w->graph->nodes[node];
    const int *before = n->attrs.pad, *after = n->attrs.pad_after, input_since = 11;
    const int pads[] = {0, 0, before[0], before[1], 0, 0, after[0], after[1]};
    int64_t wide[8];
    char *inputs[3] = {NULL};
    Onnx__NodeProto *made = NULL;
    int n_inputs = 2;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &inputs[0]));
    if (w->opset < input_since) {
        TRY(plc_onnx_add_node(w, "Pad", n->name, inputs, 1, &made));
        TRY(plc_onnx_attr_ints(w, made, "pads", pads, 8));
        TRY(plc_onnx_attr_float(w, made, "value", n->attrs.alpha));
    } else {
        for (int i = 0; i < 8; i++)
            wide[i] = pads[i];
        TRY(add_list(w, node, "pads", wide, 8, &inputs[1]));
        if (n->attrs.alpha != 0) {
            TRY(plc_onnx_name(w, n->name, "value", &inputs[2]));
            TRY(plc_onnx_add_scalar(w, inputs[2], n->attrs.alpha));
            n_inputs = 3;
        }
        TRY(plc_onnx_add_node(w, "Pad", n->name, inputs, n_inputs, &made));
    }
    if (n->attrs.mode != PLC_PAD_VALUE)
        TRY(plc_onnx_attr_string(w, made, "mode", modes[n->attrs.mode]));
done:
    return status;
}
