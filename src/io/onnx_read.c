// Reading ONNX: the walk along the nodes, and the model file that comes of it.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/memory.h>
#include <base/text.h>
#include <io/onnx_file.h>

// Bytes that a file may take, at least, and for each of its own bytes: a constant that is repeated, or used many times,
// must not let a small file take all there is.
static const size_t MEMORY_MIN = (size_t)64 << 20, MEMORY_FACTOR = 16;

// Constants, Identity and the like are nodes too, so there may be more than our graph has.
enum { MAX_FILE_NODES = 8 * PLC_MAX_NODES, MAX_ERROR = 512 };

const char *plc_onnx_text(const char *text)
{
    return text ? text : "";
}

// What to call a node in an error: its name, or what it gives.
static const char *name_of(const Onnx__NodeProto *n)
{
    if (*plc_onnx_text(n->name))
        return n->name;
    return n->n_output ? plc_onnx_text(n->output[0]) : "";
}

pleach_status plc_onnx_fail(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *format, ...)
{
    char text[MAX_ERROR];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return plc_fail(r->ctx, PLEACH_EINPUT, "%s '%s': %s", plc_onnx_text(n->op_type), name_of(n),
                    text);
}

static pleach_status read_parameters(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->file->n_initializer; i++) {
        const Onnx__TensorProto *tensor = r->file->initializer[i];
        plc_onnx_value *value = plc_onnx_find(r, plc_onnx_text(tensor->name));

        if (value->n_readers > 0)
            TRY(plc_onnx_read_tensor(r, tensor, value));
    }
done:
    return status;
}

// Whether our graph, its JSON and messages take a text as a name: in UTF-8, not too long.
static bool is_good_name(const char *name)
{
    json_t *json = json_string(name);
    const bool is_utf8 = json != NULL;

    json_decref(json);
    return is_utf8 && *name && strlen(name) < PLC_NODE_NAME_MAX;
}

pleach_status plc_onnx_add(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *op,
                           const char *suffix, const int *inputs, int n_inputs,
                           const plc_attrs *attrs, int *node)
{
    pleach_status status = PLEACH_OK;
    char name[PLC_NODE_NAME_MAX + 1] = "", unique[PLC_NODE_NAME_MAX + 16];

    if (is_good_name(name_of(n)))
        snprintf(name, sizeof name, "%s%s", name_of(n), suffix);
    if (!is_good_name(name))
        snprintf(name, sizeof name, "%s_%d", op, r->graph->n_nodes);
    snprintf(unique, sizeof unique, "%s", name);
    // From the number of the node on: of many nodes with one name none is compared with all others' names.
    for (int i = r->graph->n_nodes; plc_graph_find(r->graph, unique) != PLC_NO_NODE; i++)
        snprintf(unique, sizeof unique, "%.*s~%d", plc_utf8_cut(name, PLC_NODE_NAME_MAX - 12), name,
                 i);
    TRY(plc_graph_add(r->ctx, r->graph, op, unique, inputs, n_inputs, attrs, node));
done:
    return status;
}

pleach_status plc_onnx_set_param(plc_onnx_reader *r, const Onnx__NodeProto *n, int node, int param,
                                 const float *data, size_t count)
{
    pleach_status status = PLEACH_OK;
    const plc_param *p = &r->graph->nodes[node].params[param];

    if (count != plc_param_count(p))
        TRY(plc_onnx_fail(r, n, "its %s has %zu values, expected %zu", p->name, count,
                          plc_param_count(p)));
    TRY(plc_grow(r->ctx, &r->sources, &r->sources_capacity, r->n_sources + 1));
    r->sources[r->n_sources++] = (plc_onnx_source){node, param, data};
done:
    return status;
}

static pleach_status read_opset(plc_onnx_reader *r)
{
    const int64_t newest_known = PLC_ONNX_NEWEST_KNOWN;
    int64_t version = 0;

    for (size_t i = 0; i < r->model->n_opset_import; i++) {
        const char *domain = plc_onnx_text(r->model->opset_import[i]->domain);

        if (!*domain || strcmp(domain, "ai.onnx") == 0)
            version = r->model->opset_import[i]->version;
    }
    if (version < PLC_ONNX_OLDEST_KNOWN || version > INT_MAX)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "its opset is %lld; %d and newer are read: convert it with "
                        "onnx.version_converter, or export it again",
                        (long long)version, PLC_ONNX_OLDEST_KNOWN);
    if (version > newest_known)
        plc_log(
            r->ctx, PLEACH_LOG_WARNING,
            "opset %lld is newer than %lld, the newest that is known: what has changed since is "
            "read as it was",
            (long long)version, (long long)newest_known);
    r->opset = (int)version;
    return PLEACH_OK;
}

static pleach_status check_counts(plc_onnx_reader *r)
{
    const Onnx__GraphProto *file = r->file;

    if (!file)
        return plc_fail(r->ctx, PLEACH_EINPUT, "it holds no graph; is it an ONNX file?");
    if (file->n_node > MAX_FILE_NODES)
        return plc_fail(r->ctx, PLEACH_EINPUT, "%zu nodes; at most %d are read", file->n_node,
                        MAX_FILE_NODES);
    if (file->n_sparse_initializer)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "it has sparse parameters, which are not read; write them as plain ones");
    if (file->n_output != 1)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "it has %zu outputs; a network of one output is expected: cut it with "
                        "onnx.utils.extract_model",
                        file->n_output);
    return PLEACH_OK;
}

// Of a whole, what is along one dimension are logits, wherever the others of 1 stand.
static pleach_status group_logits(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                  const plc_onnx_value *output, int *node)
{
    const int64_t count = plc_onnx_product(output->dims, 0, output->n_dims);
    bool is_vector = false;

    for (int i = 0; i < output->n_dims; i++)
        is_vector = is_vector || output->dims[i] == count;
    return is_vector ? plc_onnx_regroup(r, n, (plc_shape){(int)count, 1, 1}, node) : PLEACH_OK;
}

// Our graph ends with its output: where that is no node's own value, a copy is.
static pleach_status end_with(plc_onnx_reader *r, const plc_onnx_value *output)
{
    pleach_status status = PLEACH_OK;
    const Onnx__NodeProto *n = output->producer >= 0 ? r->file->node[output->producer] : NULL;
    int node = output->node;

    if (output->kind != PLC_ONNX_NODE || !n)
        FAIL(r->ctx, PLEACH_EINPUT, "its output '%s' is not computed from its input", output->name);
    if (r->whole)
        TRY(group_logits(r, n, output, &node));
    if (node && node == r->graph->n_nodes - 1)
        return status;
    const plc_shape shape = r->graph->nodes[node].shape;
    const plc_attrs attrs = {.size = {shape.c, shape.h, shape.w},
                             .view = {{shape.c * shape.h * shape.w, 1}}};
    TRY(plc_onnx_add(r, n, "as_strided", "", &(int){node}, 1, &attrs, &node));
done:
    return status;
}

static pleach_status read_nodes(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;
    const Onnx__ValueInfoProto *input = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS] = {0};
    int n_dims = 0;
    const char *output = NULL, *name = plc_onnx_text(r->file->name);

    TRY(plc_onnx_check_names(r));
    TRY(plc_onnx_name_parameters(r));
    TRY(plc_onnx_find_input(r, &input));
    TRY(plc_onnx_read_shape(r, input, dims, &n_dims));
    TRY(plc_onnx_name_values(r, input->name));
    output = plc_onnx_text(r->file->output[0]->name);
    TRY(plc_onnx_mark_live(r, output));
    TRY(read_parameters(r));
    TRY(plc_graph_create(r->ctx, is_good_name(name) && !strpbrk(name, "\n\r\t") ? name : "onnx",
                         plc_onnx_usual_shape(r, dims, n_dims), &r->graph));
    plc_onnx_value *images = plc_onnx_find(r, input->name);
    images->kind = PLC_ONNX_NODE;
    images->n_dims = n_dims;
    memcpy(images->dims, dims, sizeof dims);
    for (size_t i = 0; i < r->file->n_node; i++)
        if (r->live[i] && !r->done[i])
            TRY(plc_onnx_read_node(r, r->file->node[i]));
    TRY(end_with(r, plc_onnx_find(r, output)));
done:
    return status;
}

// Graph, layout and weights, as a model file of our own gives them.
static pleach_status make_model(plc_onnx_reader *r, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_params_layout_create(r->ctx, r->graph, &model->layout));
    if ((size_t)model->layout->n_floats > r->arena.limit / sizeof(float))
        FAIL(r->ctx, PLEACH_EINPUT, "%d parameters in layers, far more than the file holds",
             model->layout->n_floats);
    TRY(plc_alloc(r->ctx, (size_t)model->layout->n_floats, sizeof *model->weights,
                  &model->weights));
    if (r->n_sources != (size_t)model->layout->n_places)
        FAIL(r->ctx, PLEACH_EFAILED,
             "%d parameters, but the file gave %zu; this is our own mistake",
             model->layout->n_places, r->n_sources);
    for (size_t i = 0; i < r->n_sources; i++) {
        const plc_onnx_source *source = &r->sources[i];
        const plc_param *param = &r->graph->nodes[source->node].params[source->param];

        memcpy(model->weights + model->layout->offsets[source->node][source->param], source->data,
               plc_param_count(param) * sizeof(float));
    }
    model->graph = r->graph;
    r->graph = NULL;
done:
    return status;
}

const char *const plc_onnx_metadata_keys[] = {"data", "mean", "std"};

// How images are normalised, where the file says so; other metadata is others' business.
static pleach_status read_metadata(plc_onnx_reader *r, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = r->model->metadata_props[i];

        for (int j = 0; j < PLC_ONNX_N_METADATA_KEYS; j++)
            if (strcmp(plc_onnx_text(entry->key), plc_onnx_metadata_keys[j]) == 0) {
                TRY(plc_onnx_check_name(r, plc_onnx_text(entry->value)));
                TRY(plc_tensors_set_metadata(r->ctx, &model->extra, plc_onnx_metadata_keys[j],
                                             plc_onnx_text(entry->value)));
            }
    }
done:
    return status;
}

static pleach_status read_proto(pleach_ctx *ctx, const Onnx__ModelProto *proto, bool whole,
                                bool to_logits, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    plc_onnx_reader r = {
        .ctx = ctx, .whole = whole, .to_logits = to_logits, .model = proto, .file = proto->graph};

    *model = (plc_model_file){0};
    r.arena.limit = MEMORY_MIN + MEMORY_FACTOR * onnx__model_proto__get_packed_size(proto);
    TRY(check_counts(&r));
    TRY(read_opset(&r));
    TRY(read_nodes(&r));
    TRY(make_model(&r, model));
    TRY(read_metadata(&r, model));
done:
    if (status != PLEACH_OK)
        plc_model_file_finish(model);
    pleach_graph_destroy(&r.graph);
    free(r.sources);
    plc_onnx_arena_finish(&r.arena);
    return status;
}

pleach_status plc_onnx_read_proto(pleach_ctx *ctx, const Onnx__ModelProto *proto, bool whole,
                                  plc_model_file *model)
{
    return read_proto(ctx, proto, whole, !whole, model);
}

pleach_status plc_onnx_read_as(pleach_ctx *ctx, const char *path, bool whole, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    Onnx__ModelProto *proto = NULL;

    *model = (plc_model_file){0};
    TRY(plc_onnx_file_read(ctx, path, &proto));
    TRY(read_proto(ctx, proto, whole, true, model));
done:
    if (status != PLEACH_OK && !strstr(pleach_error(ctx), path))
        plc_fail_in(ctx, status, "%s", path);
    if (proto)
        onnx__model_proto__free_unpacked(proto, NULL);
    return status;
}

pleach_status plc_onnx_read(pleach_ctx *ctx, const char *path, plc_model_file *model)
{
    char why[MAX_ERROR];
    const pleach_status status = plc_onnx_read_as(ctx, path, false, model);

    if (status != PLEACH_EINPUT && status != PLEACH_EGRAPH)
        return status;
    snprintf(why, sizeof why, "%s", pleach_error(ctx));
    if (plc_onnx_read_as(ctx, path, true, model) != PLEACH_OK)
        return plc_fail(ctx, status, "%s", why);
    plc_log(ctx, PLEACH_LOG_INFO,
            "all dimensions of its input are read as one image, because else: %s", why);
    return PLEACH_OK;
}
