// Merging convolutions, described.
#include <rewrite/merge.h>

#include <string.h>
#include <graph/op.h>

// `node` where it is a `op` that one node alone reads, else PLC_NO_NODE.
static int alone(const pleach_graph *graph, int node, const char *op)
{
    return plc_graph_is(graph, node, op) && plc_graph_count_consumers(graph, node) == 1
               ? node
               : PLC_NO_NODE;
}

static int activation_at(const pleach_graph *graph, int node)
{
    const int fading = alone(graph, node, "fading_relu");

    return fading != PLC_NO_NODE ? fading : alone(graph, node, "relu");
}

static int norm_behind(const pleach_graph *graph, int node)
{
    if (plc_graph_count_consumers(graph, node) != 1)
        return PLC_NO_NODE;
    for (int i = node + 1; i < graph->n_nodes; i++)
        if (plc_graph_is(graph, i, "batch_norm") && graph->nodes[i].inputs[0] == node)
            return i;
    return PLC_NO_NODE;
}

static bool is_dilated(const pleach_graph *graph, int node)
{
    const plc_attrs *a = &graph->nodes[node].attrs;

    return a->dilation[0] > 1 || a->dilation[1] > 1;
}

bool plc_pair_find(const pleach_graph *graph, int second, plc_pair *pair)
{
    if (!plc_graph_is(graph, second, "conv") || is_dilated(graph, second))
        return false;
    int at = graph->nodes[second].inputs[0];
    const int activation = activation_at(graph, at);
    if (activation != PLC_NO_NODE)
        at = graph->nodes[activation].inputs[0];
    const int norm = alone(graph, at, "batch_norm");
    if (norm != PLC_NO_NODE)
        at = graph->nodes[norm].inputs[0];
    *pair =
        (plc_pair){alone(graph, at, "conv"), norm, activation, second, norm_behind(graph, second)};
    return pair->first != PLC_NO_NODE && !is_dilated(graph, pair->first);
}

static pleach_status need_pair(pleach_ctx *ctx, const pleach_graph *graph, int second,
                               plc_pair *pair)
{
    if (second > 0 && second < graph->n_nodes && plc_pair_find(graph, second, pair))
        return PLEACH_OK;
    return plc_fail(
        ctx, PLEACH_EGRAPH,
        "merge: node %d%s%s%s is no convolution behind another one, with at most a batch "
        "norm and a ReLU between that nobody else reads",
        second, second > 0 && second < graph->n_nodes ? " ('" : "",
        second > 0 && second < graph->n_nodes ? graph->nodes[second].name : "",
        second > 0 && second < graph->n_nodes ? "')" : "");
}

// From the last pair to the first, so that padding passes through a chain.
pleach_status plc_fade_describe(pleach_ctx *ctx, const pleach_graph *graph, const bool *seconds,
                                bool pad_in_front, pleach_graph **new_graph, plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    plc_draft draft = {0};
    plc_pair pair;

    *new_graph = NULL;
    *edits = NULL;
    TRY(plc_draft_create(ctx, graph, &draft));
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        if (!seconds[i])
            continue;
        TRY(need_pair(ctx, graph, i, &pair));
        if (pair.activation != PLC_NO_NODE)
            draft.ops[pair.activation] = "fading_relu";
        plc_attrs *first = &draft.attrs[pair.first], *second = &draft.attrs[i];
        for (int axis = 0; axis < 2 && pad_in_front; axis++) {
            first->pad[axis] += first->stride[axis] * second->pad[axis];
            second->pad[axis] = 0;
        }
    }
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
done:
    plc_draft_finish(&draft);
    return status;
}

static int greatest_divisor(int a, int b)
{
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static plc_attrs composed_attrs(const pleach_graph *graph, const plc_pair *pair)
{
    const plc_attrs *first = &graph->nodes[pair->first].attrs;
    const plc_attrs *second = &graph->nodes[pair->second].attrs;
    plc_attrs attrs = *second;

    for (int axis = 0; axis < 2; axis++) {
        attrs.kernel[axis] = first->kernel[axis] + (second->kernel[axis] - 1) * first->stride[axis];
        attrs.stride[axis] = first->stride[axis] * second->stride[axis];
        attrs.pad[axis] = first->pad[axis];
    }
    attrs.groups = greatest_divisor(first->groups, second->groups);
    attrs.bias = pair->norm_behind == PLC_NO_NODE;
    return attrs;
}

static void compose_edit(plc_edit *edit, const pleach_graph *graph, const plc_pair *pair)
{
    const char *name = NULL;

    if (edit->from_node == pair->second)
        edit->kind = edit->param == 0 ? PLC_EDIT_COMPOSE_WEIGHT : PLC_EDIT_COMPOSE_BIAS;
    else if (edit->from_node == pair->norm_behind)
        name = graph->nodes[edit->from_node].params[edit->from_param].name;
    if (name && strcmp(name, "running_mean") == 0)
        edit->kind = PLC_EDIT_COMPOSE_MEAN;
    if (edit->kind == PLC_EDIT_GATHER)
        return;
    edit->first = pair->first;
    edit->second = pair->second;
    edit->norm = pair->norm;
}

static pleach_status check_ready(pleach_ctx *ctx, const pleach_graph *graph, const plc_pair *pair)
{
    const plc_node *second = &graph->nodes[pair->second];

    if (pair->activation != PLC_NO_NODE && !plc_graph_is(graph, pair->activation, "fading_relu"))
        return plc_fail(
            ctx, PLEACH_EGRAPH,
            "merge '%s': the ReLU '%s' before it is not faded out; describe its fade first",
            second->name, graph->nodes[pair->activation].name);
    if (second->attrs.pad[0] || second->attrs.pad[1])
        return plc_fail(
            ctx, PLEACH_EGRAPH,
            "merge '%s': it pads by %d x %d, behind '%s'; describe its fade first, which "
            "moves all padding in front",
            second->name, second->attrs.pad[0], second->attrs.pad[1],
            graph->nodes[pair->first].name);
    return PLEACH_OK;
}

pleach_status plc_merge_describe(pleach_ctx *ctx, const pleach_graph *graph, int second,
                                 pleach_graph **new_graph, plc_edits **edits)
{
    pleach_status status = PLEACH_OK;
    plc_draft draft = {0};
    plc_pair pair;

    *new_graph = NULL;
    *edits = NULL;
    TRY(need_pair(ctx, graph, second, &pair));
    TRY(check_ready(ctx, graph, &pair));
    TRY(plc_draft_create(ctx, graph, &draft));
    const int input = graph->nodes[pair.first].inputs[0];
    const int between[] = {pair.first, pair.norm, pair.activation};
    for (int i = 0; i < 3; i++)
        if (between[i] != PLC_NO_NODE) {
            draft.stays[between[i]] = false;
            draft.stands_for[between[i]] = input;
        }
    draft.attrs[second] = composed_attrs(graph, &pair);
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
    for (int i = 0; i < (*edits)->n_items; i++)
        compose_edit(&(*edits)->items[i], graph, &pair);
done:
    plc_draft_finish(&draft);
    return status;
}

// The convolution of `x` whose sum with x is `add`, where it can take the identity; else PLC_NO_NODE.
static int joining_conv(const pleach_graph *graph, int add)
{
    const plc_node *sum = &graph->nodes[add];

    if (!plc_graph_is(graph, add, "add"))
        return PLC_NO_NODE;
    for (int side = 0; side < 2; side++) {
        const int conv = alone(graph, sum->inputs[side], "conv"), x = sum->inputs[!side];
        if (conv == PLC_NO_NODE || graph->nodes[conv].inputs[0] != x || is_dilated(graph, conv))
            continue;
        const plc_attrs *a = &graph->nodes[conv].attrs;
        bool centred = true;
        for (int axis = 0; axis < 2; axis++)
            centred = centred && a->stride[axis] == 1 && a->kernel[axis] == 2 * a->pad[axis] + 1;
        if (centred)
            return conv;
    }
    return PLC_NO_NODE;
}

pleach_status plc_join_describe(pleach_ctx *ctx, const pleach_graph *graph,
                                pleach_graph **new_graph, plc_edits **edits, int *n_joined)
{
    pleach_status status = PLEACH_OK;
    plc_draft draft = {0};

    *new_graph = NULL;
    *edits = NULL;
    *n_joined = 0;
    TRY(plc_draft_create(ctx, graph, &draft));
    for (int i = 0; i < graph->n_nodes; i++) {
        const int conv = joining_conv(graph, i);
        // The convolution becomes the graph's last node when the sum was.
        if (conv == PLC_NO_NODE || (i == graph->n_nodes - 1 && conv != i - 1))
            continue;
        draft.stays[i] = false;
        draft.stands_for[i] = conv;
        (*n_joined)++;
    }
    TRY(plc_edits_begin(ctx, graph, &draft, new_graph, edits));
    for (int i = 0; i < (*edits)->n_items; i++) {
        plc_edit *edit = &(*edits)->items[i];
        for (int j = 0; j < graph->n_nodes && edit->param == 0; j++)
            if (!draft.stays[j] && draft.stands_for[j] == edit->from_node)
                edit->kind = PLC_EDIT_ADD_IDENTITY;
    }
done:
    plc_draft_finish(&draft);
    return status;
}
