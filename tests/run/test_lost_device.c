// A job whose device is lost in the middle: it ends with the cause, keeps its last checkpoint, and goes on
// from there with the same bits.
#include "context.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pleach/run.h>
#include <base/file.h>
#include <kernel/kernels.h>
#include <faulty_cl.h>
#include <platform.h>

enum { N_TRAIN = 96, N_TEST = 32, SIDE = 8, EPOCHS = 3 };

static char folder[64], data[96];
static pleach_device *device;

// MNIST's files: magic number and sizes, big-endian, then bytes.
static void write_idx(const char *name, int n, bool images)
{
    const int dims[] = {n, SIDE, SIDE}, n_dims = images ? 3 : 1;
    unsigned char header[16] = {0, 0, 8, (unsigned char)n_dims};
    const size_t n_bytes = images ? (size_t)n * SIDE * SIDE : (size_t)n;
    unsigned char *bytes = malloc(16 + n_bytes);
    char path[128];

    assert_non_null(bytes);
    for (int d = 0; d < n_dims; d++)
        header[4 + 4 * d + 3] = (unsigned char)dims[d];
    const size_t header_bytes = 4 + 4 * (size_t)n_dims;
    memcpy(bytes, header, header_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        const size_t image = images ? i / (SIDE * SIDE) : i;
        bytes[header_bytes + i] =
            (unsigned char)(images ? image % 10 * 20 + i * 7 % 40 : image % 10);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(plc_file_write_all(ctx, path, bytes, header_bytes + n_bytes));
    free(bytes);
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/pleach-lost-XXXXXX");
    if (!mkdtemp(folder) || make_fixture(state) != 0)
        return -1;
    write_idx("train-images-idx3-ubyte", N_TRAIN, true);
    write_idx("train-labels-idx1-ubyte", N_TRAIN, false);
    write_idx("t10k-images-idx3-ubyte", N_TEST, true);
    write_idx("t10k-labels-idx1-ubyte", N_TEST, false);
    snprintf(data, sizeof data, "mnist:%s", folder);
    assert_ok(plc_kernels_open(ctx, &plc_faulty_cl, plc_test_device(), NULL, &device));
    return 0;
}

static int tear_down(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    pleach_device_close(&device);
    return system(command) | (plc_live_objects != 0) | drop_fixture(state);
}

// After the second epoch, when the first one's checkpoint is there, the device is lost at the `at`-th call.
typedef struct plan {
    int at;
    cl_int error;
} plan;

static void lose_device(void *user, const pleach_progress *progress)
{
    const plan *p = user;

    if (progress->epoch_done && progress->epoch == 2)
        plc_faults = (plc_fault){.any = true, .lost = true, .at = p->at, .error = p->error};
}

static pleach_job make_job(const char *out)
{
    pleach_job job = {0};

    pleach_run_opts_init(&job.opts);
    job.opts.model = "cnn5";
    job.opts.data = data;
    job.opts.out = out;
    job.opts.epochs = EPOCHS;
    job.opts.batch = 16;
    job.opts.calibration = 16;
    return job;
}

static char *read_model(const char *out, size_t *size)
{
    char path[192], *bytes = NULL;

    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 28, &bytes, size));
    return bytes;
}

static void a_lost_device_leaves_a_checkpoint_to_go_on_from(void **state)
{
    static const plan plans[] = {
        {1, CL_DEVICE_NOT_AVAILABLE}, {60, CL_OUT_OF_RESOURCES}, {333, CL_DEVICE_NOT_AVAILABLE}};
    char whole[96], out[96], path[192];
    size_t size = 0, size_again = 0;

    (void)state;
    snprintf(whole, sizeof whole, "%s/whole", folder);
    pleach_job job = make_job(whole);
    assert_ok(pleach_train(ctx, device, &job));
    char *model = read_model(whole, &size);
    const int n_live = plc_live_objects;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        snprintf(out, sizeof out, "%s/lost-%zu", folder, i);
        job = make_job(out);
        job.progress = lose_device;
        job.user = (void *)&plans[i];
        const pleach_status status = pleach_train(ctx, device, &job);
        assert_true(plc_faults.n_planted > 0);
        plc_faults_clear();
        if (status != (plans[i].error == CL_OUT_OF_RESOURCES ? PLEACH_ENOMEM : PLEACH_EDEVICE) ||
            !strstr(pleach_error(ctx), plc_cl_error_name(plans[i].error)))
            fail_msg("lost at call %d: status '%s', text '%s'", plans[i].at,
                     pleach_status_text(status), pleach_error(ctx));
        assert_int_equal(plc_live_objects, n_live);
        snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
        assert_true(plc_file_exists(path));
        job = make_job(out);
        job.resume = out;
        assert_ok(pleach_train(ctx, device, &job));
        char *again = read_model(out, &size_again);
        assert_int_equal(size_again, size);
        assert_memory_equal(again, model, size);
        free(again);
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_device_leaves_a_checkpoint_to_go_on_from),
    };

    return cmocka_run_group_tests_name("lost device", tests, set_up, tear_down);
}
