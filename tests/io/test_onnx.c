// Tests of ONNX files: what is written is read back as it was, and what is damaged is refused with a reason.
#include <context.h>

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <onnx.pb-c.h>

#include <base/file.h>
#include <base/memory.h>
#include <base/random.h>
#include <io/onnx.h>
#include <io/onnx_file.h>
#include <rewrite/fold.h>
#include <rewrite/on_host.h>

#include "difference.h"
#include "evaluate.h"
#include "onnx_path.h"
#include "random_graph.h"

// A network with weights and an image.
typedef struct subject {
    pleach_graph *graph;
    plc_params_layout *layout;
    float *weights, *image;
} subject;

static subject take(pleach_graph *graph, unsigned seed)
{
    subject s = {.graph = graph};
    const plc_shape *x = &graph->nodes[0].shape;
    const int n = x->c * x->h * x->w;

    assert_ok(plc_params_layout_create(ctx, graph, &s.layout));
    assert_ok(plc_random_params(ctx, graph, seed, &s.weights));
    assert_ok(plc_alloc(ctx, (size_t)n, sizeof *s.image, &s.image));
    for (int i = 0; i < n; i++)
        s.image[i] = sinf((float)i * 1.7f);
    return s;
}

static void finish(subject *s)
{
    pleach_graph_destroy(&s->graph);
    plc_params_layout_destroy(&s->layout);
    free(s->weights);
    free(s->image);
}

static void write_subject(const subject *s, int opset, const plc_tensors *extra)
{
    assert_ok(
        plc_onnx_write(ctx, path, s->graph, s->layout, s->weights,
                       &(plc_onnx_write_opts){.opset = opset, .version = "test", .extra = extra}));
}

// The largest difference of the logits of two networks, relative to the largest logit.
static double difference(const subject *s, const pleach_graph *graph, const float *weights)
{
    double *expected = NULL, *found = NULL;
    const plc_shape *y = &s->graph->nodes[s->graph->n_nodes - 1].shape;

    assert_memory_equal(y, &graph->nodes[graph->n_nodes - 1].shape, sizeof *y);
    assert_ok(plc_evaluate(ctx, s->graph, s->weights, s->image, NULL, NULL, NULL, &expected));
    assert_ok(plc_evaluate(ctx, graph, weights, s->image, NULL, NULL, NULL, &found));
    const double most = plc_difference(expected, found, (size_t)(y->c * y->h * y->w));
    free(expected);
    free(found);
    return most;
}

// Every parameter that was read is the one of its name that was written.
static void compare_params(const subject *s, const plc_model_file *read)
{
    for (int i = 0; i < read->layout->n_places; i++) {
        const plc_param_place *place = &read->layout->places[i];
        const int there = plc_graph_find(s->graph, read->graph->nodes[place->node].name);

        assert_int_not_equal(there, PLC_NO_NODE);
        assert_ptr_equal(s->graph->nodes[there].op, read->graph->nodes[place->node].op);
        if (place->param >= s->graph->nodes[there].n_params) { // Gemm needs a bias before opset 11
            for (int j = 0; j < place->count; j++)
                assert_true(read->weights[place->offset + j] == 0);
            continue;
        }
        assert_memory_equal(s->weights + s->layout->offsets[there][place->param],
                            read->weights + place->offset, (size_t)place->count * sizeof(float));
    }
}

static void check_read_back(const subject *s, int opset, bool with_logits)
{
    plc_model_file read = {0};

    write_subject(s, opset, NULL);
    assert_ok(plc_model_file_read(ctx, path, &read));
    assert_string_equal(read.graph->name, s->graph->name);
    if (plc_graph_count_op(s->graph, "affine") == 0) // that becomes two nodes
        compare_params(s, &read);
    const double most = with_logits ? difference(s, read.graph, read.weights) : 0;
    // Exact but for a hard_swish before opset 14: written out, with a float for 1/6; and for a resize, whose places
    // the reader computes of its sizes anew.
    const bool rounds =
        plc_graph_count_op(s->graph, "hard_swish") + plc_graph_count_op(s->graph, "resize") > 0;
    if (!(most <= (rounds ? 1e-5 : 0)))
        fail_msg("'%s' in opset %d: logits differ by %g", s->graph->name, opset, most);
    plc_model_file_finish(&read);
}

static void networks_by_name_are_read_back(void **state)
{
    static const struct {
        const char *name;
        int size, opset;
        bool with_logits; // of those that a plain loop computes in no time
    } cases[] = {
        {"cnn5", 16, 7, true},
        {"resnet20", 8, 10, true},
        {"densenet40", 8, 0, true},
        {"vgg16", 32, 22, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_graph *graph = NULL;

        assert_ok(
            pleach_graph_create(ctx, cases[i].name, 3, cases[i].size, cases[i].size, 10, &graph));
        subject s = take(graph, (unsigned)i);
        check_read_back(&s, cases[i].opset, cases[i].with_logits);
        assert_true(s.layout->n_floats > 0);
        finish(&s);
    }
}

static void random_networks_are_read_back_with_the_same_logits(void **state)
{
    enum { N_SEEDS = 40 };

    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL;

        assert_ok(plc_random_graph(ctx, seed, &graph));
        // Lives between two phases of a job only: no file for others holds one.
        const bool fades = plc_graph_count_op(graph, "fading_relu") > 0;
        subject s = take(graph, seed);
        if (!fades)
            // Even seeds have operators that older opsets do not.
            check_read_back(&s, seed % 2 ? 7 + (int)seed % 16 : 13 + (int)seed % 10, true);
        finish(&s);
    }
}

static void folding_on_the_host_changes_logits_by_rounding_only(void **state)
{
    enum { N_SEEDS = 20 };

    (void)state;
    for (unsigned seed = 0; seed < N_SEEDS; seed++) {
        pleach_graph *graph = NULL, *folded = NULL;
        plc_params_layout *layout = NULL;
        plc_edits *edits = NULL;
        float *weights = NULL;

        assert_ok(plc_random_graph(ctx, seed, &graph));
        subject s = take(graph, seed);
        assert_ok(plc_fold_describe(ctx, s.graph, &folded, &edits, NULL));
        assert_ok(plc_params_layout_create(ctx, folded, &layout));
        assert_ok(plc_edits_apply_on_host(ctx, s.graph, s.layout, s.weights, edits, folded, layout,
                                          &weights));
        assert_true(difference(&s, folded, weights) < 1e-5);
        assert_true(layout->n_floats < s.layout->n_floats);
        free(weights);
        plc_edits_destroy(&edits);
        plc_params_layout_destroy(&layout);
        pleach_graph_destroy(&folded);
        finish(&s);
    }
}

// A convolution, batch norm, ReLU, pooling, a linear layer.
static subject small_network(void)
{
    pleach_graph *graph = NULL;
    int node = 0;

    assert_ok(plc_graph_create(ctx, "small", (plc_shape){1, 8, 8}, &graph));
    assert_ok(plc_graph_add(
        ctx, graph, "conv", "conv", &node, 1,
        &(plc_attrs){.out_channels = 3, .kernel = {3, 3}, .pad = {1, 1}, .stride = {2, 2}}, &node));
    assert_ok(plc_graph_add(ctx, graph, "batch_norm", "norm", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, graph, "relu", "relu", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, graph, "global_avg_pool", "pool", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, graph, "linear", "fc", &node, 1,
                            &(plc_attrs){.out_channels = 4, .bias = true}, &node));
    return take(graph, 3);
}

static void metadata_travels_and_other_metadata_does_not(void **state)
{
    subject s = small_network();
    plc_tensors extra = {0};
    plc_model_file read = {0};

    (void)state;
    assert_ok(plc_tensors_set_metadata(ctx, &extra, "mean", "0.25"));
    assert_ok(plc_tensors_set_metadata(ctx, &extra, "std", "0.5"));
    assert_ok(plc_tensors_set_metadata(ctx, &extra, "state", "a checkpoint's"));
    write_subject(&s, 0, &extra);
    assert_ok(plc_model_file_read(ctx, path, &read));
    assert_string_equal(plc_tensors_metadata(&read.extra, "mean"), "0.25");
    assert_string_equal(plc_tensors_metadata(&read.extra, "std"), "0.5");
    assert_null(plc_tensors_metadata(&read.extra, "state"));
    plc_model_file_finish(&read);
    plc_tensors_finish(&extra);
    finish(&s);
}

static void opsets_that_are_not_written_are_refused(void **state)
{
    subject s = small_network();

    (void)state;
    assert_int_equal(
        plc_onnx_write(ctx, path, s.graph, s.layout, s.weights, &(plc_onnx_write_opts){.opset = 6}),
        PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(ctx), "opset 6"));
    finish(&s);
}

// A window with gaps over a 6x7 image, uneven at the end.
static subject dilated_pool(const char *op)
{
    pleach_graph *graph = NULL;
    int node = 0;

    assert_ok(plc_graph_create(ctx, "dilated", (plc_shape){2, 6, 7}, &graph));
    assert_ok(plc_graph_add(ctx, graph, op, "pool", &node, 1,
                            &(plc_attrs){.kernel = {2, 3},
                                         .stride = {1, 2},
                                         .pad = {1, 2},
                                         .pad_more = {1, 0},
                                         .dilation = {3, 2}},
                            &node));
    return take(graph, 4);
}

static void dilated_pools_are_written_for_opsets_that_have_them(void **state)
{
    static const struct {
        const char *op;
        int oldest;
    } pools[] = {{"max_pool", 10}, {"avg_pool", 19}};

    (void)state;
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        subject s = dilated_pool(pools[i].op);
        char expected[64];

        check_read_back(&s, pools[i].oldest, true);
        assert_int_equal(plc_onnx_write(ctx, path, s.graph, s.layout, s.weights,
                                        &(plc_onnx_write_opts){.opset = pools[i].oldest - 1}),
                         PLEACH_EGRAPH);
        snprintf(expected, sizeof expected, "'pool': with a dilation it needs opset %d",
                 pools[i].oldest);
        assert_non_null(strstr(pleach_error(ctx), expected));
        finish(&s);
    }
}

// A small file, unpacked, for tests to damage.
static Onnx__ModelProto *good_model(void)
{
    subject s = small_network();
    Onnx__ModelProto *model = NULL;

    write_subject(&s, 0, NULL);
    assert_ok(plc_onnx_file_read(ctx, path, &model));
    finish(&s);
    return model;
}

static void assert_refused(const char *what, const char *text)
{
    plc_model_file read = {0};
    const pleach_status status = plc_model_file_read(ctx, path, &read);

    if ((status != PLEACH_EINPUT && status != PLEACH_EGRAPH) || !strstr(pleach_error(ctx), text) ||
        !strstr(pleach_error(ctx), path))
        fail_msg("%s: status %d, '%s', expected '%s'", what, status, pleach_error(ctx), text);
    assert_true(!read.graph && !read.layout && !read.weights && !read.extra.items);
}

static Onnx__NodeProto *find_node(Onnx__ModelProto *model, const char *op)
{
    for (size_t i = 0; i < model->graph->n_node; i++)
        if (strcmp(model->graph->node[i]->op_type, op) == 0)
            return model->graph->node[i];
    fail_msg("no %s", op);
    return NULL;
}

static Onnx__AttributeProto *find_attr(Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    fail_msg("no attribute %s", name);
    return NULL;
}

static void set_text(char **text, const char *to)
{
    free(*text);
    *text = strdup(to);
}

static void drop_graph(Onnx__ModelProto *m)
{
    onnx__graph_proto__free_unpacked(m->graph, NULL);
    m->graph = NULL;
}

static void no_opset(Onnx__ModelProto *m)
{
    m->opset_import[0]->version = 0;
}

static void unknown_operator(Onnx__ModelProto *m)
{
    set_text(&find_node(m, "Relu")->op_type, "Reluu");
}

static void unknown_domain(Onnx__ModelProto *m)
{
    set_text(&find_node(m, "Relu")->domain, "com.example");
}

static void unknown_attribute(Onnx__ModelProto *m)
{
    set_text(&find_attr(find_node(m, "Conv"), "group")->name, "strength");
}

static void attribute_twice(Onnx__ModelProto *m)
{
    set_text(&find_attr(find_node(m, "Conv"), "strides")->name, "pads");
}

static void attribute_of_other_type(Onnx__ModelProto *m)
{
    find_attr(find_node(m, "Conv"), "group")->has_i = 0;
}

static void no_groups(Onnx__ModelProto *m)
{
    find_attr(find_node(m, "Conv"), "group")->i = 0;
}

static void huge_groups(Onnx__ModelProto *m)
{
    find_attr(find_node(m, "Conv"), "group")->i = INT64_MAX;
}

static void three_strides(Onnx__ModelProto *m)
{
    Onnx__AttributeProto *attr = find_attr(find_node(m, "Conv"), "strides");

    attr->ints = realloc(attr->ints, 3 * sizeof *attr->ints);
    attr->ints[attr->n_ints++] = 1;
}

static void no_stride(Onnx__ModelProto *m)
{
    find_attr(find_node(m, "Conv"), "strides")->ints[0] = 0;
}

static void huge_pad(Onnx__ModelProto *m)
{
    Onnx__AttributeProto *attr = find_attr(find_node(m, "Conv"), "pads");

    attr->ints[0] = attr->ints[2] = INT_MAX;
}

static void negative_pad(Onnx__ModelProto *m)
{
    find_attr(find_node(m, "Conv"), "pads")->ints[0] = -1;
}

static void missing_input(Onnx__ModelProto *m)
{
    set_text(&find_node(m, "Conv")->input[0], "nothing");
}

static void missing_weight(Onnx__ModelProto *m)
{
    set_text(&find_node(m, "Conv")->input[1], "");
}

static void cycle(Onnx__ModelProto *m)
{
    set_text(&m->graph->node[1]->input[0], m->graph->node[m->graph->n_node - 2]->output[0]);
}

static void own_output(Onnx__ModelProto *m)
{
    set_text(&m->graph->node[1]->input[0], m->graph->node[1]->output[0]);
}

static void same_names(Onnx__ModelProto *m)
{
    set_text(&m->graph->node[1]->output[0], m->graph->node[0]->output[0]);
}

static void control_character(Onnx__ModelProto *m)
{
    set_text(&m->graph->node[1]->name, "a\033[2Jb");
}

static void no_first_output(Onnx__ModelProto *m)
{
    Onnx__NodeProto *node = m->graph->node[1];

    node->output = realloc(node->output, 2 * sizeof *node->output);
    node->output[node->n_output++] = node->output[0];
    node->output[0] = strdup("");
}

static void two_outputs(Onnx__ModelProto *m)
{
    m->graph->output = realloc(m->graph->output, 2 * sizeof *m->graph->output);
    m->graph->output[m->graph->n_output++] = m->graph->input[0];
    m->graph->n_input = 0;
}

static void output_of_nothing(Onnx__ModelProto *m)
{
    set_text(&m->graph->output[0]->name, "nothing");
}

static void output_is_input(Onnx__ModelProto *m)
{
    set_text(&m->graph->output[0]->name, m->graph->input[0]->name);
}

static void open_height(Onnx__ModelProto *m)
{
    m->graph->input[0]->type->tensor_type->shape->dim[2]->value_case =
        ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
}

static void bytes_as_input(Onnx__ModelProto *m)
{
    m->graph->input[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
}

static void input_of_no_type(Onnx__ModelProto *m)
{
    onnx__type_proto__free_unpacked(m->graph->input[0]->type, NULL);
    m->graph->input[0]->type = NULL;
}

static void three_dimensions(Onnx__ModelProto *m)
{
    Onnx__TensorShapeProto *shape = m->graph->input[0]->type->tensor_type->shape;

    protobuf_c_message_free_unpacked(&shape->dim[--shape->n_dim]->base, NULL);
}

static void huge_image(Onnx__ModelProto *m)
{
    m->graph->input[0]->type->tensor_type->shape->dim[2]->dim_value = INT_MAX;
    m->graph->input[0]->type->tensor_type->shape->dim[3]->dim_value = INT_MAX;
}

static void other_channels(Onnx__ModelProto *m)
{
    m->graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = 7;
}

static void huge_dims(Onnx__ModelProto *m)
{
    for (int i = 0; i < 4; i++)
        m->graph->initializer[0]->dims[i] = INT_MAX;
}

static void negative_dim(Onnx__ModelProto *m)
{
    m->graph->initializer[0]->dims[0] = -1;
}

static void many_dims(Onnx__ModelProto *m)
{
    Onnx__TensorProto *tensor = m->graph->initializer[0];

    tensor->dims = realloc(tensor->dims, 9 * sizeof *tensor->dims);
    while (tensor->n_dims < 9)
        tensor->dims[tensor->n_dims++] = 1;
}

static void short_data(Onnx__ModelProto *m)
{
    m->graph->initializer[0]->raw_data.len--;
}

static void no_data(Onnx__ModelProto *m)
{
    m->graph->initializer[0]->has_raw_data = 0;
}

static void other_type(Onnx__ModelProto *m)
{
    m->graph->initializer[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
}

static void external_data(Onnx__ModelProto *m)
{
    m->graph->initializer[0]->has_data_location = 1;
    m->graph->initializer[0]->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static void weights_as_vector(Onnx__ModelProto *m)
{
    Onnx__TensorProto *tensor = m->graph->initializer[0];

    for (int i = 1; i < 4; i++)
        tensor->dims[0] *= tensor->dims[i];
    tensor->n_dims = 1;
}

static void damaged_files_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *what, *said;
        void (*damage)(Onnx__ModelProto *model);
    } cases[] = {
        {"no graph", "no graph", drop_graph},
        {"opset 0", "opset is 0", no_opset},
        {"unknown operator", "(the nearest that is: Relu); `pleach ops`", unknown_operator},
        {"unknown domain", "of domain com.example is not read", unknown_domain},
        {"unknown attribute", "attribute 'strength' of opset 13 is not read", unknown_attribute},
        {"attribute twice", "'pads' is given twice", attribute_twice},
        {"attribute's type", "'group' is no integer", attribute_of_other_type},
        {"no groups", "group 0 of", no_groups},
        {"huge groups", "group 9223372036854775807 of", huge_groups},
        {"three strides", "'strides' has 3 integers", three_strides},
        {"stride 0", "stride 0", no_stride},
        {"huge pad", "pad is 2147483647", huge_pad},
        {"negative pad", "'pads' holds -1", negative_pad},
        {"missing input", "is named 'nothing'", missing_input},
        {"missing weight", "input 1 is missing", missing_weight},
        {"cycle", "without a cycle", cycle},
        {"own output", "without a cycle", own_output},
        {"same names", "two values are named", same_names},
        {"control character", "control character 0x1b", control_character},
        {"no first output", "it has no output", no_first_output},
        {"two outputs", "2 outputs", two_outputs},
        {"output of nothing", "no node gives its output 'nothing'", output_of_nothing},
        {"output is input", "no node gives its output", output_is_input},
        {"open height", "dimension 2 of its input 'input' is '?'", open_height},
        {"bytes", "is of uint8", bytes_as_input},
        {"no type", "not described as float images", input_of_no_type},
        {"three dimensions", "expected [K][C][S]", three_dimensions},
        {"huge image", "more than 2147483647 values an image", huge_image},
        {"other channels", "the input has 7", other_channels},
        {"huge dims", "more than 2147483647 elements", huge_dims},
        {"negative dim", "dimension 0 is -1", negative_dim},
        {"many dims", "9 dimensions", many_dims},
        {"short data", "bytes of data", short_data},
        {"no data", "data of 0", no_data},
        {"other type", "elements of type 8", other_type},
        {"external data", "lies in another file ''", external_data},
        {"weights as vector", "1 dimensions", weights_as_vector},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Onnx__ModelProto *model = good_model();

        cases[i].damage(model);
        write_model(path, model);
        assert_refused(cases[i].what, cases[i].said);
        onnx__model_proto__free_unpacked(model, NULL);
    }
}

static void uneven_pads_become_a_node_of_their_own(void **state)
{
    Onnx__ModelProto *model = good_model();
    int64_t *pads = find_attr(find_node(model, "Conv"), "pads")->ints;
    plc_model_file read = {0};

    (void)state;
    pads[0]++; // 8 rows and 3 more for a kernel of 3 in steps of 2
    write_model(path, model);
    assert_ok(plc_model_file_read(ctx, path, &read));
    const int pad = plc_graph_find(read.graph, "conv.pad"),
              conv = plc_graph_find(read.graph, "conv");
    assert_true(pad > 0 && plc_graph_is(read.graph, pad, "pad"));
    assert_int_equal(read.graph->nodes[pad].shape.h, 11);
    assert_int_equal(read.graph->nodes[pad].shape.w, 10);
    assert_int_equal(read.graph->nodes[conv].inputs[0], pad);
    assert_int_equal(read.graph->nodes[conv].shape.h, 5);
    assert_int_equal(read.graph->nodes[conv].shape.w, 4);
    plc_model_file_finish(&read);
    onnx__model_proto__free_unpacked(model, NULL);
}

// Protobuf's own unpacking goes as deep as a file says.
static void messages_nested_too_deep_are_refused_before_they_are_unpacked(void **state)
{
    enum { DEPTH = 200000, BYTES = 12 * DEPTH };
    uint8_t *bytes = malloc(BYTES);
    size_t at = BYTES;

    (void)state;
    // From the inside out: a graph's node (1), its attribute (5), that one's graph (6).
    for (int i = 0; i < DEPTH; i++) {
        static const uint8_t fields[] = {1, 5, 6};
        const int from_outside = DEPTH - 1 - i;
        uint64_t length = BYTES - at;
        uint8_t head[12];
        size_t n = 0;

        head[n++] = (uint8_t)(fields[(from_outside + 2) % 3] << 3 | 2);
        do {
            head[n++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
            length >>= 7;
        } while (length);
        if (from_outside == 0)
            head[0] = 7 << 3 | 2; // the model's graph
        at -= n;
        memcpy(bytes + at, head, n);
    }
    write_bytes(path, bytes + at, BYTES - at);
    assert_refused("nested messages", "deep");
    free(bytes);
}

static void a_file_of_empty_messages_takes_no_memory(void **state)
{
    enum { N = 9 << 20 };
    uint8_t *bytes = malloc(N);

    (void)state;
    for (int i = 0; i < N; i += 2) { // metadata, each two bytes long
        bytes[i] = 14 << 3 | 2;
        bytes[i + 1] = 0;
    }
    write_bytes(path, bytes, N);
    assert_refused("empty messages", "fields");
    free(bytes);
}

static void other_files_are_no_onnx_files(void **state)
{
    static const char text[] =
        "This is no model, but a text about one, and long enough to be read.";

    (void)state;
    write_bytes(path, text, sizeof text);
    assert_refused("text", "ONNX file");
    write_bytes(path, "", 0);
    assert_refused("nothing", "ONNX file");
}

static void files_cut_anywhere_are_refused(void **state)
{
    char *whole = NULL;
    size_t size = 0;
    plc_model_file read = {0};

    (void)state;
    onnx__model_proto__free_unpacked(good_model(), NULL);
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 30, &whole, &size));
    for (size_t at = 0; at < size; at += 1 + size / 300) {
        write_bytes(path, whole, at);
        assert_int_not_equal(plc_model_file_read(ctx, path, &read), PLEACH_OK);
        assert_null(read.graph);
    }
    free(whole);
}

static void files_with_flipped_bits_never_crash(void **state)
{
    enum { N_ROUNDS = 2000 };
    char *whole = NULL;
    size_t size = 0;
    int n_read = 0;

    (void)state;
    onnx__model_proto__free_unpacked(good_model(), NULL);
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 30, &whole, &size));
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        const plc_u32x4 draw = plc_random_u32x4(7, PLC_STREAM_TEST, 0, round);
        const size_t place = plc_random_below(draw.x, (uint32_t)size);
        const char kept = whole[place];
        plc_model_file read = {0};

        whole[place] = (char)(round % 2 ? (unsigned)kept ^ (1u << draw.y % 8) : draw.y);
        write_bytes(path, whole, size);
        if (plc_model_file_read(ctx, path, &read) == PLEACH_OK)
            n_read++;
        plc_model_file_finish(&read);
        whole[place] = kept;
    }
    assert_in_range(n_read, 1, N_ROUNDS - 1);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_by_name_are_read_back),
        cmocka_unit_test(random_networks_are_read_back_with_the_same_logits),
        cmocka_unit_test(folding_on_the_host_changes_logits_by_rounding_only),
        cmocka_unit_test(metadata_travels_and_other_metadata_does_not),
        cmocka_unit_test(opsets_that_are_not_written_are_refused),
        cmocka_unit_test(dilated_pools_are_written_for_opsets_that_have_them),
        cmocka_unit_test(damaged_files_are_refused_with_a_reason),
        cmocka_unit_test(uneven_pads_become_a_node_of_their_own),
        cmocka_unit_test(messages_nested_too_deep_are_refused_before_they_are_unpacked),
        cmocka_unit_test(a_file_of_empty_messages_takes_no_memory),
        cmocka_unit_test(other_files_are_no_onnx_files),
        cmocka_unit_test(files_cut_anywhere_are_refused),
        cmocka_unit_test(files_with_flipped_bits_never_crash),
    };

    return cmocka_run_group_tests_name("onnx", tests, make_path, drop_path);
}
