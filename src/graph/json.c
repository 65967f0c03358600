// A graph as JSON, as kept in a model file's metadata:
//   {"format": "pleach.graph/1", "name": "resnet20", "input": [3, 32, 32], "nodes": [
//     {"op": "conv", "name": "conv1", "inputs": ["input"], "kernel": [3, 3], ...}, ...]}
// The input node is not listed; attributes at their defaults may be left out. Untrusted.
#include <graph/op.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/memory.h>

static const char format_name[] = "pleach.graph/1";

// Largest text that is parsed: far above PLC_MAX_NODES nodes of usual size.
#define JSON_BYTES_MAX ((size_t)4 << 20)

// From here on no float is near: half a step above FLT_MAX, whose nine digits are a little more than it is.
static const double FLOAT_LIMIT = 0x1.ffffffp127;

typedef enum kind {
    KIND_PAIR,
    KIND_TRIPLE,
    KIND_VIEW, // up to PLC_MAX_VIEW_DIMS pairs of size and stride
    KIND_INT,
    KIND_BOOL,
    KIND_FLOAT,
    KIND_FLOATS, // two
} kind;

// Attribute, its key, and where it lies in plc_attrs.
static const struct field {
    int attr;
    const char *key;
    kind kind;
    size_t offset;
} fields[] = {
    {PLC_ATTR_KERNEL, "kernel", KIND_PAIR, offsetof(plc_attrs, kernel)},
    {PLC_ATTR_STRIDE, "stride", KIND_PAIR, offsetof(plc_attrs, stride)},
    {PLC_ATTR_PAD, "pad", KIND_PAIR, offsetof(plc_attrs, pad)},
    {PLC_ATTR_DILATION, "dilation", KIND_PAIR, offsetof(plc_attrs, dilation)},
    {PLC_ATTR_GROUPS, "groups", KIND_INT, offsetof(plc_attrs, groups)},
    {PLC_ATTR_OUT_CHANNELS, "out_channels", KIND_INT, offsetof(plc_attrs, out_channels)},
    {PLC_ATTR_BIAS, "bias", KIND_BOOL, offsetof(plc_attrs, bias)},
    {PLC_ATTR_EPS, "eps", KIND_FLOAT, offsetof(plc_attrs, eps)},
    {PLC_ATTR_MOMENTUM, "momentum", KIND_FLOAT, offsetof(plc_attrs, momentum)},
    {PLC_ATTR_PAD_AFTER, "pad_after", KIND_PAIR, offsetof(plc_attrs, pad_after)},
    {PLC_ATTR_PAD_MORE, "pad_more", KIND_PAIR, offsetof(plc_attrs, pad_more)},
    {PLC_ATTR_MODE, "mode", KIND_INT, offsetof(plc_attrs, mode)},
    {PLC_ATTR_AXIS, "axis", KIND_INT, offsetof(plc_attrs, axis)},
    {PLC_ATTR_OFFSET, "offset", KIND_INT, offsetof(plc_attrs, offset)},
    {PLC_ATTR_SIZE, "size", KIND_TRIPLE, offsetof(plc_attrs, size)},
    {PLC_ATTR_VIEW, "view", KIND_VIEW, offsetof(plc_attrs, view)},
    {PLC_ATTR_SCALE, "scale", KIND_FLOATS, offsetof(plc_attrs, scale)},
    {PLC_ATTR_SHIFT, "shift", KIND_FLOATS, offsetof(plc_attrs, shift)},
    {PLC_ATTR_ALPHA, "alpha", KIND_FLOAT, offsetof(plc_attrs, alpha)},
    {PLC_ATTR_BETA, "beta", KIND_FLOAT, offsetof(plc_attrs, beta)},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static json_t *view_to_json(const plc_view_dim *view)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (int i = 0; good && i < PLC_MAX_VIEW_DIMS && view[i].size; i++)
        good = json_array_append_new(list, json_pack("[ii]", view[i].size, view[i].stride)) == 0;
    if (!good) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *field_to_json(const struct field *field, const plc_attrs *attrs)
{
    const void *at = (const char *)attrs + field->offset;

    switch (field->kind) {
    case KIND_PAIR:
        return json_pack("[ii]", ((const int *)at)[0], ((const int *)at)[1]);
    case KIND_TRIPLE:
        return json_pack("[iii]", ((const int *)at)[0], ((const int *)at)[1], ((const int *)at)[2]);
    case KIND_VIEW:
        return view_to_json(at);
    case KIND_FLOATS:
        return json_pack("[ff]", (double)((const float *)at)[0], (double)((const float *)at)[1]);
    case KIND_INT:
        return json_integer(*(const int *)at);
    case KIND_BOOL:
        return json_boolean(*(const bool *)at);
    case KIND_FLOAT:
        return json_real((double)*(const float *)at);
    }
    return NULL;
}

// NULL when memory ran out, as everywhere in Jansson; the *_new functions take what they are given.
static json_t *node_to_json(const pleach_graph *graph, const plc_node *node)
{
    json_t *inputs = json_array();
    bool good = inputs != NULL;

    for (int i = 0; good && i < node->n_inputs; i++)
        good = json_array_append_new(inputs, json_string(graph->nodes[node->inputs[i]].name)) == 0;

    json_t *json = json_pack("{ss ss so}", "op", node->op->name, "name", node->name, "inputs",
                             inputs); // so: takes inputs, also when it fails
    for (int i = 0; good && i < N_FIELDS; i++)
        if (node->op->attrs & fields[i].attr)
            good = json_object_set_new(json, fields[i].key,
                                       field_to_json(&fields[i], &node->attrs)) == 0;
    if (!good) {
        json_decref(json);
        return NULL;
    }
    return json;
}

pleach_status plc_graph_to_json(pleach_ctx *ctx, const pleach_graph *graph, char **text)
{
    pleach_status status = PLEACH_OK;
    const plc_shape *x = &graph->nodes[0].shape;
    json_t *nodes = json_array();
    bool good = nodes != NULL;

    *text = NULL;
    for (int i = 1; good && i < graph->n_nodes; i++)
        good = json_array_append_new(nodes, node_to_json(graph, &graph->nodes[i])) == 0;

    json_t *root = json_pack("{ss ss s[iii] sO}", "format", format_name, "name", graph->name,
                             "input", x->c, x->h, x->w, "nodes", nodes);
    // Nine digits bring every float back.
    if (good && root)
        *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (!*text)
        FAIL(ctx, PLEACH_EFAILED,
             "graph '%s' cannot be written as JSON: a name is not UTF-8, or the host is out of "
             "memory",
             graph->name);
done:
    json_decref(root);
    json_decref(nodes);
    return status;
}

// Where in the text we are, for errors: "node 12 ('conv1')" or "graph".
typedef struct place {
    int node; // -1: the graph itself
    const char *name;
} place;

static pleach_status fail_at(pleach_ctx *ctx, place at, const char *key, const char *expected)
{
    if (at.node < 0)
        return plc_fail(ctx, PLEACH_EINPUT,
                        "graph JSON: \"%s\" must be %s; the file is damaged or not "
                        "written by this program",
                        key, expected);
    return plc_fail(ctx, PLEACH_EINPUT,
                    "graph JSON: node %d ('%s'): \"%s\" must be %s; the file is "
                    "damaged or not written by this program",
                    at.node, at.name, key, expected);
}

static pleach_status read_int(pleach_ctx *ctx, const json_t *json, place at, const char *key,
                              int *value)
{
    json_int_t n = json_integer_value(json);

    if (!json_is_integer(json) || n < -INT_MAX || n > INT_MAX)
        return fail_at(ctx, at, key, "made of integers of at most 2147483647");
    *value = (int)n;
    return PLEACH_OK;
}

// An array of exactly n integers.
static pleach_status read_ints(pleach_ctx *ctx, const json_t *json, place at, const char *key,
                               int n, int *values)
{
    pleach_status status = PLEACH_OK;

    if (!json_is_array(json) || json_array_size(json) != (size_t)n)
        TRY(fail_at(ctx, at, key, n == 2 ? "an array of 2 integers" : "an array of 3 integers"));
    for (int i = 0; i < n; i++)
        TRY(read_int(ctx, json_array_get(json, (size_t)i), at, key, &values[i]));
done:
    return status;
}

static pleach_status read_float(pleach_ctx *ctx, const json_t *json, place at, const char *key,
                                float *value)
{
    const double number = json_number_value(json);

    if (!json_is_number(json) || fabs(number) >= FLOAT_LIMIT)
        return fail_at(ctx, at, key, "a number that a float holds");
    *value = (float)number;
    return PLEACH_OK;
}

static pleach_status read_floats(pleach_ctx *ctx, const json_t *json, place at, const char *key,
                                 float values[2])
{
    pleach_status status = PLEACH_OK;

    if (!json_is_array(json) || json_array_size(json) != 2)
        TRY(fail_at(ctx, at, key, "an array of 2 numbers"));
    for (int i = 0; i < 2; i++)
        TRY(read_float(ctx, json_array_get(json, (size_t)i), at, key, &values[i]));
done:
    return status;
}

static pleach_status read_view(pleach_ctx *ctx, const json_t *json, place at, const char *key,
                               plc_view_dim *view)
{
    pleach_status status = PLEACH_OK;
    const size_t n = json_array_size(json);
    int pair[2];

    if (!json_is_array(json) || n > PLC_MAX_VIEW_DIMS)
        TRY(fail_at(ctx, at, key, "an array of at most 6 pairs"));
    for (size_t i = 0; i < n; i++) {
        TRY(read_ints(ctx, json_array_get(json, i), at, key, 2, pair));
        view[i] = (plc_view_dim){pair[0], pair[1]};
    }
done:
    return status;
}

static pleach_status read_string(pleach_ctx *ctx, const json_t *object, place at, const char *key,
                                 const char **value)
{
    *value = json_string_value(json_object_get(object, key));
    return *value ? PLEACH_OK : fail_at(ctx, at, key, "a string");
}

static pleach_status read_field(pleach_ctx *ctx, const struct field *field, const json_t *json,
                                place at, plc_attrs *attrs)
{
    void *to = (char *)attrs + field->offset;

    switch (field->kind) {
    case KIND_PAIR:
        return read_ints(ctx, json, at, field->key, 2, to);
    case KIND_TRIPLE:
        return read_ints(ctx, json, at, field->key, 3, to);
    case KIND_VIEW:
        return read_view(ctx, json, at, field->key, to);
    case KIND_FLOATS:
        return read_floats(ctx, json, at, field->key, to);
    case KIND_INT:
        return read_int(ctx, json, at, field->key, to);
    case KIND_BOOL:
        if (!json_is_boolean(json))
            return fail_at(ctx, at, field->key, "true or false");
        *(bool *)to = json_is_true(json);
        return PLEACH_OK;
    case KIND_FLOAT:
        return read_float(ctx, json, at, field->key, to);
    }
    return PLEACH_OK;
}

// The attributes of a node: every key must be one that the operator reads.
static pleach_status read_attrs(pleach_ctx *ctx, const struct op *op, json_t *json, place at,
                                plc_attrs *attrs)
{
    pleach_status status = PLEACH_OK;
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(json, key, value)
    {
        const struct field *field = NULL;
        if (strcmp(key, "op") == 0 || strcmp(key, "name") == 0 || strcmp(key, "inputs") == 0)
            continue;
        for (int i = 0; i < N_FIELDS; i++)
            if (op->attrs & fields[i].attr && strcmp(key, fields[i].key) == 0)
                field = &fields[i];
        if (!field)
            FAIL(ctx, PLEACH_EINPUT,
                 "graph JSON: node %d ('%s'): operator '%s' has no attribute \"%s\"; a newer "
                 "version of "
                 "the program may know it",
                 at.node, at.name, op->name, key);
        TRY(read_field(ctx, field, value, at, attrs));
    }
done:
    return status;
}

static pleach_status read_inputs(pleach_ctx *ctx, const pleach_graph *graph, const json_t *json,
                                 place at, int **inputs, int *n_inputs)
{
    pleach_status status = PLEACH_OK;
    int *list = NULL;

    if (!json_is_array(json) || json_array_size(json) > PLC_MAX_NODES)
        TRY(fail_at(ctx, at, "inputs", "an array of names"));
    TRY(plc_alloc(ctx, json_array_size(json), sizeof *list, &list));
    for (size_t i = 0; i < json_array_size(json); i++) {
        const char *name = json_string_value(json_array_get(json, i));
        if (!name)
            TRY(fail_at(ctx, at, "inputs", "an array of names"));
        list[i] = plc_graph_find(graph, name);
        if (list[i] == PLC_NO_NODE)
            FAIL(ctx, PLEACH_EINPUT,
                 "graph JSON: node %d ('%s'): no earlier node is named '%s'; nodes must follow "
                 "their "
                 "inputs",
                 at.node, at.name, name);
    }
    *n_inputs = (int)json_array_size(json);
    *inputs = list;
    list = NULL;
done:
    free(list);
    return status;
}

static pleach_status read_node(pleach_ctx *ctx, json_t *json, int index, pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    place at = {index, "?"};
    const char *op_name = NULL, *name = NULL;
    plc_attrs attrs = {0};
    int *inputs = NULL, n_inputs = 0;

    TRY(read_string(ctx, json, at, "name", &name));
    at.name = name;
    TRY(read_string(ctx, json, at, "op", &op_name));
    TRY(read_inputs(ctx, graph, json_object_get(json, "inputs"), at, &inputs, &n_inputs));
    const struct op *op = plc_op_find(op_name);
    if (op) // plc_graph_add answers an unknown one
        TRY(read_attrs(ctx, op, json, at, &attrs));
    TRY(plc_graph_add(ctx, graph, op_name, name, inputs, n_inputs, &attrs, NULL));
done:
    free(inputs);
    return status;
}

static pleach_status read_graph(pleach_ctx *ctx, json_t *root, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    place at = {-1, ""};
    const char *format = NULL, *name = NULL;
    json_t *nodes = json_object_get(root, "nodes");
    int input[3] = {0};

    TRY(read_string(ctx, root, at, "format", &format));
    if (strcmp(format, format_name) != 0)
        FAIL(ctx, PLEACH_EINPUT,
             "graph JSON: format is \"%.40s\", expected \"%s\"; a newer version of the "
             "program may read it",
             format, format_name);
    TRY(read_string(ctx, root, at, "name", &name));
    TRY(read_ints(ctx, json_object_get(root, "input"), at, "input", 3, input));
    if (!json_is_array(nodes) || json_array_size(nodes) >= PLC_MAX_NODES)
        TRY(fail_at(ctx, at, "nodes", "an array of fewer than 8192 nodes"));
    TRY(plc_graph_create(ctx, name, (plc_shape){input[0], input[1], input[2]}, graph));
    for (size_t i = 0; i < json_array_size(nodes); i++)
        TRY(read_node(ctx, json_array_get(nodes, i), (int)i + 1, *graph));
done:
    return status;
}

pleach_status plc_graph_from_json(pleach_ctx *ctx, const char *text, size_t length,
                                  pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    json_error_t error;
    json_t *root = NULL;

    *graph = NULL;
    if (length > JSON_BYTES_MAX)
        FAIL(ctx, PLEACH_EINPUT, "graph JSON: %zu bytes; at most %zu are read", length,
             JSON_BYTES_MAX);
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        FAIL(ctx, PLEACH_EINPUT, "graph JSON: line %d, column %d: %s", error.line, error.column,
             error.text);
    TRY(read_graph(ctx, root, graph));
done:
    json_decref(root);
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
