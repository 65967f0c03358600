// What a channel of each group costs: how much less the network would cost without half of the group.
#include <prune/budget.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <price/macs.h>

pleach_status plc_price_macs(void *user, const pleach_graph *graph, const plc_channels *channels,
                             const unsigned char *mask, double *macs)
{
    pleach_status status = PLEACH_OK;
    plc_cost cost = {0};

    TRY(plc_masked_cost(user, graph, channels, mask, &cost));
    *macs = (double)cost.macs;
done:
    return status;
}

// Counts for each group of the value's channels one more layer.
static void count_groups_of(const plc_channels *channels, const pleach_graph *graph, int value,
                            bool *seen, int *n_layers)
{
    memset(seen, 0, (size_t)plc_channels_n_groups(channels) * sizeof *seen);
    for (int c = 0; c < graph->nodes[value].shape.c; c++) {
        const int g = plc_channels_group_of(channels, plc_channels_class(channels, value, c));
        n_layers[g] += !seen[g];
        seen[g] = true;
    }
}

// How many layers with filters make or read the channels of each group.
static pleach_status count_layers(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_channels *channels, int *n_layers)
{
    pleach_status status = PLEACH_OK;
    bool *seen = NULL;

    TRY(plc_alloc(ctx, (size_t)plc_channels_n_groups(channels), sizeof *seen, &seen));
    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        if (node->n_params == 0 || node->params[0].n_dims < 2)
            continue;
        count_groups_of(channels, graph, i, seen, n_layers);
        // Where a group is on both sides (depthwise) it is counted once.
        if (node->params[0].axis[1] == PLC_AXIS_IN)
            count_groups_of(channels, graph, node->inputs[0], seen, n_layers);
    }
done:
    free(seen);
    return status;
}

// Leaves the first n of the group's classes that `mask` keeps, or all of the group.
static void keep_some(const plc_group *group, const unsigned char *mask, bool all, int n,
                      unsigned char *trial)
{
    for (int i = 0; i < group->n_classes; i++) {
        const int c = group->classes[i];
        trial[c] = all || (mask[c] && n-- > 0);
    }
}

static pleach_status price_group(const plc_pricing *p, const plc_group *group,
                                 const unsigned char *mask, unsigned char *trial, double *cost)
{
    pleach_status status = PLEACH_OK;
    int n_kept = 0;
    double all = 0, half = 0;

    for (int i = 0; i < group->n_classes; i++)
        n_kept += mask[group->classes[i]];
    const int n_half = n_kept > 1 ? n_kept / 2 : group->n_classes > 1 ? 1 : 0;
    keep_some(group, mask, true, 0, trial);
    TRY(p->price(p->user, p->graph, p->channels, trial, &all));
    keep_some(group, mask, false, n_half, trial);
    TRY(p->price(p->user, p->graph, p->channels, trial, &half));
    *cost = all > half ? (all - half) / (group->n_classes - n_half) : 0;
done:
    keep_some(group, mask, false, group->n_classes, trial);
    return status;
}

pleach_status plc_group_costs(pleach_ctx *ctx, const plc_pricing *p, const unsigned char *mask,
                              const bool *may_empty, double *costs)
{
    pleach_status status = PLEACH_OK;
    const int n_groups = plc_channels_n_groups(p->channels);
    const size_t n_classes = (size_t)plc_channels_n_classes(p->channels);
    int *n_layers = NULL;
    unsigned char *trial = NULL;

    TRY(plc_alloc(ctx, (size_t)n_groups, sizeof *n_layers, &n_layers));
    TRY(plc_alloc(ctx, n_classes, 1, &trial));
    memcpy(trial, mask, n_classes);
    TRY(count_layers(ctx, p->graph, p->channels, n_layers));
    for (int g = 0; g < n_groups; g++) {
        const plc_group *group = plc_channels_group(p->channels, g);
        costs[g] = 0;
        if (group->frozen || (group->n_classes < 2 && !(may_empty && may_empty[g])))
            continue;
        TRY(price_group(p, group, mask, trial, &costs[g]));
        costs[g] /= n_layers[g] > 0 ? n_layers[g] : 1;
    }
done:
    free(trial);
    free(n_layers);
    return status;
}
