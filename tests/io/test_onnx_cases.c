// The ONNX project's own cases (Debian: libonnx-testdata): models of single operators with inputs and outputs.
//
// Every case whose operators are all read, and whose file is accepted, must give the expected output; what is refused
// must be refused with a reason. Inputs but the first become parameters. With PLEACH_ONNX_TABLE set every case is listed.
#include <context.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <onnx.pb-c.h>

#include <base/file.h>
#include <io/onnx.h>
#include <io/onnx_file.h>

#include "evaluate.h"

#define CASES "/usr/share/libonnx-testdata/data/node"
// Results are floats of other libraries, ours in double precision.
#define TOLERANCE 1e-4
enum { MAX_PATH = 600, MAX_FILE = 1 << 26, LEAST_PASSED = 30 };

static char path[] = "/tmp/pleach-test-onnx-case-XXXXXX.onnx";

static Onnx__TensorProto *read_tensor(const char *name, const char *kind, int i)
{
    char file[MAX_PATH];
    char *bytes = NULL;
    size_t size = 0;
    Onnx__TensorProto *tensor = NULL;

    snprintf(file, sizeof file, CASES "/%s/test_data_set_0/%s_%d.pb", name, kind, i);
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

static const char *unread_operator(const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->graph->n_node; i++) {
        bool read = false;

        for (int j = 0; plc_onnx_operator_at(j); j++)
            read |= strcmp(plc_onnx_operator_at(j)->onnx, model->graph->node[i]->op_type) == 0;
        if (!read)
            return model->graph->node[i]->op_type;
    }
    return NULL;
}

// Moves inputs from 1 on among the parameters.
static bool fix_inputs(const char *name, Onnx__GraphProto *graph)
{
    graph->initializer =
        realloc(graph->initializer, (graph->n_initializer + graph->n_input) * sizeof(void *));
    for (size_t i = 1; i < graph->n_input; i++) {
        Onnx__TensorProto *tensor = read_tensor(name, "input", (int)i);

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

// The largest difference from the expected output over all images; NAN where sizes differ.
static double difference(const char *name, const plc_model_file *read)
{
    const plc_shape *in = &read->graph->nodes[0].shape,
                    *out = &read->graph->nodes[read->graph->n_nodes - 1].shape;
    const size_t n_in = (size_t)(in->c * in->h * in->w), n_out = (size_t)(out->c * out->h * out->w);
    Onnx__TensorProto *input = read_tensor(name, "input", 0),
                      *output = read_tensor(name, "output", 0);
    size_t count = 0, n_expected = 0;
    float *x = floats_of(input, &count), *expected = floats_of(output, &n_expected);
    double most = x && expected && count / n_in * n_out == n_expected ? 0 : NAN;

    for (size_t i = 0; !isnan(most) && i < count / n_in; i++) {
        double *y = NULL;

        assert_ok(
            plc_evaluate(ctx, read->graph, read->weights, x + i * n_in, NULL, NULL, NULL, &y));
        for (size_t j = 0; j < n_out; j++) {
            const double wanted = (double)expected[i * n_out + j];

            most = fmax(most, fabs(y[j] - wanted) / (1 + fabs(wanted)));
        }
        free(y);
    }
    free(x);
    free(expected);
    if (input)
        onnx__tensor_proto__free_unpacked(input, NULL);
    if (output)
        onnx__tensor_proto__free_unpacked(output, NULL);
    return most;
}

// What came of a case: 1 passed, 0 refused, -1 wrong. Says why into `why`.
static int run_case(const char *name, char *why, size_t size)
{
    char file[MAX_PATH];
    Onnx__ModelProto *model = NULL;
    plc_model_file read = {0};
    int result = 0;

    snprintf(file, sizeof file, CASES "/%s/model.onnx", name);
    if (plc_onnx_file_read(ctx, file, &model) != PLEACH_OK) {
        snprintf(why, size, "%s", pleach_error(ctx));
        return 0;
    }
    const char *unread = unread_operator(model);
    if (unread) {
        snprintf(why, size, "operator %s", unread);
    } else if (!fix_inputs(name, model->graph)) {
        snprintf(why, size, "an input that is no tensor");
    } else {
        write_model(model);
        if (plc_model_file_read(ctx, path, &read) != PLEACH_OK) {
            snprintf(why, size, "%s", pleach_error(ctx) + strlen(path) + 2);
            assert_true(strlen(pleach_error(ctx)) > strlen(path) + 10);
        } else {
            const double most = difference(name, &read);

            snprintf(why, size, "difference %.1e", most);
            result = most < TOLERANCE ? 1 : -1;
        }
    }
    plc_model_file_finish(&read);
    onnx__model_proto__free_unpacked(model, NULL);
    return result;
}

static void cases_that_are_read_give_the_expected_output(void **state)
{
    static const char *const results[] = {"WRONG", "refused", "passed"};
    const bool lists = getenv("PLEACH_ONNX_TABLE") != NULL;
    DIR *dir = opendir(CASES);
    int n_cases = 0, n_passed = 0, n_wrong = 0;

    (void)state;
    if (!dir)
        skip();
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char why[400] = "";

        if (strncmp(entry->d_name, "test_", 5) != 0)
            continue;
        const int result = run_case(entry->d_name, why, sizeof why);
        n_cases++;
        n_passed += result > 0;
        n_wrong += result < 0;
        if (lists || result < 0)
            printf("%-8s %-50s %s\n", results[result + 1], entry->d_name, why);
    }
    closedir(dir);
    printf("%d cases, %d passed, %d wrong\n", n_cases, n_passed, n_wrong);
    assert_int_equal(n_wrong, 0);
    assert_true(n_passed >= LEAST_PASSED);
}

static int make_path(void **state)
{
    const int file = mkstemps(path, 5);

    if (file >= 0)
        close(file);
    return file < 0 || make_fixture(state) ? -1 : 0;
}

static int drop_path(void **state)
{
    unlink(path);
    return drop_fixture(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_that_are_read_give_the_expected_output),
    };

    return cmocka_run_group_tests_name("onnx_cases", tests, make_path, drop_path);
}
