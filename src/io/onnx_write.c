// Writing ONNX: the model around the nodes, names of values, parameters, the file.
#include <io/onnx.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/onnx_writer.h>

// A protobuf message has no more.
#define MAX_MODEL_BYTES ((size_t)INT32_MAX)

// ONNX asks for a version of the file's format that is at least as old as the opset.
static int ir_version(int opset)
{
    static const struct {
        int opset, ir;
    } since[] = {{21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}};

    for (size_t i = 0; i < sizeof since / sizeof *since; i++)
        if (opset >= since[i].opset)
            return since[i].ir;
    return 4; // the first in which parameters need not be inputs too
}

// A type: floats of `n` dimensions, the first of them open.
static pleach_status add_value(plc_onnx_writer *w, const char *name, const plc_shape *shape,
                               int rank, Onnx__ValueInfoProto **value)
{
    pleach_status status = PLEACH_OK;
    const int sizes[] = {0, shape->c, shape->h, shape->w};
    Onnx__TypeProto *type = NULL;
    Onnx__TypeProto__Tensor *tensor = NULL;
    Onnx__TensorShapeProto *dims = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof **value, value));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *type, &type));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *tensor, &tensor));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *dims, &dims));
    onnx__value_info_proto__init(*value);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(dims);
    TRY(plc_onnx_print(w->ctx, &w->arena, &(*value)->name, "%s", name));
    (*value)->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = dims;
    dims->n_dim = (size_t)rank;
    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)rank, sizeof *dims->dim, &dims->dim));
    for (int i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = NULL;

        TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *dim, &dim));
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = i ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                            : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (i)
            dim->dim_value = sizes[i];
        else
            TRY(plc_onnx_print(w->ctx, &w->arena, &dim->dim_param, "N"));
        dims->dim[i] = dim;
    }
done:
    return status;
}

static pleach_status add_initializer(plc_onnx_writer *w, const char *name, int type,
                                     const int *dims, int n_dims, const void *data, size_t bytes)
{
    pleach_status status = PLEACH_OK;
    Onnx__TensorProto *tensor = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *tensor, &tensor));
    onnx__tensor_proto__init(tensor);
    TRY(plc_onnx_print(w->ctx, &w->arena, &tensor->name, "%s", name));
    tensor->n_dims = (size_t)n_dims;
    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n_dims, sizeof *tensor->dims, &tensor->dims));
    for (int i = 0; i < n_dims; i++)
        tensor->dims[i] = dims[i];
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->has_raw_data = 1; // little-endian, as all floats that we keep
    tensor->raw_data = (ProtobufCBinaryData){.len = bytes, .data = (uint8_t *)(uintptr_t)data};
    TRY(plc_grow(w->ctx, &w->initializers, &w->initializers_capacity, w->n_initializers + 1));
    w->initializers[w->n_initializers++] = tensor;
done:
    return status;
}

pleach_status plc_onnx_add_param(plc_onnx_writer *w, int node, int param, char **name)
{
    pleach_status status = PLEACH_OK;
    const plc_param *p = &w->graph->nodes[node].params[param];
    char text[PLC_PARAM_NAME_MAX];

    plc_param_name(&w->graph->nodes[node], param, text, sizeof text);
    if (plc_graph_find(w->graph, text) != PLC_NO_NODE)
        FAIL(w->ctx, PLEACH_EGRAPH,
             "node '%s' has the name of a parameter of '%s'; ONNX has one set of names for both, "
             "rename the node",
             text, w->graph->nodes[node].name);
    TRY(plc_onnx_print(w->ctx, &w->arena, name, "%s", text));
    TRY(add_initializer(w, text, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, p->dims, p->n_dims,
                        w->weights + w->layout->offsets[node][param],
                        plc_param_count(p) * sizeof(float)));
done:
    return status;
}

pleach_status plc_onnx_name(plc_onnx_writer *w, const char *of, const char *what, char **name)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_print(w->ctx, &w->arena, name, "%s.%s", of, what));
    while (plc_graph_find(w->graph, *name) != PLC_NO_NODE)
        TRY(plc_onnx_print(w->ctx, &w->arena, name, "%s~", *name));
done:
    return status;
}

pleach_status plc_onnx_add_ints(plc_onnx_writer *w, const char *name, const int64_t *values, int n)
{
    pleach_status status = PLEACH_OK;
    int64_t *copy = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n, sizeof *copy, &copy));
    memcpy(copy, values, (size_t)n * sizeof *copy);
    TRY(add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, &n, 1, copy,
                        (size_t)n * sizeof *copy));
done:
    return status;
}

pleach_status plc_onnx_add_scalar(plc_onnx_writer *w, const char *name, float value)
{
    pleach_status status = PLEACH_OK;
    float *copy = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *copy, &copy));
    *copy = value;
    TRY(add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NULL, 0, copy,
                        sizeof *copy));
done:
    return status;
}

pleach_status plc_onnx_add_floats(plc_onnx_writer *w, const char *name, const float *values, int n)
{
    pleach_status status = PLEACH_OK;
    float *copy = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n, sizeof *copy, &copy));
    memcpy(copy, values, (size_t)n * sizeof *copy);
    TRY(add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, &n, 1, copy,
                        (size_t)n * sizeof *copy));
done:
    return status;
}

pleach_status plc_onnx_add_node(plc_onnx_writer *w, const char *op, const char *name,
                                char *const *inputs, int n_inputs, Onnx__NodeProto **node)
{
    pleach_status status = PLEACH_OK;
    Onnx__NodeProto *n = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *n, &n));
    onnx__node_proto__init(n);
    TRY(plc_onnx_print(w->ctx, &w->arena, &n->name, "%s", name));
    TRY(plc_onnx_print(w->ctx, &w->arena, &n->op_type, "%s", op));
    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n_inputs, sizeof *n->input, &n->input));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *n->output, &n->output));
    TRY(plc_onnx_take(w->ctx, &w->arena, PLC_ONNX_WRITE_ATTRS, sizeof *n->attribute,
                      &n->attribute));
    memcpy(n->input, inputs, (size_t)n_inputs * sizeof *n->input);
    n->n_input = (size_t)n_inputs;
    n->output[0] = n->name;
    n->n_output = 1;
    TRY(plc_grow(w->ctx, &w->nodes, &w->nodes_capacity, w->n_nodes + 1));
    w->nodes[w->n_nodes++] = n;
    *node = n;
done:
    return status;
}

static pleach_status add_attr(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                              Onnx__AttributeProto__AttributeType type, Onnx__AttributeProto **attr)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof **attr, attr));
    onnx__attribute_proto__init(*attr);
    TRY(plc_onnx_print(w->ctx, &w->arena, &(*attr)->name, "%s", name));
    (*attr)->has_type = 1;
    (*attr)->type = type;
    node->attribute[node->n_attribute++] = *attr;
done:
    return status;
}

pleach_status plc_onnx_attr_int(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                int64_t value)
{
    pleach_status status = PLEACH_OK;
    Onnx__AttributeProto *attr = NULL;

    TRY(add_attr(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, &attr));
    attr->has_i = 1;
    attr->i = value;
done:
    return status;
}

pleach_status plc_onnx_attr_ints(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                 const int *values, int n)
{
    pleach_status status = PLEACH_OK;
    Onnx__AttributeProto *attr = NULL;

    TRY(add_attr(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, &attr));
    TRY(plc_onnx_take(w->ctx, &w->arena, (size_t)n, sizeof *attr->ints, &attr->ints));
    attr->n_ints = (size_t)n;
    for (int i = 0; i < n; i++)
        attr->ints[i] = values[i];
done:
    return status;
}

pleach_status plc_onnx_attr_float(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                  float value)
{
    pleach_status status = PLEACH_OK;
    Onnx__AttributeProto *attr = NULL;

    TRY(add_attr(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, &attr));
    attr->has_f = 1;
    attr->f = value;
done:
    return status;
}

pleach_status plc_onnx_attr_string(plc_onnx_writer *w, Onnx__NodeProto *node, const char *name,
                                   const char *value)
{
    pleach_status status = PLEACH_OK;
    Onnx__AttributeProto *attr = NULL;
    char *copy = NULL;

    TRY(add_attr(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, &attr));
    TRY(plc_onnx_print(w->ctx, &w->arena, &copy, "%s", value));
    attr->has_s = 1;
    attr->s = (ProtobufCBinaryData){.len = strlen(copy), .data = (uint8_t *)copy};
done:
    return status;
}

// What a reader needs to feed the network, from the metadata of its model file.
static pleach_status add_metadata(plc_onnx_writer *w, const plc_tensors *extra,
                                  Onnx__ModelProto *model)
{
    pleach_status status = PLEACH_OK;
    TRY(plc_onnx_take(w->ctx, &w->arena, PLC_ONNX_N_METADATA_KEYS, sizeof *model->metadata_props,
                      &model->metadata_props));
    for (int i = 0; extra && i < PLC_ONNX_N_METADATA_KEYS; i++) {
        const char *value = plc_tensors_metadata(extra, plc_onnx_metadata_keys[i]);
        Onnx__StringStringEntryProto *entry = NULL;

        if (!value)
            continue;
        TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *entry, &entry));
        onnx__string_string_entry_proto__init(entry);
        TRY(plc_onnx_print(w->ctx, &w->arena, &entry->key, "%s", plc_onnx_metadata_keys[i]));
        TRY(plc_onnx_print(w->ctx, &w->arena, &entry->value, "%s", value));
        model->metadata_props[model->n_metadata_props++] = entry;
    }
done:
    return status;
}

static pleach_status make_graph(plc_onnx_writer *w, Onnx__GraphProto *graph)
{
    pleach_status status = PLEACH_OK;
    const int last = w->graph->n_nodes - 1;

    for (int i = 0; i < w->graph->n_nodes; i++)
        TRY(plc_onnx_write_node(w, i));
    TRY(plc_onnx_print(w->ctx, &w->arena, &graph->name, "%s", w->graph->name));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *graph->input, &graph->input));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *graph->output, &graph->output));
    TRY(add_value(w, w->values[0], &w->graph->nodes[0].shape, 4, &graph->input[0]));
    TRY(add_value(w, w->values[last], &w->graph->nodes[last].shape, w->ranks[last],
                  &graph->output[0]));
    graph->n_input = graph->n_output = 1;
    graph->node = w->nodes;
    graph->n_node = w->n_nodes;
    graph->initializer = w->initializers;
    graph->n_initializer = w->n_initializers;
done:
    return status;
}

static pleach_status make_model(plc_onnx_writer *w, const plc_onnx_write_opts *opts,
                                Onnx__GraphProto *graph, Onnx__ModelProto *model)
{
    pleach_status status = PLEACH_OK;
    Onnx__OperatorSetIdProto *opset = NULL;

    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *model->opset_import, &model->opset_import));
    TRY(plc_onnx_take(w->ctx, &w->arena, 1, sizeof *opset, &opset));
    onnx__operator_set_id_proto__init(opset);
    TRY(plc_onnx_print(w->ctx, &w->arena, &opset->domain, "%s", ""));
    opset->has_version = 1;
    opset->version = w->opset;
    model->opset_import[0] = opset;
    model->n_opset_import = 1;
    model->has_ir_version = 1;
    model->ir_version = ir_version(w->opset);
    TRY(plc_onnx_print(w->ctx, &w->arena, &model->producer_name, "pleach"));
    TRY(plc_onnx_print(w->ctx, &w->arena, &model->producer_version, "%s",
                       opts->version ? opts->version : ""));
    TRY(plc_onnx_print(
        w->ctx, &w->arena, &model->doc_string,
        "Input: float images [N][C][H][W], (x / 255 - mean[c]) / std[c] for bytes x; "
        "mean and std in metadata_props where they are known. Output: logits."));
    model->graph = graph;
    TRY(add_metadata(w, opts->extra, model));
done:
    return status;
}

static pleach_status write_file(pleach_ctx *ctx, const char *path, const Onnx__ModelProto *model)
{
    pleach_status status = PLEACH_OK;
    const size_t size = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = NULL;

    if (size > MAX_MODEL_BYTES)
        FAIL(ctx, PLEACH_EINPUT, "%s would have %zu bytes, an ONNX file holds at most %zu", path,
             size, MAX_MODEL_BYTES);
    TRY(plc_alloc(ctx, size, 1, &bytes));
    onnx__model_proto__pack(model, bytes);
    TRY(plc_file_write_all(ctx, path, bytes, size));
done:
    free(bytes);
    return status;
}

pleach_status plc_onnx_write(pleach_ctx *ctx, const char *path, const pleach_graph *graph,
                             const plc_params_layout *layout, const float *weights,
                             const plc_onnx_write_opts *opts)
{
    pleach_status status = PLEACH_OK;
    plc_onnx_writer w = {.ctx = ctx,
                         .graph = graph,
                         .layout = layout,
                         .weights = weights,
                         .opset = opts->opset ? opts->opset : PLC_ONNX_OPSET};
    Onnx__GraphProto proto_graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    const size_t n = (size_t)graph->n_nodes;

    if (w.opset < PLC_ONNX_OLDEST_OPSET || w.opset > PLC_ONNX_NEWEST_WRITTEN)
        FAIL(ctx, PLEACH_EUSAGE, "opset %d cannot be written; choose one from %d to %d", w.opset,
             PLC_ONNX_OLDEST_OPSET, PLC_ONNX_NEWEST_WRITTEN);
    TRY(plc_onnx_take(ctx, &w.arena, n, sizeof *w.values, &w.values));
    TRY(plc_onnx_take(ctx, &w.arena, n, sizeof *w.ranks, &w.ranks));
    TRY(make_graph(&w, &proto_graph));
    TRY(make_model(&w, opts, &proto_graph, &model));
    TRY(write_file(ctx, path, &model));
done:
    free(w.nodes);
    free(w.initializers);
    plc_onnx_arena_finish(&w.arena);
    return status;
}
