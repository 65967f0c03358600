// Definitions, written as they stand in papers.
#include <exec/expected.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

int plc_expected_size(const plc_expected *e, int node)
{
    const plc_shape s = e->graph->nodes[node].shape;

    return s.c * s.h * s.w;
}

pleach_status plc_expected_create(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_params_layout *layout, int n_images, plc_expected **out)
{
    pleach_status status = PLEACH_OK;
    const size_t n_nodes = (size_t)graph->n_nodes;
    plc_expected *e = NULL;

    TRY(plc_alloc(ctx, 1, sizeof *e, &e));
    e->graph = graph;
    e->layout = layout;
    e->n_images = n_images;
    TRY(plc_alloc(ctx, (size_t)layout->n_floats, sizeof *e->weights, &e->weights));
    TRY(plc_alloc(ctx, (size_t)layout->n_trainable, sizeof *e->grads, &e->grads));
    TRY(plc_alloc(ctx, n_nodes, sizeof *e->values, &e->values));
    TRY(plc_alloc(ctx, n_nodes, sizeof *e->value_grads, &e->value_grads));
    for (int node = 0; node < graph->n_nodes; node++) {
        const size_t n = (size_t)n_images * (size_t)plc_expected_size(e, node);
        TRY(plc_alloc(ctx, n, sizeof **e->values, &e->values[node]));
        TRY(plc_alloc(ctx, n, sizeof **e->value_grads, &e->value_grads[node]));
    }
    *out = e;
    e = NULL;
done:
    plc_expected_destroy(&e);
    return status;
}

void plc_expected_destroy(plc_expected **expected)
{
    plc_expected *e = *expected;

    if (e == NULL)
        return;
    for (int node = 0; node < e->graph->n_nodes; node++) {
        if (e->values)
            free(e->values[node]);
        if (e->value_grads)
            free(e->value_grads[node]);
    }
    free(e->values);
    free(e->value_grads);
    free(e->weights);
    free(e->grads);
    free(e);
    *expected = NULL;
}

// A convolution's products: calls `visit` with the indices of every (y, w, x) that belong together.
static void for_each_product(plc_expected *e, int node,
                             void (*visit)(plc_expected *, int node, int y, int w, int x))
{
    const plc_node *n = &e->graph->nodes[node];
    const plc_shape in = e->graph->nodes[node - 1].shape, out = n->shape;
    const bool is_conv = plc_graph_is(e->graph, node, "conv");
    const int kernel = is_conv ? n->attrs.kernel[0] : 1, stride = is_conv ? n->attrs.stride[0] : 1;
    const int n_outputs = e->n_images * out.c * out.h * out.w;

    for (int y = 0; y < n_outputs; y++) {
        const int q = y % out.w, p = y / out.w % out.h, k = y / out.w / out.h % out.c;
        const int image = y / out.w / out.h / out.c;
        for (int tap = 0; tap < in.c * kernel * kernel; tap++) {
            const int s = tap % kernel, r = tap / kernel % kernel, c = tap / kernel / kernel;
            const int h = p * stride + r - n->attrs.pad[0], w = q * stride + s - n->attrs.pad[1];
            if (h >= 0 && h < in.h && w >= 0 && w < in.w)
                visit(e, node, y, e->layout->offsets[node][0] + k * in.c * kernel * kernel + tap,
                      ((image * in.c + c) * in.h + h) * in.w + w);
        }
    }
}

static void add_product(plc_expected *e, int node, int y, int w, int x)
{
    e->values[node][y] += e->weights[w] * e->values[node - 1][x];
}

static void add_gradients(plc_expected *e, int node, int y, int w, int x)
{
    e->grads[w] += e->value_grads[node][y] * e->values[node - 1][x];
    e->value_grads[node - 1][x] += e->value_grads[node][y] * e->weights[w];
}

// Index of the channel that value number i of a node belongs to.
static int channel_of(const plc_expected *e, int node, int i)
{
    const plc_shape s = e->graph->nodes[node].shape;

    return i / (s.h * s.w) % s.c;
}

static void forward_products(plc_expected *e, int node)
{
    const bool has_bias = e->graph->nodes[node].n_params > 1;
    const int n = e->n_images * plc_expected_size(e, node);

    for (int i = 0; i < n; i++)
        e->values[node][i] =
            has_bias ? e->weights[e->layout->offsets[node][1] + channel_of(e, node, i)] : 0.0;
    for_each_product(e, node, add_product);
}

static void backward_products(plc_expected *e, int node)
{
    const int n = e->n_images * plc_expected_size(e, node);

    for (int i = 0; i < n && e->graph->nodes[node].n_params > 1; i++)
        e->grads[e->layout->offsets[node][1] + channel_of(e, node, i)] += e->value_grads[node][i];
    for_each_product(e, node, add_gradients);
}

// Mean and biased variance of channel c of a node's input over the batch.
static void statistics(const plc_expected *e, int node, int c, double *mean, double *variance)
{
    const double *x = e->values[node - 1];
    const int n = e->n_images * plc_expected_size(e, node);
    const double count = n / e->graph->nodes[node].shape.c;

    *mean = *variance = 0.0;
    for (int i = 0; i < n; i++)
        if (channel_of(e, node, i) == c)
            *mean += x[i] / count;
    for (int i = 0; i < n; i++)
        if (channel_of(e, node, i) == c)
            *variance += (x[i] - *mean) * (x[i] - *mean) / count;
}

// Without the mask: the ReLU behind it applies that.
static void forward_batch_norm(plc_expected *e, int node, bool training)
{
    const plc_node *node_of = &e->graph->nodes[node];
    const int *at = e->layout->offsets[node], n = e->n_images * plc_expected_size(e, node);
    const double momentum = (double)node_of->attrs.momentum;
    const double count = n / node_of->shape.c;

    for (int c = 0; c < node_of->shape.c; c++) {
        double *running_mean = &e->weights[at[2] + c], *running_var = &e->weights[at[3] + c];
        double mean = *running_mean, variance = *running_var;
        if (training) {
            statistics(e, node, c, &mean, &variance);
            *running_mean += momentum * (mean - *running_mean);
            *running_var += momentum * (variance * count / (count - 1) - *running_var);
        }
        const double scale = e->weights[at[0] + c] / sqrt(variance + (double)node_of->attrs.eps);
        for (int i = 0; i < n; i++)
            if (channel_of(e, node, i) == c)
                e->values[node][i] =
                    (e->values[node - 1][i] - mean) * scale + e->weights[at[1] + c];
    }
}

// dx = gamma / deviation (g - mean(g) - xhat mean(g xhat)); masks do not stop gradients.
static void backward_batch_norm(plc_expected *e, int node)
{
    const plc_node *node_of = &e->graph->nodes[node];
    const int *at = e->layout->offsets[node], n = e->n_images * plc_expected_size(e, node);
    const double count = n / node_of->shape.c, *g = e->value_grads[node];

    for (int c = 0; c < node_of->shape.c; c++) {
        double mean, variance, *dgamma = &e->grads[at[0] + c], *dbeta = &e->grads[at[1] + c];
        statistics(e, node, c, &mean, &variance);
        const double over = 1.0 / sqrt(variance + (double)node_of->attrs.eps);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < n; i++) {
                if (channel_of(e, node, i) != c)
                    continue;
                const double xhat = (e->values[node - 1][i] - mean) * over;
                if (pass == 0) {
                    *dgamma += g[i] * xhat;
                    *dbeta += g[i];
                } else {
                    e->value_grads[node - 1][i] = e->weights[at[0] + c] * over *
                                                  (g[i] - *dbeta / count - xhat * *dgamma / count);
                }
            }
    }
}

static double mask_at(const plc_expected *e, int node, int channel)
{
    const int offset = e->mask_offsets ? e->mask_offsets[node] : -1;

    return offset < 0 ? 1.0 : (double)e->masks[offset + channel];
}

void plc_expected_forward(plc_expected *e, bool training)
{
    for (int node = 1; node < e->graph->n_nodes; node++) {
        const double *x = e->values[node - 1];
        const int n = e->n_images * plc_expected_size(e, node);
        if (plc_graph_is(e->graph, node, "batch_norm")) {
            forward_batch_norm(e, node, training);
        } else if (plc_graph_is(e->graph, node, "relu")) {
            for (int i = 0; i < n; i++)
                e->values[node][i] = fmax(0.0, x[i] * mask_at(e, node - 1, channel_of(e, node, i)));
        } else if (plc_graph_is(e->graph, node, "flatten")) {
            memcpy(e->values[node], x, (size_t)n * sizeof *x);
        } else {
            forward_products(e, node);
        }
    }
}

void plc_expected_loss(plc_expected *e, const int *labels)
{
    const int last = e->graph->n_nodes - 1, n_classes = plc_expected_size(e, last);

    e->loss_sum = 0.0;
    e->n_correct = 0;
    for (int image = 0; image < e->n_images; image++) {
        const double *x = e->values[last] + image * n_classes;
        double *dx = e->value_grads[last] + image * n_classes, sum = 0.0;
        int largest = 0;
        for (int k = 1; k < n_classes; k++)
            largest = x[k] > x[largest] ? k : largest;
        for (int k = 0; k < n_classes; k++)
            sum += exp(x[k] - x[largest]);
        for (int k = 0; k < n_classes; k++)
            dx[k] = (exp(x[k] - x[largest]) / sum - (k == labels[image])) / e->n_images;
        e->loss_sum += log(sum) + x[largest] - x[labels[image]];
        e->n_correct += largest == labels[image];
    }
}

void plc_expected_backward(plc_expected *e)
{
    for (int node = e->graph->n_nodes - 1; node > 0; node--) {
        const double *dy = e->value_grads[node];
        const int n = e->n_images * plc_expected_size(e, node);
        double *dx = e->value_grads[node - 1];
        if (plc_graph_is(e->graph, node, "batch_norm")) {
            backward_batch_norm(e, node);
        } else if (plc_graph_is(e->graph, node, "relu")) {
            for (int i = 0; i < n; i++)
                dx[i] = e->values[node - 1][i] > 0.0 ? dy[i] : 0.0;
        } else if (plc_graph_is(e->graph, node, "flatten")) {
            memcpy(dx, dy, (size_t)n * sizeof *dx);
        } else {
            backward_products(e, node);
        }
    }
}
