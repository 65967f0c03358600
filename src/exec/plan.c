// The memory plan: views first, then lifetimes from what the launches name, then offsets.
#include <exec/plan.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

// The concat or flatten of which this value is a part, PLC_NO_NODE if it has a buffer of its own.
// A value can lie in one concat only: the first one that takes it.
static int container(const pleach_graph *graph, const plc_steps *steps, int node)
{
    if (node == 0 || !steps->has_value[node])
        return PLC_NO_NODE;
    for (int i = node + 1; i < graph->n_nodes; i++) {
        if (!plc_graph_is(graph, i, "concat"))
            continue;
        int uses = 0;
        for (int j = 0; j < graph->nodes[i].n_inputs; j++)
            uses += graph->nodes[i].inputs[j] == node;
        if (uses == 1)
            return i;
    }
    return PLC_NO_NODE;
}

static int first_channel(const pleach_graph *graph, int concat, int input)
{
    int first = 0;

    for (int j = 0; graph->nodes[concat].inputs[j] != input; j++)
        first += graph->nodes[graph->nodes[concat].inputs[j]].shape.c;
    return first;
}

static pleach_status make_root(pleach_ctx *ctx, const pleach_graph *graph, int node,
                               const char *name, size_t float_bytes, size_t spare_bytes,
                               plc_values *values)
{
    pleach_status status = PLEACH_OK;
    const plc_shape shape = graph->nodes[node].shape;

    TRY(plc_alloc(ctx, 1, sizeof(plc_buffer), &values->buffers[node]));
    values->buffers[node]->name = name;
    values->buffers[node]->bytes =
        (size_t)shape.c * (size_t)shape.h * (size_t)shape.w * float_bytes + spare_bytes;
    values->items[node] = (plc_tensor){values->buffers[node], shape.c, 0, shape};
    values->roots[node] = node;
done:
    return status;
}

// Consumers come later in the order, so concats are placed before what they contain.
static pleach_status place_value(pleach_ctx *ctx, const pleach_graph *graph, const plc_steps *steps,
                                 int node, const char *name, size_t float_bytes, size_t spare_bytes,
                                 plc_values *values)
{
    const int inside = container(graph, steps, node);

    if (inside == PLC_NO_NODE)
        return make_root(ctx, graph, node, name, float_bytes, spare_bytes, values);
    values->items[node] = values->items[inside];
    values->items[node].first += first_channel(graph, inside, node);
    values->items[node].shape = graph->nodes[node].shape;
    values->roots[node] = values->roots[inside];
    return PLEACH_OK;
}

static void place_flatten(const pleach_graph *graph, int node, plc_values *values)
{
    const int input = graph->nodes[node].inputs[0];
    const plc_shape shape = graph->nodes[input].shape;
    const int plane = shape.h * shape.w;

    values->items[node] = values->items[input];
    values->items[node].planes *= plane;
    values->items[node].first *= plane;
    values->items[node].shape = graph->nodes[node].shape;
    values->roots[node] = values->roots[input];
}

pleach_status plc_values_create(pleach_ctx *ctx, const pleach_graph *graph, const plc_steps *steps,
                                const char *name, size_t float_bytes, size_t spare_bytes,
                                plc_values *values)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)graph->n_nodes;

    *values = (plc_values){.n_nodes = graph->n_nodes};
    TRY(plc_alloc(ctx, n, sizeof *values->items, &values->items));
    TRY(plc_alloc(ctx, n, sizeof *values->roots, &values->roots));
    TRY(plc_alloc(ctx, n, sizeof *values->buffers, &values->buffers));
    for (int node = graph->n_nodes - 1; node >= 0; node--)
        if (steps->has_value[node] && !plc_graph_is(graph, node, "flatten"))
            TRY(place_value(ctx, graph, steps, node, name, float_bytes, spare_bytes, values));
    for (int node = 0; node < graph->n_nodes; node++)
        if (plc_graph_is(graph, node, "flatten"))
            place_flatten(graph, node, values);
done:
    return status;
}

void plc_values_finish(pleach_device *device, plc_values *values)
{
    if (values->buffers)
        for (int node = 0; node < values->n_nodes; node++)
            plc_buffer_destroy(device, &values->buffers[node]);
    free(values->items);
    free(values->roots);
    free(values->buffers);
    *values = (plc_values){0};
}

static void note_use(plc_lifetime *items, int *n_items, plc_buffer *buffer, int launch)
{
    for (int i = 0; i < *n_items; i++)
        if (items[i].buffer == buffer) {
            items[i].last = launch;
            return;
        }
    items[(*n_items)++] = (plc_lifetime){.buffer = buffer, .first = launch, .last = launch};
}

pleach_status plc_lifetimes_create(pleach_ctx *ctx, const plc_launch_list *list,
                                   plc_lifetime **items, int *n_items)
{
    pleach_status status = PLEACH_OK;
    size_t n_uses = 1;

    *n_items = 0;
    for (int i = 0; i < list->n_items; i++)
        n_uses += (size_t)list->items[i]->n_args;
    TRY(plc_alloc(ctx, n_uses, sizeof **items, items));
    for (int i = 0; i < list->n_items; i++)
        for (int j = 0; j < list->items[i]->n_args; j++) {
            plc_buffer *buffer = list->items[i]->args[j].buffer;
            if (buffer && buffer->mem == NULL)
                note_use(*items, n_items, buffer, i);
        }
done:
    return status;
}

static int by_size(const void *a, const void *b)
{
    const plc_lifetime *x = a, *y = b;

    if (x->buffer->bytes != y->buffer->bytes)
        return x->buffer->bytes < y->buffer->bytes ? 1 : -1;
    return x->first - y->first;
}

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

// Moves `offset` up until [offset, offset + bytes) is free of the placed buffers alive with `item`.
static size_t lowest_free(const plc_lifetime *items, int n_placed, const plc_lifetime *item,
                          size_t alignment, size_t slab_bytes)
{
    size_t offset = 0;

    for (bool moved = true; moved;) {
        moved = false;
        if (offset / slab_bytes != (offset + item->buffer->bytes - 1) / slab_bytes) {
            offset = round_up(offset, slab_bytes);
            moved = true;
        }
        for (int i = 0; i < n_placed; i++) {
            const plc_lifetime *other = &items[i];
            const bool alive_together = other->first <= item->last && item->first <= other->last;
            if (alive_together && other->offset < offset + item->buffer->bytes &&
                offset < other->offset + other->buffer->bytes) {
                offset = round_up(other->offset + other->buffer->bytes, alignment);
                moved = true;
            }
        }
    }
    return offset;
}

void plc_lifetimes_place(plc_lifetime *items, int n_items, size_t alignment, size_t slab_bytes,
                         size_t *total_bytes)
{
    qsort(items, (size_t)n_items, sizeof *items, by_size);
    *total_bytes = 0;
    for (int i = 0; i < n_items; i++) {
        items[i].offset = lowest_free(items, i, &items[i], alignment, slab_bytes);
        if (items[i].offset + items[i].buffer->bytes > *total_bytes)
            *total_bytes = items[i].offset + items[i].buffer->bytes;
    }
}

size_t plc_slab_bytes(const pleach_device *device)
{
    const size_t alignment = (size_t)device->info->base_alignment_bytes;

    return device->info->max_allocation_bytes / alignment * alignment;
}

pleach_status plc_slabs_create(pleach_device *device, size_t total_bytes, plc_slabs *slabs)
{
    pleach_status status = PLEACH_OK;
    const size_t limit = plc_slab_bytes(device);
    const size_t n = (total_bytes + limit - 1) / limit;

    *slabs = (plc_slabs){.bytes = total_bytes};
    TRY(plc_alloc(device->ctx, n + 1, sizeof *slabs->items, &slabs->items));
    for (size_t begin = 0; begin < total_bytes; begin += limit) {
        const size_t bytes = total_bytes - begin < limit ? total_bytes - begin : limit;
        TRY(plc_buffer_allocate(device, "activations", bytes, &slabs->items[slabs->n_items]));
        slabs->n_items++;
    }
done:
    return status;
}

void plc_slabs_finish(pleach_device *device, plc_slabs *slabs)
{
    for (int i = 0; i < slabs->n_items; i++)
        plc_buffer_destroy(device, &slabs->items[i]);
    free(slabs->items);
    *slabs = (plc_slabs){0};
}

pleach_status plc_slabs_bind(pleach_device *device, const plc_slabs *slabs,
                             const plc_lifetime *items, int n_items)
{
    pleach_status status = PLEACH_OK;
    const size_t limit = plc_slab_bytes(device);

    for (int i = 0; i < n_items; i++)
        TRY(plc_buffer_place(device, items[i].buffer, slabs->items[items[i].offset / limit],
                             items[i].offset % limit));
done:
    return status;
}
