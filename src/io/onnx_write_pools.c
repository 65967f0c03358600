// Writing ONNX: pools.
#include <io/onnx_writer.h>

// A node on images, with one input and no parameters.
static pleach_status write_plane(plc_onnx_writer *w, int node, const char *op,
                                 Onnx__NodeProto **made)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    char *input = NULL;

    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &input));
    TRY(plc_onnx_add_node(w, op, n->name, &input, 1, made));
done:
    return status;
}

// An attribute of pools since some opset; before, windows have no gaps.
static pleach_status write_dilation(plc_onnx_writer *w, int node, int since, Onnx__NodeProto *made)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];

    if (n->attrs.dilation[0] == 1 && n->attrs.dilation[1] == 1)
        return status;
    if (w->opset < since)
        TRY(plc_onnx_needs(w, node, "with a dilation", since));
    TRY(plc_onnx_attr_ints(w, made, "dilations", n->attrs.dilation, 2));
done:
    return status;
}

static pleach_status write_pool(plc_onnx_writer *w, int node, const char *op, int dilation_since,
                                Onnx__NodeProto **made)
{
    pleach_status status = PLEACH_OK;

    TRY(write_plane(w, node, op, made));
    TRY(plc_onnx_attr_window(w, *made, &w->graph->nodes[node].attrs));
    TRY(write_dilation(w, node, dilation_since, *made));
done:
    return status;
}

pleach_status plc_onnx_write_max_pool(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_pool(w, node, "MaxPool", 10, &made);
}

pleach_status plc_onnx_write_avg_pool(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *made = NULL;

    TRY(write_pool(w, node, "AveragePool", 19, &made));
    TRY(plc_onnx_attr_int(w, made, "count_include_pad", 0));
done:
    return status;
}

pleach_status plc_onnx_write_global_avg_pool(plc_onnx_writer *w, int node)
{
    Onnx__NodeProto *made = NULL;

    return write_plane(w, node, "GlobalAveragePool", &made);
}
