// Jobs as a user runs them: a short compress on real images, interruption and resumption, divergence.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pleach/run.h>
#include <base/file.h>
#include <io/model_file.h>
#include <half_device.h>
#include <price/macs.h>
#include <report/report.h>
#include <platform.h>

typedef struct fixture {
    pleach_ctx *ctx;
    pleach_device *device;
    char folder[64];
} fixture;

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(f->ctx));                                       \
    } while (0)

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL || pleach_ctx_create(&f->ctx) != PLEACH_OK ||
        pleach_device_open(f->ctx, plc_test_device(), NULL, &f->device) != PLEACH_OK)
        return -1;
    strcpy(f->folder, "/tmp/pleach-run-XXXXXX");
    return mkdtemp(f->folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -r '%s'", f->folder);
    const int removed = system(command);
    pleach_device_close(&f->device);
    pleach_ctx_destroy(&f->ctx);
    free(f);
    return removed;
}

// A compress job of a few seconds: 5 epochs of 512 images.
static pleach_job small_job(const char *out)
{
    pleach_job job = {0};

    pleach_run_opts_init(&job.opts);
    job.opts.model = "resnet20";
    job.opts.out = out;
    job.opts.epochs = 5;
    job.opts.limit = 512;
    job.opts.calibration = 128;
    job.opts.batch = 32;
    job.opts.macs = 0.5;
    job.opts.drop = 1;
    job.opts.distill = 0.5;
    job.opts.learning_rate = 0.1;
    return job;
}

static void out_path(const fixture *f, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", f->folder, name);
}

static char *read_file(fixture *f, const char *dir, const char *name, size_t *size)
{
    char path[256], *data = NULL;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK(plc_file_read(f->ctx, path, (size_t)1 << 30, &data, size));
    return data;
}

static void assert_same_file(fixture *f, const char *a, const char *b, const char *name)
{
    size_t size_a, size_b;
    char *data_a = read_file(f, a, name, &size_a), *data_b = read_file(f, b, name, &size_b);

    assert_int_equal(size_a, size_b);
    assert_memory_equal(data_a, data_b, size_a);
    free(data_a);
    free(data_b);
}

static const plc_report_network *find_row(const plc_report *report, const char *name)
{
    for (size_t i = 0; i < report->n_networks; i++)
        if (strcmp(report->networks[i].name, name) == 0)
            return &report->networks[i];
    fail_msg("the report has no row '%s'", name);
    return NULL;
}

static void compress_makes_a_smaller_network_and_reports_it(void **state)
{
    fixture *f = *state;
    char out[128], path[256];
    plc_report report = {0};
    plc_model_file model = {0};

    out_path(f, "whole", out);
    pleach_job job = small_job(out);
    job.opts.limit = 1024;
    job.opts.distill = 0; // its teacher would have learnt too little
    job.opts.controls = "scratch,cnn5,random";
    CHECK(pleach_compress(f->ctx, f->device, &job));
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    const plc_report_network *dense = find_row(&report, "dense"),
                             *pruned = find_row(&report, "pruned");
    const plc_report_network *fused = find_row(&report, "fused"),
                             *scratch = find_row(&report, "scratch");
    assert_true((double)pruned->macs <= 0.5 * (double)dense->macs);
    assert_true(pruned->macs > dense->macs / 3);
    assert_true(fused->macs < pruned->macs);
    assert_true(fused->conv_layers < pruned->conv_layers);
    assert_int_equal(scratch->macs, fused->macs);
    assert_true(fused->accuracy > 0.3); // ten classes, five epochs of a thousand images
    find_row(&report, "cnn5");
    // As small, with the same blocks dropped; what was pruned and spent is told of the main network alone.
    const plc_report_network *random = find_row(&report, "random");
    assert_int_equal(random->conv_layers, fused->conv_layers);
    assert_true((double)random->macs < 0.5 * (double)dense->macs);
    assert_int_equal(random->epochs, 5);
    assert_int_equal(report.n_channels, 21);
    assert_true(report.n_mask_updates >= 8 && report.n_mask_updates < 16);
    assert_true(report.memory.device_peak_bytes > 0);
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    CHECK(plc_model_file_read(f->ctx, path, &model));
    assert_int_equal(plc_graph_cost(model.graph).macs, fused->macs);
    plc_model_file_finish(&model);
    snprintf(path, sizeof path, "%s/model-folded.safetensors", out);
    CHECK(plc_model_file_read(f->ctx, path, &model));
    for (int i = 0; i < model.graph->n_nodes; i++)
        assert_string_not_equal(model.graph->nodes[i].op->name, "batch_norm");
    plc_model_file_finish(&model);
    plc_report_finish(&report);

    // The directory holds a run: nothing of it may be lost.
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "--resume"));
}

// Stops the job at its `at`-th progress call.
typedef struct stopper {
    volatile int stop;
    int calls, at;
} stopper;

static void count_epochs(void *user, const pleach_progress *progress)
{
    stopper *s = user;

    s->calls += progress->epoch_done;
    s->stop = s->calls >= s->at;
}

// Runs the job whole, and again with interruptions: the models and what led to them have the same bits.
static void check_resume(fixture *f, pleach_job job, const char *name)
{
    char whole[128], parts[128], label[32];

    snprintf(label, sizeof label, "%s-whole", name);
    out_path(f, label, whole);
    snprintf(label, sizeof label, "%s-parts", name);
    out_path(f, label, parts);
    job.opts.out = whole;
    CHECK(pleach_compress(f->ctx, f->device, &job));
    job.opts.out = parts;
    // Interrupted in every epoch, one step into it: dense, pruning, fading, tuning.
    for (int at = 1; at < job.opts.epochs; at++) {
        stopper stop = {.at = 1};
        job.progress = count_epochs;
        job.user = &stop;
        job.stop = &stop.stop;
        job.resume = at > 1 ? parts : NULL;
        assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EINTERRUPTED);
        if (at == 1 && job.opts.plan[0])
            assert_int_equal(remove(job.opts.plan), 0); // the run has a copy
    }
    job.progress = NULL;
    job.stop = NULL;
    job.resume = parts;
    CHECK(pleach_compress(f->ctx, f->device, &job));
    assert_same_file(f, whole, parts, "dense.safetensors");
    assert_same_file(f, whole, parts, "pruned.safetensors");
    assert_same_file(f, whole, parts, "model.safetensors");
    assert_same_file(f, whole, parts, "model-folded.safetensors");
    assert_same_file(f, whole, parts, "plan.json");
}

static void resumed_run_gives_the_same_bits(void **state)
{
    check_resume(*state, small_job(""), "gradient");
}

// Scores are means over steps that the checkpoint holds, and channels leave while pruning goes on.
static void resumed_soft_pruning_that_settles_gives_the_same_bits(void **state)
{
    fixture *f = *state;
    char out[128], path[256];
    size_t size;
    plc_report report = {0};

    pleach_job job = small_job("");
    job.opts.recover = "soft";
    job.opts.score = "taylor";
    job.opts.settle = 2;
    job.opts.prune_epochs = 3; // so that it is also interrupted after channels have settled
    job.opts.epochs = 7;
    check_resume(f, job, "soft");
    out_path(f, "soft-parts", out);
    char *log = read_file(f, out, "log.jsonl", &size);
    assert_non_null(memmem(log, size, "\"settle\"", 8));
    free(log);
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    int n_smaller = 0;
    for (size_t i = 0; i < report.n_channels; i++) {
        assert_true(report.channels[i].before % 16 == 0); // the dense network's
        n_smaller += report.channels[i].after < report.channels[i].before;
    }
    assert_int_equal(report.n_channels, 21);
    assert_true(n_smaller > 0);
    plc_report_finish(&report);
}

static void write_plan(fixture *f, const char *blocks, char path[128])
{
    char text[512];

    out_path(f, "given.json", path);
    snprintf(text, sizeof text, "{\"schema\": \"pleach.plan/1\", \"blocks\": [%s]}", blocks);
    CHECK(plc_file_write_all(f->ctx, path, text, strlen(text)));
}

static const plc_report_block *find_block(const plc_report *report, const char *name)
{
    for (size_t i = 0; i < report->n_blocks; i++)
        if (strcmp(report->blocks[i].name, name) == 0)
            return &report->blocks[i];
    fail_msg("the report has no block '%s'", name);
    return NULL;
}

static void a_resumed_plan_of_drops_and_merges_gives_the_same_bits(void **state)
{
    fixture *f = *state;
    char plan[128], out[128], path[256];
    plc_report report = {0};
    plc_model_file model = {0};

    write_plan(f,
               "{\"name\": \"layer1.1.add\", \"action\": \"merge\"},"
               "{\"name\": \"layer1.2.add\", \"action\": \"drop\"},"
               "{\"name\": \"layer2.0.add\", \"action\": \"merge\"}",
               plan);
    pleach_job job = small_job("");
    job.opts.plan = plan;
    job.opts.drop = -1;
    check_resume(f, job, "plan");
    out_path(f, "plan-parts", out);
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    assert_int_equal(find_row(&report, "fused")->conv_layers,
                     find_row(&report, "pruned")->conv_layers - 4);
    assert_int_equal(report.n_blocks, 9);
    assert_string_equal(find_block(&report, "layer1.2.add")->action, "drop");
    assert_string_equal(find_block(&report, "layer1.0.add")->action, "keep");
    assert_string_equal(find_block(&report, "layer2.0.add")->action, "merge");
    const double border = find_block(&report, "layer1.1.add")->border_error;
    assert_true(border > 0 && border < 1);
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    CHECK(plc_model_file_read(f->ctx, path, &model));
    const int merged = plc_graph_find(model.graph, "layer1.1.conv2");
    assert_int_equal(model.graph->nodes[merged].attrs.kernel[0], 5);
    assert_int_equal(model.graph->nodes[merged].attrs.pad[0], 2);
    assert_int_equal(plc_graph_count_op(model.graph, "fading_relu"), 0);
    assert_int_equal(plc_graph_find(model.graph, "layer1.1.conv1"), PLC_NO_NODE);
    plc_model_file_finish(&model);
    // Its shortcut has joined the kernel where batch norms are folded.
    snprintf(path, sizeof path, "%s/model-folded.safetensors", out);
    CHECK(plc_model_file_read(f->ctx, path, &model));
    assert_int_equal(plc_graph_find(model.graph, "layer1.1.add"), PLC_NO_NODE);
    plc_model_file_finish(&model);
    snprintf(path, sizeof path, "%s/plan.json", out);
    assert_true(plc_file_exists(path));
    plc_report_finish(&report);
}

// Random scores leave groups empty where few channels are left. Of their blocks nothing remains.
static void a_resumed_run_that_empties_branches_gives_the_same_bits(void **state)
{
    fixture *f = *state;
    char out[128], path[256];
    plc_report report = {0};
    int n_emptied = 0;

    pleach_job job = small_job("");
    job.opts.score = "random";
    job.opts.macs = 0.01;
    job.opts.settle = 0;
    job.opts.drop = 0;
    job.opts.prune_epochs = 3;
    job.opts.epochs = 6;
    check_resume(f, job, "empty");
    out_path(f, "empty-parts", out);
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    for (size_t i = 0; i < report.n_blocks; i++)
        n_emptied += strcmp(report.blocks[i].action, "empty") == 0;
    assert_true(n_emptied > 0);
    assert_int_equal(find_row(&report, "pruned")->conv_layers,
                     find_row(&report, "dense")->conv_layers - 2 * n_emptied);
    plc_report_finish(&report);
}

static void a_share_of_the_layers_is_left(void **state)
{
    fixture *f = *state;
    char out[128], path[256];
    plc_report report = {0};

    out_path(f, "layers", out);
    pleach_job job = small_job(out);
    job.opts.epochs = 4;
    job.opts.drop = -1;
    job.opts.fuse = 0.8;
    job.opts.fuse_cost = "layers";
    CHECK(pleach_compress(f->ctx, f->device, &job));
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    const int before = find_row(&report, "pruned")->conv_layers;
    assert_true(find_row(&report, "fused")->conv_layers <= 0.8 * before);
    assert_true(find_row(&report, "fused")->conv_layers > 0.8 * before - 3);
    plc_report_finish(&report);
}

static void a_run_with_halfs_resumes_with_halfs_only(void **state)
{
    fixture *f = *state;
    const pleach_device_opts opts = {.precision = PLEACH_PRECISION_HALF};
    pleach_device *halfs = NULL;
    char whole[128], parts[128];
    stopper stop = {.at = 1};

    out_path(f, "halfs-whole", whole);
    out_path(f, "halfs-parts", parts);
    CHECK(plc_open_with_halfs(f->ctx, &opts, &halfs));
    pleach_job job = small_job(whole);
    job.opts.epochs = 2;
    CHECK(pleach_train(f->ctx, halfs, &job));
    job.opts.out = parts;
    job.progress = count_epochs;
    job.user = &stop;
    job.stop = &stop.stop;
    assert_int_equal(pleach_train(f->ctx, halfs, &job), PLEACH_EINTERRUPTED);
    job.stop = NULL;
    job.resume = parts;
    assert_int_equal(pleach_train(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "--precision half"));
    CHECK(pleach_train(f->ctx, halfs, &job));
    assert_same_file(f, whole, parts, "model.safetensors");
    pleach_device_close(&halfs);
}

static void same_seed_gives_the_same_masks_and_another_seed_does_not(void **state)
{
    fixture *f = *state;
    char a[128], b[128];
    size_t size_a, size_b;

    out_path(f, "gradient-whole", a); // of the test before
    out_path(f, "again", b);
    pleach_job job = small_job(b);
    CHECK(pleach_compress(f->ctx, f->device, &job));
    assert_same_file(f, a, b, "model.safetensors");
    out_path(f, "other-seed", b);
    job = small_job(b);
    job.opts.seed = 1;
    CHECK(pleach_compress(f->ctx, f->device, &job));
    char *data_a = read_file(f, a, "pruned.safetensors", &size_a);
    char *data_b = read_file(f, b, "pruned.safetensors", &size_b);
    assert_true(size_a != size_b || memcmp(data_a, data_b, size_a) != 0);
    free(data_a);
    free(data_b);
}

static void pruned_for_good_stays_pruned(void **state)
{
    fixture *f = *state;
    char out[128], path[256];
    plc_report report = {0};

    out_path(f, "none", out);
    pleach_job job = small_job(out);
    job.opts.recover = "none";
    job.opts.params = 0.4;
    job.opts.macs = 0;
    CHECK(pleach_compress(f->ctx, f->device, &job));
    snprintf(path, sizeof path, "%s/report.json", out);
    CHECK(plc_report_read_json(f->ctx, path, &report));
    for (size_t i = 0; i < report.n_mask_updates; i++)
        assert_int_equal(report.mask_updates[i].returns, 0);
    assert_true((double)find_row(&report, "pruned")->params <=
                0.4 * (double)find_row(&report, "dense")->params);
    plc_report_finish(&report);
}

// Sets an option in a run's config.json.
static void set_option(const char *dir, const char *key, const char *value)
{
    char path[256], command[512];

    snprintf(path, sizeof path, "%s/config.json", dir);
    snprintf(command, sizeof command, "sed -i 's/%s: [^,}]*/%s: %s/' %s", key, key, value, path);
    assert_int_equal(system(command), 0);
}

static void divergence_is_named_and_the_last_checkpoint_kept(void **state)
{
    fixture *f = *state;
    char out[128];

    out_path(f, "diverged", out);
    pleach_job job = small_job(out);
    stopper stop = {.at = 1};
    size_t size, size_after;

    // A good epoch, then one whose weights are beyond measure.
    job.progress = count_epochs;
    job.user = &stop;
    job.stop = &stop.stop;
    assert_int_equal(pleach_train(f->ctx, f->device, &job), PLEACH_EINTERRUPTED);
    char *good = read_file(f, out, "checkpoint.safetensors", &size);
    set_option(out, "\"lr\"", "100");
    job.progress = NULL;
    job.stop = NULL;
    job.resume = out;
    assert_int_equal(pleach_train(f->ctx, f->device, &job), PLEACH_EDIVERGED);
    assert_non_null(strstr(pleach_error(f->ctx), "--lr"));
    char *kept = read_file(f, out, "checkpoint.safetensors", &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(good, kept, size);
    free(good);
    free(kept);
}

static void wrong_options_are_refused_before_anything_is_written(void **state)
{
    fixture *f = *state;
    char out[128], plan[128];

    out_path(f, "never", out);
    pleach_job job = small_job(out);
    job.opts.model = "no-such-file.safetensors";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EIO);
    assert_non_null(strstr(pleach_error(f->ctx), "no-such-file.safetensors"));
    job.opts.model = "resnet20";
    job.opts.macs = 1.5;
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "--macs 1.5"));
    job.opts.macs = 0;
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "no target"));
    job.opts.macs = 0.5;
    job.opts.score = "taylr";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "did you mean 'taylor'"));
    job.opts.score = "l2";
    job.opts.fuse = 0.5;
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "give one"));
    job.opts.drop = -1;
    job.opts.fuse_cost = "layer";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "did you mean 'layers'"));
    job.opts.fuse_cost = "macs";
    job.opts.fuse = 0;
    write_plan(f, "{\"name\": \"layer1.9.add\", \"action\": \"drop\"}", plan);
    job.opts.plan = plan;
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EINPUT);
    assert_non_null(strstr(pleach_error(f->ctx), "given.json: blocks[0]: 'resnet20' has no block"));
    job.opts.plan = "";
    job.opts.recover = "sofft";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "did you mean 'soft'"));
    job.opts.recover = "gradient";
    job.opts.controls = "scratch,randm";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "--controls 'randm'"));
    assert_non_null(strstr(pleach_error(f->ctx), "did you mean 'random'"));
    job.opts.controls = "random,scratch,random";
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "'random' is named twice"));
    job.opts.controls = "";
    job.opts.max_ratio = 0;
    assert_int_equal(pleach_compress(f->ctx, f->device, &job), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "--max-ratio 0"));
    assert_false(plc_file_exists(out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compress_makes_a_smaller_network_and_reports_it),
        cmocka_unit_test(resumed_run_gives_the_same_bits),
        cmocka_unit_test(resumed_soft_pruning_that_settles_gives_the_same_bits),
        cmocka_unit_test(a_resumed_plan_of_drops_and_merges_gives_the_same_bits),
        cmocka_unit_test(a_resumed_run_that_empties_branches_gives_the_same_bits),
        cmocka_unit_test(a_share_of_the_layers_is_left),
        cmocka_unit_test(a_run_with_halfs_resumes_with_halfs_only),
        cmocka_unit_test(same_seed_gives_the_same_masks_and_another_seed_does_not),
        cmocka_unit_test(pruned_for_good_stays_pruned),
        cmocka_unit_test(divergence_is_named_and_the_last_checkpoint_kept),
        cmocka_unit_test(wrong_options_are_refused_before_anything_is_written),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
