// Coupled channels by union-find over (node, channel), and groups by refinement over the nodes.
#include <graph/channels.h>

#include <assert.h>
#include <stdlib.h>
#include <base/memory.h>
#include <graph/op.h>

// Most channels of all values together: far above any network's, 64 MiB per array of ints.
#define ELEMENTS_MAX (1 << 24)

struct plc_channels {
    int n_nodes, n_elements, n_classes, n_groups;
    int *first;    // [n_nodes + 1]: the first element of each node
    int *parent;   // [n_elements]; a root is the least element of its class
    bool *frozen;  // [n_elements], set at elements; at roots once the rules have run
    int *class_of; // [n_elements]
    int *group_of; // [n_classes]
    plc_group *groups;
};

static int element(const plc_channels *channels, int node, int channel)
{
    assert(node >= 0 && node < channels->n_nodes);
    assert(channel >= 0 && channel < channels->first[node + 1] - channels->first[node]);
    return channels->first[node] + channel;
}

static int find_root(plc_channels *channels, int e)
{
    while (channels->parent[e] != e) {
        channels->parent[e] = channels->parent[channels->parent[e]];
        e = channels->parent[e];
    }
    return e;
}

void plc_channels_tie(plc_channels *channels, int node_a, int channel_a, int node_b, int channel_b)
{
    int a = find_root(channels, element(channels, node_a, channel_a));
    int b = find_root(channels, element(channels, node_b, channel_b));

    if (a < b)
        channels->parent[b] = a;
    else
        channels->parent[a] = b;
}

void plc_channels_freeze(plc_channels *channels, int node, int channel)
{
    channels->frozen[element(channels, node, channel)] = true;
}

static void freeze_node(plc_channels *channels, int node)
{
    for (int e = channels->first[node]; e < channels->first[node + 1]; e++)
        channels->frozen[e] = true;
}

// Input and logits are frozen; an operator without a rule freezes what it touches.
static void run_rules(pleach_ctx *ctx, plc_channels *channels, const pleach_graph *graph)
{
    freeze_node(channels, 0);
    freeze_node(channels, graph->n_nodes - 1);
    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];
        if (node->op->channels) {
            node->op->channels(channels, graph, i);
            continue;
        }
        plc_log(ctx, PLEACH_LOG_WARNING,
                "%s '%s': operator without a channel rule; its channels and its inputs' are never "
                "pruned",
                node->op->name, node->name);
        freeze_node(channels, i);
        for (int j = 0; j < node->n_inputs; j++)
            freeze_node(channels, node->inputs[j]);
    }
}

// Numbers the classes by their first element and gathers the freezes at the roots.
static void number_classes(plc_channels *channels)
{
    for (int e = 0; e < channels->n_elements; e++) {
        int root = find_root(channels, e);
        channels->class_of[e] = root == e ? channels->n_classes++ : channels->class_of[root];
        channels->frozen[root] |= channels->frozen[e];
    }
}

// Splits the classes into those that pass through the same nodes. Each node splits every part that
// it touches into touched and untouched; `part` of a class ends as a number that its group alone
// has.
static pleach_status refine(pleach_ctx *ctx, const plc_channels *channels, int *part)
{
    pleach_status status = PLEACH_OK;
    int n_parts = 2; // free and frozen
    int *touched = NULL, *split_at = NULL, *split_to = NULL;
    // A node adds at most one part per element that it has.
    size_t most_parts = (size_t)channels->n_elements + 2;

    TRY(plc_alloc(ctx, (size_t)channels->n_classes, sizeof *touched, &touched));
    TRY(plc_alloc(ctx, most_parts, sizeof *split_at, &split_at));
    TRY(plc_alloc(ctx, most_parts, sizeof *split_to, &split_to));
    for (int e = 0; e < channels->n_elements; e++)
        if (channels->parent[e] == e)
            part[channels->class_of[e]] = channels->frozen[e];
    for (int node = 0; node < channels->n_nodes; node++)
        for (int e = channels->first[node]; e < channels->first[node + 1]; e++) {
            int c = channels->class_of[e], p = part[c];
            if (touched[c] == node + 1) // zero: not yet touched by any
                continue;
            touched[c] = node + 1;
            if (split_at[p] != node + 1) {
                split_at[p] = node + 1;
                split_to[p] = n_parts++;
            }
            part[c] = split_to[p];
        }
done:
    free(touched);
    free(split_at);
    free(split_to);
    return status;
}

// Turns parts into groups numbered by their first class.
static pleach_status number_groups(pleach_ctx *ctx, plc_channels *channels, const int *part)
{
    pleach_status status = PLEACH_OK;
    int *group_of_part = NULL, node = 0;

    TRY(plc_alloc(ctx, (size_t)channels->n_elements + 2, sizeof *group_of_part, &group_of_part));
    TRY(plc_alloc(ctx, (size_t)channels->n_classes, sizeof *channels->groups, &channels->groups));
    for (int e = 0; e < channels->n_elements; e++) {
        int c = channels->class_of[e];
        if (channels->parent[e] != e)
            continue;
        while (e >= channels->first[node + 1])
            node++;
        if (group_of_part[part[c]] == 0) { // stored plus one
            group_of_part[part[c]] = ++channels->n_groups;
            channels->groups[channels->n_groups - 1] =
                (plc_group){.first_node = node, .frozen = channels->frozen[e]};
        }
        channels->group_of[c] = group_of_part[part[c]] - 1;
        channels->groups[channels->group_of[c]].n_classes++;
    }
    for (int g = 0; g < channels->n_groups; g++) {
        plc_group *group = &channels->groups[g];
        TRY(plc_alloc(ctx, (size_t)group->n_classes, sizeof *group->classes, &group->classes));
        group->n_classes = 0;
    }
    for (int c = 0; c < channels->n_classes; c++) {
        plc_group *group = &channels->groups[channels->group_of[c]];
        group->classes[group->n_classes++] = c;
    }
done:
    free(group_of_part);
    return status;
}

static pleach_status take_elements(pleach_ctx *ctx, const pleach_graph *graph,
                                   plc_channels *channels)
{
    pleach_status status = PLEACH_OK;

    channels->n_nodes = graph->n_nodes;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes + 1, sizeof *channels->first, &channels->first));
    for (int i = 0; i < graph->n_nodes; i++) {
        if (graph->nodes[i].shape.c > ELEMENTS_MAX - channels->first[i])
            FAIL(ctx, PLEACH_EGRAPH,
                 "graph '%s': more than %d channels up to '%s'; pool before flatten or use fewer "
                 "channels",
                 graph->name, ELEMENTS_MAX, graph->nodes[i].name);
        channels->first[i + 1] = channels->first[i] + graph->nodes[i].shape.c;
    }
    channels->n_elements = channels->first[graph->n_nodes];
    size_t n = (size_t)channels->n_elements;
    TRY(plc_alloc(ctx, n, sizeof *channels->parent, &channels->parent));
    TRY(plc_alloc(ctx, n, sizeof *channels->frozen, &channels->frozen));
    TRY(plc_alloc(ctx, n, sizeof *channels->class_of, &channels->class_of));
    for (int e = 0; e < channels->n_elements; e++)
        channels->parent[e] = e;
done:
    return status;
}

pleach_status plc_channels_create(pleach_ctx *ctx, const pleach_graph *graph,
                                  plc_channels **channels)
{
    pleach_status status = PLEACH_OK;
    plc_channels *c = NULL;
    int *part = NULL;

    *channels = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *c, &c));
    TRY(take_elements(ctx, graph, c));
    run_rules(ctx, c, graph);
    number_classes(c);
    TRY(plc_alloc(ctx, (size_t)c->n_classes, sizeof *part, &part));
    TRY(plc_alloc(ctx, (size_t)c->n_classes, sizeof *c->group_of, &c->group_of));
    TRY(refine(ctx, c, part));
    TRY(number_groups(ctx, c, part));
    *channels = c;
    c = NULL;
done:
    free(part);
    plc_channels_destroy(&c);
    return status;
}

void plc_channels_destroy(plc_channels **channels)
{
    plc_channels *c = *channels;

    if (!c)
        return;
    for (int g = 0; c->groups && g < c->n_groups; g++)
        free(c->groups[g].classes);
    free(c->groups);
    free(c->group_of);
    free(c->class_of);
    free(c->frozen);
    free(c->parent);
    free(c->first);
    free(c);
    *channels = NULL;
}

int plc_channels_n_classes(const plc_channels *channels)
{
    return channels->n_classes;
}

int plc_channels_class(const plc_channels *channels, int node, int channel)
{
    return channels->class_of[element(channels, node, channel)];
}

int plc_channels_n_groups(const plc_channels *channels)
{
    return channels->n_groups;
}

const plc_group *plc_channels_group(const plc_channels *channels, int group)
{
    assert(group >= 0 && group < channels->n_groups);
    return &channels->groups[group];
}

int plc_channels_group_of(const plc_channels *channels, int class_id)
{
    assert(class_id >= 0 && class_id < channels->n_classes);
    return channels->group_of[class_id];
}
