// Operators on whole images by their definitions: slice, as_strided, softmax, log_softmax, prelu, affine, pad, resize,
// conv_transpose.
#include "images.h"

#include <math.h>
#include <string.h>
#include <graph/op.h>

static int size_of(const plc_shape *s)
{
    return s->c * s->h * s->w;
}

static int clamp(int i, int low, int high)
{
    return i < low ? low : i > high ? high : i;
}

static void as_strided(const plc_attrs *a, int size, const double *x, double *y)
{
    for (int i = 0; i < size; i++) {
        int n_dims = 0, rest = i, at = a->offset;

        while (n_dims < PLC_MAX_VIEW_DIMS && a->view[n_dims].size)
            n_dims++;
        for (int d = n_dims - 1; d >= 0; d--) {
            at += rest % a->view[d].size * a->view[d].stride;
            rest /= a->view[d].size;
        }
        y[i] = x[at];
    }
}

static void softmax(const plc_node *n, bool is_log, const double *x, double *y)
{
    const int sizes[] = {n->shape.c, n->shape.h, n->shape.w}, axis = n->attrs.axis;
    int inner = 1;

    for (int i = axis + 1; i < 3; i++)
        inner *= sizes[i];
    for (int i = 0; i < size_of(&n->shape); i++) {
        const int first = i - i / inner % sizes[axis] * inner;
        double largest = -INFINITY, sum = 0;

        for (int k = 0; k < sizes[axis]; k++)
            largest = fmax(largest, x[first + k * inner]);
        for (int k = 0; k < sizes[axis]; k++)
            sum += exp(x[first + k * inner] - largest);
        y[i] = is_log ? x[i] - largest - log(sum) : exp(x[i] - largest) / sum;
    }
}

static void pad(const plc_node *n, const plc_shape *in, const double *x, double *y)
{
    const plc_attrs *a = &n->attrs;

    for (int i = 0; i < size_of(&n->shape); i++) {
        const int sizes[] = {in->h, in->w};
        int at[] = {i / n->shape.w % n->shape.h - a->pad[0], i % n->shape.w - a->pad[1]};
        bool inside = true;

        for (int d = 0; d < 2; d++) {
            if (a->mode == PLC_PAD_EDGE)
                at[d] = clamp(at[d], 0, sizes[d] - 1);
            else if (a->mode == PLC_PAD_REFLECT && at[d] < 0)
                at[d] = -at[d];
            else if (a->mode == PLC_PAD_REFLECT && at[d] >= sizes[d])
                at[d] = 2 * sizes[d] - 2 - at[d];
            inside = inside && at[d] >= 0 && at[d] < sizes[d];
        }
        y[i] = inside ? x[(i / (n->shape.h * n->shape.w) * in->h + at[0]) * in->w + at[1]]
                      : (double)a->alpha;
    }
}

// Weight with which a place reads the pixel `distance` before it (behind it: below 0).
static double weight_of(const plc_attrs *a, double distance)
{
    const double d = fabs(distance), A = (double)a->alpha;

    switch (a->mode) {
    case PLC_RESIZE_FLOOR:
        return distance >= -1e-3 && distance < 1 - 1e-3;
    case PLC_RESIZE_CEIL:
        return distance > -1 + 1e-3 && distance <= 1e-3;
    case PLC_RESIZE_LINEAR:
        return fmax(0, 1 - d);
    default:
        return d <= 1  ? (A + 2) * d * d * d - (A + 3) * d * d + 1
               : d < 2 ? A * (d * d * d - 5 * d * d + 8 * d - 4)
                       : 0;
    }
}

static void resize(const plc_node *n, const plc_shape *in, const double *x, double *y)
{
    const plc_attrs *a = &n->attrs;

    for (int i = 0; i < size_of(&n->shape); i++) {
        const double *plane = x + i / (n->shape.h * n->shape.w) * in->h * in->w;
        const double row =
            (double)a->scale[0] * (i / n->shape.w % n->shape.h) + (double)a->shift[0];
        const double column = (double)a->scale[1] * (i % n->shape.w) + (double)a->shift[1];

        double sum = 0;

        y[i] = 0;
        for (int h = (int)floor(row) - 3; h <= (int)floor(row) + 3; h++)
            for (int w = (int)floor(column) - 3; w <= (int)floor(column) + 3; w++) {
                const int at_h = clamp(h, 0, in->h - 1), at_w = clamp(w, 0, in->w - 1);
                const double weight = weight_of(a, row - h) * weight_of(a, column - w);

                if (a->mode == PLC_RESIZE_CUBIC_INSIDE && (at_h != h || at_w != w))
                    continue;
                y[i] += weight * plane[at_h * in->w + at_w];
                sum += weight;
            }
        if (a->mode == PLC_RESIZE_CUBIC_INSIDE)
            y[i] /= sum;
    }
}

// Each input pixel adds the kernel to the output at its place.
static void conv_transpose(const plc_node *n, const plc_shape *in, const float *weight,
                           const double *x, double *y)
{
    const plc_attrs *a = &n->attrs;
    const plc_shape *out = &n->shape;
    const int c_group = in->c / a->groups, k_group = out->c / a->groups;
    const int taps = a->kernel[0] * a->kernel[1];

    memset(y, 0, (size_t)size_of(out) * sizeof *y);
    for (int i = 0; i < size_of(in) * k_group * taps; i++) {
        const int tap = i % taps, k = i / taps % k_group, at = i / taps / k_group;
        const int c = at / (in->h * in->w), h = at / in->w % in->h, w = at % in->w;
        const int p = h * a->stride[0] - a->pad[0] + tap / a->kernel[1] * a->dilation[0];
        const int q = w * a->stride[1] - a->pad[1] + tap % a->kernel[1] * a->dilation[1];

        if (p >= 0 && p < out->h && q >= 0 && q < out->w)
            y[((c / c_group * k_group + k) * out->h + p) * out->w + q] +=
                x[at] * (double)weight[(c * k_group + k) * taps + tap];
    }
}

bool plc_reference_image(const pleach_graph *graph, int node, const float *const *params,
                         const double *x, double *y)
{
    const plc_node *n = &graph->nodes[node];
    const plc_shape *in = &graph->nodes[n->inputs[0]].shape;
    const char *op = n->op->name;
    const int size = size_of(&n->shape), plane = n->shape.h * n->shape.w;

    if (strcmp(op, "slice") == 0)
        memcpy(y, x + n->attrs.offset * plane, (size_t)size * sizeof *y);
    else if (strcmp(op, "as_strided") == 0)
        as_strided(&n->attrs, size, x, y);
    else if (strcmp(op, "softmax") == 0 || strcmp(op, "log_softmax") == 0)
        softmax(n, op[0] == 'l', x, y);
    else if (strcmp(op, "prelu") == 0)
        for (int i = 0; i < size; i++)
            y[i] = x[i] < 0 ? x[i] * (double)params[0][i / plane] : x[i];
    else if (strcmp(op, "affine") == 0)
        for (int i = 0; i < size; i++)
            y[i] = x[i] * (double)params[0][i] + (double)params[1][i];
    else if (strcmp(op, "pad") == 0)
        pad(n, in, x, y);
    else if (strcmp(op, "resize") == 0)
        resize(n, in, x, y);
    else if (strcmp(op, "conv_transpose") == 0)
        conv_transpose(n, in, params[0], x, y);
    else
        return false;
    return true;
}
