// The ONNX project's cases: a model of a few operators, its inputs and what it must give.
#include <run/onnx_cases.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <onnx.pb-c.h>
#include <base/file.h>
#include <base/memory.h>
#include <device/device.h>
#include <exec/session.h>
#include <io/onnx_file.h>

// Outputs are floats of other libraries.
static const double TOLERANCE = 1e-4;
enum { MAX_PATH = 1200, MAX_NAME = 300, MAX_FILE = 1 << 26 };

typedef struct runner {
    pleach_ctx *ctx;
    pleach_device *device;
    const plc_onnx_cases_opts *opts;
    const char *folder, *name;
} runner;

// Tensor number i of a kind ("input", "output") into *tensor, which the caller frees; NULL where it is none.
static Onnx__TensorProto *read_tensor(const runner *r, const char *kind, int i)
{
    char file[MAX_PATH], *bytes = NULL;
    size_t size = 0;
    Onnx__TensorProto *tensor = NULL;

    snprintf(file, sizeof file, "%s/%s/test_data_set_0/%s_%d.pb", r->folder, r->name, kind, i);
    if (plc_file_read(r->ctx, file, MAX_FILE, &bytes, &size) == PLEACH_OK)
        tensor = onnx__tensor_proto__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    return tensor;
}

static void free_tensor(Onnx__TensorProto *tensor)
{
    if (tensor)
        onnx__tensor_proto__free_unpacked(tensor, NULL);
}

// *floats is NULL unless the tensor is of floats in raw_data, as these files have them. The caller frees them.
static pleach_status copy_floats(const runner *r, const Onnx__TensorProto *tensor, float **floats,
                                 size_t *count)
{
    pleach_status status = PLEACH_OK;

    *floats = NULL;
    if (!tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
        !tensor->has_raw_data)
        return status;
    *count = tensor->raw_data.len / sizeof **floats;
    TRY(plc_alloc(r->ctx, *count + 1, sizeof **floats, floats));
    memcpy(*floats, tensor->raw_data.data, *count * sizeof **floats);
done:
    return status;
}

static bool is_parameter(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return true;
    return false;
}

// Moves inputs but the first among the parameters. Files of inputs have the numbers of all that are no parameters.
static pleach_status fix_inputs(const runner *r, Onnx__GraphProto *graph, bool *fixed)
{
    pleach_status status = PLEACH_OK;
    size_t capacity = graph->n_initializer;
    int number = 0;

    *fixed = true;
    TRY(plc_grow(r->ctx, &graph->initializer, &capacity,
                 graph->n_initializer + graph->n_input + 1));
    for (size_t i = 0; i < graph->n_input && *fixed; i++) {
        if (is_parameter(graph, graph->input[i]->name) || number++ == 0)
            continue;
        Onnx__TensorProto *tensor = read_tensor(r, "input", number - 1);

        *fixed = tensor != NULL;
        if (!tensor)
            continue;
        free(tensor->name);
        tensor->name = strdup(graph->input[i]->name);
        graph->initializer[graph->n_initializer++] = tensor;
    }
done:
    return status;
}

double plc_onnx_case_difference(const float *found, const float *expected, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        const double wanted = (double)expected[i];
        const double off = fabs((double)found[i] - wanted) / (1 + fabs(wanted));

        most = off <= most ? most : off; // a NaN counts
    }
    return most;
}

// Values go into the input's place as they are, where images would come normalised from bytes.
static pleach_status evaluate(const runner *r, const plc_onnx_case_run *run, float *found)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts opts = {.inference_only = true, .batch_lanes = true};
    const size_t lanes = (size_t)r->device->lanes, n_blocks = (run->n_images + lanes - 1) / lanes;
    const size_t n_laid = n_blocks * run->n_in * lanes;
    pleach_session *session = NULL;
    float *laid = NULL;

    TRY(plc_alloc(r->ctx, n_laid, sizeof *laid, &laid));
    for (size_t i = 0; i < run->n_images; i++)
        for (size_t j = 0; j < run->n_in; j++)
            laid[(i / lanes * run->n_in + j) * lanes + i % lanes] = run->x[i * run->n_in + j];
    TRY(plc_session_create_unset(r->ctx, run->read->graph, r->device, (int)run->n_images, &opts,
                                 &session));
    TRY(plc_session_write_weights(session, run->read->weights));
    TRY(plc_buffer_write(r->device, session->infer_values.items[0].buffer, 0, n_laid * sizeof *laid,
                         laid));
    TRY(plc_session_infer_only(session));
    TRY(plc_session_read_logits(session, false, (int)run->n_images, found));
done:
    pleach_session_destroy(&session);
    free(laid);
    return status;
}

static size_t size_of(const plc_model_file *read, int node)
{
    const plc_shape *s = &read->graph->nodes[node].shape;

    return (size_t)s->c * (size_t)s->h * (size_t)s->w;
}

// *difference is NAN where sizes differ.
static pleach_status compare(const runner *r, const plc_model_file *read, int output,
                             double *difference)
{
    pleach_status status = PLEACH_OK;
    Onnx__TensorProto *of_input = read_tensor(r, "input", 0),
                      *of_output = read_tensor(r, "output", output);
    plc_onnx_case_run run = {.name = r->name,
                             .output = output,
                             .read = read,
                             .n_in = size_of(read, 0),
                             .n_out = size_of(read, read->graph->n_nodes - 1)};
    float *x = NULL, *expected = NULL, *found = NULL;
    size_t count = 0, n_expected = 0;

    *difference = NAN;
    TRY(copy_floats(r, of_input, &x, &count));
    TRY(copy_floats(r, of_output, &expected, &n_expected));
    run.n_images = count / run.n_in;
    if (!x || !expected || count % run.n_in || run.n_images * run.n_out != n_expected)
        goto done;
    run.x = x;
    run.expected = expected;
    TRY(plc_alloc(r->ctx, n_expected + 1, sizeof *found, &found));
    TRY(evaluate(r, &run, found));
    *difference = plc_onnx_case_difference(found, expected, n_expected);
    if (r->opts->check && *difference < TOLERANCE)
        TRY(r->opts->check(r->opts->user, &run));
done:
    free(x);
    free(expected);
    free(found);
    free_tensor(of_input);
    free_tensor(of_output);
    return status;
}

// First with images kept apart, then as a whole. A softmax at the end is left out where they are apart, and stays as a
// part of a whole.
static pleach_status run_output(const runner *r, const Onnx__ModelProto *model, int output,
                                plc_onnx_case *found)
{
    pleach_status status = PLEACH_OK;
    const Onnx__GraphProto *graph = model->graph;
    const bool ends_with_softmax =
        graph->n_node && strstr(graph->node[graph->n_node - 1]->op_type, "Softmax") != NULL;
    double difference = 0;

    found->verdict = PLC_ONNX_CASE_REFUSED;
    for (int whole = ends_with_softmax; whole < 2; whole++) {
        plc_model_file read = {0};

        if (plc_onnx_read_proto(r->ctx, model, whole, &read) != PLEACH_OK) {
            if (whole == ends_with_softmax)
                snprintf(found->why, sizeof found->why, "%.*s", PLC_ONNX_CASE_TEXT - 1,
                         pleach_error(r->ctx));
            continue;
        }
        status = compare(r, &read, output, &difference);
        plc_model_file_finish(&read);
        if (!(difference <= found->difference))
            found->difference = difference;
        found->verdict = difference < TOLERANCE ? PLC_ONNX_CASE_PASSED : PLC_ONNX_CASE_WRONG;
        break;
    }
    return status;
}

// Each output alone, as networks have one.
static pleach_status run_outputs(const runner *r, Onnx__ModelProto *model, plc_onnx_case *found)
{
    pleach_status status = PLEACH_OK;
    Onnx__ValueInfoProto **outputs = model->graph->output;
    const size_t n_outputs = model->graph->n_output;

    model->graph->n_output = n_outputs ? 1 : 0;
    found->verdict = PLC_ONNX_CASE_PASSED;
    for (size_t i = 0; status == PLEACH_OK && i < (n_outputs ? n_outputs : 1); i++) {
        model->graph->output = outputs + i;
        status = run_output(r, model, (int)i, found);
        if (found->verdict != PLC_ONNX_CASE_PASSED)
            break;
    }
    model->graph->output = outputs;
    model->graph->n_output = n_outputs;
    return status;
}

static pleach_status run_case(runner *r, const char *name)
{
    pleach_status status = PLEACH_OK;
    plc_onnx_case found = {.name = name, .op = "", .verdict = PLC_ONNX_CASE_REFUSED};
    Onnx__ModelProto *model = NULL;
    char file[MAX_PATH];
    bool fixed = false;

    r->name = name;
    snprintf(file, sizeof file, "%s/%s/model.onnx", r->folder, name);
    if (plc_onnx_file_read(r->ctx, file, &model) != PLEACH_OK || !model->graph) {
        snprintf(found.why, sizeof found.why, "%.*s", PLC_ONNX_CASE_TEXT - 1, pleach_error(r->ctx));
    } else {
        if (model->graph->n_node == 1)
            found.op = model->graph->node[0]->op_type;
        TRY(fix_inputs(r, model->graph, &fixed));
        if (fixed)
            TRY(run_outputs(r, model, &found));
        else
            snprintf(found.why, sizeof found.why, "an input is no tensor");
    }
    r->opts->report(r->opts->user, &found);
done:
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    return status;
}

static int is_case(const struct dirent *entry)
{
    return strncmp(entry->d_name, "test_", 5) == 0;
}

static pleach_status run_folder(runner *r, const char *group, bool *any)
{
    pleach_status status = PLEACH_OK;
    struct dirent **entries = NULL;
    char path[MAX_PATH], name[MAX_NAME];

    snprintf(path, sizeof path, "%s/%s", r->folder, group);
    const int n = scandir(path, &entries, is_case, alphasort);

    for (int i = 0; i < n; i++) {
        if (status == PLEACH_OK) {
            snprintf(name, sizeof name, "%s/%.250s", group, entries[i]->d_name);
            status = run_case(r, name);
        }
        free(entries[i]);
    }
    free(entries);
    *any = *any || n > 0;
    return status;
}

pleach_status plc_onnx_cases_run(pleach_ctx *ctx, pleach_device *device,
                                 const plc_onnx_cases_opts *opts)
{
    pleach_status status = PLEACH_OK;
    // "real" are whole networks by reference only.
    static const char *const groups[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    runner r = {.ctx = ctx,
                .device = device,
                .opts = opts,
                .folder = opts->folder ? opts->folder : PLC_ONNX_CASES_FOLDER};
    bool any = false;

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        TRY(run_folder(&r, groups[i], &any));
    if (!any)
        FAIL(ctx, PLEACH_EIO,
             "%s: no cases in it; Debian has them as libonnx-testdata (apt install "
             "libonnx-testdata), or name the folder that has node/test_*",
             r.folder);
done:
    return status;
}
