// A network that comes as an ONNX file of somebody else, as its user takes it through the program: measured,
// trained, compressed, exported, and the same logits at the end.
#include "program.h"
#include "difference.h"

#include <math.h>
#include <graph/graph.h>
#include <io/onnx.h>
#include <random_graph.h>

static const double TOLERANCE = 1e-4; // of the largest logit
#define TRAINING "--data fashion-mnist --limit 256 --calibration 32 --batch 32 --lr 0.02"
#define EVALUATION "--data fashion-mnist --limit 20 --batch 20"

static pleach_ctx *ctx;

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(ctx));                                          \
    } while (0)

static int set_up(void **state)
{
    return find_program(state) != 0 || pleach_ctx_create(&ctx) != PLEACH_OK;
}

static int tear_down(void **state)
{
    pleach_ctx_destroy(&ctx);
    return drop_folder(state);
}

static void in_folder(const char *name, char path[MAX_PATH])
{
    snprintf(path, MAX_PATH, "%s/%s", folder, name);
}

static int add(pleach_graph *graph, const char *op, const char *name, int a, int b, plc_attrs attrs)
{
    int node = -1;

    assert_ok(plc_graph_add(ctx, graph, op, name, (int[]){a, b}, b < 0 ? 1 : 2, &attrs, &node));
    return node;
}

static int add_conv(pleach_graph *graph, const char *name, int x, int filters, int stride)
{
    return add(graph, "conv", name, x, -1,
               (plc_attrs){.kernel = {3, 3},
                           .stride = {stride, stride},
                           .pad = {1, 1},
                           .out_channels = filters,
                           .bias = true});
}

// As an exporter leaves a small residual network: no batch norm is left. `classes` 0: ends with a map.
static void put_network(const char *name, int channels, int size, int classes)
{
    const plc_attrs none = {0};
    char path[MAX_PATH];
    pleach_graph *graph = NULL;
    plc_params_layout *layout = NULL;
    float *weights = NULL;
    int x, y;

    assert_ok(plc_graph_create(ctx, "theirs", (plc_shape){channels, size, size}, &graph));
    x = add(graph, "relu", "relu0", add_conv(graph, "stem", 0, 8, 2), -1, none);
    x = add(graph, "relu", "relu1", add_conv(graph, "conv1", x, 12, 2), -1, none);
    y = add(graph, "relu", "relu2", add_conv(graph, "conv2", x, 10, 1), -1, none);
    y = add(graph, "add", "sum", add_conv(graph, "conv3", y, 12, 1), x, none);
    y = add(graph, "relu", "relu3", y, -1, none);
    if (classes) {
        y = add(graph, "flatten", "flat", add(graph, "global_avg_pool", "pool", y, -1, none), -1,
                none);
        add(graph, "linear", "fc", y, -1, (plc_attrs){.out_channels = classes, .bias = true});
    }
    assert_ok(plc_params_layout_create(ctx, graph, &layout));
    assert_ok(plc_random_params(ctx, graph, 7, &weights));
    in_folder(name, path);
    assert_ok(plc_onnx_write(ctx, path, graph, layout, weights, &(plc_onnx_write_opts){0}));
    free(weights);
    plc_params_layout_destroy(&layout);
    pleach_graph_destroy(&graph);
}

static void succeed(const char *words)
{
    if (call(words) != 0)
        fail_msg("pleach %s: %s", words, err);
}

static long long number_of(const char *words, const char *schema, const char *key)
{
    succeed(words);
    json_t *root = parsed_output(schema);
    const json_t *value = json_object_get(root, key);

    assert_true(json_is_integer(value));
    const long long number = json_integer_value(value);
    json_decref(root);
    return number;
}

static void assert_same_logits(const char *a, const char *b)
{
    const char *const models[] = {a, b};
    plc_tensors tensors[2] = {{0}};
    const plc_named_tensor *logits[2];
    char words[256], path[MAX_PATH];

    for (int i = 0; i < 2; i++) {
        snprintf(words, sizeof words, "eval %s " EVALUATION " --logits logits.safetensors",
                 models[i]);
        succeed(words);
        in_folder("logits.safetensors", path);
        assert_ok(plc_tensor_file_read(ctx, path, &tensors[i]));
        logits[i] = plc_tensors_find(&tensors[i], "logits");
        assert_non_null(logits[i]);
    }
    assert_int_equal(logits[0]->count, logits[1]->count);
    const double worst =
        plc_difference_of_floats(logits[0]->data, logits[1]->data, logits[0]->count);
    if (!(worst <= TOLERANCE))
        fail_msg("%s and %s: logits differ by %g of the largest", a, b, worst);
    plc_tensors_finish(&tensors[0]);
    plc_tensors_finish(&tensors[1]);
}

static void it_is_measured_like_any_other(void **state)
{
    (void)state;
    put_network("theirs.onnx", 1, 28, 10);
    // 8x9 over 14x14, then 12x8x9, 10x12x9 and 12x10x9 over 7x7, and 12x10.
    const long long macs = 8 * 9 * 196 + (12 * 8 + 2 * 120) * 9 * 49 + 120;
    assert_int_equal(number_of("inspect theirs.onnx --json", "pleach.inspect/1", "macs"), macs);
    assert_int_equal(number_of("eval theirs.onnx " EVALUATION " --json", "pleach.eval/1", "macs"),
                     macs);
    succeed("bench infer --model theirs.onnx --batch 4 --repeats 1");
    succeed("bench train --model theirs.onnx --batch 4 --repeats 1");
    assert_int_equal(call("bench infer --model cnn5 --batch 4 --repeats 1 --beside theirs.onnx"),
                     2);
    assert_non_null(strstr(err, "--beside 'theirs.onnx' takes 1x28x28 images, 'cnn5' 3x32x32"));
    succeed("export theirs.onnx --onnx again.onnx");
    assert_same_logits("theirs.onnx", "again.onnx");
}

// JSON is UTF-8, names of files need not be.
static void its_name_need_not_be_utf_8(void **state)
{
    static const struct {
        const char *words, *said;
    } cases[] = {
        {"eval caf\xe9.onnx " EVALUATION " --json", "\"model\": \"caf?.onnx\""},
        {"export caf\xe9.onnx --onnx out\xe9.onnx --json", "\"file\": \"out?.onnx\""},
        {"bench infer --model caf\xe9.onnx --batch 4 --repeats 1 --json",
         "\"model\": \"caf?.onnx\""},
    };

    (void)state;
    put_network("caf\xe9.onnx", 1, 28, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        succeed(cases[i].words);
        if (!strstr(out, cases[i].said))
            fail_msg("pleach %s: '%s'", cases[i].words, out);
    }
}

static void check_compression(const char *run, const char *options)
{
    char words[512], model[64];

    snprintf(words, sizeof words,
             "compress --model theirs.onnx " TRAINING " --epochs 4 --macs 0.5 --out %s %s", run,
             options);
    succeed(words);
    snprintf(model, sizeof model, "%s/model.safetensors", run);
    snprintf(words, sizeof words, "export %s --onnx small.onnx", model);
    succeed(words);
    const long long dense = number_of("inspect theirs.onnx --json", "pleach.inspect/1", "macs");
    const long long small = number_of("inspect small.onnx --json", "pleach.inspect/1", "macs");
    if (2 * small > dense || small < dense / 5)
        fail_msg("%s: %lld of %lld MACs are left", run, small, dense);
    assert_same_logits(model, "small.onnx");
}

static void it_is_compressed_and_goes_back(void **state)
{
    (void)state;
    put_network("theirs.onnx", 1, 28, 10);
    check_compression("small", "");
    check_compression("unfolded", "--unfold");
    assert_true(number_of("inspect unfolded/model.safetensors --json", "pleach.inspect/1",
                          "params") > number_of("inspect small.onnx --json", "pleach.inspect/1",
                                                "params")); // it has batch norms
}

static void unfolding_puts_batch_norms_in(void **state)
{
    (void)state;
    put_network("theirs.onnx", 1, 28, 10);
    succeed(
        "train --model theirs.onnx --data fashion-mnist --limit 128 --calibration 32 --batch 32 "
        "--epochs 1 --lr 0 --weight-decay 0 --unfold --out unfolded-only");
    succeed("inspect unfolded-only/model.safetensors --all");
    assert_non_null(strstr(out, "stem.bn"));
    assert_int_equal(call("train --model resnet20 --unfold --out none"), 2);
    assert_non_null(strstr(err, "--unfold: 'resnet20' is a network by name"));
}

static void assert_normalisation(const char *run, const char *mean, const char *std)
{
    char path[MAX_PATH], name[64];
    plc_tensors file = {0};

    snprintf(name, sizeof name, "%s/model.safetensors", run);
    in_folder(name, path);
    assert_ok(plc_tensor_file_read(ctx, path, &file));
    assert_string_equal(plc_tensors_metadata(&file, "mean"), mean);
    assert_string_equal(plc_tensors_metadata(&file, "std"), std);
    plc_tensors_finish(&file);
}

static void its_normalisation_stays_its_own(void **state)
{
    (void)state;
    put_network("theirs.onnx", 1, 28, 10);
    succeed("train --model theirs.onnx " TRAINING " --epochs 1 --mean 0.5 --std 0.25 --out own");
    assert_normalisation("own", "0.5", "0.25");
    succeed("export own/model.safetensors --onnx own.onnx");
    succeed("train --model own.onnx " TRAINING " --epochs 1 --out own-again");
    assert_normalisation("own-again", "0.5", "0.25");
    // What the user says counts more than what the file says.
    succeed("train --model own.onnx " TRAINING " --epochs 1 --mean 0.25 --out told");
    assert_normalisation("told", "0.25", "0.25");
}

static void what_does_not_fit_is_named_with_a_way_out(void **state)
{
    static const struct {
        const char *words, *said;
        int code;
    } cases[] = {
        {"train --model size.onnx",
         "'size.onnx' takes 1x32x32 images, 'fashion-mnist' has 1x28x28; "
         "export the network for 1x28x28 images",
         3},
        {"compress --macs 0.5 --model colour.onnx", "'colour.onnx' takes 3x28x28 images", 3},
        {"eval size.onnx", "takes 1x32x32 images", 3},
        {"train --model classes.onnx",
         "'classes.onnx' tells 7 classes apart, 'fashion-mnist' has 10; replace the network's last "
         "layer",
         3},
        {"eval classes.onnx", "tells 7 classes apart", 3},
        {"train --model map.onnx", "'map.onnx' gives 12x7x7 values an image", 3},
        {"eval theirs.onnx --mean 0.1,0.2", "--mean '0.1,0.2': 1 numbers are expected", 2},
        {"eval theirs.onnx --std 0", "--std '0': 1 numbers above 0 are expected", 2},
        {"eval theirs.onnx --std 1e-45", "(x - mean) / deviation is beyond what a float holds", 2},
        {"train --model theirs.onnx --mean 1e38 --std 0.2", "channel 0 has mean 1e+38", 2},
        {"train --model theirs.onnx --mean grey", "--mean 'grey'", 2},
    };
    char words[256];

    (void)state;
    put_network("theirs.onnx", 1, 28, 10);
    put_network("size.onnx", 1, 32, 10);
    put_network("colour.onnx", 3, 28, 10);
    put_network("classes.onnx", 1, 28, 7);
    put_network("map.onnx", 1, 28, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool job = strncmp(cases[i].words, "eval", 4) != 0;

        snprintf(words, sizeof words, "%s --data fashion-mnist%s", cases[i].words,
                 job ? " --out none" : "");
        const int code = call(words);
        if (code != cases[i].code || !strstr(err, cases[i].said))
            fail_msg("pleach %s: code %d, stderr '%s', expected %d and '%s'", words, code, err,
                     cases[i].code, cases[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_measured_like_any_other),
        cmocka_unit_test(its_name_need_not_be_utf_8),
        cmocka_unit_test(it_is_compressed_and_goes_back),
        cmocka_unit_test(unfolding_puts_batch_norms_in),
        cmocka_unit_test(its_normalisation_stays_its_own),
        cmocka_unit_test(what_does_not_fit_is_named_with_a_way_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
