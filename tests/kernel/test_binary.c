// Kernels built ahead: the same bits as compiled ones, no compiler needed, and manifests that are refused.
#include "context.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/file.h>
#include <base/random.h>
#include <exec/self_test.h>
#include <kernel/binary.h>
#include <kernel/board_source.h>
#include <kernel/kernels.h>
#include <kernel/paper_cl.h>
#include <rewrite/fold.h>
#include <run/programs.h>
#include <train/optimizer.h>
#include <faulty_cl.h>
#include <platform.h>

enum { LANES = 8, IMAGES = 11, MAX_PATH = 128, PIXELS = 3 * 8 * 8, CLASSES = 10 };
static const plc_fixed_tile tile = {3, 2};

static char folder[] = "/tmp/pleach-test-binary-XXXXXX";
static char training[MAX_PATH], inference[MAX_PATH]; // binaries
static pleach_graph *graph;

// A board: the device of the tests, which may deny that it has a compiler.
static bool has_compiler;

static cl_int CL_API_CALL get_info(cl_device_id id, cl_device_info what, size_t size, void *value,
                                   size_t *needed)
{
    const cl_bool answer = has_compiler;

    if (what != CL_DEVICE_COMPILER_AVAILABLE)
        return clGetDeviceInfo(id, what, size, value, needed);
    memcpy(value, &answer, sizeof answer);
    return CL_SUCCESS;
}

static pleach_status open_board(const char *binary, const char *manifest, bool compiler,
                                pleach_device **device)
{
    static plc_cl cl;
    const pleach_device_opts opts = {.binary = binary,
                                     .manifest = manifest,
                                     .cache_dir = "",
                                     .lanes = binary ? 0 : LANES,
                                     .mapping = binary ? 0 : PLEACH_MAPPING_VECTOR};

    cl = plc_faulty_cl;
    cl.clGetDeviceInfo = get_info;
    has_compiler = compiler;
    *device = NULL;
    return plc_kernels_open(ctx, &cl, plc_test_device(), &opts, device);
}

// What `pleach fpga export` writes, as text and manifest.
static void export_network(const pleach_graph *network, bool train, plc_text *text,
                           plc_manifest *manifest)
{
    const pleach_device_opts opts = {.lanes = LANES, .cache_dir = ""};
    pleach_device *paper = NULL;

    assert_ok(plc_kernels_open(ctx, &plc_paper_cl, "0:0", &opts, &paper));
    paper->fixed_tile = tile;
    assert_ok(plc_programs_visit(paper, network, IMAGES, train));
    *manifest = (plc_manifest){.training = train};
    assert_ok(plc_board_source(paper, text, manifest));
    manifest->version = strdup("0.0.0");
    manifest->model = strdup("a network");
    pleach_device_close(&paper);
}

static void build_network(bool train, const char *name, char *path)
{
    plc_text text = {0};
    plc_manifest manifest;
    pleach_device *device = NULL;
    char manifest_path[MAX_PATH];

    export_network(graph, train, &text, &manifest);
    snprintf(path, MAX_PATH, "%s/%s.bin", folder, name);
    snprintf(manifest_path, sizeof manifest_path, "%s/%s.json", folder, name);
    assert_ok(open_board(NULL, NULL, true, &device));
    assert_ok(plc_binary_build(device, text.data, path));
    assert_ok(plc_manifest_write(ctx, manifest_path, &manifest));
    pleach_device_close(&device);
    plc_manifest_finish(&manifest);
    plc_text_finish(&text);
}

static int set_up(void **state)
{
    if (make_fixture(state) != 0 || !mkdtemp(folder) ||
        pleach_graph_create(ctx, "resnet20", 3, 8, 8, CLASSES, &graph) != PLEACH_OK)
        return -1;
    build_network(true, "training", training);
    build_network(false, "pleach", inference); // whose manifest is pleach.json
    return 0;
}

static int tear_down(void **state)
{
    char command[MAX_PATH];

    pleach_graph_destroy(&graph);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0 || drop_fixture(state);
}

static const char *manifest_of_training(void)
{
    static char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/training.json", folder);
    return path;
}

static void fill_images(unsigned char *images, int *labels)
{
    for (size_t i = 0; i < IMAGES * PIXELS; i++)
        images[i] =
            (unsigned char)plc_random_below(plc_random_u32x4(5, PLC_STREAM_TEST, 0, i).x, 256);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % CLASSES;
}

// Logits in inference, then all weights after one step of training.
typedef struct results {
    float logits[IMAGES * CLASSES], *weights;
    size_t n_weights;
} results;

static void run_network(pleach_device *device, results *r)
{
    const plc_optimizer_opts opts = {.kind = PLC_OPTIMIZER_SGD};
    static unsigned char images[IMAGES * PIXELS];
    static int labels[IMAGES];
    pleach_session *session = NULL;
    plc_optimizer *optimizer = NULL;
    cl_event uploaded = NULL;

    fill_images(images, labels);
    assert_ok(pleach_session_create(ctx, graph, device, IMAGES, NULL, &session));
    assert_ok(plc_optimizer_create(session, &opts, &optimizer));
    assert_ok(plc_session_upload(session, images, labels, IMAGES, &uploaded));
    assert_ok(plc_session_infer(session, 0, IMAGES));
    assert_ok(plc_session_read_logits(session, false, IMAGES, r->logits));
    assert_ok(plc_session_train(session, 0));
    assert_ok(plc_optimizer_step(optimizer, 0.1f, 0.9f));
    r->n_weights = (size_t)session->layout->n_floats;
    r->weights = calloc(r->n_weights, sizeof *r->weights);
    assert_ok(plc_session_read_weights(session, r->weights));
    plc_device_drop_event(device, &uploaded);
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&session);
}

static void kernels_built_ahead_give_the_bits_of_compiled_ones(void **state)
{
    pleach_device *compiling = NULL, *board = NULL;
    results wanted = {0}, got = {0};

    (void)state;
    assert_ok(open_board(NULL, NULL, true, &compiling));
    compiling->fixed_tile = tile;
    run_network(compiling, &wanted);
    pleach_device_close(&compiling);
    const int n_compiled = plc_n_calls[PLC_CALL_clCreateProgramWithSource];
    assert_ok(open_board(training, manifest_of_training(), false, &board));
    assert_int_equal(board->lanes, LANES);
    run_network(board, &got);
    pleach_device_close(&board);
    assert_int_equal(plc_n_calls[PLC_CALL_clCreateProgramWithSource], n_compiled);
    assert_memory_equal(wanted.logits, got.logits, sizeof wanted.logits);
    assert_int_equal(wanted.n_weights, got.n_weights);
    assert_memory_equal(wanted.weights, got.weights, wanted.n_weights * sizeof *wanted.weights);
    free(wanted.weights);
    free(got.weights);
}

static void without_a_compiler_the_error_says_what_to_do(void **state)
{
    pleach_device *device = NULL;

    (void)state;
    assert_int_equal(open_board(NULL, NULL, false, &device), PLEACH_EDEVICE);
    assert_null(device);
    assert_non_null(strstr(pleach_error(ctx), "compiles no kernels"));
    assert_non_null(strstr(pleach_error(ctx), "pleach fpga export"));
    assert_non_null(strstr(pleach_error(ctx), "--binary"));
}

static void a_kernel_that_was_not_exported_is_named(void **state)
{
    pleach_device *device = NULL;
    pleach_session *session = NULL;

    (void)state;
    assert_ok(open_board(inference, NULL, false, &device));
    assert_int_equal(pleach_session_create(ctx, graph, device, IMAGES, NULL, &session),
                     PLEACH_EBUILD);
    assert_non_null(strstr(pleach_error(ctx), "has no kernel 'bn_statistics' of batch_norm.cl"));
    assert_non_null(strstr(pleach_error(ctx), "for inference"));
    assert_non_null(strstr(pleach_error(ctx), "--training"));
    assert_ok(pleach_session_create(ctx, graph, device, IMAGES,
                                    &(pleach_session_opts){.inference_only = true}, &session));
    pleach_session_destroy(&session);
    pleach_device_close(&device);
}

static char told[256]; // what the log says of the self-test

static void keep_self_test(void *user, pleach_log_level level, const char *text)
{
    (void)user, (void)level;
    if (strstr(text, "self-test without"))
        snprintf(told, sizeof told, "%s", text);
}

static void describe_self_test(pleach_device *device, char said[PLC_SELF_TEST_TEXT_MAX])
{
    plc_self_test_result result;

    assert_ok(plc_self_test_run(device, &result));
    plc_self_test_describe(&result, said, PLC_SELF_TEST_TEXT_MAX);
}

// Training, and inference with it, did not pass because there was nothing to fail.
static void parts_without_kernels_have_not_passed(void **state)
{
    pleach_device *device = NULL;
    char said[PLC_SELF_TEST_TEXT_MAX];

    (void)state;
    assert_ok(open_board(inference, NULL, false, &device));
    describe_self_test(device, said);
    assert_string_equal(said,
                        "passed: inference; no kernels to test: training, few images, rewrite");
    plc_cl broken = *device->cl;
    broken.clEnqueueNDRangeKernel = plc_skip_launch;
    device->cl = &broken;
    describe_self_test(device, said);
    assert_int_equal(strncmp(said, "failed: ", 8), 0);
    assert_non_null(strstr(said, "forward in inference"));
    pleach_device_close(&device);
}

// No batch norm is among the kernels of a network that has none: the rest of the self-test runs.
static void the_self_test_leaves_out_what_was_not_exported(void **state)
{
    const plc_attrs conv = {.kernel = {3, 3}, .pad = {1, 1}, .out_channels = 4};
    const plc_attrs linear = {.out_channels = CLASSES, .bias = true};
    pleach_graph *saved = graph, *plain = NULL;
    pleach_device *device = NULL;
    pleach_session *session = NULL;
    char binary[MAX_PATH], manifest[MAX_PATH];
    int at = 0;

    (void)state;
    assert_ok(plc_graph_create(ctx, "plain", (plc_shape){3, 8, 8}, &plain));
    assert_ok(plc_graph_add(ctx, plain, "conv", "conv", &at, 1, &conv, &at));
    assert_ok(plc_graph_add(ctx, plain, "flatten", "flat", &at, 1, NULL, &at));
    assert_ok(plc_graph_add(ctx, plain, "linear", "fc", &at, 1, &linear, &at));
    graph = plain;
    build_network(false, "plain", binary);
    graph = saved;
    snprintf(manifest, sizeof manifest, "%s/plain.json", folder);
    assert_ok(open_board(binary, manifest, false, &device));
    told[0] = '\0';
    pleach_ctx_set_log(ctx, keep_self_test, NULL);
    assert_ok(pleach_session_create(ctx, plain, device, IMAGES,
                                    &(pleach_session_opts){.inference_only = true}, &session));
    pleach_ctx_set_log(ctx, NULL, NULL);
    assert_non_null(strstr(told, "self-test without batch norm: "));
    assert_non_null(strstr(told, "has no kernel 'bn_coefficients'"));
    pleach_session_destroy(&session);
    pleach_device_close(&device);
    pleach_graph_destroy(&plain);
}

// The manifest of inference with `from` replaced by `to`, once; NULL: cut off in the middle.
static void spoil(const char *from, const char *to, char *path)
{
    char *text = NULL, good[MAX_PATH];
    size_t length = 0;
    plc_text spoiled = {0};

    snprintf(good, sizeof good, "%s/pleach.json", folder);
    snprintf(path, MAX_PATH, "%s/spoiled.json", folder);
    assert_ok(plc_file_read(ctx, good, 1 << 20, &text, &length));
    const char *at = from ? strstr(text, from) : text + length / 2;
    assert_non_null(at);
    assert_ok(plc_text_append(ctx, &spoiled, text, (size_t)(at - text)));
    if (from)
        assert_ok(plc_text_printf(ctx, &spoiled, "%s%s", to, at + strlen(from)));
    assert_ok(plc_file_write_all(ctx, path, spoiled.data, spoiled.length));
    plc_text_finish(&spoiled);
    free(text);
}

// Whether the driver says of what type the arguments of kernels built ahead are.
static bool tells_types(void)
{
    pleach_device *device = NULL;
    cl_kernel kernel = NULL;
    cl_kernel_arg_address_qualifier address = 0;
    const void *identity = NULL;

    assert_ok(open_board(inference, NULL, true, &device));
    assert_ok(plc_binary_kernel(plc_kernels_binary(device), device, "augment", "augment", "",
                                &kernel, &identity));
    const cl_int error = device->cl->clGetKernelArgInfo(kernel, 0, CL_KERNEL_ARG_ADDRESS_QUALIFIER,
                                                        sizeof address, &address, NULL);
    device->cl->clReleaseKernel(kernel);
    pleach_device_close(&device);
    return error == CL_SUCCESS;
}

typedef struct spoiled {
    const char *from, *to, *said;
} spoiled;

static void check_refused(const spoiled *c)
{
    pleach_device *device = NULL;
    char path[MAX_PATH];

    spoil(c->from, c->to, path);
    if (open_board(inference, path, true, &device) != PLEACH_EINPUT)
        fail_msg("%s: %s", c->said, device ? "taken" : pleach_error(ctx));
    if (!strstr(pleach_error(ctx), c->said))
        fail_msg("'%s' says nothing of '%s'", pleach_error(ctx), c->said);
    assert_int_equal(plc_live_objects, 0);
}

static void manifests_that_are_not_of_the_kernels_are_refused(void **state)
{
    static const spoiled cases[] = {
        {NULL, NULL, "line "},
        {"pleach.fpga/1", "pleach.fpga/2", "\"pleach.fpga/1\" is expected"},
        {"\"lanes\": 8", "\"lanes\": 16", "16 lanes is called"},
        {"\"lanes\": 8", "\"lanes\": 2147483647", "lanes of 4, 8 or 16"},
        {"\"lanes\": 8", "\"lanes\": \"8\"", "Expected integer"},
        {"single work-item", "work-item", "single work-item"},
        {"\"out\": 3", "\"out\": 9", "a tile of 1 to 8"},
        {"\"model\": \"a network\",", "", "model"},
        {"\"model\": \"a network\",", "\"model\": \"a\", \"more\": 1,", "more"},
        {"\"programs\": [", "\"programs\": [], \"x\": [", "x"},
        {"\"file\": \"conv\"", "\"file\": \"../conv\"", "file, options or source hash"},
        {"\"file\": \"conv\"", "\"file\": \"convolution\"", "this pleach has no convolution.cl"},
        {"-DOT=3", "-DOT=4", "is called conv_forward_"},
        {"\"source\": \"", "\"source\": \"0", "file, options or source hash"},
        {"\"name\": \"conv_forward\"", "\"name\": \"conv_backward\"", "is called conv_backward_"},
        {"\"exported\": \"conv_forward", "\"exported\": \"conv_fotward", "not conv_fotward_"},
        {"\"name\": \"x\",", "\"name\": \"x\\n\",", "name or type is none"},
        {"\"address\": \"global\"", "\"address\": \"moon\"", "none of private, global"},
        {"\"arguments\": [",
         "\"arguments\": [{\"name\": \"z\", \"address\": \"private\", \"type\": \"int\"},",
         "arguments, not"},
        {"\"arguments\": [", "\"arguments\": [], \"x\": [", "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(&cases[i]);
}

static void types_that_the_driver_tells_are_compared(void **state)
{
    static const spoiled cases[] = {
        {"\"address\": \"global\"", "\"address\": \"local\"", "address space"},
        {"\"type\": \"uchar*\"", "\"type\": \"int*\"", "is uchar*, not global int*"},
    };

    (void)state;
    if (!tells_types())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(&cases[i]);
}

// A changed kernel of this library, or another pleach's manifest.
static void kernels_of_another_source_are_refused(void **state)
{
    pleach_device *device = NULL;
    plc_manifest manifest;
    char path[MAX_PATH];

    (void)state;
    snprintf(path, sizeof path, "%s/pleach.json", folder);
    assert_ok(plc_manifest_read(ctx, path, &manifest));
    char *digit = &manifest.programs[0].source[0];
    *digit = *digit == '0' ? '1' : '0';
    snprintf(path, sizeof path, "%s/other.json", folder);
    assert_ok(plc_manifest_write(ctx, path, &manifest));
    plc_manifest_finish(&manifest);
    assert_int_equal(open_board(inference, path, true, &device), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "is not the one of this pleach"));
    assert_non_null(strstr(pleach_error(ctx), "pleach 0.0.0"));
}

static void files_that_are_no_binary_are_refused(void **state)
{
    static const char *const contents[] = {"", "no binary"};
    pleach_device *device = NULL;
    char path[MAX_PATH];

    (void)state;
    snprintf(path, sizeof path, "%s/none.bin", folder);
    assert_int_equal(open_board(path, NULL, true, &device), PLEACH_EIO);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        assert_ok(plc_file_write_all(ctx, path, contents[i], strlen(contents[i])));
        assert_int_equal(open_board(path, NULL, true, &device), PLEACH_EINPUT);
        assert_non_null(strstr(pleach_error(ctx), "none.bin"));
        assert_int_equal(plc_live_objects, 0);
    }
    // Kernels of training are in another file.
    assert_int_equal(open_board(inference, manifest_of_training(), true, &device), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(ctx), "were both made by one export?"));
}

static void other_layouts_are_refused(void **state)
{
    const struct {
        pleach_device_opts opts;
        const char *said;
    } cases[] = {{{.lanes = 16}, "--lanes 16: the kernels of"},
                 {{.mapping = PLEACH_MAPPING_WORK_ITEM}, "of the vector mapping"},
                 {{.precision = PLEACH_PRECISION_HALF}, "and of floats"}};
    pleach_device *device = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_device_opts opts = cases[i].opts;
        opts.binary = inference;
        opts.cache_dir = "";
        assert_int_equal(plc_kernels_open(ctx, &plc_cl_loader, plc_test_device(), &opts, &device),
                         PLEACH_EUSAGE);
        assert_non_null(strstr(pleach_error(ctx), cases[i].said));
    }
}

// Every call fails once while a board is opened: an error with a text, and nothing stays behind.
static void every_failing_call_is_told_and_cleaned_up(void **state)
{
    enum { FARTHEST = 200 };
    pleach_device *device = NULL;
    int n_failed = 0;

    (void)state;
    for (int at = 1; at < FARTHEST; at++) {
        plc_faults = (plc_fault){.any = true, .at = at, .error = CL_OUT_OF_RESOURCES};
        const pleach_status status = open_board(inference, NULL, true, &device);
        const bool planted = plc_faults.n_planted > 0;
        plc_faults_clear();
        if (status == PLEACH_OK)
            pleach_device_close(&device); // what an argument's type is, the driver need not tell
        else
            assert_true(strlen(pleach_error(ctx)) > 0);
        n_failed += status != PLEACH_OK;
        assert_int_equal(plc_live_objects, 0);
        if (!planted)
            break;
    }
    assert_true(n_failed > 10);
}

// Of every network by name, for training: one text that a compiler takes.
static void what_is_exported_builds_alone(void **state)
{
    static const char *const names[] = {"cnn5", "vgg16", "densenet40"};
    pleach_device *device = NULL;

    (void)state;
    assert_ok(open_board(NULL, NULL, true, &device));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pleach_graph *saved = graph;
        plc_text text = {0};
        plc_manifest manifest;
        cl_int error = CL_SUCCESS;

        assert_ok(pleach_graph_create(ctx, names[i], 3, 32, 32, CLASSES, &graph));
        export_network(graph, true, &text, &manifest);
        const char *source = text.data;
        cl_program program =
            device->cl->clCreateProgramWithSource(device->context, 1, &source, NULL, &error);
        assert_int_equal(error, CL_SUCCESS);
        assert_int_equal(
            device->cl->clBuildProgram(program, 1, &device->id, "-cl-std=CL1.2", NULL, NULL),
            CL_SUCCESS);
        device->cl->clReleaseProgram(program);
        plc_manifest_finish(&manifest);
        plc_text_finish(&text);
        pleach_graph_destroy(&graph);
        graph = saved;
    }
    pleach_device_close(&device);
}

static bool has_kernel(const plc_manifest *manifest, const char *name)
{
    for (int i = 0; i < manifest->n_programs; i++) {
        const plc_manifest_program *program = &manifest->programs[i];
        for (int j = 0; j < program->n_kernels; j++)
            if (strcmp(program->kernels[j].name, name) == 0)
                return true;
    }
    return false;
}

static void networks_without_batch_norms_can_be_unfolded(void **state)
{
    plc_text text = {0};
    plc_manifest manifest;
    pleach_graph *folded = NULL;
    plc_edits *edits = NULL;

    (void)state;
    assert_ok(plc_fold_describe(ctx, graph, &folded, &edits, NULL));
    export_network(folded, true, &text, &manifest);
    assert_true(has_kernel(&manifest, "unfold_norm"));
    assert_true(has_kernel(&manifest, "bn_backward_apply"));
    plc_manifest_finish(&manifest);
    plc_text_finish(&text);
    text = (plc_text){0};
    export_network(graph, true, &text, &manifest);
    assert_false(has_kernel(&manifest, "unfold_norm"));
    plc_manifest_finish(&manifest);
    plc_text_finish(&text);
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&folded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_built_ahead_give_the_bits_of_compiled_ones),
        cmocka_unit_test(without_a_compiler_the_error_says_what_to_do),
        cmocka_unit_test(a_kernel_that_was_not_exported_is_named),
        cmocka_unit_test(the_self_test_leaves_out_what_was_not_exported),
        cmocka_unit_test(parts_without_kernels_have_not_passed),
        cmocka_unit_test(manifests_that_are_not_of_the_kernels_are_refused),
        cmocka_unit_test(types_that_the_driver_tells_are_compared),
        cmocka_unit_test(kernels_of_another_source_are_refused),
        cmocka_unit_test(files_that_are_no_binary_are_refused),
        cmocka_unit_test(other_layouts_are_refused),
        cmocka_unit_test(every_failing_call_is_told_and_cleaned_up),
        cmocka_unit_test(what_is_exported_builds_alone),
        cmocka_unit_test(networks_without_batch_norms_can_be_unfolded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
