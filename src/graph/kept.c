// What a mask over classes leaves of a graph.
#include <graph/kept.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>
#include <graph/signs.h>

// Of the channels before `end`.
static int count_before(const plc_channels *channels, const unsigned char *mask, int node, int end)
{
    int n = 0;

    for (int c = 0; c < end; c++)
        n += mask[plc_channels_class(channels, node, c)] != 0;
    return n;
}

int plc_kept_count(const plc_channels *channels, const pleach_graph *graph,
                   const unsigned char *mask, int node)
{
    return count_before(channels, mask, node, graph->nodes[node].shape.c);
}

// Marks constants; false when there are none.
static bool mark_constants(const plc_channels *channels, const pleach_graph *graph,
                           const unsigned char *mask, bool *constant)
{
    bool any = false;

    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        constant[i] = node->n_inputs > 0;
        for (int j = 0; j < node->n_inputs; j++)
            constant[i] = constant[i] && constant[node->inputs[j]];
        constant[i] = constant[i] || plc_kept_count(channels, graph, mask, i) == 0;
        any = any || constant[i];
    }
    return any;
}

// What stands for each node when the constants are gone.
static void replace_sums(const pleach_graph *graph, const bool *constant, const bool *non_negative,
                         int *stands_for)
{
    for (int i = 1; i < graph->n_nodes; i++) {
        const int *inputs = graph->nodes[i].inputs;
        stands_for[i] = i;
        if (plc_graph_is(graph, i, "add") && constant[inputs[0]] != constant[inputs[1]])
            stands_for[i] = stands_for[inputs[constant[inputs[0]]]];
        else if (plc_graph_is(graph, i, "relu") && stands_for[inputs[0]] != inputs[0] &&
                 plc_graph_is(graph, inputs[0], "add") && non_negative[stands_for[inputs[0]]])
            stands_for[i] = stands_for[inputs[0]];
    }
}

// stands_for points backwards only, so one sweep from the end does it.
void plc_mark_live(const pleach_graph *graph, const int *stands_for, bool *stays)
{
    for (int i = 0; i < graph->n_nodes; i++)
        stays[i] = false;
    stays[0] = true; // the input stays even if nothing reads it
    stays[stands_for[graph->n_nodes - 1]] = true;
    for (int i = graph->n_nodes - 1; i > 0; i--)
        for (int j = 0; stays[i] && j < graph->nodes[i].n_inputs; j++)
            stays[stands_for[graph->nodes[i].inputs[j]]] = true;
}

pleach_status plc_kept_nodes(pleach_ctx *ctx, const plc_channels *channels,
                             const pleach_graph *graph, const unsigned char *mask, bool *stays,
                             int *stands_for, int *nothing_left)
{
    pleach_status status = PLEACH_OK;
    bool *constant = NULL, *non_negative = NULL;

    *nothing_left = PLC_NO_NODE;
    for (int i = 0; i < graph->n_nodes; i++) {
        stays[i] = true;
        stands_for[i] = i;
    }
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *constant, &constant));
    if (!mark_constants(channels, graph, mask, constant))
        goto done;
    TRY(plc_mark_non_negative(ctx, graph, &non_negative));
    replace_sums(graph, constant, non_negative, stands_for);
    plc_mark_live(graph, stands_for, stays);
    for (int i = graph->n_nodes - 1; i >= 0; i--)
        if (stays[i] && constant[i])
            *nothing_left = i;
done:
    free(constant);
    free(non_negative);
    return status;
}

plc_attrs plc_kept_attrs(const plc_channels *channels, const pleach_graph *graph,
                         const unsigned char *mask, int node)
{
    const plc_node *n = &graph->nodes[node];
    plc_attrs attrs = n->attrs;

    if (n->op->attrs & PLC_ATTR_OUT_CHANNELS)
        attrs.out_channels = plc_kept_count(channels, graph, mask, node);
    // A range of channels stays one, as their order does.
    if (n->op->attrs & PLC_ATTR_OFFSET && n->op->attrs & PLC_ATTR_OUT_CHANNELS)
        attrs.offset = count_before(channels, mask, n->inputs[0], n->attrs.offset);
    // Depthwise: every channel is a group. Otherwise each group loses equal numbers and none goes.
    if (plc_graph_is_depthwise(graph, n))
        attrs.groups = plc_kept_count(channels, graph, mask, n->inputs[0]);
    return attrs;
}

// The operators' own shape rules run, so the shapes cannot differ from those of the graph that compaction
// builds.
pleach_status plc_kept_shadow(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              pleach_graph *shadow, bool *stays)
{
    pleach_status status = PLEACH_OK;
    int *stands_for = NULL, nothing_left;

    *shadow = *graph;
    shadow->nodes = NULL;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *shadow->nodes, &shadow->nodes));
    memcpy(shadow->nodes, graph->nodes, (size_t)graph->n_nodes * sizeof *shadow->nodes);
    for (int i = 0; i < graph->n_nodes; i++)
        stays[i] = true;
    if (channels == NULL)
        goto done;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *stands_for, &stands_for));
    TRY(plc_kept_nodes(ctx, channels, graph, mask, stays, stands_for, &nothing_left));
    for (int i = 0; i < graph->n_nodes; i++) {
        plc_node *node = &shadow->nodes[i];
        node->shape.c = plc_kept_count(channels, graph, mask, i);
        if (!stays[i])
            continue;
        node->attrs = plc_kept_attrs(channels, graph, mask, i);
        node->n_params = 0;
        TRY(node->op->shape(ctx, shadow, node));
    }
done:
    free(stands_for);
    return status;
}

pleach_status plc_kept_indices(pleach_ctx *ctx, const plc_channels *channels,
                               const pleach_graph *graph, const unsigned char *mask, int node,
                               int param, int axis, int **kept, int *n_kept)
{
    pleach_status status = PLEACH_OK;
    const plc_param *p = &graph->nodes[node].params[param];
    int size = axis < p->n_dims ? p->dims[axis] : 1, value = node, *list = NULL;

    *kept = NULL;
    *n_kept = size;
    if (axis >= p->n_dims || p->axis[axis] == PLC_AXIS_NONE)
        goto done;
    if (p->axis[axis] == PLC_AXIS_IN)
        value = graph->nodes[node].inputs[0];
    TRY(plc_alloc(ctx, (size_t)size, sizeof *list, &list));
    *n_kept = 0;
    for (int i = 0; i < size; i++)
        if (mask[plc_channels_class(channels, value, i)])
            list[(*n_kept)++] = i;
    if (*n_kept < size) {
        *kept = list;
        list = NULL;
    }
done:
    free(list);
    return status;
}
