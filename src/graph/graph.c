// The graph as plain data: nodes appended in topological order, checked as they come.
#include <graph/op.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/text.h>

static void node_finish(plc_node *node)
{
    free(node->name);
    free(node->inputs);
    *node = (plc_node){0};
}

static pleach_status unknown_op(pleach_ctx *ctx, const char *op, const char *name)
{
    const char *known[64] = {0}; // more than the table has; the nearest of the first will do
    int n_ops = 0;
    const struct op *const *table = plc_op_table(&n_ops);

    for (int i = 0; i < n_ops && i < 64; i++)
        known[i] = table[i]->name;
    const char *nearest = plc_nearest_name(op, known, n_ops < 64 ? n_ops : 64);
    if (nearest)
        return plc_fail(ctx, PLEACH_EGRAPH, "node '%s': unknown operator '%s'; did you mean '%s'?",
                        name, op, nearest);
    return plc_fail(ctx, PLEACH_EGRAPH,
                    "node '%s': unknown operator '%s'; a newer version of the program may know it",
                    name, op);
}

// Names go into error texts, file metadata and parameter names: printable and of bounded length.
static pleach_status check_name(pleach_ctx *ctx, const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > PLC_NODE_NAME_MAX)
        return plc_fail(ctx, PLEACH_EGRAPH, "a name has %zu bytes; give one of 1 to %d bytes",
                        length, PLC_NODE_NAME_MAX);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return plc_fail(ctx, PLEACH_EGRAPH,
                            "a name has control character 0x%02x at byte %td; rename the node",
                            (unsigned)(unsigned char)*c, c - name);
    return PLEACH_OK;
}

// What an operator reads, with the usual defaults for zeros; everything else zero.
static plc_attrs attrs_for(const struct op *op, const plc_attrs *given)
{
    plc_attrs a = {0};

    for (int i = 0; i < 2; i++) {
        if (op->attrs & PLC_ATTR_KERNEL)
            a.kernel[i] = given->kernel[i];
        if (op->attrs & PLC_ATTR_STRIDE)
            a.stride[i] = given->stride[i] ? given->stride[i] : 1;
        if (op->attrs & PLC_ATTR_PAD)
            a.pad[i] = given->pad[i];
        if (op->attrs & PLC_ATTR_PAD_AFTER)
            a.pad_after[i] = given->pad_after[i];
        if (op->attrs & PLC_ATTR_PAD_MORE)
            a.pad_more[i] = given->pad_more[i];
        if (op->attrs & PLC_ATTR_DILATION)
            a.dilation[i] = given->dilation[i] ? given->dilation[i] : 1;
        if (op->attrs & PLC_ATTR_SCALE)
            a.scale[i] = given->scale[i];
        if (op->attrs & PLC_ATTR_SHIFT)
            a.shift[i] = given->shift[i];
    }
    if (op->attrs & PLC_ATTR_MODE)
        a.mode = given->mode;
    if (op->attrs & PLC_ATTR_AXIS)
        a.axis = given->axis;
    if (op->attrs & PLC_ATTR_OFFSET)
        a.offset = given->offset;
    if (op->attrs & PLC_ATTR_SIZE)
        memcpy(a.size, given->size, sizeof a.size);
    if (op->attrs & PLC_ATTR_VIEW)
        memcpy(a.view, given->view, sizeof a.view);
    if (op->attrs & PLC_ATTR_GROUPS)
        a.groups = given->groups ? given->groups : 1;
    if (op->attrs & PLC_ATTR_OUT_CHANNELS)
        a.out_channels = given->out_channels;
    if (op->attrs & PLC_ATTR_BIAS)
        a.bias = given->bias;
    if (op->attrs & PLC_ATTR_EPS)
        a.eps = given->eps != 0 ? given->eps : 1e-5f;
    if (op->attrs & PLC_ATTR_MOMENTUM)
        a.momentum = given->momentum != 0 ? given->momentum : 0.1f;
    if (op->attrs & PLC_ATTR_ALPHA)
        a.alpha = given->alpha;
    if (op->attrs & PLC_ATTR_BETA)
        a.beta = given->beta;
    return a;
}

// Arity and order of the node at `index`: every input is an earlier node.
static pleach_status check_inputs(pleach_ctx *ctx, const plc_node *node, int index)
{
    if (node->op->n_inputs >= 0 ? node->n_inputs != node->op->n_inputs : node->n_inputs < 1)
        return plc_fail(ctx, PLEACH_EGRAPH, "%s '%s': %d inputs, expected %s%d", node->op->name,
                        node->name, node->n_inputs, node->op->n_inputs < 0 ? "at least " : "",
                        node->op->n_inputs < 0 ? 1 : node->op->n_inputs);
    if (index > 0 && node->n_inputs == 0)
        return plc_fail(ctx, PLEACH_EGRAPH,
                        "%s '%s': a graph has one input, node 0; remove this one", node->op->name,
                        node->name);
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] < 0 || node->inputs[i] >= index)
            return plc_fail(ctx, PLEACH_EGRAPH,
                            "%s '%s': input %d is node %d, but only nodes 0 to %d stand before it; "
                            "order the nodes so that each follows its inputs",
                            node->op->name, node->name, i, node->inputs[i], index - 1);
    return PLEACH_OK;
}

static pleach_status run_shape_rule(pleach_ctx *ctx, const pleach_graph *graph, plc_node *node)
{
    node->n_params = 0;
    return node->op->shape(ctx, graph, node);
}

// Appends without knowing whether the node is the input. `shape` is that of an input node, else
// NULL.
static pleach_status append(pleach_ctx *ctx, pleach_graph *graph, const struct op *op,
                            const char *name, const int *inputs, int n_inputs,
                            const plc_attrs *attrs, const plc_shape *shape)
{
    pleach_status status = PLEACH_OK;
    plc_node node = {.op = op, .n_inputs = n_inputs, .attrs = attrs_for(op, attrs)};

    TRY(check_name(ctx, name));
    if (graph->n_nodes >= PLC_MAX_NODES)
        FAIL(ctx, PLEACH_EGRAPH, "%s '%s': the graph already has %d nodes, the most there can be",
             op->name, name, graph->n_nodes);
    if (plc_graph_find(graph, name) != PLC_NO_NODE)
        FAIL(ctx, PLEACH_EGRAPH, "%s '%s': another node has this name; names must be unique",
             op->name, name);
    TRY(plc_strdup(ctx, name, &node.name));
    TRY(plc_alloc(ctx, (size_t)(n_inputs > 0 ? n_inputs : 0), sizeof *node.inputs, &node.inputs));
    for (int i = 0; i < n_inputs; i++)
        node.inputs[i] = inputs[i];
    TRY(check_inputs(ctx, &node, graph->n_nodes));
    if (shape)
        node.shape = *shape;
    TRY(run_shape_rule(ctx, graph, &node));
    TRY(plc_grow(ctx, &graph->nodes, &graph->capacity, (size_t)graph->n_nodes + 1));
    graph->nodes[graph->n_nodes++] = node;
    node = (plc_node){0};
done:
    node_finish(&node);
    return status;
}

pleach_status plc_graph_create(pleach_ctx *ctx, const char *name, plc_shape input,
                               pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *g = NULL;

    *graph = NULL;
    TRY(check_name(ctx, name));
    TRY(plc_alloc(ctx, 1, sizeof *g, &g));
    TRY(plc_strdup(ctx, name, &g->name));
    TRY(append(ctx, g, plc_op_find("input"), "input", NULL, 0, &(plc_attrs){0}, &input));
    *graph = g;
    g = NULL;
done:
    pleach_graph_destroy(&g);
    return status;
}

void pleach_graph_destroy(pleach_graph **graph)
{
    pleach_graph *g = *graph;

    if (!g)
        return;
    for (int i = 0; i < g->n_nodes; i++)
        node_finish(&g->nodes[i]);
    free(g->nodes);
    free(g->name);
    free(g);
    *graph = NULL;
}

pleach_status plc_graph_add(pleach_ctx *ctx, pleach_graph *graph, const char *op, const char *name,
                            const int *inputs, int n_inputs, const plc_attrs *attrs, int *node)
{
    const struct op *found = plc_op_find(op);

    if (!found)
        return unknown_op(ctx, op, name);
    pleach_status status =
        append(ctx, graph, found, name, inputs, n_inputs, attrs ? attrs : &(plc_attrs){0}, NULL);
    if (status == PLEACH_OK && node)
        *node = graph->n_nodes - 1;
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static pleach_status check_unique(pleach_ctx *ctx, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    const char **names = NULL;

    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *names, &names));
    for (int i = 0; i < graph->n_nodes; i++)
        names[i] = graph->nodes[i].name;
    qsort(names, (size_t)graph->n_nodes, sizeof *names, compare_names);
    for (int i = 1; i < graph->n_nodes; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            FAIL(ctx, PLEACH_EGRAPH, "two nodes are named '%s'; names must be unique", names[i]);
done:
    free(names);
    return status;
}

pleach_status plc_graph_check(pleach_ctx *ctx, pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;

    if (graph->n_nodes < 1 || graph->nodes[0].op != plc_op_find("input"))
        FAIL(ctx, PLEACH_EGRAPH, "graph '%s': node 0 is not its input; put the input first",
             graph->name);
    TRY(check_unique(ctx, graph));
    for (int i = 0; i < graph->n_nodes; i++) {
        plc_node *node = &graph->nodes[i];
        TRY(check_name(ctx, node->name));
        TRY(check_inputs(ctx, node, i));
        TRY(run_shape_rule(ctx, graph, node));
    }
done:
    return status;
}

pleach_status plc_graph_copy(pleach_ctx *ctx, const pleach_graph *graph, pleach_graph **copy)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *g = NULL;

    *copy = NULL;
    TRY(plc_graph_create(ctx, graph->name, graph->nodes[0].shape, &g));
    for (int i = 1; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        TRY(append(ctx, g, node->op, node->name, node->inputs, node->n_inputs, &node->attrs, NULL));
    }
    *copy = g;
    g = NULL;
done:
    pleach_graph_destroy(&g);
    return status;
}

int plc_graph_find(const pleach_graph *graph, const char *name)
{
    for (int i = 0; i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i].name, name) == 0)
            return i;
    return PLC_NO_NODE;
}

bool plc_graph_is(const pleach_graph *graph, int node, const char *op)
{
    return strcmp(graph->nodes[node].op->name, op) == 0;
}

int plc_view_n_dims(const plc_attrs *attrs)
{
    int n = 0;

    while (n < PLC_MAX_VIEW_DIMS && attrs->view[n].size)
        n++;
    return n;
}

int plc_graph_count_op(const pleach_graph *graph, const char *op)
{
    int n = 0;

    for (int node = 0; node < graph->n_nodes; node++)
        n += plc_graph_is(graph, node, op);
    return n;
}

bool plc_graph_is_depthwise(const pleach_graph *graph, const plc_node *node)
{
    return strcmp(node->op->name, "conv") == 0 && node->attrs.groups > 1 &&
           node->attrs.groups == graph->nodes[node->inputs[0]].shape.c;
}

int plc_graph_count_consumers(const pleach_graph *graph, int node)
{
    int n = 0;

    for (int i = node + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            n += graph->nodes[i].inputs[j] == node;
    return n;
}

size_t plc_param_count(const plc_param *param)
{
    size_t count = 1;

    for (int i = 0; i < param->n_dims; i++)
        count *= (size_t)param->dims[i];
    return count;
}

void plc_param_name(const plc_node *node, int param, char *text, size_t size)
{
    snprintf(text, size, "%s.%s", node->name, node->params[param].name);
}
