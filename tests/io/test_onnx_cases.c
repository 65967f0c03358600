// The ONNX project's own cases (Debian: libonnx-testdata): models of single operators with inputs and outputs.
//
// Every case whose file is accepted must give the expected outputs, in double precision on the host and on the device;
// what is refused must be refused with a reason. The first input is the images (the whole tensor, where these cannot be
// kept apart), other inputs become parameters; of several outputs each is asked for in turn.
// What was read is then written and read again, and must give the same.
// With PLEACH_ONNX_TABLE set every case is listed.
#include <context.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <onnx.pb-c.h>

#include <base/file.h>
#include <device/device.h>
#include <exec/session.h>
#include <io/onnx.h>
#include <io/onnx_file.h>

#include "evaluate.h"
#include "platform.h"

#define CASES "/usr/share/libonnx-testdata/data"
static const char *const folders[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
// Results are floats of other libraries.
#define TOLERANCE 1e-4
enum { MAX_PATH = 1000, MAX_FILE = 1 << 26, LEAST_PASSED = 250, WHY_MAX = 400 };

static char path[] = "/tmp/pleach-test-onnx-case-XXXXXX.onnx";
static pleach_device *device;

static Onnx__TensorProto *read_tensor(const char *name, const char *kind, int i)
{
    char file[MAX_PATH];
    char *bytes = NULL;
    size_t size = 0;
    Onnx__TensorProto *tensor = NULL;

    snprintf(file, sizeof file, CASES "/%.500s/test_data_set_0/%s_%d.pb", name, kind, i);
    if (plc_file_read(ctx, file, MAX_FILE, &bytes, &size) == PLEACH_OK)
        tensor = onnx__tensor_proto__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    return tensor;
}

// Floats of a tensor, which the caller frees; NULL unless it is of floats in raw_data, as these files have them.
static float *floats_of(const Onnx__TensorProto *tensor, size_t *count)
{
    float *floats = NULL;

    if (!tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
        !tensor->has_raw_data)
        return NULL;
    *count = tensor->raw_data.len / sizeof *floats;
    floats = malloc(tensor->raw_data.len + 1);
    assert_non_null(floats);
    memcpy(floats, tensor->raw_data.data, tensor->raw_data.len);
    return floats;
}

static bool is_parameter(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return true;
    return false;
}

// Moves inputs but the first that is no parameter among the parameters. Files of inputs have the numbers of all that
// are no parameters.
static bool fix_inputs(const char *name, Onnx__GraphProto *graph)
{
    int number = 0;

    graph->initializer =
        realloc(graph->initializer, (graph->n_initializer + graph->n_input) * sizeof(void *));
    assert_true(graph->initializer || !graph->n_input);
    for (size_t i = 0; i < graph->n_input; i++) {
        if (is_parameter(graph, graph->input[i]->name) || number++ == 0)
            continue;
        Onnx__TensorProto *tensor = read_tensor(name, "input", number - 1);

        if (!tensor)
            return false;
        free(tensor->name);
        tensor->name = strdup(graph->input[i]->name);
        graph->initializer[graph->n_initializer++] = tensor;
    }
    return true;
}

static void write_model(const Onnx__ModelProto *model)
{
    const size_t size = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = malloc(size);
    FILE *stream = fopen(path, "wb");

    assert_true(bytes && stream);
    onnx__model_proto__pack(model, bytes);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
    free(bytes);
}

static double largest_difference(const float *found, const float *expected, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        const double wanted = (double)expected[i];
        const double off = fabs((double)found[i] - wanted) / (1 + fabs(wanted));

        most = off <= most ? most : off; // a NaN counts
    }
    return most;
}

static void evaluate_on_host(const plc_model_file *read, const float *x, size_t n_images,
                             size_t n_in, size_t n_out, float *found)
{
    for (size_t i = 0; i < n_images; i++) {
        double *y = NULL;

        assert_ok(
            plc_evaluate(ctx, read->graph, read->weights, x + i * n_in, NULL, NULL, NULL, &y));
        for (size_t j = 0; j < n_out; j++)
            found[i * n_out + j] = (float)y[j];
        free(y);
    }
}

// Values go into the input's place as they are, where images would come normalised from bytes.
static void evaluate_on_device(const plc_model_file *read, const float *x, size_t n_images,
                               size_t n_in, float *found)
{
    const pleach_session_opts opts = {.inference_only = true, .batch_lanes = true};
    const size_t lanes = (size_t)device->lanes, n_blocks = (n_images + lanes - 1) / lanes;
    pleach_session *session = NULL;
    float *laid = calloc(n_blocks * n_in * lanes, sizeof *laid);

    assert_non_null(laid);
    for (size_t i = 0; i < n_images; i++)
        for (size_t j = 0; j < n_in; j++)
            laid[(i / lanes * n_in + j) * lanes + i % lanes] = x[i * n_in + j];
    assert_ok(
        plc_session_create_untested(ctx, read->graph, device, (int)n_images, &opts, &session));
    assert_ok(plc_session_write_weights(session, read->weights));
    assert_ok(plc_buffer_write(device, session->infer_values.items[0].buffer, 0,
                               n_blocks * n_in * lanes * sizeof *laid, laid));
    assert_ok(plc_session_infer_only(session));
    assert_ok(plc_session_read_logits(session, false, (int)n_images, found));
    pleach_session_destroy(&session);
    free(laid);
}

// Writes what was read and reads it again, into `again`. What has no ONNX form is left out: false.
static bool read_again(const plc_model_file *read, plc_model_file *again)
{
    const plc_onnx_write_opts opts = {0};
    const pleach_status status =
        plc_onnx_write(ctx, path, read->graph, read->layout, read->weights, &opts);

    if (status == PLEACH_EGRAPH)
        return false;
    assert_int_equal(status, PLEACH_OK);
    assert_ok(plc_onnx_read_as(ctx, path, false, again));
    return true;
}

// The largest difference from output number `output`, on the host and on the device; NAN where sizes differ.
static double difference(const char *name, const plc_model_file *read, int output)
{
    const plc_shape *in = &read->graph->nodes[0].shape,
                    *out = &read->graph->nodes[read->graph->n_nodes - 1].shape;
    const size_t n_in = (size_t)(in->c * in->h * in->w), n_out = (size_t)(out->c * out->h * out->w);
    Onnx__TensorProto *of_input = read_tensor(name, "input", 0),
                      *of_output = read_tensor(name, "output", output);
    size_t count = 0, n_expected = 0;
    float *x = floats_of(of_input, &count), *expected = floats_of(of_output, &n_expected);
    double most = NAN;
    plc_model_file again = {0};

    if (x && expected && count % n_in == 0 && count / n_in * n_out == n_expected) {
        float *found = calloc(n_expected + 1, sizeof *found);

        assert_non_null(found);
        evaluate_on_host(read, x, count / n_in, n_in, n_out, found);
        most = largest_difference(found, expected, n_expected);
        evaluate_on_device(read, x, count / n_in, n_in, found);
        most = fmax(most, largest_difference(found, expected, n_expected));
        if (read_again(read, &again)) {
            evaluate_on_host(&again, x, count / n_in, n_in, n_out, found);
            most = fmax(most, largest_difference(found, expected, n_expected));
        }
        plc_model_file_finish(&again);
        free(found);
    }
    free(x);
    free(expected);
    if (of_input)
        onnx__tensor_proto__free_unpacked(of_input, NULL);
    if (of_output)
        onnx__tensor_proto__free_unpacked(of_output, NULL);
    return most;
}

// What came of one output of a model: 1 right, 0 refused, -1 wrong. First with images kept apart, then as a whole: a
// softmax at the end is left out where they are apart, and stays as a part of a whole.
static int run_output(const char *name, const Onnx__ModelProto *model, int output, char *why)
{
    const bool ends_with_softmax =
        model->graph->n_node &&
        strstr(model->graph->node[model->graph->n_node - 1]->op_type, "Softmax") != NULL;
    int result = 0;

    write_model(model);
    for (int whole = ends_with_softmax; whole < 2 && result == 0; whole++) {
        plc_model_file read = {0};

        if (plc_onnx_read_as(ctx, path, whole, &read) == PLEACH_OK) {
            const double most = difference(name, &read, output);

            snprintf(why, WHY_MAX, "difference %.1e", most);
            result = most < TOLERANCE ? 1 : -1;
        } else if (whole == ends_with_softmax) {
            const char *error = pleach_error(ctx);

            assert_true(strlen(error) > strlen(path) + 10);
            snprintf(why, WHY_MAX, "%s", error + strlen(path) + 2);
        }
        plc_model_file_finish(&read);
    }
    return result;
}

// What came of a case: 1 passed, 0 refused, -1 wrong. Says why into `why`.
static int run_case(const char *name, char *why)
{
    char file[MAX_PATH];
    Onnx__ModelProto *model = NULL;
    int result = 1;

    snprintf(file, sizeof file, CASES "/%.500s/model.onnx", name);
    if (plc_onnx_file_read(ctx, file, &model) != PLEACH_OK) {
        snprintf(why, WHY_MAX, "%s", pleach_error(ctx));
        return 0;
    }
    const size_t n_outputs = model->graph->n_output;
    if (!fix_inputs(name, model->graph)) {
        snprintf(why, WHY_MAX, "an input that is no tensor");
        result = 0;
    }
    for (size_t i = 0; i < n_outputs && result > 0; i++) {
        Onnx__ValueInfoProto *first = model->graph->output[0];

        model->graph->output[0] = model->graph->output[i];
        model->graph->output[i] = first;
        model->graph->n_output = 1;
        result = run_output(name, model, (int)i, why);
        model->graph->n_output = n_outputs;
        model->graph->output[i] = model->graph->output[0];
        model->graph->output[0] = first;
    }
    onnx__model_proto__free_unpacked(model, NULL);
    return result;
}

static void run_folder(const char *folder, int counts[3])
{
    static const char *const results[] = {"WRONG", "refused", "passed"};
    const bool lists = getenv("PLEACH_ONNX_TABLE") != NULL;
    char name[MAX_PATH];

    snprintf(name, sizeof name, "%s/%s", CASES, folder);
    DIR *dir = opendir(name);
    if (!dir)
        skip();
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char why[WHY_MAX] = "";

        if (strncmp(entry->d_name, "test_", 5) != 0)
            continue;
        snprintf(name, sizeof name, "%s/%.400s", folder, entry->d_name);
        const int result = run_case(name, why);
        counts[result + 1]++;
        if (lists || result < 0)
            printf("%-8s %-70s %s\n", results[result + 1], name, why);
    }
    closedir(dir);
}

static void cases_that_are_read_give_the_expected_output(void **state)
{
    int counts[3] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        run_folder(folders[i], counts);
    printf("%d cases passed, %d refused, %d wrong\n", counts[2], counts[1], counts[0]);
    assert_int_equal(counts[0], 0);
    assert_true(counts[2] >= LEAST_PASSED);
}

static int make_path(void **state)
{
    const int file = mkstemps(path, 5);

    if (file >= 0)
        close(file);
    if (file < 0 || make_fixture(state))
        return -1;
    const pleach_device_opts opts = {.cache_dir = plc_test_cache()};

    return pleach_device_open(ctx, plc_test_device(), &opts, &device) != PLEACH_OK;
}

static int drop_path(void **state)
{
    unlink(path);
    pleach_device_close(&device);
    return drop_fixture(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_that_are_read_give_the_expected_output),
    };

    return cmocka_run_group_tests_name("onnx_cases", tests, make_path, drop_path);
}
