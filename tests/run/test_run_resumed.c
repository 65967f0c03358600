// Runs that go on: with what of it they must have begun, and what they count.
#include <context.h>

#include <base/file.h>
#include <device/device.h>
#include <run_folder.h>

// Replaces text in a run's config.json.
static void edit_config(const char *out, const char *from, const char *to)
{
    char path[MAX_PATH + 16], *text = NULL, *edited = NULL;
    size_t size = 0;

    snprintf(path, sizeof path, "%s/config.json", out);
    assert_ok(plc_file_read(ctx, path, 1 << 20, &text, &size));
    char *at = memmem(text, size, from, strlen(from));
    assert_non_null(at);
    const int n = asprintf(&edited, "%.*s%s%.*s", (int)(at - text), text, to,
                           (int)(text + size - at - strlen(from)), at + strlen(from));
    assert_ok(plc_file_write_all(ctx, path, edited, (size_t)n));
    free(edited);
    free(text);
}

// A CIFAR-10 of a few grey images.
static const char *write_cifar(void)
{
    static const char *const names[] = {"data_batch_1", "data_batch_2", "data_batch_3",
                                        "data_batch_4", "data_batch_5", "test_batch"};
    static unsigned char records[64 * 3073];
    const char *dir = path_of("cifar");
    char path[MAX_PATH + 32];

    assert_ok(plc_make_dirs(ctx, dir));
    for (size_t i = 0; i < sizeof records; i += 3073)
        records[i] = (unsigned char)(i % 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s.bin", dir, names[i]);
        assert_ok(plc_file_write_all(ctx, path, records, sizeof records));
    }
    return dir;
}

static void count_warnings(void *user, pleach_log_level level, const char *text)
{
    *(int *)user += level == PLEACH_LOG_WARNING && strstr(text, "its last bits") != NULL;
}

// Sums are split by compute units, so another number of them gives other bits: that is said.
static void other_compute_units_are_another_device(void **state)
{
    pleach_job job = short_job("cnn5", path_of("units"));
    pleach_device_info *info = device->info;
    const int units = info->compute_units;
    int n_warnings = 0;

    (void)state;
    assert_ok(pleach_train(ctx, device, &job));
    job.resume = job.opts.out;
    pleach_ctx_set_log(ctx, count_warnings, &n_warnings);
    assert_ok(pleach_train(ctx, device, &job));
    assert_int_equal(n_warnings, 0);
    info->compute_units = units + 1;
    assert_ok(pleach_train(ctx, device, &job));
    info->compute_units = units;
    pleach_ctx_set_log(ctx, NULL, NULL);
    assert_int_equal(n_warnings, 1);
}

static void a_run_goes_on_with_what_it_began_with(void **state)
{
    const char *out = path_of("begun");
    pleach_job job = short_job("cnn5", out);
    plc_report before = {0}, after = {0};
    char other[MAX_PATH + 16];

    (void)state;
    assert_ok(pleach_compress(ctx, device, &job));
    read_report(out, &before);
    job.resume = out;
    expect(pleach_train(ctx, device, &job), PLEACH_EUSAGE, "pleach compress --resume");
    // Time is that of all its parts, and the device the last one's.
    pleach_device *few = NULL;
    assert_ok(pleach_device_open(
        ctx, plc_test_device(), &(pleach_device_opts){.lanes = 4, .mapping = PLEACH_MAPPING_VECTOR},
        &few));
    assert_ok(pleach_compress(ctx, few, &job));
    pleach_device_close(&few);
    read_report(out, &after);
    assert_true(after.seconds >= before.seconds && before.seconds > 0);
    assert_int_equal(after.device.lanes, 4);
    assert_true(after.memory.host_peak_bytes >= before.memory.host_peak_bytes);
    plc_report_finish(&before);
    plc_report_finish(&after);
    snprintf(other, sizeof other, "cifar10:%s", write_cifar());
    edit_config(out, "fashion-mnist", other);
    expect(pleach_compress(ctx, device, &job), PLEACH_EINPUT, "3x32x32");
}

// Also where there is no checkpoint yet, and before options are missed that the other command would need.
static void a_run_goes_on_by_its_own_command(void **state)
{
    const char *compressed = path_of("compressed"), *trained = path_of("trained");
    char checkpoint[MAX_PATH + 32];
    pleach_job job = short_job("cnn5", compressed);

    (void)state;
    assert_ok(pleach_compress(ctx, device, &job));
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", compressed);
    assert_int_equal(remove(checkpoint), 0);
    job.resume = compressed;
    expect(pleach_train(ctx, device, &job), PLEACH_EUSAGE, "pleach compress --resume");
    job = short_job("cnn5", trained);
    job.opts.macs = 0;
    assert_ok(pleach_train(ctx, device, &job));
    job.resume = trained;
    expect(pleach_compress(ctx, device, &job), PLEACH_EUSAGE, "pleach train --resume");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_with_what_it_began_with),
        cmocka_unit_test(a_run_goes_on_by_its_own_command),
        cmocka_unit_test(other_compute_units_are_another_device),
    };

    return cmocka_run_group_tests_name("resumed runs", tests, set_up, tear_down);
}
