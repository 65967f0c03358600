// Steps for the table of latencies: described, and put into a small network of their own.
#include <price/latency_step.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(plc_step_kind *kind, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(plc_step_kind *kind, const char *format, ...)
{
    const size_t length = strlen(kind->text);
    va_list args;

    va_start(args, format);
    vsnprintf(kind->text + length, sizeof kind->text - length, format, args);
    va_end(args);
}

// The value behind flattens: a linear layer's time depends on how many pixels its channels had.
static int source_of(const pleach_graph *graph, int node)
{
    int source = graph->nodes[node].inputs[0];

    while (plc_graph_is(graph, source, "flatten"))
        source = graph->nodes[source].inputs[0];
    return source;
}

static void describe_attrs(const plc_node *node, plc_step_kind *kind)
{
    const plc_attrs *a = &node->attrs;

    append(kind, "%s", node->op->name);
    if (node->op->attrs & PLC_ATTR_KERNEL)
        append(kind, " %dx%d s%dx%d p%dx%d", a->kernel[0], a->kernel[1], a->stride[0], a->stride[1],
               a->pad[0], a->pad[1]);
    if (node->op->attrs & PLC_ATTR_DILATION)
        append(kind, " d%dx%d", a->dilation[0], a->dilation[1]);
    if (node->op->attrs & PLC_ATTR_PAD_MORE && (a->pad_more[0] || a->pad_more[1]))
        append(kind, " more %dx%d", a->pad_more[0], a->pad_more[1]);
    if (node->op->attrs & PLC_ATTR_PAD_AFTER)
        append(kind, " after %dx%d", a->pad_after[0], a->pad_after[1]);
    if (node->op->attrs & PLC_ATTR_MODE)
        append(kind, " mode %d", a->mode);
    if (node->op->attrs & PLC_ATTR_AXIS)
        append(kind, " axis %d", a->axis);
    if (node->op->attrs & PLC_ATTR_SCALE)
        append(kind, " to %dx%d", a->size[1], a->size[2]);
}

static void set_channels(const plc_node *node, plc_step_kind *kind)
{
    const int groups = node->attrs.groups > 1 ? node->attrs.groups : 1;
    const bool depthwise = groups > 1 && groups == kind->source.c;

    kind->groups = depthwise ? 1 : groups;
    kind->in = kind->source.c / kind->groups;
    kind->out = node->shape.c / kind->groups;
    kind->factor = 0;
    if (depthwise || !(node->op->attrs & PLC_ATTR_OUT_CHANNELS))
        kind->factor = node->shape.c >= kind->source.c ? node->shape.c / kind->source.c : 1;
    if (depthwise)
        append(kind, " depthwise x%d", kind->factor);
    else if (groups > 1)
        append(kind, " groups %d", groups);
}

bool plc_step_describe(const pleach_graph *graph, const plc_step *step, int batch,
                       plc_step_kind *kind)
{
    const plc_node *node = &graph->nodes[step->node];

    // A concat's parts are written in place; where one must be copied, that is not counted.
    if (node->op->forward == NULL || node->op->n_inputs < 0)
        return false;
    *kind = (plc_step_kind){.text = ""};
    const int source = source_of(graph, step->node);
    kind->source = graph->nodes[source].shape;
    kind->of_images = source == 0;
    describe_attrs(node, kind);
    set_channels(node, kind);
    append(kind, "%s%s%s%s %dx%d, batch %d", step->batch_norm != PLC_NO_NODE ? " bn" : "",
           step->add != PLC_NO_NODE ? " add" : "", step->clip.on ? " clip" : "",
           kind->of_images ? " of images" : "", kind->source.h, kind->source.w, batch);
    return true;
}

// The small network as it grows.
typedef struct draft {
    pleach_ctx *ctx;
    pleach_graph *graph;
    int at;
} draft;

static pleach_status add_to(draft *d, const char *op, const char *name, const int *inputs,
                            int n_inputs, const plc_attrs *attrs)
{
    return plc_graph_add(d->ctx, d->graph, op, name, inputs, n_inputs, attrs, &d->at);
}

static pleach_status add(draft *d, const char *op, const char *name)
{
    return add_to(d, op, name, &(int){d->at}, 1, NULL);
}

static plc_attrs attrs_with(const plc_node *node, const plc_step_kind *kind, int in, int out)
{
    plc_attrs attrs = node->attrs;

    if (node->op->attrs & PLC_ATTR_OUT_CHANNELS)
        attrs.out_channels = kind->factor ? in * kind->factor : out * kind->groups;
    if (kind->factor && attrs.groups > 1)
        attrs.groups = in;
    if (node->op->attrs &
        PLC_ATTR_VIEW) { // as many values moved; in which order does not depend on the channels
        const int plane = kind->source.h * kind->source.w;

        attrs.offset = 0;
        memcpy(attrs.size, (int[]){in, kind->source.h, kind->source.w}, sizeof attrs.size);
        memset(attrs.view, 0, sizeof attrs.view);
        attrs.view[0] = (plc_view_dim){in * plane, 1};
    } else if (node->op->attrs & PLC_ATTR_OFFSET) { // any part of the channels
        attrs.offset = 0;
        attrs.out_channels = out < in ? out : in;
    }
    return attrs;
}

// Another value of the shape that the step's has, for its add: made in the same way, behind a ReLU of its
// own, which keeps the maker from taking the add.
static pleach_status add_other(draft *d, const plc_node *anchor, const plc_attrs *attrs,
                               const int *inputs, int *other)
{
    pleach_status status = PLEACH_OK;

    TRY(add_to(d, anchor->op->name, "other", inputs, anchor->n_inputs, attrs));
    TRY(add(d, "relu", "other relu"));
    *other = d->at;
done:
    return status;
}

// The step behind its source: anchor, batch norm, add, clip: its bounds do not matter for the time.
static pleach_status add_step(draft *d, const plc_node *anchor, const plc_step *step,
                              const plc_attrs *attrs, int source, int *made)
{
    pleach_status status = PLEACH_OK;
    const int inputs[2] = {source, source};
    int other = PLC_NO_NODE;

    assert(anchor->n_inputs <= 2);
    if (step->add != PLC_NO_NODE)
        TRY(add_other(d, anchor, attrs, inputs, &other));
    TRY(add_to(d, anchor->op->name, "step", inputs, anchor->n_inputs, attrs));
    *made = d->at;
    if (step->batch_norm != PLC_NO_NODE)
        TRY(add(d, "batch_norm", "step bn"));
    if (step->add != PLC_NO_NODE)
        TRY(add_to(d, "add", "step add", (int[]){d->at, other}, 2, NULL));
    if (step->clip.on)
        TRY(add(d, "relu", "step relu"));
done:
    return status;
}

pleach_status plc_step_graph(pleach_ctx *ctx, const pleach_graph *graph, const plc_step *step,
                             const plc_step_kind *kind, int in, int out, pleach_graph **small,
                             int *anchor)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &graph->nodes[step->node];
    const plc_attrs attrs = attrs_with(node, kind, in, out);
    draft d = {.ctx = ctx};

    *small = NULL;
    TRY(plc_graph_create(ctx, "step",
                         (plc_shape){in * kind->groups, kind->source.h, kind->source.w}, small));
    d.graph = *small;
    if (!kind->of_images)
        TRY(add(&d, "relu", "source"));
    if (plc_graph_is(graph, node->inputs[0], "flatten"))
        TRY(add(&d, "flatten", "source flatten"));
    TRY(add_step(&d, node, step, &attrs, d.at, anchor));
    TRY(add(&d, "global_avg_pool", "pool"));
    TRY(add(&d, "flatten", "flatten"));
    TRY(add_to(&d, "linear", "logits", &(int){d.at}, 1, &(plc_attrs){.out_channels = 1}));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(small);
    return status;
}
