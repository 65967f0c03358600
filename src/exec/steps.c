// Steps: anchors and what their kernels absorb; and the nodes at which masks act.
#include <exec/steps.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <ops/ops.h>

static bool has_weights(const pleach_graph *graph, int node)
{
    return plc_graph_is(graph, node, "conv") || plc_graph_is(graph, node, "linear");
}

// The only consumer of a node's value, PLC_NO_NODE when there are none or several.
static int single_consumer(const pleach_graph *graph, int node)
{
    int found = PLC_NO_NODE;

    for (int i = node + 1; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            if (graph->nodes[i].inputs[j] == node) {
                if (found != PLC_NO_NODE)
                    return PLC_NO_NODE;
                found = i;
            }
    return found;
}

static void absorb(plc_steps *steps, bool *absorbed, plc_step *step, int node)
{
    steps->has_value[step->output] = false;
    absorbed[node] = true;
    step->output = node;
}

// Extends a step with the add and the clipping that follow it.
static void absorb_tail(const pleach_graph *graph, plc_steps *steps, bool *absorbed, plc_step *step,
                        bool with_add)
{
    int next = single_consumer(graph, step->output);

    if (with_add && next != PLC_NO_NODE && plc_graph_is(graph, next, "add") && !absorbed[next]) {
        const int *inputs = graph->nodes[next].inputs;
        step->add = inputs[0] == step->output ? inputs[1] : inputs[0];
        absorb(steps, absorbed, step, next);
        next = single_consumer(graph, step->output);
    }
    if (next != PLC_NO_NODE && plc_clip_of(graph, next).on) {
        step->clip = plc_clip_of(graph, next);
        absorb(steps, absorbed, step, next);
    }
}

static plc_step make_step(const pleach_graph *graph, int node, bool training, plc_steps *steps,
                          bool *absorbed)
{
    plc_step step = {.node = node, .batch_norm = PLC_NO_NODE, .add = PLC_NO_NODE, .output = node};

    if (plc_graph_is(graph, node, "batch_norm")) {
        absorb_tail(graph, steps, absorbed, &step, true);
    } else if (plc_graph_is(graph, node, "add")) {
        absorb_tail(graph, steps, absorbed, &step, false);
    } else if (!training && has_weights(graph, node)) {
        const int next = single_consumer(graph, node);
        if (next != PLC_NO_NODE && plc_graph_is(graph, next, "batch_norm")) {
            step.batch_norm = next;
            absorb(steps, absorbed, &step, next);
        }
        absorb_tail(graph, steps, absorbed, &step, true);
    }
    return step;
}

static int by_output(const void *a, const void *b)
{
    return ((const plc_step *)a)->output - ((const plc_step *)b)->output;
}

pleach_status plc_steps_create(pleach_ctx *ctx, const pleach_graph *graph, bool training,
                               plc_steps *steps)
{
    pleach_status status = PLEACH_OK;
    bool *absorbed = NULL;

    *steps = (plc_steps){0};
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *absorbed, &absorbed));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *steps->items, &steps->items));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *steps->has_value, &steps->has_value));
    for (int node = 0; node < graph->n_nodes; node++)
        steps->has_value[node] = true;
    for (int node = 1; node < graph->n_nodes; node++)
        if (!absorbed[node])
            steps->items[steps->n_items++] = make_step(graph, node, training, steps, absorbed);
    qsort(steps->items, (size_t)steps->n_items, sizeof *steps->items, by_output);
done:
    free(absorbed);
    if (status != PLEACH_OK)
        plc_steps_finish(steps);
    return status;
}

void plc_steps_finish(plc_steps *steps)
{
    free(steps->items);
    free(steps->has_value);
    *steps = (plc_steps){0};
}

// Walks from a value that a layer with weights reads to where its channels can be masked.
static void mark_mask(const pleach_graph *graph, int node, bool *masked, bool *seen)
{
    if (seen[node] || node == 0)
        return;
    seen[node] = true;
    if (plc_graph_is(graph, node, "conv_transpose")) // channels that nothing behind it masks stay
        return;
    if (plc_graph_is(graph, node, "batch_norm") || has_weights(graph, node)) {
        masked[node] = true;
        return;
    }
    for (int i = 0; i < graph->nodes[node].n_inputs; i++)
        mark_mask(graph, graph->nodes[node].inputs[i], masked, seen);
}

// Of each channel alone, without parameters.
static bool is_function(const pleach_graph *graph, int node)
{
    const plc_node *n = &graph->nodes[node];

    return n->n_inputs == 1 && n->n_params == 0 &&
           (n->op->channels == plc_op_channels_pass || plc_clip_of(graph, node).on ||
            plc_graph_is(graph, node, "pad"));
}

// Whether a batch norm's value goes to a depthwise convolution alone, through functions of each value at most, that has
// a batch norm of its own.
static bool is_before_depthwise(const pleach_graph *graph, int node)
{
    int next = single_consumer(graph, node);

    while (next != PLC_NO_NODE && is_function(graph, next))
        next = single_consumer(graph, next);
    if (next == PLC_NO_NODE || !plc_graph_is_depthwise(graph, &graph->nodes[next]) ||
        graph->nodes[next].shape.c != graph->nodes[node].shape.c)
        return false;
    next = single_consumer(graph, next);
    return next != PLC_NO_NODE && plc_graph_is(graph, next, "batch_norm");
}

pleach_status plc_mask_offsets_create(pleach_ctx *ctx, const pleach_graph *graph, int **offsets,
                                      int *n_floats)
{
    pleach_status status = PLEACH_OK;
    bool *masked = NULL, *seen = NULL;

    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *masked, &masked));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof *seen, &seen));
    TRY(plc_alloc(ctx, (size_t)graph->n_nodes, sizeof **offsets, offsets));
    for (int node = 1; node < graph->n_nodes; node++) {
        if (plc_graph_is(graph, node, "batch_norm"))
            masked[node] = true;
        else if (has_weights(graph, node) || plc_graph_is(graph, node, "conv_transpose"))
            mark_mask(graph, graph->nodes[node].inputs[0], masked, seen);
    }
    for (int node = 1; node < graph->n_nodes; node++)
        if (plc_graph_is(graph, node, "batch_norm") && is_before_depthwise(graph, node))
            masked[node] = false;
    *n_floats = 0;
    for (int node = 0; node < graph->n_nodes; node++) {
        (*offsets)[node] = masked[node] ? *n_floats : -1;
        if (masked[node])
            *n_floats += graph->nodes[node].shape.c;
    }
done:
    free(masked);
    free(seen);
    return status;
}
