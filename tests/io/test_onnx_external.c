// Tests of src/io/onnx_external.c: parameters in another file are read as if they stood in the model's own.
#include <context.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <io/onnx.h>
#include <io/onnx_file.h>
#include <onnx_path.h>
#include <random_graph.h>

enum { MAX_PATH = 128, GAP = 64 };

static char folder[] = "/tmp/pleach-test-external-XXXXXX";
static char onnx[MAX_PATH], data[MAX_PATH];

static int set_up(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(onnx, sizeof onnx, "%s/model.onnx", folder);
    snprintf(data, sizeof data, "%s/model.onnx.data", folder);
    if (make_fixture(state))
        return -1;
    pleach_ctx_allow_external_data(ctx, 1);
    return 0;
}

static int tear_down(void **state)
{
    char command[MAX_PATH];

    snprintf(command, sizeof command, "rm -r %s", folder);
    return drop_fixture(state) | system(command);
}

static void say(Onnx__TensorProto *tensor, const char *key, const char *value)
{
    const size_t n = ++tensor->n_external_data;
    Onnx__StringStringEntryProto *entry = malloc(sizeof *entry);

    onnx__string_string_entry_proto__init(entry);
    entry->key = strdup(key);
    entry->value = strdup(value);
    tensor->external_data = realloc(tensor->external_data, n * sizeof *tensor->external_data);
    assert_non_null(tensor->external_data);
    tensor->external_data[n - 1] = entry;
}

static void say_number(Onnx__TensorProto *tensor, const char *key, long long number)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", number);
    say(tensor, key, text);
}

// Moves the floats of all parameters but one to the data file; the last says no length.
static void move_out(Onnx__ModelProto *model)
{
    FILE *file = fopen(data, "wb");
    const size_t n = model->graph->n_initializer;

    assert_non_null(file);
    for (size_t i = 1; i < n; i++) {
        Onnx__TensorProto *tensor = model->graph->initializer[i];

        assert_true(tensor->has_raw_data && tensor->raw_data.len > 0);
        for (int j = 0; j < GAP; j++) // other programs align them
            fputc('x', file);
        say(tensor, "location", "model.onnx.data");
        say_number(tensor, "offset", ftell(file));
        if (i + 1 < n)
            say_number(tensor, "length", (long long)tensor->raw_data.len);
        assert_int_equal(fwrite(tensor->raw_data.data, 1, tensor->raw_data.len, file),
                         tensor->raw_data.len);
        free(tensor->raw_data.data);
        tensor->raw_data = (ProtobufCBinaryData){0};
        tensor->has_raw_data = 0;
        tensor->has_data_location = 1;
        tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    }
    fclose(file);
}

// A network written as two files. *whole (the caller's) is what one file gives.
static Onnx__ModelProto *make_files(plc_model_file *whole)
{
    pleach_graph *graph = NULL;
    plc_params_layout *layout = NULL;
    float *weights = NULL;
    Onnx__ModelProto *model = NULL;

    assert_ok(plc_random_graph(ctx, 3, &graph));
    assert_ok(plc_params_layout_create(ctx, graph, &layout));
    assert_ok(plc_random_params(ctx, graph, 3, &weights));
    assert_ok(plc_onnx_write(ctx, onnx, graph, layout, weights, &(plc_onnx_write_opts){0}));
    assert_ok(plc_model_file_read(ctx, onnx, whole));
    assert_ok(plc_onnx_file_read(ctx, onnx, &model));
    move_out(model);
    write_model(onnx, model);
    free(weights);
    plc_params_layout_destroy(&layout);
    pleach_graph_destroy(&graph);
    return model;
}

static void they_are_read_as_if_they_stood_in_the_file(void **state)
{
    plc_model_file whole = {0}, split = {0};
    Onnx__ModelProto *model = make_files(&whole);

    (void)state;
    assert_ok(plc_model_file_read(ctx, onnx, &split));
    assert_int_equal(split.layout->n_floats, whole.layout->n_floats);
    assert_memory_equal(split.weights, whole.weights,
                        (size_t)whole.layout->n_floats * sizeof(float));
    plc_model_file_finish(&split);
    plc_model_file_finish(&whole);
    onnx__model_proto__free_unpacked(model, NULL);
}

static void set_of(Onnx__TensorProto *tensor, const char *key, const char *value)
{
    for (size_t i = 0; i < tensor->n_external_data; i++)
        if (strcmp(tensor->external_data[i]->key, key) == 0) {
            free(tensor->external_data[i]->value);
            tensor->external_data[i]->value = strdup(value);
        }
}

static void set(Onnx__ModelProto *model, const char *key, const char *value)
{
    set_of(model->graph->initializer[1], key, value);
}

static void what_cannot_be_trusted_is_refused(void **state)
{
    static const struct {
        const char *key, *value, *said;
        pleach_status status;
    } cases[] = {
        {"location", "../model.onnx.data", "only one in the same folder is read", PLEACH_EINPUT},
        {"location", "/etc/hostname", "only one in the same folder", PLEACH_EINPUT},
        {"location", "..", "only one in the same folder", PLEACH_EINPUT},
        {"location", "", "only one in the same folder", PLEACH_EINPUT},
        {"location", "nowhere", "nowhere, where its parameters lie: cannot open", PLEACH_EIO},
        {"location", "link", "link, where its parameters lie: cannot open", PLEACH_EIO},
        {"location", "sub", "sub, where its parameters lie, is no file", PLEACH_EIO},
        {"offset", "1000000000", "is it whole?", PLEACH_EINPUT},
        {"offset", "18446744073709551615", "is it whole?", PLEACH_EINPUT},
        {"offset", "99999999999999999999", "at offset '99999999999999999999'", PLEACH_EINPUT},
        {"offset", "-4", "at offset '-4'", PLEACH_EINPUT},
        {"length", "18446744073709551615", "is it whole?", PLEACH_EINPUT},
        {"length", "many", "at length 'many'", PLEACH_EINPUT},
        {"length", "4", "bytes of data", PLEACH_EINPUT},
    };
    char path[MAX_PATH + 8];

    (void)state;
    snprintf(path, sizeof path, "%s/link", folder);
    assert_int_equal(symlink("model.onnx.data", path), 0);
    snprintf(path, sizeof path, "mkdir %s/sub", folder);
    assert_int_equal(system(path), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_model_file whole = {0}, read = {0};
        Onnx__ModelProto *model = make_files(&whole);

        set(model, cases[i].key, cases[i].value);
        write_model(onnx, model);
        const pleach_status status = plc_model_file_read(ctx, onnx, &read);
        if (status != cases[i].status || !strstr(pleach_error(ctx), cases[i].said))
            fail_msg("%s '%s': status %d, '%s', expected '%s'", cases[i].key, cases[i].value,
                     status, pleach_error(ctx), cases[i].said);
        assert_true(!read.graph && !read.weights);
        onnx__model_proto__free_unpacked(model, NULL);
        plc_model_file_finish(&whole);
    }
}

// All parameters at the same bytes, the last one over the whole file: a small file must not become a large one in
// memory.
static void bytes_are_given_once(void **state)
{
    plc_model_file whole = {0}, read = {0};
    Onnx__ModelProto *model = make_files(&whole);

    (void)state;
    assert_true(model->graph->n_initializer > 3);
    for (size_t i = 1; i < model->graph->n_initializer; i++) {
        Onnx__TensorProto *tensor = model->graph->initializer[i];
        for (size_t j = 0; j < tensor->n_external_data; j++)
            if (strcmp(tensor->external_data[j]->key, "offset") == 0)
                strcpy(tensor->external_data[j]->value, "0");
    }
    write_model(onnx, model);
    assert_int_equal(plc_model_file_read(ctx, onnx, &read), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "of which others have"));
    onnx__model_proto__free_unpacked(model, NULL);
    plc_model_file_finish(&whole);
}

// A file for each parameter is as good as one for all, and bytes of one file give none to another.
static void each_file_has_bytes_of_its_own(void **state)
{
    plc_model_file whole = {0}, read = {0};
    Onnx__ModelProto *model = make_files(&whole);
    char command[4 * MAX_PATH], name[32];

    (void)state;
    for (size_t i = 1; i < model->graph->n_initializer; i++) {
        Onnx__TensorProto *tensor = model->graph->initializer[i];

        snprintf(name, sizeof name, "part%zu.data", i);
        snprintf(command, sizeof command, "cp %s %s/%s", data, folder, name);
        assert_int_equal(system(command), 0);
        set_of(tensor, "location", name);
    }
    write_model(onnx, model);
    assert_ok(plc_model_file_read(ctx, onnx, &read));
    assert_memory_equal(read.weights, whole.weights,
                        (size_t)whole.layout->n_floats * sizeof(float));
    plc_model_file_finish(&read);
    // The second parameter of a file that the first has claimed as a whole.
    const size_t last = model->graph->n_initializer - 1;
    set_of(model->graph->initializer[last], "location", "part1.data");
    set_of(model->graph->initializer[last], "offset", "0");
    write_model(onnx, model);
    assert_int_equal(plc_model_file_read(ctx, onnx, &read), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "of which others have"));
    onnx__model_proto__free_unpacked(model, NULL);
    plc_model_file_finish(&whole);
}

static void they_are_refused_unless_they_are_allowed(void **state)
{
    plc_model_file whole = {0}, read = {0};
    Onnx__ModelProto *model = make_files(&whole);

    (void)state;
    pleach_ctx_allow_external_data(ctx, 0);
    assert_int_equal(plc_model_file_read(ctx, onnx, &read), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "--external-data"));
    pleach_ctx_allow_external_data(ctx, 1);
    onnx__model_proto__free_unpacked(model, NULL);
    plc_model_file_finish(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_read_as_if_they_stood_in_the_file),
        cmocka_unit_test(what_cannot_be_trusted_is_refused),
        cmocka_unit_test(bytes_are_given_once),
        cmocka_unit_test(each_file_has_bytes_of_its_own),
        cmocka_unit_test(they_are_refused_unless_they_are_allowed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
