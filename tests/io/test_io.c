// Tests of src/io: tensor files and model files, sound and broken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <base/random.h>
#include <base/text.h>
#include <io/model_file.h>
#include <io/tensor_file.h>

static pleach_ctx *ctx;
static char folder[] = "/tmp/pleach-test-io-XXXXXX";
static char path[64]; // the file that each test writes

#define assert_error_has(text)                                                                     \
    do {                                                                                           \
        if (!strstr(pleach_error(ctx), text))                                                      \
            fail_msg("'%s' is not in the error '%s'", text, pleach_error(ctx));                    \
    } while (0)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(ctx));                                          \
    } while (0)

static int make_fixture(void **state)
{
    (void)state;
    if (pleach_ctx_create(&ctx) != PLEACH_OK || !mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    return 0;
}

static int drop_fixture(void **state)
{
    (void)state;
    pleach_ctx_destroy(&ctx);
    unlink(path);
    return rmdir(folder);
}

static const float floats[24] = {1.5f, -2.0f, 0.0f, 3e38f, 1e-45f, 6.0f, 7.0f, 8.0f};

// "a.weight" [2, 3], "b" scalar, "empty" [0, 5], "c" [4]; two metadata.
static void fill_tensors(plc_tensors *tensors)
{
    assert_ok(plc_tensors_add(ctx, tensors, "a.weight", (size_t[]){2, 3}, 2, floats));
    assert_ok(plc_tensors_add(ctx, tensors, "b", NULL, 0, floats + 1));
    assert_ok(plc_tensors_add(ctx, tensors, "empty", (size_t[]){0, 5}, 2, NULL));
    assert_ok(plc_tensors_add(ctx, tensors, "c", (size_t[]){4}, 1, floats + 4));
    assert_ok(plc_tensors_set_metadata(ctx, tensors, "data", "old"));
    assert_ok(plc_tensors_set_metadata(ctx, tensors, "data", "fashion-mnist"));
    assert_ok(plc_tensors_set_metadata(ctx, tensors, "note", "quotes \" \\ and \xc3\xa4"));
}

static void written_tensors_are_read_back_bit_by_bit(void **state)
{
    plc_tensors written = {0}, read = {0};

    (void)state;
    fill_tensors(&written);
    assert_ok(plc_tensor_file_write(ctx, path, &written));
    assert_ok(plc_tensor_file_read(ctx, path, &read));
    assert_int_equal(read.n, 4);
    for (size_t i = 0; i < 4; i++) {
        const plc_named_tensor *a = &written.items[i];
        const plc_named_tensor *b = plc_tensors_find(&read, a->name);

        assert_non_null(b);
        assert_int_equal(b->n_dims, a->n_dims);
        assert_memory_equal(b->dims, a->dims, sizeof a->dims);
        assert_int_equal(b->count, a->count);
        if (a->count)
            assert_memory_equal(b->data, a->data, a->count * sizeof(float));
    }
    assert_int_equal(read.n_metadata, 2);
    assert_string_equal(plc_tensors_metadata(&read, "data"), "fashion-mnist");
    assert_string_equal(plc_tensors_metadata(&read, "note"), "quotes \" \\ and \xc3\xa4");
    assert_null(plc_tensors_metadata(&read, "nothing"));
    assert_null(plc_tensors_find(&read, "nothing"));
    plc_tensors_finish(&written);
    plc_tensors_finish(&read);
}

static void no_tensors_at_all_make_a_file(void **state)
{
    plc_tensors none = {0}, read = {0};

    (void)state;
    assert_ok(plc_tensor_file_write(ctx, path, &none));
    assert_ok(plc_tensor_file_read(ctx, path, &read));
    assert_true(read.n == 0 && read.n_metadata == 0);
    plc_tensors_finish(&read);
}

static void tensors_that_make_no_file_are_refused(void **state)
{
    plc_tensors tensors = {0};
    const size_t huge[] = {SIZE_MAX / 2, 4};
    const size_t many[PLC_TENSOR_MAX_DIMS + 1] = {1};

    (void)state;
    fill_tensors(&tensors);
    assert_int_equal(plc_tensors_add(ctx, &tensors, "b", NULL, 0, floats), PLEACH_EINPUT);
    assert_error_has("'b'");
    assert_int_equal(plc_tensors_add(ctx, &tensors, "__metadata__", NULL, 0, floats),
                     PLEACH_EINPUT);
    assert_int_equal(plc_tensors_add(ctx, &tensors, "d", huge, 2, floats), PLEACH_EINPUT);
    assert_error_has("overflow");
    assert_int_equal(plc_tensors_add(ctx, &tensors, "d", many, PLC_TENSOR_MAX_DIMS + 1, floats),
                     PLEACH_EINPUT);
    assert_error_has("9 dimensions");
    assert_int_equal(tensors.n, 4);
    unlink(path);
    assert_ok(plc_tensors_add(ctx, &tensors, "\xff", NULL, 0, floats));
    assert_int_equal(plc_tensor_file_write(ctx, path, &tensors), PLEACH_EINPUT);
    assert_error_has("not UTF-8");
    assert_false(plc_file_exists(path));
    plc_tensors_finish(&tensors);
}

static void dims_are_printed_and_cut_off(void **state)
{
    char text[PLC_FORMAT_DIMS_MAX], shorter[6];

    (void)state;
    plc_format_dims((size_t[]){16, 3, 5}, 3, text, sizeof text);
    assert_string_equal(text, "[16, 3, 5]");
    plc_format_dims(NULL, 0, text, sizeof text);
    assert_string_equal(text, "[]");
    plc_format_dims((size_t[]){16, 3, 5}, 3, shorter, sizeof shorter);
    assert_string_equal(shorter, "[16, ");
}

// Writes a file of `header` (announced as `announced` bytes unless 0) and `n_data` zero bytes.
static void put(const char *header, uint64_t announced, size_t n_data)
{
    plc_text text = {0};
    const uint64_t length = announced ? announced : strlen(header);
    char *zeros = calloc(n_data + 1, 1);

    assert_ok(plc_text_append(ctx, &text, (const char *)&length, 8));
    assert_ok(plc_text_append(ctx, &text, header, strlen(header)));
    assert_ok(plc_text_append(ctx, &text, zeros, n_data));
    assert_ok(plc_file_write_all(ctx, path, text.data, text.length));
    free(zeros);
    plc_text_finish(&text);
}

static void assert_read_fails(const char *text, const char *input)
{
    plc_tensors tensors = {0};
    const pleach_status status = plc_tensor_file_read(ctx, path, &tensors);

    if (status != PLEACH_EINPUT)
        fail_msg("status %d for %s", status, input);
    assert_null(tensors.items);
    assert_null(tensors.storage);
    assert_error_has(path);
    assert_error_has(text);
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void broken_headers_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *header;
        size_t n_data;
        const char *text;
    } cases[] = {
        {"", 0, "not a JSON object"},
        {"{", 0, "not a JSON object"},
        {"[]", 0, "another value"},
        {"{} x", 0, "byte"},
        {"{\"a\":1}", 0, "'a': expected an object"},
        {"{\"a\":{}}", 0, "'a': expected an object"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 4,
         "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
         "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":0}}", 4, "'a'"},
        {"{\"a\":" T("\"BF16\"", "[2]", "[0,4]") "}", 4, "dtype BF16"},
        {"{\"a\":" T("7", "[1]", "[0,4]") "}", 4, "'dtype'"},
        {"{\"a\":" T("\"F32\"", "1", "[0,4]") "}", 4, "'shape'"},
        {"{\"a\":" T("\"F32\"", "[-1]", "[0,4]") "}", 4, "no size"},
        {"{\"a\":" T("\"F32\"", "[1.0]", "[0,4]") "}", 4, "no size"},
        {"{\"a\":" T("\"F32\"", "[\"1\"]", "[0,4]") "}", 4, "no size"},
        {"{\"a\":" T("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "at most 8"},
        {"{\"a\":" T("\"F32\"", "[4294967296,4294967296]", "[0,0]") "}", 0, "overflows"},
        {"{\"a\":" T("\"F32\"", "[4611686018427387904]", "[0,0]") "}", 0, "floats"},
        {"{\"a\":" T("\"F32\"", "[99999999999999999999]", "[0,4]") "}", 4, "integer"},
        {"{\"a\":" T("\"F32\"", "[2]", "[0,4]") "}", 4, "2 floats, its offsets 4 bytes"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0]") "}", 4, "two byte offsets"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4,8]") "}", 4, "two byte offsets"},
        {"{\"a\":" T("\"F32\"", "[1]", "[-4,0]") "}", 4, "two byte offsets"},
        {"{\"a\":" T("\"F32\"", "[1]", "{}") "}", 4, "two byte offsets"},
        {"{\"a\":" T("\"F32\"", "[1]", "[4,0]") "}", 4, "before it begins"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 0, "the file has 0 bytes of data"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 3,
         "the file has 3 bytes of data; the file is cut off"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") "}", 5, "there are 5 bytes"},
        {"{\"a\":" T("\"F32\"", "[1]", "[4,8]") "}", 8, "hole"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[8,12]") "}", 12,
         "'b': its data begins at 8, expected 4 (there is a hole)"},
        {"{\"a\":" T("\"F32\"", "[2]", "[0,8]") ",\"b\":" T("\"F32\"", "[1]", "[4,8]") "}", 8,
         "'b': its data begins at 4, expected 8 (tensors overlap)"},
        {"{\"a\":" T("\"F32\"", "[1]", "[0,4]") ",\"b\":" T("\"F32\"", "[1]", "[0,4]") "}", 4,
         "overlap"},
        {"{\"a\":" T("\"F32\"", "[1]", "[9223372036854775800,9223372036854775804]") "}", 4,
         "the file has"},
        {"{\"__metadata__\":[]}", 0, "'__metadata__'"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "metadata 'k'"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
        {"{\"\\u0000\":" T("\"F32\"", "[1]", "[0,4]") "}", 4, "byte"},
        {"{\"\xff\":" T("\"F32\"", "[1]", "[0,4]") "}", 4, "unable to decode byte"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(cases[i].header, 0, cases[i].n_data);
        assert_read_fails(cases[i].text, cases[i].header);
    }
}

static void header_lengths_that_lie_are_refused(void **state)
{
    static const uint64_t lengths[] = {3, 100, 16 << 20, (16 << 20) + 1, UINT32_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put("{}", lengths[i], 0);
        assert_read_fails("is it a safetensors file?", "{}");
    }
    put("{}", 1, 0);
    assert_read_fails("not a JSON object", "{");
}

static void deeply_nested_headers_are_refused(void **state)
{
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 1);

    (void)state;
    memset(header, '[', DEPTH);
    header[DEPTH] = '\0';
    put(header, 0, 0);
    assert_read_fails("depth", "[[[[");
    free(header);
}

static void a_tensor_file_cut_anywhere_is_refused(void **state)
{
    plc_tensors tensors = {0};
    char *whole = NULL;
    size_t size = 0;

    (void)state;
    fill_tensors(&tensors);
    assert_ok(plc_tensor_file_write(ctx, path, &tensors));
    assert_ok(plc_file_read(ctx, path, 100000, &whole, &size));
    for (size_t cut = 0; cut < size; cut++) {
        assert_ok(plc_file_write_all(ctx, path, whole, cut));
        assert_read_fails("", "a cut file");
    }
    assert_int_equal(unlink(path), 0);
    plc_tensors_finish(&tensors);
    assert_int_equal(plc_tensor_file_read(ctx, path, &tensors), PLEACH_EIO);
    assert_error_has(path);
    free(whole);
}

// Sums what a reader hands out, so that a sanitizer sees each byte touched.
static void touch(const plc_tensors *tensors)
{
    volatile float sum = 0.0f;

    for (size_t i = 0; i < tensors->n; i++)
        for (size_t j = 0; j < tensors->items[i].count; j++)
            sum = tensors->items[i].data[j];
    (void)sum;
}

static void tensor_files_with_flipped_bits_never_crash(void **state)
{
    enum { N_ROUNDS = 2000 };
    plc_tensors tensors = {0};
    char *whole = NULL;
    size_t size = 0;
    int n_read = 0;

    (void)state;
    fill_tensors(&tensors);
    assert_ok(plc_tensor_file_write(ctx, path, &tensors));
    plc_tensors_finish(&tensors);
    assert_ok(plc_file_read(ctx, path, 100000, &whole, &size));
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        const plc_u32x4 draw = plc_random_u32x4(2, PLC_STREAM_TEST, 0, round);
        const size_t place = plc_random_below(draw.x, (uint32_t)size);
        const char kept = whole[place];

        whole[place] = (char)(round % 2 ? '0' + draw.y % 10 : draw.y);
        // Not atomic: no flush to the disk two thousand times.
        FILE *stream = fopen(path, "wb");
        assert_int_equal(fwrite(whole, 1, size, stream), size);
        fclose(stream);
        if (plc_tensor_file_read(ctx, path, &tensors) == PLEACH_OK) {
            touch(&tensors);
            n_read++;
        }
        plc_tensors_finish(&tensors);
        whole[place] = kept;
    }
    assert_in_range(n_read, 1, N_ROUNDS - 1);
    free(whole);
}

typedef struct model {
    pleach_graph *graph;
    plc_params_layout *layout;
    float *weights;
} model;

static void create_model(const char *name, model *model)
{
    assert_ok(pleach_graph_create(ctx, name, 3, 32, 32, 10, &model->graph));
    assert_ok(plc_params_layout_create(ctx, model->graph, &model->layout));
    model->weights = malloc((size_t)model->layout->n_floats * sizeof *model->weights);
    plc_random_fill_normal(3, PLC_STREAM_TEST, 0, 0.0f, 1.0f, model->weights,
                           (size_t)model->layout->n_floats);
}

static void finish_model(model *model)
{
    pleach_graph_destroy(&model->graph);
    plc_params_layout_destroy(&model->layout);
    free(model->weights);
}

static void a_model_with_its_state_is_read_back(void **state)
{
    static const char *const names[] = {"cnn5", "resnet20"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        model model = {0};
        plc_model_file read = {0};
        plc_tensors extra = {0};
        char *before = NULL, *after = NULL;

        create_model(names[i], &model);
        assert_ok(plc_tensors_add(ctx, &extra, "momentum",
                                  (size_t[]){(size_t)model.layout->n_trainable}, 1, model.weights));
        assert_ok(plc_tensors_set_metadata(ctx, &extra, "step", "1234"));
        assert_ok(
            plc_model_file_write(ctx, path, model.graph, model.layout, model.weights, &extra));
        assert_ok(plc_model_file_read(ctx, path, &read));
        assert_int_equal(read.layout->n_floats, model.layout->n_floats);
        assert_memory_equal(read.weights, model.weights,
                            (size_t)model.layout->n_floats * sizeof(float));
        assert_int_equal(read.extra.n, 1);
        assert_string_equal(read.extra.items[0].name, "momentum");
        assert_memory_equal(read.extra.items[0].data, model.weights,
                            (size_t)model.layout->n_trainable * sizeof(float));
        assert_int_equal(read.extra.n_metadata, 1);
        assert_string_equal(plc_tensors_metadata(&read.extra, "step"), "1234");
        assert_ok(plc_graph_to_json(ctx, model.graph, &before));
        assert_ok(plc_graph_to_json(ctx, read.graph, &after));
        assert_string_equal(before, after);
        free(before);
        free(after);
        plc_tensors_finish(&extra);
        plc_model_file_finish(&read);
        finish_model(&model);
    }
}

static void assert_model_fails(pleach_status expected, const char *text)
{
    plc_model_file read = {0};
    const pleach_status status = plc_model_file_read(ctx, path, &read);

    if (status != expected)
        fail_msg("status %d (%s), expected %d with '%s'", status, pleach_error(ctx), expected,
                 text);
    assert_true(!read.graph && !read.layout && !read.weights && !read.extra.items);
    assert_error_has(path);
    assert_error_has(text);
}

// Writes a model file whose tensors `change` has tampered with.
static void put_changed(void (*change)(plc_tensors *file))
{
    model model = {0};
    plc_tensors file = {0};

    create_model("cnn5", &model);
    assert_ok(plc_model_file_write(ctx, path, model.graph, model.layout, model.weights, NULL));
    assert_ok(plc_tensor_file_read(ctx, path, &file));
    change(&file);
    assert_ok(plc_tensor_file_write(ctx, path, &file));
    plc_tensors_finish(&file);
    finish_model(&model);
}

static void drop_a_tensor(plc_tensors *file)
{
    free(file->items[--file->n].name);
}

static void add_a_tensor(plc_tensors *file)
{
    assert_ok(plc_tensors_add(ctx, file, "stranger", (size_t[]){2}, 1, floats));
}

static void flatten_a_tensor(plc_tensors *file)
{
    file->items[0].dims[0] = file->items[0].count;
    file->items[0].n_dims = 1;
}

static void swap_dims(plc_tensors *file)
{
    const size_t dim = file->items[0].dims[0];

    assert_int_equal(file->items[0].n_dims, 4);
    file->items[0].dims[0] = file->items[0].dims[1];
    file->items[0].dims[1] = dim;
}

static void drop_metadata(plc_tensors *file)
{
    for (size_t i = 0; i < file->n_metadata; i++) {
        free(file->metadata[i].key);
        free(file->metadata[i].value);
    }
    file->n_metadata = 0;
}

static void break_graph(plc_tensors *file)
{
    assert_ok(plc_tensors_set_metadata(ctx, file, "pleach.graph", "{"));
}

static void age_format(plc_tensors *file)
{
    assert_ok(plc_tensors_set_metadata(ctx, file, "pleach.format", "2"));
}

static void models_whose_tensors_do_not_fit_their_graph_are_refused(void **state)
{
    plc_model_file read = {0};

    (void)state;
    put_changed(drop_a_tensor);
    assert_model_fails(PLEACH_EINPUT, "is missing");
    put_changed(add_a_tensor);
    assert_model_fails(PLEACH_EINPUT, "tensor 'stranger' is no parameter");
    put_changed(flatten_a_tensor);
    assert_model_fails(PLEACH_EINPUT, "its graph expects [");
    put_changed(swap_dims);
    assert_model_fails(PLEACH_EINPUT, "has shape [3, ");
    put_changed(drop_metadata);
    assert_model_fails(PLEACH_EINPUT, "'pleach.graph'");
    put_changed(age_format);
    assert_model_fails(PLEACH_EINPUT, "'pleach.format' '2', this version reads '1'");
    put_changed(break_graph);
    assert_int_not_equal(plc_model_file_read(ctx, path, &read), PLEACH_OK);
    assert_error_has(path);
    assert_null(read.extra.items);
}

static void model_files_with_flipped_bits_never_crash(void **state)
{
    enum { N_ROUNDS = 1000 };
    model model = {0};
    char *whole = NULL;
    size_t size = 0;
    uint64_t header = 0;

    (void)state;
    create_model("cnn5", &model);
    assert_ok(plc_model_file_write(ctx, path, model.graph, model.layout, model.weights, NULL));
    finish_model(&model);
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 30, &whole, &size));
    memcpy(&header, whole, 8);
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        const plc_u32x4 draw = plc_random_u32x4(4, PLC_STREAM_TEST, 0, round);
        const size_t place = 8 + plc_random_below(draw.x, (uint32_t)header);
        const char kept = whole[place];
        plc_model_file read = {0};
        FILE *stream = fopen(path, "wb");

        whole[place] = (char)(round % 2 ? '0' + draw.y % 10 : draw.y);
        assert_int_equal(fwrite(whole, 1, size, stream), size);
        fclose(stream);
        if (plc_model_file_read(ctx, path, &read) == PLEACH_OK)
            touch(&read.extra);
        plc_model_file_finish(&read);
        whole[place] = kept;
    }
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_tensors_are_read_back_bit_by_bit),
        cmocka_unit_test(no_tensors_at_all_make_a_file),
        cmocka_unit_test(tensors_that_make_no_file_are_refused),
        cmocka_unit_test(dims_are_printed_and_cut_off),
        cmocka_unit_test(broken_headers_are_refused_with_a_reason),
        cmocka_unit_test(header_lengths_that_lie_are_refused),
        cmocka_unit_test(deeply_nested_headers_are_refused),
        cmocka_unit_test(a_tensor_file_cut_anywhere_is_refused),
        cmocka_unit_test(tensor_files_with_flipped_bits_never_crash),
        cmocka_unit_test(a_model_with_its_state_is_read_back),
        cmocka_unit_test(models_whose_tensors_do_not_fit_their_graph_are_refused),
        cmocka_unit_test(model_files_with_flipped_bits_never_crash),
    };

    return cmocka_run_group_tests_name("io", tests, make_fixture, drop_fixture);
}
