// Channel compaction, described.
#include <rewrite/compact.h>

#include <stdlib.h>
#include <base/memory.h>
#include <graph/kept.h>

static pleach_status check_frozen(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_channels *channels, const unsigned char *mask)
{
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        int n_kept = 0;
        for (int i = 0; i < group->n_classes; i++)
            n_kept += mask[group->classes[i]] != 0;
        if (group->frozen && n_kept < group->n_classes)
            return plc_fail(
                ctx, PLEACH_EGRAPH,
                "group '%s': the mask keeps %d of %d channels; a frozen group keeps all",
                graph->nodes[group->first_node].name, n_kept, group->n_classes);
    }
    return PLEACH_OK;
}

// Nodes and attributes that the mask leaves.
static pleach_status draft_kept(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_channels *channels, const unsigned char *mask,
                                plc_draft *draft)
{
    pleach_status status = PLEACH_OK;
    int nothing_left = PLC_NO_NODE;

    TRY(plc_draft_create(ctx, graph, draft));
    TRY(plc_kept_nodes(ctx, channels, graph, mask, draft->stays, draft->stands_for, &nothing_left));
    if (nothing_left != PLC_NO_NODE)
        FAIL(ctx, PLEACH_EGRAPH,
             "'%s': the mask leaves it no channels, or inputs without any; keep at least one, or "
             "empty a residual branch from inside",
             graph->nodes[nothing_left].name);
    for (int i = 0; i < graph->n_nodes; i++)
        draft->attrs[i] = plc_kept_attrs(channels, graph, mask, i);
done:
    return status;
}

pleach_status plc_compact_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                   const plc_channels *channels, const unsigned char *mask,
                                   pleach_graph **new_graph, plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    plc_draft draft = {0};

    *new_graph = NULL;
    *edits = NULL;
    TRY(check_frozen(ctx, graph, channels, mask));
    TRY(draft_kept(ctx, graph, channels, mask, &draft));
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
    for (int i = 0; i < (*edits)->n_items; i++) {
        plc_edit *e = &(*edits)->items[i];
        for (int axis = 0; axis < 2; axis++)
            TRY(plc_kept_indices(ctx, channels, graph, mask, e->from_node, e->from_param, axis,
                                 &e->kept[axis], &e->n_kept[axis]));
    }
done:
    plc_draft_finish(&draft);
    if (status != PLEACH_OK) {
        pleach_graph_destroy(new_graph);
        plc_edits_destroy(edits);
    }
    return status;
}
