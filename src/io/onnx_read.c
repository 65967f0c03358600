// Reading ONNX: names, order, the walk along the nodes, and the model file that comes of it.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/memory.h>
#include <io/onnx_file.h>

// Constants, Identity and the like are nodes too, so there may be more than our graph has.
enum { MAX_FILE_NODES = 8 * PLC_MAX_NODES, MAX_NAME_BYTES = 1000, MAX_ERROR = 512 };

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

// Names go into error texts and other files: printable, and not without end.
static pleach_status check_name(plc_onnx_reader *r, const char *name)
{
    if (!name)
        return PLEACH_OK;
    if (strlen(name) > MAX_NAME_BYTES)
        return plc_fail(r->ctx, PLEACH_EINPUT, "a name of %zu bytes; at most %d are read",
                        strlen(name), MAX_NAME_BYTES);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return plc_fail(r->ctx, PLEACH_EINPUT,
                            "a name has control character 0x%02x at byte %td; rename it",
                            (unsigned)(unsigned char)*c, c - name);
    return PLEACH_OK;
}

static pleach_status check_names(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->file->n_node; i++) {
        const Onnx__NodeProto *n = r->file->node[i];

        TRY(check_name(r, n->name));
        TRY(check_name(r, n->op_type));
        TRY(check_name(r, n->domain));
        for (size_t j = 0; j < n->n_input; j++)
            TRY(check_name(r, n->input[j]));
        for (size_t j = 0; j < n->n_output; j++)
            TRY(check_name(r, n->output[j]));
        for (size_t j = 0; j < n->n_attribute; j++)
            TRY(check_name(r, n->attribute[j]->name));
    }
    for (size_t i = 0; i < r->file->n_initializer; i++)
        TRY(check_name(r, r->file->initializer[i]->name));
    for (size_t i = 0; i < r->file->n_input; i++)
        TRY(check_name(r, r->file->input[i]->name));
    for (size_t i = 0; i < r->file->n_output; i++)
        TRY(check_name(r, r->file->output[i]->name));
done:
    return status;
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const plc_onnx_value *)a)->name, ((const plc_onnx_value *)b)->name);
}

static void sort_values(plc_onnx_reader *r)
{
    qsort(r->values, r->n_values, sizeof *r->values, compare_values);
}

// The table of names, with room for all and the parameters in it.
static pleach_status name_parameters(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;
    const Onnx__GraphProto *file = r->file;
    size_t n = 1 + file->n_initializer;

    for (size_t i = 0; i < file->n_node; i++)
        n += file->node[i]->n_output;
    TRY(plc_onnx_take(r->ctx, &r->arena, n, sizeof *r->values, &r->values));
    for (size_t i = 0; i < file->n_initializer; i++)
        r->values[r->n_values++] =
            (plc_onnx_value){.name = plc_onnx_text(file->initializer[i]->name), .producer = -1};
    sort_values(r);
done:
    return status;
}

// The input and the outputs of nodes too; each name must be given once.
static pleach_status name_values(plc_onnx_reader *r, const char *input)
{
    const Onnx__GraphProto *file = r->file;

    r->values[r->n_values++] = (plc_onnx_value){.name = input, .producer = -1};
    for (size_t i = 0; i < file->n_node; i++)
        for (size_t j = 0; j < file->node[i]->n_output; j++)
            if (*plc_onnx_text(file->node[i]->output[j]))
                r->values[r->n_values++] =
                    (plc_onnx_value){.name = file->node[i]->output[j], .producer = (int)i};
    sort_values(r);
    for (size_t i = 1; i < r->n_values; i++)
        if (strcmp(r->values[i - 1].name, r->values[i].name) == 0)
            return plc_fail(r->ctx, PLEACH_EINPUT,
                            "two values are named '%s'; names must be unique", r->values[i].name);
    return PLEACH_OK;
}

// Marks what the output needs. Nodes come in order, so one pass from the last to the first does.
static pleach_status mark_live(plc_onnx_reader *r, const char *output)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *last = plc_onnx_find(r, output);

    if (!last || last->producer < 0)
        FAIL(r->ctx, PLEACH_EINPUT, "no node gives its output '%s'", output);
    TRY(plc_onnx_take(r->ctx, &r->arena, r->file->n_node, sizeof *r->live, &r->live));
    TRY(plc_onnx_take(r->ctx, &r->arena, r->file->n_node, sizeof *r->done, &r->done));
    r->live[last->producer] = true;
    for (int i = (int)r->file->n_node - 1; i >= 0; i--) {
        const Onnx__NodeProto *n = r->file->node[i];

        for (size_t j = 0; r->live[i] && j < n->n_input; j++) {
            plc_onnx_value *value =
                *plc_onnx_text(n->input[j]) ? plc_onnx_find(r, n->input[j]) : NULL;

            if (!*plc_onnx_text(n->input[j]))
                continue;
            if (!value)
                TRY(plc_onnx_fail(r, n, "no node, input or parameter is named '%s'", n->input[j]));
            if (value->producer >= i)
                TRY(plc_onnx_fail(
                    r, n,
                    "its input '%s' comes of a later node; nodes must stand in order, "
                    "without a cycle",
                    n->input[j]));
            value->n_readers++;
            value->reader = i;
            if (value->producer >= 0)
                r->live[value->producer] = true;
        }
    }
done:
    return status;
}

static const char *dim_text(const Onnx__TensorShapeProto__Dimension *dim, char text[24])
{
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        snprintf(text, 24, "%lld", (long long)dim->dim_value);
    else
        snprintf(text, 24, "?");
    return text;
}

// The input's shape: floats [any][C][H][W], or vectors [any][C]; all but the first given as numbers.
static pleach_status read_shape(plc_onnx_reader *r, const Onnx__ValueInfoProto *input,
                                plc_shape *shape, int *rank)
{
    const Onnx__TypeProto__Tensor *tensor =
        input->type && input->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? input->type->tensor_type
            : NULL;
    const Onnx__TensorShapeProto *dims = tensor ? tensor->shape : NULL;
    int sizes[3] = {1, 1, 1};

    if (!dims || tensor->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
        (dims->n_dim != 4 && dims->n_dim != 2))
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "its input '%s' is not described as float images [N][C][H][W]",
                        plc_onnx_text(input->name));
    for (int i = 0; i + 1 < (int)dims->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = dims->dim[i + 1];
        const bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        char text[24];

        if (!known || dim->dim_value < 1 || dim->dim_value > INT_MAX)
            return plc_fail(
                r->ctx, PLEACH_EINPUT,
                "dimension %d of its input '%s' is '%s'; channels, height and width must "
                "be numbers: export it with fixed ones, or run python3 -m "
                "onnxruntime.tools.make_dynamic_shape_fixed",
                i + 1, plc_onnx_text(input->name), dim_text(dim, text));
        sizes[i] = (int)dim->dim_value;
    }
    *shape = (plc_shape){sizes[0], sizes[1], sizes[2]};
    *rank = (int)dims->n_dim;
    return PLEACH_OK;
}

// The one input that is no parameter (older files list parameters as inputs too).
static pleach_status find_input(plc_onnx_reader *r, const Onnx__ValueInfoProto **input)
{
    pleach_status status = PLEACH_OK;

    *input = NULL;
    for (size_t i = 0; i < r->file->n_input; i++) {
        const Onnx__ValueInfoProto *candidate = r->file->input[i];

        if (plc_onnx_find(r, plc_onnx_text(candidate->name)))
            continue;
        if (*input)
            FAIL(r->ctx, PLEACH_EINPUT,
                 "it has inputs '%s' and '%s'; a network of one input is expected",
                 plc_onnx_text((*input)->name), plc_onnx_text(candidate->name));
        *input = candidate;
    }
    if (!*input || !*plc_onnx_text((*input)->name))
        FAIL(r->ctx, PLEACH_EINPUT, "it has no input with a name");
done:
    return status;
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
    for (int i = 2; plc_graph_find(r->graph, unique) != PLC_NO_NODE; i++)
        snprintf(unique, sizeof unique, "%.*s~%d", PLC_NODE_NAME_MAX - 8, name, i);
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
    if (version < PLC_ONNX_OLDEST_OPSET || version > INT_MAX)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "its opset is %lld; %d and newer are read: convert it with "
                        "onnx.version_converter, or export it again",
                        (long long)version, PLC_ONNX_OLDEST_OPSET);
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

static pleach_status read_nodes(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;
    const Onnx__ValueInfoProto *input = NULL;
    plc_shape shape = {0};
    int rank = 0;
    const char *output = NULL, *name = plc_onnx_text(r->file->name);

    TRY(check_names(r));
    TRY(name_parameters(r));
    TRY(find_input(r, &input));
    TRY(read_shape(r, input, &shape, &rank));
    TRY(name_values(r, input->name));
    output = plc_onnx_text(r->file->output[0]->name);
    TRY(mark_live(r, output));
    TRY(read_parameters(r));
    TRY(plc_graph_create(r->ctx, is_good_name(name) && !strpbrk(name, "\n\r\t") ? name : "onnx",
                         shape, &r->graph));
    plc_onnx_value *images = plc_onnx_find(r, input->name);
    images->kind = PLC_ONNX_NODE;
    images->rank = rank;
    for (size_t i = 0; i < r->file->n_node; i++)
        if (r->live[i] && !r->done[i])
            TRY(plc_onnx_read_node(r, r->file->node[i]));
    const plc_onnx_value *logits = plc_onnx_find(r, output);
    if (logits->kind != PLC_ONNX_NODE || logits->node != r->graph->n_nodes - 1 || !logits->node)
        FAIL(r->ctx, PLEACH_EINPUT, "its output '%s' is not what its last layer computes", output);
done:
    return status;
}

// Graph, layout and weights, as a model file of our own gives them.
static pleach_status make_model(plc_onnx_reader *r, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_params_layout_create(r->ctx, r->graph, &model->layout));
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

// How images are normalised, where the file says so; other metadata is others' business.
static pleach_status read_metadata(plc_onnx_reader *r, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    static const char *const keys[] = {"data", "mean", "std"};

    for (size_t i = 0; i < r->model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = r->model->metadata_props[i];

        for (size_t j = 0; j < sizeof keys / sizeof *keys; j++)
            if (strcmp(plc_onnx_text(entry->key), keys[j]) == 0) {
                TRY(check_name(r, plc_onnx_text(entry->value)));
                TRY(plc_tensors_set_metadata(r->ctx, &model->extra, keys[j],
                                             plc_onnx_text(entry->value)));
            }
    }
done:
    return status;
}

pleach_status plc_onnx_read(pleach_ctx *ctx, const char *path, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    plc_onnx_reader r = {.ctx = ctx};
    Onnx__ModelProto *proto = NULL;

    *model = (plc_model_file){0};
    TRY(plc_onnx_file_read(ctx, path, &proto));
    r.model = proto;
    r.file = proto->graph;
    TRY(check_counts(&r));
    TRY(read_opset(&r));
    TRY(read_nodes(&r));
    TRY(make_model(&r, model));
    TRY(read_metadata(&r, model));
done:
    if (status != PLEACH_OK) {
        if (!strstr(pleach_error(ctx), path))
            plc_fail_in(ctx, status, "%s", path);
        plc_model_file_finish(model);
    }
    pleach_graph_destroy(&r.graph);
    free(r.sources);
    plc_onnx_arena_finish(&r.arena);
    if (proto)
        onnx__model_proto__free_unpacked(proto, NULL);
    return status;
}
