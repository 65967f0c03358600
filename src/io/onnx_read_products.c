// Reading ONNX: matrix products with constants. Of vectors they are linear layers; of rows of an image convolutions of
// 1x1 whose channels are the rows' values, of stacks of matrices with a group for each.
#include <io/onnx_reader.h>

#include <limits.h>
#include <string.h>

// One matrix [n_out][n_in] of a constant that has it so, or transposed, times `factor`.
static pleach_status make_weight(plc_onnx_reader *r, const plc_onnx_value *given, bool transposed,
                                 float factor, const float **weight)
{
    pleach_status status = PLEACH_OK;
    const size_t rows = (size_t)given->dims[given->n_dims - 2];
    const size_t columns = (size_t)given->dims[given->n_dims - 1];
    float *made = NULL;

    *weight = given->floats;
    if (!transposed && factor == 1)
        return status;
    TRY(plc_onnx_take(r->ctx, &r->arena, given->count, sizeof *made, &made));
    for (size_t i = 0; i < given->count; i++) {
        const size_t matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;

        made[transposed ? (matrix * columns + column) * rows + row : i] = factor * given->floats[i];
    }
    *weight = made;
done:
    return status;
}

// Gemm had to have a bias before this opset: one of zeros is none.
enum { BIAS_OPTIONAL_SINCE = 11 };

// A vector of n_out values from a constant that is broadcast to it, times `factor`; NULL for zeros that had to be
// there.
static pleach_status linear_bias(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const plc_onnx_value *given, float factor, int n_out,
                                 const float **bias)
{
    pleach_status status = PLEACH_OK;
    float *made = NULL;
    bool any = r->opset >= BIAS_OPTIONAL_SINCE;

    const int64_t n_columns = given->n_dims ? given->dims[given->n_dims - 1] : 1;
    if (given->count != 1 && (given->count != (size_t)n_out || n_columns != n_out))
        TRY(plc_onnx_fail(r, n, "its bias has %zu values, %lld of them a row, for %d outputs",
                          given->count, (long long)n_columns, n_out));
    TRY(plc_onnx_take(r->ctx, &r->arena, (size_t)n_out, sizeof *made, &made));
    for (int i = 0; i < n_out; i++) {
        made[i] = factor * given->floats[given->count == 1 ? 0 : i];
        any = any || made[i] < 0 || made[i] > 0;
    }
    *bias = any ? made : NULL;
done:
    return status;
}

static pleach_status add_linear(plc_onnx_reader *r, const Onnx__NodeProto *n, int from,
                                const plc_onnx_value *weight, bool transposed, float factor,
                                const float *bias, int *node)
{
    pleach_status status = PLEACH_OK;
    const int64_t n_out = weight->dims[transposed ? 1 : 0], n_in = weight->dims[transposed ? 0 : 1];
    const plc_attrs attrs = {.out_channels = (int)n_out, .bias = bias != NULL};
    const float *values = NULL;

    if (n_in != r->graph->nodes[from].shape.c || n_out < 1)
        TRY(plc_onnx_fail(r, n, "its weights make %lld features of %lld, the input has %d",
                          (long long)n_out, (long long)n_in, r->graph->nodes[from].shape.c));
    TRY(make_weight(r, weight, transposed, factor, &values));
    TRY(plc_onnx_add(r, n, "linear", "", &from, 1, &attrs, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, values, weight->count));
    if (bias)
        TRY(plc_onnx_set_param(r, n, *node, 1, bias, (size_t)n_out));
done:
    return status;
}

static pleach_status input_matrix(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                  const plc_onnx_value **value)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_onnx_input_floats(r, n, i, value));
    if ((*value)->n_dims < 2 || !(*value)->count)
        TRY(plc_onnx_fail(r, n, "input '%s' has %d dimensions and %zu values, expected a matrix",
                          n->input[i], (*value)->n_dims, (*value)->count));
done:
    return status;
}

// Rows of matrices: values along the last dimension of x, or where `columns` along the one before.
typedef struct rows {
    int n_stacked; // matrices that each meet one of the constant's; 1: all meet the same
    int n_rows;    // of all that meet the same
    int n_in;
    bool columns;
} rows;

// Loops from [stacked][rows][n] to [stacked][n][rows], or back.
static plc_onnx_loops turn(int n_stacked, int n_rows, int n, bool back)
{
    const int outer = n_rows * n;
    const plc_view_dim of_rows = {n_rows, back ? 1 : n}, of_values = {n, back ? n_rows : 1};

    if (back)
        return (plc_onnx_loops){.items = {{n_stacked, outer}, of_rows, of_values}, .n = 3};
    return (plc_onnx_loops){.items = {{n_stacked, outer}, of_values, of_rows}, .n = 3};
}

// x times matrices of the constant, [stacked][rows][n_in] to [stacked][rows][n_out].
static pleach_status multiply(plc_onnx_reader *r, const Onnx__NodeProto *n, rows x,
                              const plc_onnx_value *weight, bool transposed, float factor,
                              int *node)
{
    pleach_status status = PLEACH_OK;
    const int last = weight->n_dims - 1;
    const int n_out = (int)weight->dims[transposed ? last : last - 1];
    const plc_attrs attrs = {
        .out_channels = x.n_stacked * n_out, .kernel = {1, 1}, .groups = x.n_stacked};
    const float *values = NULL;

    const plc_onnx_loops there = turn(x.n_stacked, x.n_rows, x.n_in, false);
    const plc_onnx_loops back = turn(x.n_stacked, x.n_rows, n_out, true);
    const plc_shape shape = {x.n_stacked * x.n_in, 1, x.n_rows};
    if (x.columns)
        TRY(plc_onnx_regroup(r, n, shape, node));
    else
        TRY(plc_onnx_view(r, n, &there, shape, node));
    TRY(make_weight(r, weight, transposed, factor, &values));
    TRY(plc_onnx_add(r, n, "conv", ".product", &(int){*node}, 1, &attrs, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, values, weight->count));
    TRY(plc_onnx_view(r, n, &back, (plc_shape){x.n_stacked, x.n_rows, n_out}, node));
done:
    return status;
}

// Adds `factor` times a constant that is broadcast to the dimensions of the node's value.
static pleach_status add_matrix(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *given, float factor, const int64_t *dims,
                                int n_dims, int *node)
{
    pleach_status status = PLEACH_OK;
    const float *values = NULL;
    float *scaled = NULL, *ones = NULL;
    size_t count = 0;

    TRY(plc_onnx_repeat_floats(r, n, given, dims, n_dims, &values, &count));
    TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *scaled, &scaled));
    TRY(plc_onnx_take(r->ctx, &r->arena, count, sizeof *ones, &ones));
    for (size_t i = 0; i < count; i++) {
        scaled[i] = factor * values[i];
        ones[i] = 1;
    }
    TRY(plc_onnx_add(r, n, "affine", ".bias", &(int){*node}, 1, NULL, node));
    TRY(plc_onnx_set_param(r, n, *node, 0, ones, count));
    TRY(plc_onnx_set_param(r, n, *node, 1, scaled, count));
done:
    return status;
}

typedef struct gemm {
    const plc_onnx_value *x, *weight, *bias; // bias NULL: none
    int64_t trans_a, trans_b;
    float alpha, beta;
} gemm;

static pleach_status read_gemm(plc_onnx_reader *r, const Onnx__NodeProto *n, gemm *g)
{
    pleach_status status = PLEACH_OK;

    *g = (gemm){0};
    TRY(plc_onnx_input_node(r, n, 0, 2, &g->x));
    TRY(input_matrix(r, n, 1, &g->weight));
    if (g->weight->n_dims != 2)
        TRY(plc_onnx_fail(r, n, "its weights have %d dimensions, expected 2", g->weight->n_dims));
    TRY(plc_onnx_int(r, n, "transA", 0, &g->trans_a));
    TRY(plc_onnx_int(r, n, "transB", 0, &g->trans_b));
    TRY(plc_onnx_float(r, n, "alpha", 1, &g->alpha));
    TRY(plc_onnx_float(r, n, "beta", 1, &g->beta));
    if (plc_onnx_has_input(n, 2))
        TRY(plc_onnx_input_floats(r, n, 2, &g->bias));
done:
    return status;
}

// All of one image: [M][K] or with transA [K][M].
static pleach_status gemm_of_matrix(plc_onnx_reader *r, const Onnx__NodeProto *n, const gemm *g)
{
    pleach_status status = PLEACH_OK;
    const int64_t *a = g->x->dims, *b = g->weight->dims;
    const rows x = {1, (int)a[g->trans_a ? 1 : 0], (int)a[g->trans_a ? 0 : 1], g->trans_a != 0};
    const int64_t dims[] = {x.n_rows, b[g->trans_b ? 0 : 1]};
    int node = g->x->node;

    if (b[g->trans_b ? 1 : 0] != x.n_in)
        TRY(plc_onnx_fail(r, n, "its weights read %lld values, rows have %d",
                          (long long)b[g->trans_b ? 1 : 0], x.n_in));
    TRY(multiply(r, n, x, g->weight, !g->trans_b, g->alpha, &node));
    if (g->bias)
        TRY(add_matrix(r, n, g->bias, g->beta, dims, 2, &node));
    plc_onnx_set_node(r, n, node, dims, 2);
done:
    return status;
}

pleach_status plc_onnx_gemm(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const float *bias = NULL;
    gemm g = {0};
    int node = 0;

    TRY(read_gemm(r, n, &g));
    if (r->whole)
        return gemm_of_matrix(r, n, &g);
    if (g.trans_a)
        TRY(plc_onnx_fail(r, n, "transA is set, which mixes images"));
    const int64_t n_out = g.weight->dims[g.trans_b ? 0 : 1];
    if (g.bias)
        TRY(linear_bias(r, n, g.bias, g.beta, (int)n_out, &bias));
    TRY(plc_onnx_group(r, n, g.x, 1, 0, &node));
    TRY(add_linear(r, n, node, g.weight, !g.trans_b, g.alpha, bias, &node));
    plc_onnx_set_node(r, n, node, (const int64_t[]){PLC_ONNX_BATCH, n_out}, 2);
done:
    return status;
}

// The Add of a constant that alone reads the node's value, or NULL; *bias is the constant.
static const Onnx__NodeProto *following_bias(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                             int64_t n_out, const plc_onnx_value **bias)
{
    const plc_onnx_value *y = plc_onnx_find(r, n->output[0]);
    const Onnx__NodeProto *next = y->n_readers == 1 ? r->file->node[y->reader] : NULL;

    if (!next || strcmp(plc_onnx_text(next->op_type), "Add") != 0 || next->n_input != 2 ||
        next->n_output != 1 || strcmp(y->name, plc_onnx_text(r->file->output[0]->name)) == 0)
        return NULL;
    const int other = strcmp(plc_onnx_text(next->input[0]), y->name) == 0 ? 1 : 0;
    if (plc_onnx_input_kind(r, next, other) != PLC_ONNX_FLOATS)
        return NULL;
    *bias = plc_onnx_find(r, next->input[other]);
    const int n_dims = (*bias)->n_dims;
    const bool is_vector = n_dims == 1 || (n_dims == 2 && (*bias)->dims[0] == 1);
    return is_vector && (*bias)->dims[n_dims - 1] == n_out ? next : NULL;
}

static pleach_status matmul_of_vectors(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                       const plc_onnx_value *x, const plc_onnx_value *weight)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *bias = NULL;
    const int64_t dims[] = {PLC_ONNX_BATCH, weight->dims[1]};
    int node = 0;

    const Onnx__NodeProto *add = following_bias(r, n, weight->dims[1], &bias);
    TRY(plc_onnx_group(r, n, x, 1, 0, &node));
    TRY(add_linear(r, n, node, weight, true, 1, add ? bias->floats : NULL, &node));
    plc_onnx_set_node(r, n, node, dims, 2);
    if (add) {
        plc_onnx_set_node(r, add, node, dims, 2);
        r->done[plc_onnx_find(r, n->output[0])->reader] = true;
    }
done:
    return status;
}

// Stacked constants must be as many as stacked matrices of x: each meets its own.
static pleach_status count_rows(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *x, const plc_onnx_value *weight, rows *found)
{
    const int first = plc_onnx_first_dim(r), last = x->n_dims - 1;
    int64_t n_stacked = 1;
    bool fits = weight->dims[weight->n_dims - 2] == x->dims[last];

    if (weight->n_dims > 2) {
        fits = fits && weight->n_dims == x->n_dims && first == 0;
        for (int i = 0; fits && i < last - 1; i++)
            fits = weight->dims[i] == x->dims[i];
        n_stacked = fits ? plc_onnx_product(x->dims, 0, last - 1) : 1;
    }
    if (!fits)
        return plc_onnx_fail(r, n,
                             "matrices of %lld x %lld in %d dimensions meet rows of %lld values in "
                             "%d dimensions",
                             (long long)weight->dims[weight->n_dims - 2],
                             (long long)weight->dims[weight->n_dims - 1], weight->n_dims,
                             (long long)x->dims[last], x->n_dims);
    *found = (rows){(int)n_stacked, (int)(plc_onnx_product(x->dims, first, last) / n_stacked),
                    (int)x->dims[last], false};
    return PLEACH_OK;
}

pleach_status plc_onnx_matmul(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *weight = NULL;
    int64_t dims[PLC_ONNX_MAX_DIMS];
    rows found = {0};

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(input_matrix(r, n, 1, &weight));
    if (x->n_dims < 1 + plc_onnx_first_dim(r))
        TRY(plc_onnx_fail(r, n, "input '%s' has no dimension for the values of a row",
                          n->input[0]));
    if (!r->whole && x->n_dims == 2 && weight->n_dims == 2)
        return matmul_of_vectors(r, n, x, weight);
    int node = x->node;
    TRY(count_rows(r, n, x, weight, &found));
    TRY(multiply(r, n, found, weight, true, 1, &node));
    memcpy(dims, x->dims, sizeof dims);
    dims[x->n_dims - 1] = weight->dims[weight->n_dims - 1];
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}
