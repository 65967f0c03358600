// Residual blocks: the two sides of every add.
#include <fuse/blocks.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <graph/kept.h>
#include <graph/op.h>
#include <graph/signs.h>

// Working memory of one search, [n_nodes] each.
typedef struct sides {
    bool *of[2];        // owned: the node is input 0 or 1 of the add, or an ancestor of it
    bool *non_negative; // owned
} sides;

static void mark_ancestors(const pleach_graph *graph, int node, bool *marks)
{
    memset(marks, 0, (size_t)graph->n_nodes * sizeof *marks);
    marks[node] = true;
    for (int i = node; i > 0; i--)
        for (int j = 0; marks[i] && j < graph->nodes[i].n_inputs; j++)
            marks[graph->nodes[i].inputs[j]] = true;
}

static int count_layers(const pleach_graph *graph, const bool *in, const bool *out)
{
    int n = 0;

    for (int i = 0; i < graph->n_nodes; i++)
        n += in[i] && !out[i] &&
             (plc_graph_is(graph, i, "conv") || plc_graph_is(graph, i, "linear"));
    return n;
}

// Whether everything that is on the branch's side alone is read on that side or by the add only.
static bool is_closed(const pleach_graph *graph, const bool *branch, const bool *shortcut, int add)
{
    for (int i = 0; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++) {
            int input = graph->nodes[i].inputs[j];
            bool inside = branch[input] && !shortcut[input];
            if (inside && i != add && !(branch[i] && !shortcut[i]))
                return false;
        }
    return true;
}

static pleach_status list_nodes(pleach_ctx *ctx, const pleach_graph *graph, const bool *in,
                                const bool *out, int **nodes, int *n_nodes)
{
    pleach_status status = PLEACH_OK;

    *n_nodes = 0;
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof **nodes, nodes));
    for (int i = 0; i < graph->n_nodes; i++)
        if (in[i] && !out[i])
            (*nodes)[(*n_nodes)++] = i;
done:
    return status;
}

// A gate of zero or more passes through ReLU and pooling, so the last batch norm may stand before
// them.
static int find_gate(const pleach_graph *graph, const plc_block *block)
{
    static const char *const passing[] = {"relu", "max_pool", "avg_pool", "global_avg_pool",
                                          "flatten"};
    int node = block->branch, first = block->branch_nodes[0];

    while (node >= first) {
        const plc_node *n = &graph->nodes[node];
        bool passes = false;
        if (plc_graph_is(graph, node, "batch_norm"))
            return node;
        for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
            passes |= plc_graph_is(graph, node, passing[i]);
        if (!passes || plc_graph_count_consumers(graph, n->inputs[0]) != 1)
            return PLC_NO_NODE;
        node = n->inputs[0];
    }
    return PLC_NO_NODE;
}

static int find_relu(const pleach_graph *graph, int add)
{
    if (plc_graph_count_consumers(graph, add) != 1)
        return PLC_NO_NODE;
    for (int i = add + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == add)
                return plc_graph_is(graph, i, "relu") ? i : PLC_NO_NODE;
    return PLC_NO_NODE;
}

// Describes the block at `add` in *block; *found tells whether there is one.
static pleach_status examine(pleach_ctx *ctx, const pleach_graph *graph, int add, sides *s,
                             plc_block *block, bool *found)
{
    pleach_status status = PLEACH_OK;
    const int *inputs = graph->nodes[add].inputs;

    mark_ancestors(graph, inputs[0], s->of[0]);
    mark_ancestors(graph, inputs[1], s->of[1]);
    int layers[2] = {count_layers(graph, s->of[0], s->of[1]),
                     count_layers(graph, s->of[1], s->of[0])};
    int b = layers[1] > layers[0]; // which input is the branch; the first one of equals
    *found = layers[b] > 0 && is_closed(graph, s->of[b], s->of[!b], add);
    if (!*found)
        goto done;
    *block = (plc_block){
        .add = add, .branch = inputs[b], .shortcut = inputs[!b], .relu = find_relu(graph, add)};
    TRY(list_nodes(ctx, graph, s->of[b], s->of[!b], &block->branch_nodes, &block->n_branch_nodes));
    TRY(list_nodes(ctx, graph, s->of[!b], s->of[b], &block->shortcut_nodes,
                   &block->n_shortcut_nodes));
    block->gate = find_gate(graph, block);
    block->identity = block->n_shortcut_nodes == 0;
    block->vanishes =
        block->identity && (block->relu == PLC_NO_NODE || s->non_negative[block->shortcut]);
done:
    return status;
}

pleach_status plc_blocks_find(pleach_ctx *ctx, const pleach_graph *graph, plc_blocks **blocks)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *found = NULL;
    size_t capacity = 0;
    sides s = {0};

    *blocks = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *found, &found));
    TRY(plc_mark_non_negative(ctx, graph, &s.non_negative));
    for (int i = 0; i < 2; i++)
        TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *s.of[i], &s.of[i]));
    for (int i = 0; i < graph->n_nodes; i++) {
        bool is_block = false;
        if (!plc_graph_is(graph, i, "add"))
            continue;
        TRY(plc_grow(ctx, &found->items, &capacity, (size_t)found->n_items + 1));
        // Counted first, so that a half-built block is freed; taken back when there is none.
        found->n_items++;
        TRY(examine(ctx, graph, i, &s, &found->items[found->n_items - 1], &is_block));
        found->n_items -= !is_block;
    }
    *blocks = found;
    found = NULL;
done:
    free(s.of[0]);
    free(s.of[1]);
    free(s.non_negative);
    plc_blocks_destroy(&found);
    return status;
}

void plc_blocks_destroy(plc_blocks **blocks)
{
    plc_blocks *b = *blocks;

    if (!b)
        return;
    for (int i = 0; b->items && i < b->n_items; i++) {
        free(b->items[i].branch_nodes);
        free(b->items[i].shortcut_nodes);
    }
    free(b->items);
    free(b);
    *blocks = NULL;
}

// Working memory of plc_blocks_of_groups.
typedef struct trial {
    unsigned char *mask; // owned, as all of these: per class
    bool *stays;         // per node
    int *stands_for;
} trial;

// Whether the network without the group is the one without the block's branch.
static pleach_status goes_with_group(pleach_ctx *ctx, const pleach_graph *graph,
                                     const plc_channels *channels, const plc_group *group,
                                     const plc_block *block, trial *t, bool *goes)
{
    pleach_status status = PLEACH_OK;
    int nothing_left = PLC_NO_NODE;

    memset(t->mask, 1, (size_t)plc_channels_n_classes(channels));
    for (int i = 0; i < group->n_classes; i++)
        t->mask[group->classes[i]] = 0;
    TRY(plc_kept_nodes(ctx, channels, graph, t->mask, t->stays, t->stands_for, &nothing_left));
    *goes = nothing_left == PLC_NO_NODE && t->stands_for[block->add] == block->shortcut;
    for (int i = 0; i < graph->n_nodes && *goes; i++) {
        bool inside = i == block->add || (i == block->relu && t->stands_for[i] != i);
        for (int j = 0; j < block->n_branch_nodes; j++)
            inside = inside || block->branch_nodes[j] == i;
        *goes = t->stays[i] != inside;
    }
done:
    return status;
}

pleach_status plc_blocks_of_groups(pleach_ctx *ctx, const pleach_graph *graph,
                                   const plc_channels *channels, const plc_blocks *blocks,
                                   int **block_of)
{
    pleach_status status = PLEACH_OK;
    const int n = plc_channels_n_groups(channels);
    trial t = {0};

    TRY(plc_alloc(ctx, (size_t)n, sizeof **block_of, block_of));
    TRY(plc_alloc(ctx, (size_t)plc_channels_n_classes(channels), 1, &t.mask));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *t.stays, &t.stays));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *t.stands_for, &t.stands_for));
    for (int g = 0; g < n; g++) {
        const plc_group *group = plc_channels_group(channels, g);
        bool goes = false;
        (*block_of)[g] = -1;
        for (int i = 0; i < blocks->n_items && !group->frozen && !goes; i++) {
            const plc_block *block = &blocks->items[i];
            const int first = block->branch_nodes[0];
            if (block->gate == PLC_NO_NODE || group->first_node < first ||
                group->first_node > block->branch)
                continue;
            TRY(goes_with_group(ctx, graph, channels, group, block, &t, &goes));
            (*block_of)[g] = goes ? i : -1;
        }
    }
done:
    free(t.mask);
    free(t.stays);
    free(t.stands_for);
    return status;
}
