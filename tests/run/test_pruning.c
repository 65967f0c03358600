// What the options of pruning do to a network in a job.
#include "context.h"

#include <base/file.h>
#include <io/model_file.h>
#include <run_folder.h>

static plc_model_file read_model(const char *out, const char *name)
{
    char path[MAX_PATH + 32];
    plc_model_file file = {0};

    snprintf(path, sizeof path, "%s/%s", out, name);
    assert_ok(plc_model_file_read(ctx, path, &file));
    return file;
}

// Asks for so little that all branches would go.
static pleach_job pruning_job(const char *out)
{
    pleach_job job = short_job("resnet20", out);

    job.opts.macs = 0.04;
    job.opts.band = 0;
    job.opts.settle = 1;
    job.opts.drop = 0;
    return job;
}

// A block's branch may empty and go whole, or be dropped, but not with a node that is to be kept in it or behind it.
static void what_is_kept_stays_with_its_block(void **state)
{
    static const struct {
        const char *node;
        double macs;
        int drop;
    } cases[] = {
        {"layer3.0.conv2", 0.15, 0},
        {"layer1.1.add", 0.04, 0},
        {"layer1.2.relu2", 0.04, 0},
        {"layer2.1.conv1", 0.5, 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pleach_job job = pruning_job(path_of(cases[i].node));
        job.opts.macs = cases[i].macs;
        job.opts.keep = cases[i].node;
        job.opts.drop = cases[i].drop;
        assert_ok(pleach_compress(ctx, device, &job));
        plc_model_file file = read_model(job.opts.out, "model.safetensors");
        if (plc_graph_find(file.graph, cases[i].node) == PLC_NO_NODE)
            fail_msg("%s is gone", cases[i].node);
        plc_model_file_finish(&file);
    }
}

static void targets_out_of_reach_are_refused(void **state)
{
    const char *out = path_of("never");
    pleach_job job = pruning_job(out);

    (void)state;
    job.opts.macs = 0.1;
    job.opts.max_ratio = 0.3;
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "--macs 0.1 cannot be reached");
    job.opts.macs = 0;
    job.opts.params = 0.1;
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "--params 0.1 cannot be reached");
    assert_false(plc_file_exists(out));
}

static void count_warnings(void *user, pleach_log_level level, const char *text)
{
    *(int *)user += level == PLEACH_LOG_WARNING &&
                    strstr(text, "--round-to 64: the largest group of 'resnet20' has 64 channels");
}

// Branches may go whole, so a target may be in reach all the same.
static void rounding_that_no_group_can_follow_is_told(void **state)
{
    pleach_job job = pruning_job(path_of("rounded"));
    int n_warnings = 0;

    (void)state;
    job.opts.macs = 0.5;
    job.opts.round_to = 64;
    pleach_ctx_set_log(ctx, count_warnings, &n_warnings);
    assert_ok(pleach_compress(ctx, device, &job));
    pleach_ctx_set_log(ctx, NULL, NULL);
    assert_int_equal(n_warnings, 1);
}

// Of two pruning epochs of 8 steps the first one's move masks.
static void masks_are_updated_as_often_as_asked(void **state)
{
    static const int steps[] = {1, 2, 3, 8, 20}, n_updates[] = {8, 4, 3, 1, 1};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char name[16];
        plc_report report = {0};
        snprintf(name, sizeof name, "every-%d", steps[i]);
        pleach_job job = short_job("cnn5", path_of(name));
        job.opts.epochs = 3;
        job.opts.prune_epochs = 2;
        job.opts.update_steps = steps[i];
        assert_ok(pleach_compress(ctx, device, &job));
        read_report(job.opts.out, &report);
        assert_int_equal(report.n_mask_updates, n_updates[i]);
        plc_report_finish(&report);
    }
}

static void stop_after_two_epochs(void *user, const pleach_progress *progress)
{
    *(int *)user = progress->epoch_done && progress->epoch == 2;
}

// How many filters of the convolution are exactly 0.
static int count_zero_filters(const plc_model_file *file, const char *name)
{
    const int node = plc_graph_find(file->graph, name);
    const plc_param *param = &file->graph->nodes[node].params[0];
    const float *filter = file->weights + file->layout->offsets[node][0];
    const int n = param->dims[1] * param->dims[2] * param->dims[3];
    int n_zero = 0;

    for (int k = 0; k < param->dims[0]; k++, filter += n) {
        bool zero = true;
        for (int i = 0; i < n; i++)
            zero = zero && !(filter[i] < 0) && !(filter[i] > 0);
        n_zero += zero;
    }
    return n_zero;
}

// Soft pruning sets filters to zero and lets them train on, which they can without momentum too: but for those whose
// channel is then below the ReLU.
static void softly_pruned_filters_train_on(void **state)
{
    int stop = 0, n_zero = 0;
    plc_report report = {0};

    (void)state;
    pleach_job job = short_job("cnn5", path_of("soft"));
    job.opts.recover = "soft";
    job.opts.momentum = 0;
    job.opts.epochs = 5;
    job.opts.dense_epochs = 1;
    job.opts.prune_epochs = 3;
    job.opts.update_steps = 5; // of 8
    job.opts.settle = 0;
    job.opts.schedule = "cosine";
    job.progress = stop_after_two_epochs;
    job.user = &stop;
    job.stop = &stop;
    assert_int_equal(pleach_compress(ctx, device, &job), PLEACH_EINTERRUPTED);
    plc_model_file file = read_model(job.opts.out, "checkpoint.safetensors");
    const char *text = plc_tensors_metadata(&file.extra, "report");
    assert_ok(plc_report_from_json(ctx, text, strlen(text), "report", &report));
    assert_int_equal(report.n_mask_updates, 1);
    for (int i = 1; i <= 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i);
        n_zero += count_zero_filters(&file, name);
    }
    if (4 * n_zero > 3 * report.mask_updates[0].n_pruned)
        fail_msg("%d of %d filters are still zero", n_zero, report.mask_updates[0].n_pruned);
    plc_report_finish(&report);
    plc_model_file_finish(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_stays_with_its_block),
        cmocka_unit_test(targets_out_of_reach_are_refused),
        cmocka_unit_test(rounding_that_no_group_can_follow_is_told),
        cmocka_unit_test(masks_are_updated_as_often_as_asked),
        cmocka_unit_test(softly_pruned_filters_train_on),
    };

    return cmocka_run_group_tests_name("pruning", tests, set_up, tear_down);
}
