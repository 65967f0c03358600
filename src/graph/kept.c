// What a mask over classes leaves of a graph.
#include <graph/kept.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/op.h>

int plc_kept_count(const plc_channels *channels, const pleach_graph *graph,
                   const unsigned char *mask, int node)
{
    int n = 0;

    for (int c = 0; c < graph->nodes[node].shape.c; c++)
        n += mask[plc_channels_class(channels, node, c)] != 0;
    return n;
}

plc_attrs plc_kept_attrs(const plc_channels *channels, const pleach_graph *graph,
                         const unsigned char *mask, int node)
{
    const plc_node *n = &graph->nodes[node];
    plc_attrs attrs = n->attrs;

    if (n->op->attrs & PLC_ATTR_OUT_CHANNELS)
        attrs.out_channels = plc_kept_count(channels, graph, mask, node);
    // Depthwise: every channel is a group. Otherwise each group loses equal numbers and none goes.
    if (attrs.groups > 1 && attrs.groups == graph->nodes[n->inputs[0]].shape.c)
        attrs.groups = plc_kept_count(channels, graph, mask, n->inputs[0]);
    return attrs;
}

// The operators' own shape rules run, so the shapes cannot differ from those of the graph that compaction
// builds.
pleach_status plc_kept_shadow(pleach_ctx *ctx, const pleach_graph *graph,
                              const plc_channels *channels, const unsigned char *mask,
                              pleach_graph *shadow)
{
    pleach_status status = PLEACH_OK;

    *shadow = *graph;
    shadow->nodes = NULL;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *shadow->nodes, &shadow->nodes));
    memcpy(shadow->nodes, graph->nodes, (size_t)graph->n_nodes * sizeof *shadow->nodes);
    for (int i = 0; channels && i < graph->n_nodes; i++) {
        plc_node *node = &shadow->nodes[i];
        node->attrs = plc_kept_attrs(channels, graph, mask, i);
        node->n_params = 0;
        TRY(node->op->shape(ctx, shadow, node));
    }
done:
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
