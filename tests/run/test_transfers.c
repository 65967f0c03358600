// What crosses from the device to the host while a job trains, prunes, drops blocks and is taught: losses and scores. A
// tensor is read for checkpoints and models alone, whose number does not depend on that of the steps.
#include "context.h"

#include <exec/session.h>
#include <kernel/kernels.h>
#include <faulty_cl.h>
#include <run_folder.h>

enum { METRICS_BYTES = PLC_METRIC_SLOTS * sizeof(plc_metric_slot), MAX_SCORES = 1024 };

typedef struct reads {
    int n_tensors, n_scores, n_updates;
} reads;

static int set_up_counting(void **state)
{
    return make_fixture(state) || !mkdtemp(folder) ||
           plc_kernels_open(ctx, &plc_faulty_cl, plc_test_device(), NULL, &device) != PLEACH_OK;
}

// A job that updates its masks after every step of its pruning epochs, and compacts what stayed pruned.
static reads count_reads(const char *score, int n_images)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%d", score, n_images);
    pleach_job job = short_job("resnet20", path_of(name));
    plc_report report = {0};
    reads counted = {0};

    job.opts.score = score;
    job.opts.limit = n_images;
    job.opts.epochs = 5;
    job.opts.dense_epochs = 1;
    job.opts.prune_epochs = 2;
    job.opts.update_steps = 1;
    job.opts.settle = 1;
    job.opts.drop = 1;
    job.opts.distill = 0.5;
    plc_n_reads = 0;
    assert_ok(pleach_compress(ctx, device, &job));
    assert_true(plc_n_reads <= PLC_MAX_READS);
    for (int i = 0; i < plc_n_reads; i++) {
        counted.n_tensors += plc_read_bytes[i] > METRICS_BYTES;
        if (plc_read_bytes[i] < METRICS_BYTES) {
            assert_true(plc_read_bytes[i] <= MAX_SCORES * sizeof(float));
            counted.n_scores++;
        }
    }
    read_report(job.opts.out, &report);
    counted.n_updates = (int)report.n_mask_updates;
    plc_report_finish(&report);
    return counted;
}

static void training_reads_losses_and_scores_alone(void **state)
{
    static const char *const scores[] = {"l2", "taylor", "redundancy"};

    (void)state;
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        const reads fewer = count_reads(scores[i], 192), more = count_reads(scores[i], 384);

        assert_true(more.n_updates >= fewer.n_updates + 6);
        assert_int_equal(more.n_tensors, fewer.n_tensors);
        const int n_scores = more.n_scores - fewer.n_scores,
                  n_updates = more.n_updates - fewer.n_updates;
        // Taylor's means are read once more where a compaction carries them into the next scorer.
        assert_true(n_scores >= n_updates && n_scores <= 2 * n_updates);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_reads_losses_and_scores_alone),
    };

    return cmocka_run_group_tests_name("transfers", tests, set_up_counting, tear_down);
}
