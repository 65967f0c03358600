// Tests of reading ONNX graphs that are built by hand: what no exporter of ours writes, and what other programs make of it.
#include <context.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <graph/graph.h>
#include <io/onnx.h>
#include <io/onnx_file.h>

#include "evaluate.h"
#include "onnx_path.h"

enum { MAX_NODES = 4000, MAX_VALUES = 512 };

// A file in the making. All that it points to is its own.
typedef struct draft {
    Onnx__ModelProto *model;
} draft;

#define NEW(type, init)                                                                            \
    __extension__({                                                                                \
        type *made = malloc(sizeof *made);                                                         \
        assert_non_null(made);                                                                     \
        init(made);                                                                                \
        made;                                                                                      \
    })
// Appends `item` to a list of pointers.
#define PUSH(list, n, item)                                                                        \
    do {                                                                                           \
        (list) = realloc((list), ((n) + 1) * sizeof *(list));                                      \
        assert_non_null(list);                                                                     \
        (list)[(n)++] = (item);                                                                    \
    } while (0)

static Onnx__ValueInfoProto *make_value(const char *name, const int64_t *dims, int n_dims)
{
    Onnx__ValueInfoProto *value = NEW(Onnx__ValueInfoProto, onnx__value_info_proto__init);

    value->name = strdup(name);
    value->type = NEW(Onnx__TypeProto, onnx__type_proto__init);
    value->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    value->type->tensor_type = NEW(Onnx__TypeProto__Tensor, onnx__type_proto__tensor__init);
    value->type->tensor_type->has_elem_type = 1;
    value->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    value->type->tensor_type->shape = NEW(Onnx__TensorShapeProto, onnx__tensor_shape_proto__init);
    for (int i = 0; i < n_dims; i++) {
        Onnx__TensorShapeProto__Dimension *dim =
            NEW(Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__init);

        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = dims[i];
        PUSH(value->type->tensor_type->shape->dim, value->type->tensor_type->shape->n_dim, dim);
    }
    return value;
}

// From input "x" of these dimensions to output "y".
static draft begin(const int64_t *dims, int n_dims)
{
    draft d = {NEW(Onnx__ModelProto, onnx__model_proto__init)};
    Onnx__OperatorSetIdProto *opset =
        NEW(Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init);

    opset->has_version = 1;
    opset->version = 13;
    PUSH(d.model->opset_import, d.model->n_opset_import, opset);
    d.model->has_ir_version = 1;
    d.model->ir_version = 7;
    d.model->graph = NEW(Onnx__GraphProto, onnx__graph_proto__init);
    d.model->graph->name = strdup("by hand");
    PUSH(d.model->graph->input, d.model->graph->n_input, make_value("x", dims, n_dims));
    PUSH(d.model->graph->output, d.model->graph->n_output, make_value("y", NULL, 0));
    return d;
}
#define BEGIN(...)                                                                                 \
    begin((const int64_t[]){__VA_ARGS__}, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)))

// Names of inputs, separated by spaces.
static Onnx__NodeProto *add(draft *d, const char *op, const char *name, const char *inputs,
                            const char *output)
{
    Onnx__NodeProto *node = NEW(Onnx__NodeProto, onnx__node_proto__init);
    char *words = strdup(inputs), *rest = NULL;

    node->op_type = strdup(op);
    node->name = strdup(name);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        PUSH(node->input, node->n_input, strdup(word));
    PUSH(node->output, node->n_output, strdup(output));
    PUSH(d->model->graph->node, d->model->graph->n_node, node);
    free(words);
    return node;
}

static Onnx__AttributeProto *add_attr(Onnx__NodeProto *node, const char *name,
                                      Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attr = NEW(Onnx__AttributeProto, onnx__attribute_proto__init);

    attr->name = strdup(name);
    attr->has_type = 1;
    attr->type = type;
    PUSH(node->attribute, node->n_attribute, attr);
    return attr;
}

static void set_int(Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr = add_attr(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    attr->has_i = 1;
    attr->i = value;
}

static void set_float(Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attr = add_attr(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    attr->has_f = 1;
    attr->f = value;
}

static void set_ints(Onnx__NodeProto *node, const char *name, const int64_t *values, int n)
{
    Onnx__AttributeProto *attr = add_attr(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    attr->ints = malloc((size_t)n * sizeof *values);
    assert_non_null(attr->ints);
    memcpy(attr->ints, values, (size_t)n * sizeof *values);
    attr->n_ints = (size_t)n;
}
#define SET_INTS(node, name, ...)                                                                  \
    set_ints(node, name, (const int64_t[]){__VA_ARGS__},                                           \
             (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)))

// A constant of floats whose value number i is first + i step.
static void add_floats(draft *d, const char *name, const int64_t *dims, int n_dims, float first,
                       float step)
{
    Onnx__TensorProto *tensor = NEW(Onnx__TensorProto, onnx__tensor_proto__init);
    size_t n = 1;

    tensor->name = strdup(name);
    tensor->has_data_type = 1;
    tensor->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    for (int i = 0; i < n_dims; i++) {
        PUSH(tensor->dims, tensor->n_dims, dims[i]);
        n *= (size_t)dims[i];
    }
    tensor->float_data = malloc(n * sizeof *tensor->float_data);
    assert_non_null(tensor->float_data);
    tensor->n_float_data = n;
    for (size_t i = 0; i < n; i++)
        tensor->float_data[i] = first + (float)i * step;
    PUSH(d->model->graph->initializer, d->model->graph->n_initializer, tensor);
}
#define ADD_FLOATS(d, name, first, step, ...)                                                      \
    add_floats(d, name, (const int64_t[]){__VA_ARGS__},                                            \
               (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), first, step)

// Integers by a Constant of one list.
static void add_ints(draft *d, const char *name, int64_t value)
{
    SET_INTS(add(d, "Constant", name, "", name), "value_ints", value);
}

static pleach_status read_draft(draft *d, plc_model_file *read)
{
    write_model(path, d->model);
    onnx__model_proto__free_unpacked(d->model, NULL);
    d->model = NULL;
    return plc_model_file_read(ctx, path, read);
}

// The outputs of an image whose value i is 1 + i / 8, which the caller frees.
static double *run(draft *d, plc_model_file *read)
{
    float image[MAX_VALUES];
    double *y = NULL;

    if (read_draft(d, read) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    for (int i = 0; i < MAX_VALUES; i++)
        image[i] = 1 + (float)i / 8;
    assert_ok(plc_evaluate(ctx, read->graph, read->weights, image, NULL, NULL, NULL, &y));
    return y;
}

static void expect_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6 * (1 + fabs(expected))))
        fail_msg("%g, expected %g", found, expected);
}

static void a_bias_that_does_not_broadcast_is_refused(void **state)
{
    draft d = BEGIN(1, 1);
    plc_model_file read = {0};

    (void)state;
    ADD_FLOATS(&d, "b", 0, 1, 1, 4000);
    ADD_FLOATS(&d, "c", 0, 1, 2); // 2 values for 4000
    set_int(add(&d, "Gemm", "gemm", "x b c", "y"), "transA", 1);
    assert_int_equal(read_draft(&d, &read),
                     PLEACH_EINPUT); // kept apart transA, as a whole the bias forbids it
}

// Of 3 images with 3 outputs each: a column is of images, a row of outputs.
static void a_bias_of_a_column_is_one_per_image(void **state)
{
    (void)state;
    for (int is_column = 0; is_column < 2; is_column++) {
        draft d = BEGIN(3, 2);
        plc_model_file read = {0};

        ADD_FLOATS(&d, "w", 0, 0, 2, 3);
        if (is_column)
            ADD_FLOATS(&d, "b", 5, 1, 3, 1);
        else
            ADD_FLOATS(&d, "b", 5, 1, 1, 3);
        add(&d, "Gemm", "gemm", "x w b", "y");
        double *y = run(&d, &read);
        const plc_shape *shape = &read.graph->nodes[read.graph->n_nodes - 1].shape;
        const int n = shape->c * shape->h * shape->w;
        assert_int_equal(n, is_column ? 9 : 3); // read as a whole, or images apart
        for (int i = 0; i < n; i++)
            expect_near(y[i], 5 + (is_column ? i / 3 : i));
        free(y);
        plc_model_file_finish(&read);
    }
}

// x [1][3][8][4] seen as [2][3][4][4], times the mean of each channel of x: their channels differ.
static void a_factor_per_channel_follows_its_dimension(void **state)
{
    draft d = BEGIN(1, 3, 8, 4);
    plc_model_file read = {0};
    double mean[3] = {0};

    (void)state;
    SET_INTS(add(&d, "Constant", "sizes", "", "sizes"), "value_ints", 2, 3, 4, 4);
    add(&d, "Reshape", "seen", "x sizes", "seen");
    add(&d, "GlobalAveragePool", "mean", "x", "mean");
    add(&d, "Mul", "mul", "seen mean", "y");
    double *y = run(&d, &read);
    for (int i = 0; i < 96; i++)
        mean[i / 32] += (1 + i / 8.0) / 32;
    for (int i = 0; i < 96; i++)
        expect_near(y[i], (1 + i / 8.0) * mean[i / 16 % 3]);
    free(y);
    plc_model_file_finish(&read);
}

// As PyTorch's AvgPool2d(2, 2, padding=1, ceil_mode=True): no window begins in the padding behind.
static void ceil_mode_counts_the_padding_once(void **state)
{
    plc_model_file read = {0};

    (void)state;
    for (int include = 0; include < 2; include++) {
        draft d = BEGIN(1, 1, 5, 5);
        Onnx__NodeProto *pool = add(&d, "AveragePool", "pool", "x", "y");

        SET_INTS(pool, "kernel_shape", 2, 2);
        SET_INTS(pool, "strides", 2, 2);
        SET_INTS(pool, "pads", 1, 1, 1, 1);
        set_int(pool, "ceil_mode", 1);
        set_int(pool, "count_include_pad", include);
        double *y = run(&d, &read);
        const plc_shape *shape = &read.graph->nodes[read.graph->n_nodes - 1].shape;
        assert_true(shape->h == 3 && shape->w == 3);
        expect_near(y[0], include ? 0.25 : 1); // one pixel of four
        expect_near(y[4], 1 + (6 + 7 + 11 + 12) / 32.0);
        free(y);
        plc_model_file_finish(&read);
    }
}

static void many_nodes_of_one_name_get_names_of_their_own(void **state)
{
    draft d = BEGIN(1, 1, 2, 2);
    plc_model_file read = {0};
    char text[256] = "x", from[16], to[16];

    (void)state;
    for (int i = 0; i < 99; i++) // characters of two bytes: no name may end within one
        strcat(text, "é");
    for (int i = 0; i < MAX_NODES; i++) {
        snprintf(from, sizeof from, i ? "v%d" : "x", i - 1);
        snprintf(to, sizeof to, i + 1 < MAX_NODES ? "v%d" : "y", i);
        add(&d, "Relu", i % 2 ? text : "a", from, to);
    }
    if (read_draft(&d, &read) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    assert_int_equal(read.graph->n_nodes, 1 + MAX_NODES);
    char *json = NULL;
    assert_ok(plc_graph_to_json(ctx, read.graph, &json)); // in UTF-8
    free(json);
    plc_model_file_finish(&read);
}

// Backwards up to the first value, whose end is the least integer there is, and a single value by a huge step.
static void slices_go_as_far_as_integers_do(void **state)
{
    plc_model_file read = {0};
    const struct {
        int64_t start, end, step;
        int n;
        double first, last;
    } cases[] = {{-1, INT64_MIN, -1, 4, 1 + 12 / 8.0, 1 + 3 / 8.0},
                 {0, 1, INT_MAX, 1, 1, 1 + 3 / 8.0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        draft d = BEGIN(1, 4, 4);

        add_ints(&d, "start", cases[i].start);
        add_ints(&d, "end", cases[i].end);
        add_ints(&d, "axis", 1);
        add_ints(&d, "step", cases[i].step);
        add(&d, "Slice", "slice", "x start end axis step", "y");
        double *y = run(&d, &read);
        expect_near(y[0], cases[i].first);
        expect_near(y[4 * cases[i].n - 1], cases[i].last);
        free(y);
        plc_model_file_finish(&read);
    }
}

// ONNX drops the number of images too where the file fixes one: axes 1 and 2 are rows and columns then.
static void squeeze_without_axes_drops_a_single_image(void **state)
{
    (void)state;
    for (int open = 0; open < 2; open++) {
        draft d = BEGIN(1, 4, 4, 4);
        plc_model_file read = {0};

        if (open)
            d.model->graph->input[0]->type->tensor_type->shape->dim[0]->value_case =
                ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
        add(&d, "Squeeze", "squeeze", "x", "s");
        Onnx__NodeProto *mean = add(&d, "ReduceMean", "mean", "s", "y");
        SET_INTS(mean, "axes", 1, 2);
        set_int(mean, "keepdims", 0);
        double *y = run(&d, &read);
        for (int i = 0; i < 4;
             i++) // of channel i, or of column i where channels and rows are averaged
            expect_near(y[i], 1 + (open ? 30 + i : 16 * i + 7.5) / 8);
        free(y);
        plc_model_file_finish(&read);
    }
}

// What is left of one image without axes: a vector, times a matrix.
static void a_squeezed_vector_meets_a_matrix(void **state)
{
    draft d = BEGIN(1, 3, 2, 2);
    plc_model_file read = {0};

    (void)state;
    ADD_FLOATS(&d, "w", 1, 1, 3, 2);
    add(&d, "GlobalAveragePool", "pool", "x", "p");
    add(&d, "Squeeze", "squeeze", "p", "s");
    add(&d, "MatMul", "matmul", "s w", "y");
    double *y = run(&d, &read);
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += (1 + (4 * c + 1.5) / 8) * (1 + 2 * c + i);
        expect_near(y[i], sum);
    }
    free(y);
    plc_model_file_finish(&read);
}

// [1][3][4][5] without its first dimension and back, through a matrix and a softmax: read as a whole, and yet classes of
// logits as of any network.
static void a_whole_ends_with_logits_of_classes(void **state)
{
    static const char *const softmax[] = {NULL, "Softmax", "LogSoftmax"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        draft d = BEGIN(1, 3, 4, 5);
        plc_model_file read = {0};

        ADD_FLOATS(&d, "w", -1, 0.25f, 3, 10);
        add_ints(&d, "axis", 0);
        add(&d, "Squeeze", "squeeze", "x axis", "s");
        Onnx__NodeProto *mean = add(&d, "ReduceMean", "mean", "s", "m");
        SET_INTS(mean, "axes", 1, 2);
        set_int(mean, "keepdims", 0);
        add(&d, "Unsqueeze", "unsqueeze", "m axis", "u");
        add(&d, "Gemm", "gemm", "u w", softmax[i] ? "g" : "y");
        if (softmax[i])
            set_int(add(&d, softmax[i], "softmax", "g", "y"), "axis", 1);
        double *y = run(&d, &read);
        const plc_shape *shape = &read.graph->nodes[read.graph->n_nodes - 1].shape;
        assert_true(shape->c == 10 && shape->h == 1 && shape->w == 1);
        for (int k = 0; k < 10; k++) {
            double sum = 0;
            for (int c = 0; c < 3; c++)
                sum += (1 + (20 * c + 9.5) / 8) * (-1 + 0.25 * (10 * c + k));
            expect_near(y[k], sum);
        }
        free(y);
        plc_model_file_finish(&read);
    }
}

static void an_epsilon_of_zero_stays_one(void **state)
{
    draft d = BEGIN(1, 1, 2, 2);
    plc_model_file read = {0};

    (void)state;
    ADD_FLOATS(&d, "gamma", 1, 0, 1);
    ADD_FLOATS(&d, "beta", 0, 0, 1);
    ADD_FLOATS(&d, "mean", 0, 0, 1);
    ADD_FLOATS(&d, "var", 1e-6f, 0, 1);
    set_float(add(&d, "BatchNormalization", "norm", "x gamma beta mean var", "y"), "epsilon", 0);
    double *y = run(&d, &read);
    expect_near(y[0], 1000);
    free(y);
    plc_model_file_finish(&read);
}

// The other bound is the largest float, which a model file must bring back.
static void a_clip_of_one_bound_survives_a_model_file(void **state)
{
    static const char *const bounds[] = {"min", "max"};
    char file[64];

    (void)state;
    snprintf(file, sizeof file, "%s.safetensors", path);
    for (int i = 0; i < 2; i++) {
        draft d = BEGIN(1, 1, 2, 2);
        plc_model_file read = {0}, again = {0};

        set_float(add(&d, "Clip", "clip", "x", "y"), bounds[i], 1.25f);
        free(run(&d, &read));
        assert_ok(
            plc_model_file_write(ctx, file, read.graph, read.layout, read.weights, &read.extra));
        if (plc_model_file_read(ctx, file, &again) != PLEACH_OK)
            fail_msg("%s alone: %s", bounds[i], pleach_error(ctx));
        const plc_attrs *a = &again.graph->nodes[1].attrs;
        assert_true(i ? a->alpha == -FLT_MAX && a->beta == 1.25f
                      : a->alpha == 1.25f && a->beta == FLT_MAX);
        plc_model_file_finish(&again);
        plc_model_file_finish(&read);
    }
    unlink(file);
}

// A Resize from x to y by these scales of rows and columns.
static Onnx__NodeProto *add_resize(draft *d, float rows, float columns)
{
    ADD_FLOATS(d, "none", 0, 0, 0);
    ADD_FLOATS(d, "scales", 1, 0, 4);
    float *scales = d->model->graph->initializer[d->model->graph->n_initializer - 1]->float_data;
    scales[2] = rows;
    scales[3] = columns;
    return add(d, "Resize", "resize", "x none scales", "y");
}

// Products that are whole in floats, and in double a little less.
static void sizes_by_scales_are_those_of_floats(void **state)
{
    static const struct {
        int n_in;
        float scale;
        int n_out;
    } cases[] = {{10, 0.7f, 7}, {10, 1.4f, 14}, {20, 0.35f, 7}, {15, 1.6f, 24}, {7, 1.5f, 10}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        draft d = BEGIN(1, 1, cases[i].n_in, 4);
        plc_model_file read = {0};

        add_resize(&d, cases[i].scale, 1);
        free(run(&d, &read));
        assert_int_equal(read.graph->nodes[read.graph->n_nodes - 1].shape.h, cases[i].n_out);
        plc_model_file_finish(&read);
    }
}

// Its rounding was no attribute yet. The first case is of the operator's own text.
static void resize_of_opset_10_reads_behind_where_it_shrinks(void **state)
{
    static const struct {
        int rows, columns;
        float by_rows, by_columns;
        int n, pixels[4]; // of the input, that are read; 0: it is refused
    } cases[] = {
        {2, 4, 0.6f, 0.6f, 2, {0, 2}},    {1, 4, 1, 0.5f, 2, {0, 2}},
        {1, 3, 1, 1.5f, 4, {0, 0, 1, 2}}, {2, 2, 0.5f, 2, 4, {0, 0, 1, 1}},
        {3, 2, 0.7f, 2, 0, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        draft d = BEGIN(1, 1, cases[i].rows, cases[i].columns);
        plc_model_file read = {0};
        Onnx__NodeProto *resize = add_resize(&d, cases[i].by_rows, cases[i].by_columns);

        d.model->opset_import[0]->version = 10;
        free(resize->input[1]); // scales come second
        resize->input[1] = resize->input[--resize->n_input];
        if (cases[i].n == 0) {
            assert_int_equal(read_draft(&d, &read), PLEACH_EINPUT);
            assert_non_null(strstr(pleach_error(ctx), "the pixel behind along one axis"));
            continue;
        }
        double *y = run(&d, &read);
        const plc_shape *shape = &read.graph->nodes[read.graph->n_nodes - 1].shape;
        assert_int_equal(shape->h * shape->w, cases[i].n);
        for (int j = 0; j < cases[i].n; j++)
            expect_near(y[j], 1 + cases[i].pixels[j] / 8.0);
        free(y);
        plc_model_file_finish(&read);
    }
}

static void set_string(Onnx__NodeProto *node, const char *name, const char *value)
{
    Onnx__AttributeProto *attr =
        add_attr(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    attr->has_s = 1;
    attr->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)strdup(value)};
}

// As many rows as come of n_in by `scale`, and columns of 7 by `across`, with this mode and these names of places and of
// rounding.
static void read_resize_across(int n_in, float scale, float across, const char *mode,
                               const char *where, const char *nearest, plc_model_file *read)
{
    draft d = BEGIN(1, 1, n_in, 7);
    Onnx__NodeProto *resize = add_resize(&d, scale, across);

    set_string(resize, "mode", mode);
    set_string(resize, "coordinate_transformation_mode", where);
    set_string(resize, "nearest_mode", nearest);
    free(run(&d, read));
}

static void read_resize(int n_in, float scale, const char *mode, const char *where,
                        const char *nearest, plc_model_file *read)
{
    read_resize_across(n_in, scale, 1, mode, where, nearest, read);
}

static pleach_status write_model_file(const plc_model_file *model, int opset)
{
    return plc_onnx_write(ctx, path, model->graph, model->layout, model->weights,
                          &(plc_onnx_write_opts){.opset = opset});
}

// Scales of their own, whose products are rounded down, and single pixels, which lie elsewhere.
static void resizes_by_any_scale_are_written_with_the_same_places(void **state)
{
    static const struct {
        int n_in;
        float scale;
        const char *mode, *where, *nearest;
    } cases[] = {
        {7, 1.5f, "linear", "half_pixel", "floor"},
        {7, 1.5f, "linear", "pytorch_half_pixel", "floor"},
        {7, 1.5f, "cubic", "asymmetric", "floor"},
        {7, 1.3f, "nearest", "asymmetric", "floor"},
        {9, 0.7f, "nearest", "half_pixel", "round_prefer_ceil"},
        {9, 0.7f, "nearest", "asymmetric", "round_prefer_floor"},
        {7, 1 / 7.0f, "linear", "pytorch_half_pixel", "floor"},
        {7, 0.2f, "linear", "pytorch_half_pixel", "floor"},
        {7, 1 / 7.0f, "linear", "align_corners", "floor"},
        {24, 20 / 24.0f, "nearest", "asymmetric", "floor"},
        {26, 27 / 26.0f, "nearest", "align_corners", "floor"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int opset = 13; opset <= 18; opset += 5) {
            plc_model_file read = {0}, again = {0};

            read_resize(cases[i].n_in, cases[i].scale, cases[i].mode, cases[i].where,
                        cases[i].nearest, &read);
            if (write_model_file(&read, opset) != PLEACH_OK ||
                plc_model_file_read(ctx, path, &again) != PLEACH_OK)
                fail_msg("%d by %g, %s: %s", cases[i].n_in, (double)cases[i].scale, cases[i].where,
                         pleach_error(ctx));
            const plc_attrs *a = &read.graph->nodes[1].attrs, *b = &again.graph->nodes[1].attrs;
            assert_memory_equal(a->size, b->size, sizeof a->size);
            assert_memory_equal(a->scale, b->scale, sizeof a->scale);
            assert_memory_equal(a->shift, b->shift, sizeof a->shift);
            assert_int_equal(a->mode, b->mode);
            plc_model_file_finish(&again);
            plc_model_file_finish(&read);
        }
}

// ONNX Runtime divides places by the scale, in floats: by one above the quotient, row 5 of 20 lies before row 6 of 24.
static void nearest_pixels_are_written_by_the_quotient_or_by_sizes(void **state)
{
    plc_model_file read = {0};
    Onnx__ModelProto *model = NULL;
    float scales[4];

    (void)state;
    read_resize(24, 20 / 24.0f, "nearest", "asymmetric", "floor", &read);
    assert_ok(write_model_file(&read, 17));
    assert_ok(plc_onnx_file_read(ctx, path, &model));
    assert_int_equal(model->graph->initializer[0]->raw_data.len, sizeof scales);
    memcpy(scales, model->graph->initializer[0]->raw_data.data, sizeof scales);
    assert_true(scales[2] == 20 / 24.0f && scales[3] == 1);
    onnx__model_proto__free_unpacked(model, NULL);
    assert_ok(write_model_file(&read, 18));
    assert_ok(plc_onnx_file_read(ctx, path, &model));
    assert_int_equal(model->graph->node[0]->n_input, 4);
    onnx__model_proto__free_unpacked(model, NULL);
    plc_model_file_finish(&read);

    // The float nearest to 31 / 7 makes 30 of 7. By the next one a half pixel is another, but no corner.
    const float across = nextafterf(31 / 7.0f, 5);
    read_resize(7, across, "nearest", "half_pixel", "floor", &read);
    assert_int_equal(write_model_file(&read, 17), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "it needs opset 18"));
    assert_ok(write_model_file(&read, 18));
    plc_model_file_finish(&read);
    read_resize(7, across, "nearest", "asymmetric", "floor", &read);
    assert_ok(write_model_file(&read, 13));
    plc_model_file_finish(&read);
    // Rows by a scale of their own have no sizes.
    read_resize_across(7, 1.5f, across, "nearest", "half_pixel", "floor", &read);
    assert_int_equal(write_model_file(&read, 18), PLEACH_EGRAPH);
    assert_non_null(strstr(pleach_error(ctx), "no scales"));
    plc_model_file_finish(&read);
}

// Bounds, gates and sizes are values of their own in ONNX, whose names may be those of nodes.
static void what_is_added_gets_a_name_that_no_node_has(void **state)
{
    static const char *const names[] = {"act",  "act.max",    "act.max~", "act.min",
                                        "gate", "gate.gate",  "slopes",   "slopes.slope.shape",
                                        "size", "size.scales"};
    enum { N = sizeof names / sizeof *names };
    draft d = BEGIN(1, 2, 2, 2);
    plc_model_file read = {0}, again = {0};

    (void)state;
    Onnx__NodeProto *clip = add(&d, "Clip", "act", "x", "act");
    set_float(clip, "min", -1);
    set_float(clip, "max", 6);
    add(&d, "Tanh", "act.max", "act", "act.max");
    add(&d, "Tanh", "act.max~", "act.max", "act.max~");
    add(&d, "Tanh", "act.min", "act.max~", "act.min");
    add(&d, "HardSwish", "gate", "act.min", "gate");
    add(&d, "Tanh", "gate.gate", "gate", "gate.gate");
    ADD_FLOATS(&d, "slope", 1, 1, 2, 1, 1);
    add(&d, "PRelu", "slopes", "gate.gate slope", "slopes");
    add(&d, "Tanh", "slopes.slope.shape", "slopes", "shape");
    ADD_FLOATS(&d, "none", 0, 0, 0);
    ADD_FLOATS(&d, "scales", 1, 0, 4);
    add(&d, "Resize", "size", "shape none scales", "size");
    add(&d, "Tanh", "size.scales", "size", "y");
    free(run(&d, &read));
    assert_ok(write_model_file(&read, 13));
    if (plc_model_file_read(ctx, path, &again) != PLEACH_OK)
        fail_msg("%s", pleach_error(ctx));
    for (int i = 0; i < N; i++)
        assert_int_not_equal(plc_graph_find(again.graph, names[i]), PLC_NO_NODE);
    plc_model_file_finish(&again);
    plc_model_file_finish(&read);
}

// A region of no values before opset 13, where it may not be left out.
static void resize_has_all_that_its_opset_wants(void **state)
{
    (void)state;
    for (int opset = 11; opset <= 13; opset++) {
        plc_model_file read = {0};
        Onnx__ModelProto *model = NULL;
        draft d = BEGIN(1, 1, 2, 2);

        add_resize(&d, 2, 2);
        if (read_draft(&d, &read) != PLEACH_OK)
            fail_msg("%s", pleach_error(ctx));
        assert_ok(plc_onnx_write(ctx, path, read.graph, read.layout, read.weights,
                                 &(plc_onnx_write_opts){.opset = opset}));
        assert_ok(plc_onnx_file_read(ctx, path, &model));
        const Onnx__NodeProto *node = model->graph->node[model->graph->n_node - 1];
        assert_string_equal(node->op_type, "Resize");
        assert_int_equal(*node->input[1] == '\0', opset >= 13);
        onnx__model_proto__free_unpacked(model, NULL);
        plc_model_file_finish(&read);
        assert_ok(plc_model_file_read(ctx, path, &read));
        plc_model_file_finish(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bias_that_does_not_broadcast_is_refused),
        cmocka_unit_test(a_bias_of_a_column_is_one_per_image),
        cmocka_unit_test(a_factor_per_channel_follows_its_dimension),
        cmocka_unit_test(ceil_mode_counts_the_padding_once),
        cmocka_unit_test(many_nodes_of_one_name_get_names_of_their_own),
        cmocka_unit_test(slices_go_as_far_as_integers_do),
        cmocka_unit_test(squeeze_without_axes_drops_a_single_image),
        cmocka_unit_test(a_squeezed_vector_meets_a_matrix),
        cmocka_unit_test(a_whole_ends_with_logits_of_classes),
        cmocka_unit_test(an_epsilon_of_zero_stays_one),
        cmocka_unit_test(a_clip_of_one_bound_survives_a_model_file),
        cmocka_unit_test(sizes_by_scales_are_those_of_floats),
        cmocka_unit_test(resize_of_opset_10_reads_behind_where_it_shrinks),
        cmocka_unit_test(resizes_by_any_scale_are_written_with_the_same_places),
        cmocka_unit_test(nearest_pixels_are_written_by_the_quotient_or_by_sizes),
        cmocka_unit_test(what_is_added_gets_a_name_that_no_node_has),
        cmocka_unit_test(resize_has_all_that_its_opset_wants),
    };

    return cmocka_run_group_tests_name("onnx graphs", tests, make_path, drop_path);
}
