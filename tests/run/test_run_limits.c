// Jobs at their limits: networks and options that cannot work, or nearly so.
#include <context.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/file.h>
#include <graph/op.h>
#include <io/model_file.h>
#include <run_folder.h>

// Layout and weights of file->graph: about `middle`, by `swing`.
static void make_weights(plc_model_file *file, float middle, float swing)
{
    assert_ok(plc_params_layout_create(ctx, file->graph, &file->layout));
    file->weights = calloc((size_t)file->layout->n_floats, sizeof *file->weights);
    assert_non_null(file->weights);
    for (int i = 0; i < file->layout->n_floats; i++)
        file->weights[i] = middle + swing * sinf((float)i);
}

// A model file of cnn5, whose last layer's weights are multiplied by `factor`.
static const char *write_scaled(const char *name, float factor)
{
    const char *path = path_of(name);
    plc_model_file file = {0};

    assert_ok(pleach_graph_create(ctx, "cnn5", 1, 28, 28, 10, &file.graph));
    make_weights(&file, 0, 0);
    for (int i = 0; i < file.layout->n_places; i++) {
        const plc_param_place *place = &file.layout->places[i];
        const char *param = file.graph->nodes[place->node].params[place->param].name;
        const bool last = place->node == file.graph->n_nodes - 1;

        for (int j = 0; j < place->count; j++)
            file.weights[place->offset + j] =
                strcmp(param, "gamma") == 0 || strcmp(param, "running_var") == 0 ? 1
                : strcmp(param, "weight") == 0
                    ? (last ? factor : 1) * sinf((float)(place->offset + j)) * 0.1f
                    : 0;
    }
    assert_ok(plc_model_file_write(ctx, path, file.graph, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);
    return path;
}

// Scores by draws see no NaN, so the network is compacted while its loss is none: that must end as any divergence does.
static void a_loss_that_is_no_number_ends_a_run_that_compacts(void **state)
{
    pleach_job job = short_job(write_scaled("huge.safetensors", 1e33f), path_of("huge"));

    (void)state;
    job.opts.score = "random";
    job.opts.settle = 1;
    job.opts.learning_rate = 100;
    job.opts.warmup = 0;
    job.opts.prune_epochs = 2;
    job.opts.drop = 0;
    assert_int_equal(pleach_compress(ctx, device, &job), PLEACH_EDIVERGED);
    job = short_job(write_scaled("infinite.safetensors", INFINITY), path_of("infinite"));
    assert_int_equal(pleach_train(ctx, device, &job), PLEACH_EDIVERGED);
}

// Behind the main network's last epoch its file becomes one from which nothing can learn.
static void spoil_model(void *user, const pleach_progress *progress)
{
    if (progress->epoch_done && progress->epoch == progress->n_epochs && !*progress->network)
        write_scaled(user, INFINITY);
}

static void a_control_that_diverges_costs_its_own_row_alone(void **state)
{
    char name[] = "spoilt.safetensors";
    plc_report report = {0};
    pleach_job job = short_job(write_scaled(name, 1), path_of("controls"));

    (void)state;
    job.opts.drop = 0;
    job.opts.controls = "dense,cnn5";
    job.progress = spoil_model;
    job.user = name;
    assert_ok(pleach_compress(ctx, device, &job));
    read_report(job.opts.out, &report);
    assert_int_equal(report.n_networks, 4);
    assert_string_equal(report.networks[2].name, "fused");
    assert_string_equal(report.networks[3].name, "cnn5");
    plc_report_finish(&report);
}

// Two groups that begin in one convolution each keep a half, though channels settle meanwhile.
static void groups_of_one_convolution_settle_apart(void **state)
{
    const char *model = path_of("sliced.safetensors"), *out = path_of("sliced");
    char path[MAX_PATH + 32];
    plc_model_file file = {0};
    int node = 0, parts[2];

    (void)state;
    assert_ok(plc_graph_create(ctx, "sliced", (plc_shape){1, 28, 28}, &file.graph));
    pleach_graph *g = file.graph;
    const plc_attrs conv = {.out_channels = 32, .kernel = {3, 3}, .pad = {1, 1}, .stride = {4, 4}};
    assert_ok(plc_graph_add(ctx, g, "conv", "conv", &node, 1, &conv, &node));
    assert_ok(plc_graph_add(ctx, g, "batch_norm", "norm", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "relu", "relu", &node, 1, NULL, &node));
    for (int i = 0; i < 2; i++)
        assert_ok(plc_graph_add(ctx, g, "slice", i ? "second" : "first", &node, 1,
                                &(plc_attrs){.offset = 16 * i, .out_channels = 16}, &parts[i]));
    assert_ok(plc_graph_add(ctx, g, "concat", "joined", parts, 2, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "conv", "conv2", &node, 1, &conv, &node));
    assert_ok(plc_graph_add(ctx, g, "batch_norm", "norm2", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "relu", "relu2", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "global_avg_pool", "pool", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1,
                            &(plc_attrs){.out_channels = 10, .bias = true}, &node));
    make_weights(&file, 0.5f, 0.4f);
    float *conv_weights = file.weights + file.layout->offsets[plc_graph_find(g, "conv")][0];
    float *conv2_weights = file.weights + file.layout->offsets[plc_graph_find(g, "conv2")][0];
    for (int c = 16; c < 30; c++) // weak ones, so that all would leave the second group but two
        for (int i = 0; i < 32 * 9; i++) {
            conv_weights[c * 9 + i % 9] *= i < 9 ? 0.01f : 1;
            conv2_weights[(i / 9 * 32 + c) * 9 + i % 9] *= 0.01f;
        }
    assert_ok(plc_model_file_write(ctx, model, g, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);

    pleach_job job = short_job(model, out);
    job.opts.macs = 0.35;
    job.opts.settle = 1;
    job.opts.max_ratio = 0.5;
    job.opts.drop = 0;
    job.opts.prune_epochs = 2;
    assert_ok(pleach_compress(ctx, device, &job));
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_ok(plc_model_file_read(ctx, path, &file));
    for (int i = 0; i < 2; i++) {
        const int part = plc_graph_find(file.graph, i ? "second" : "first");
        if (part != PLC_NO_NODE) // gone where it is all that is left
            assert_true(file.graph->nodes[part].shape.c >= 8);
    }
    plc_model_file_finish(&file);
}

// A convolution without a batch norm.
static const char *write_bare(void)
{
    const char *path = path_of("bare.safetensors");
    const plc_attrs conv = {.out_channels = 8, .kernel = {3, 3}}, fc = {.out_channels = 10};
    plc_model_file file = {0};
    int node = 0;

    assert_ok(plc_graph_create(ctx, "bare", (plc_shape){1, 28, 28}, &file.graph));
    assert_ok(plc_graph_add(ctx, file.graph, "conv", "conv", &node, 1, &conv, &node));
    assert_ok(plc_graph_add(ctx, file.graph, "global_avg_pool", "pool", &node, 1, NULL, &node));
    assert_ok(plc_graph_add(ctx, file.graph, "linear", "fc", &node, 1, &fc, &node));
    make_weights(&file, 0, 0);
    assert_ok(plc_model_file_write(ctx, path, file.graph, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);
    return path;
}

static void what_pruning_needs_is_asked_before_training(void **state)
{
    const char *out = path_of("never");
    pleach_job job = short_job("cnn5", out);

    (void)state;
    job.opts.keep = "nosuch";
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "--keep nosuch");
    job.opts.keep = "";
    job.opts.optimizer = "sdg";
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "sgd");
    job.opts.optimizer = "sgd";
    job.opts.schedule = "cosin";
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "cosine");
    job.opts.schedule = "one-cycle";
    job.opts.keep = "u\xff";
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "--keep: its value cannot be kept");
    job.opts.keep = "";
    job.opts.model = write_bare();
    job.opts.score = "bn";
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "batch norm");
    assert_false(plc_file_exists(out));
}

// More batches than the device keeps losses of.
static void batches_of_one_image_are_as_good_as_others(void **state)
{
    plc_report report = {0};
    const char *out = path_of("ones");
    pleach_job job = short_job(write_scaled("plain.safetensors", 1), out);

    (void)state;
    job.opts.epochs = 1;
    job.opts.limit = 4200;
    job.opts.calibration = 4190;
    job.opts.batch = 1;
    assert_ok(pleach_train(ctx, device, &job));
    read_report(out, &report);
    const double images = report.networks[0].accuracy * 4200;
    assert_true(fabs(images - round(images)) < 1e-4); // nine digits of it stand in the report
    plc_report_finish(&report);
}

static void names_with_commas_are_names(void **state)
{
    const char *model = path_of("commas.safetensors"), *out = path_of("commas");
    plc_model_file file = {0};
    plc_report report = {0};

    (void)state;
    assert_ok(pleach_graph_create(ctx, "resnet20", 1, 28, 28, 10, &file.graph));
    for (int i = 0; i < file.graph->n_nodes; i++)
        if (plc_graph_is(file.graph, i, "add"))
            for (char *c = file.graph->nodes[i].name; *c; c++)
                *c = *c == '.' ? ',' : *c;
    make_weights(&file, 0.2f, 0.1f);
    assert_ok(plc_model_file_write(ctx, model, file.graph, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);

    pleach_job job = short_job(model, out);
    job.opts.macs = 1;
    job.opts.drop = 2;
    job.opts.learning_rate = 0.001;
    assert_ok(pleach_compress(ctx, device, &job));
    read_report(out, &report);
    const plc_report_network *fused = &report.networks[report.n_networks - 1];
    assert_string_equal(fused->name, "fused");
    assert_int_equal(fused->conv_layers, 17);
    plc_report_finish(&report);
}

static void add_layer(pleach_graph *g, const char *op, const char *name, int *node)
{
    static const plc_attrs conv = {.out_channels = 8, .kernel = {3, 3}, .pad = {1, 1}};
    static const plc_attrs pooled = {.kernel = {4, 4}, .stride = {4, 4}};

    assert_ok(plc_graph_add(ctx, g, op, name, node, 1,
                            strcmp(op, "conv") == 0       ? &conv
                            : strcmp(op, "avg_pool") == 0 ? &pooled
                                                          : NULL,
                            node));
}

// A convolution "<name>", its batch norm "<name>.bn", and perhaps a ReLU "<name>.relu".
static void add_unit(pleach_graph *g, const char *name, bool relu, int *node)
{
    char part[32];

    add_layer(g, "conv", name, node);
    snprintf(part, sizeof part, "%s.bn", name);
    add_layer(g, "batch_norm", part, node);
    snprintf(part, sizeof part, "%s.relu", name);
    if (relu)
        add_layer(g, "relu", part, node);
}

// A block in the branch of another, both dropped: the outer one's shortcut stays, though the branch that is left
// without the inner one has no more layers than it.
static void nested_blocks_leave_the_shortcut(void **state)
{
    static const char text[] = "{\"schema\": \"pleach.plan/1\", \"blocks\": ["
                               "{\"name\": \"iadd\", \"action\": \"drop\"}, "
                               "{\"name\": \"oadd\", \"action\": \"drop\"}]}";
    const char *model = path_of("nested.safetensors"), *out = path_of("nested");
    char plan[MAX_PATH], path[MAX_PATH + 32];
    plc_model_file file = {0};
    int node = 0, stem, shortcut, inner, sides[2];

    (void)state;
    snprintf(plan, sizeof plan, "%s", path_of("nested.json"));
    assert_ok(plc_file_write_all(ctx, plan, text, strlen(text)));
    assert_ok(plc_graph_create(ctx, "nested", (plc_shape){1, 28, 28}, &file.graph));
    pleach_graph *g = file.graph;
    add_layer(g, "avg_pool", "smaller", &node);
    add_unit(g, "stem", true, &node);
    stem = shortcut = node;
    add_unit(g, "sc", false, &shortcut);
    inner = stem;
    add_unit(g, "i1", true, &inner);
    add_unit(g, "i2", false, &inner);
    sides[0] = stem;
    sides[1] = inner;
    assert_ok(plc_graph_add(ctx, g, "add", "iadd", sides, 2, NULL, &node));
    add_unit(g, "b2", false, &node);
    sides[0] = shortcut;
    sides[1] = node;
    assert_ok(plc_graph_add(ctx, g, "add", "oadd", sides, 2, NULL, &node));
    add_layer(g, "relu", "orelu", &node);
    add_layer(g, "global_avg_pool", "pool", &node);
    assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1,
                            &(plc_attrs){.out_channels = 10, .bias = true}, &node));
    make_weights(&file, 0.5f, 0.4f);
    assert_ok(plc_model_file_write(ctx, model, g, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);

    pleach_job job = short_job(model, out);
    job.opts.macs = 1;
    job.opts.plan = plan;
    job.opts.fade_epochs = 1;
    job.opts.prune_epochs = 1;
    assert_ok(pleach_compress(ctx, device, &job));
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_ok(plc_model_file_read(ctx, path, &file));
    assert_int_not_equal(plc_graph_find(file.graph, "sc"), PLC_NO_NODE);
    assert_int_equal(plc_graph_find(file.graph, "b2"), PLC_NO_NODE);
    assert_int_equal(plc_graph_find(file.graph, "i1"), PLC_NO_NODE);
    plc_model_file_finish(&file);
}

// Scales the filters of a convolution but the first, which alone is to stay.
static void weaken_all_but_one(plc_model_file *file, const char *name)
{
    const int node = plc_graph_find(file->graph, name);
    const plc_param *param = &file->graph->nodes[node].params[0];
    const int n = param->dims[1] * param->dims[2] * param->dims[3];

    for (int i = n; i < param->dims[0] * n; i++)
        file->weights[file->layout->offsets[node][0] + i] *= 1e-3f;
}

// A branch of three convolutions goes when one of its two inner groups is empty; the other group's channels are gone
// then as well, and count so.
static void channels_that_go_with_a_branch_are_counted(void **state)
{
    const char *model = path_of("bottleneck.safetensors"), *out = path_of("bottleneck");
    plc_model_file file = {0};
    plc_report report = {0};
    char path[MAX_PATH + 32];
    int node = 0, sides[2];

    (void)state;
    assert_ok(plc_graph_create(ctx, "bottleneck", (plc_shape){1, 28, 28}, &file.graph));
    pleach_graph *g = file.graph;
    add_layer(g, "avg_pool", "smaller", &node);
    add_unit(g, "stem", true, &node);
    sides[0] = node;
    add_unit(g, "b1", true, &node);
    add_unit(g, "b2", true, &node);
    add_unit(g, "b3", false, &node);
    sides[1] = node;
    assert_ok(plc_graph_add(ctx, g, "add", "add", sides, 2, NULL, &node));
    add_layer(g, "relu", "relu", &node);
    add_layer(g, "global_avg_pool", "pool", &node);
    assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1,
                            &(plc_attrs){.out_channels = 10, .bias = true}, &node));
    make_weights(&file, 0.5f, 0);
    // Ranks are relative to the group's mean: of b1 all are equal, of the others one outlives them.
    weaken_all_but_one(&file, "stem");
    weaken_all_but_one(&file, "b3");
    weaken_all_but_one(&file, "b2");
    assert_ok(plc_model_file_write(ctx, model, g, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);

    pleach_job job = short_job(model, out);
    job.opts.macs = 0.008;
    job.opts.settle = 1;
    job.opts.band = 0;
    job.opts.drop = 0;
    job.opts.prune_epochs = 2;
    job.opts.update_steps = 1;
    job.opts.learning_rate = 1e-4;
    assert_ok(pleach_compress(ctx, device, &job));
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_ok(plc_model_file_read(ctx, path, &file));
    assert_int_equal(plc_graph_find(file.graph, "b2"), PLC_NO_NODE);
    const int n_left = file.graph->nodes[plc_graph_find(file.graph, "stem")].shape.c;
    read_report(out, &report);
    assert_int_equal(report.mask_updates[report.n_mask_updates - 1].n_pruned, 3 * 8 - n_left);
    plc_report_finish(&report);
    plc_model_file_finish(&file);
}

static void stop_after_pruning_began(void *user, const pleach_progress *progress)
{
    *(int *)user = progress->epoch_done && progress->epoch == 2;
}

// What froze the trunk goes with a branch: then the trunk can be pruned, too, and fewer classes are fixed than before.
static void a_trunk_that_is_free_after_a_branch_has_gone_is_pruned(void **state)
{
    const char *model = path_of("frozen.safetensors"), *out = path_of("frozen");
    plc_model_file file = {0};
    plc_report report = {0};
    int node = 0, sides[2], stop = 0;

    (void)state;
    assert_ok(plc_graph_create(ctx, "frozen", (plc_shape){1, 28, 28}, &file.graph));
    pleach_graph *g = file.graph;
    add_layer(g, "avg_pool", "smaller", &node);
    add_unit(g, "stem", true, &node);
    sides[0] = node;
    add_layer(g, "sigmoid", "sigmoid", &node); // not 0 where its input is
    add_unit(g, "b1", true, &node);
    add_unit(g, "b2", false, &node);
    sides[1] = node;
    assert_ok(plc_graph_add(ctx, g, "add", "add", sides, 2, NULL, &node));
    add_layer(g, "relu", "relu", &node);
    add_unit(g, "last", true, &node);
    add_layer(g, "global_avg_pool", "pool", &node);
    assert_ok(plc_graph_add(ctx, g, "linear", "fc", &node, 1,
                            &(plc_attrs){.out_channels = 10, .bias = true}, &node));
    make_weights(&file, 0.5f, 0.4f);
    assert_ok(plc_model_file_write(ctx, model, g, file.layout, file.weights, NULL));
    plc_model_file_finish(&file);

    pleach_job job = short_job(model, out);
    job.opts.macs = 0.05; // less than with the whole trunk
    job.opts.settle = 1;
    job.opts.band = 0;
    job.opts.drop = 0;
    job.opts.epochs = 4;
    job.opts.prune_epochs = 3;
    job.opts.update_steps = 1;
    job.opts.learning_rate = 1e-4;
    job.progress = stop_after_pruning_began;
    job.user = &stop;
    job.stop = &stop;
    assert_int_equal(pleach_compress(ctx, device, &job), PLEACH_EINTERRUPTED);
    job.progress = NULL;
    job.stop = NULL;
    job.resume = out;
    assert_ok(pleach_compress(ctx, device, &job));
    read_report(out, &report);
    assert_true(report.networks[report.n_networks - 1].macs * 20 <= report.networks[0].macs);
    for (size_t i = 0; i < report.n_mask_updates; i++)
        assert_true(report.mask_updates[i].n_pruned >= 0);
    plc_report_finish(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_that_is_no_number_ends_a_run_that_compacts),
        cmocka_unit_test(a_control_that_diverges_costs_its_own_row_alone),
        cmocka_unit_test(groups_of_one_convolution_settle_apart),
        cmocka_unit_test(what_pruning_needs_is_asked_before_training),
        cmocka_unit_test(batches_of_one_image_are_as_good_as_others),
        cmocka_unit_test(names_with_commas_are_names),
        cmocka_unit_test(nested_blocks_leave_the_shortcut),
        cmocka_unit_test(channels_that_go_with_a_branch_are_counted),
        cmocka_unit_test(a_trunk_that_is_free_after_a_branch_has_gone_is_pruned),
    };

    return cmocka_run_group_tests_name("run limits", tests, set_up, tear_down);
}
