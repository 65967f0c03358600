// Memory of a job: what trains on a device is also compacted, fused and folded there.
#include "context.h"

#include <device/device.h>
#include <run_folder.h>

static pleach_device *open_device(void)
{
    pleach_device *opened = NULL;

    assert_ok(pleach_device_open(ctx, plc_test_device(), NULL, &opened));
    return opened;
}

// Bytes in use at most from the first step to the folded model.
static size_t peak_of_training(const char *out)
{
    pleach_job job = short_job("resnet20", path_of(out));
    pleach_device *whole = open_device();

    job.opts.epochs = 1;
    assert_ok(pleach_train(ctx, whole, &job));
    const size_t peak = whole->peak_memory_bytes;
    pleach_device_close(&whole);
    return peak;
}

// No more at any time than training has, but for a copy of parameters and lists of what is kept.
static void rewrites_need_no_room_for_two_networks(void **state)
{
    const size_t peak = peak_of_training("train"), most = peak + peak / 10;
    pleach_device *small = open_device();
    pleach_job job = short_job("resnet20", path_of("compress"));

    (void)state;
    job.opts.epochs = 6;
    job.opts.dense_epochs = 1;
    job.opts.prune_epochs = 2;
    job.opts.settle = 1;
    job.opts.update_steps = 1;
    job.opts.drop = 2;
    small->info->global_memory_bytes = most;
    assert_ok(pleach_compress(ctx, small, &job));
    assert_true(small->peak_memory_bytes <= most);
    pleach_device_close(&small);
}

// Found when the last epoch has ended, the teacher would cost all of them.
static void a_teacher_without_room_is_refused_before_training(void **state)
{
    const size_t peak = peak_of_training("train-again");
    pleach_device *small = open_device();
    pleach_job job = short_job("resnet20", path_of("taught"));

    (void)state;
    job.opts.distill = 0.5;
    small->info->global_memory_bytes = peak + peak / 100;
    expect(pleach_compress(ctx, small, &job), PLEACH_ENOMEM, "activations need");
    assert_int_not_equal(access(job.opts.out, F_OK), 0);
    pleach_device_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewrites_need_no_room_for_two_networks),
        cmocka_unit_test(a_teacher_without_room_is_refused_before_training),
    };

    return cmocka_run_group_tests_name("memory", tests, set_up, tear_down);
}
