// A job on a folder of pictures that is interrupted again and again ends with the bits of one that is not.
#include <context.h>
#include <picture_files.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <pleach/run.h>
#include <base/file.h>
#include <run_folder.h>

enum { N_CLASSES = 2, N_EACH = 24, MAX_INTERRUPTIONS = 100 };

static void put_pictures(void)
{
    char path[MAX_PATH];

    for (int c = 0; c < N_CLASSES; c++) {
        snprintf(path, sizeof path, "%s/pictures/%d", folder, c);
        assert_ok(plc_make_dirs(ctx, path));
        for (int i = 0; i < N_EACH; i++) {
            const plc_made_jpeg made = {20 + i % 5, 18, 3 * c + i % 2, 3, false, false};
            size_t size = 0;
            uint8_t *bytes = plc_make_jpeg(&made, &size);

            snprintf(path, sizeof path, "%s/pictures/%d/%d.jpg", folder, c, i);
            assert_ok(plc_file_write_all(ctx, path, bytes, size));
            free(bytes);
        }
    }
}

// Asks to stop as soon as the job tells something, which it does at each epoch's end at the latest.
static void stop_at_once(void *user, const pleach_progress *progress)
{
    (void)progress;
    *(volatile int *)user = 1;
}

static char *model_of(const char *run, size_t *size)
{
    char *path = NULL, *data = NULL;

    assert_ok(plc_path_join(ctx, run, "model.safetensors", &path));
    assert_ok(plc_file_read(ctx, path, (size_t)1 << 30, &data, size));
    free(path);
    return data;
}

static void an_interrupted_run_on_pictures_gives_the_same_bits(void **state)
{
    char data[MAX_PATH], whole[MAX_PATH], pieces[MAX_PATH];
    volatile int stop = 0;
    pleach_job job = {0};
    pleach_status status = PLEACH_OK;
    int n_interruptions = 0;
    size_t size_a = 0, size_b = 0;

    (void)state;
    put_pictures();
    snprintf(data, sizeof data, "folder:%s/pictures,size=8,cache=0", folder);
    snprintf(whole, sizeof whole, "%s/whole", folder);
    snprintf(pieces, sizeof pieces, "%s/pieces", folder);
    pleach_run_opts_init(&job.opts);
    job.opts.model = "cnn5";
    job.opts.data = data;
    job.opts.out = whole;
    job.opts.epochs = 4;
    job.opts.batch = 8;
    job.opts.calibration = 4;
    job.opts.learning_rate = 0.02;
    assert_ok(pleach_train(ctx, device, &job));
    job.opts.out = pieces;
    job.progress = stop_at_once;
    job.user = (void *)&stop;
    job.stop = &stop;
    while ((status = pleach_train(ctx, device, &job)) == PLEACH_EINTERRUPTED) {
        assert_true(++n_interruptions < MAX_INTERRUPTIONS);
        job.resume = pieces;
        stop = 0;
    }
    assert_ok(status);
    assert_true(n_interruptions >= 2);
    char *a = model_of(whole, &size_a), *b = model_of(pieces, &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(a, b, size_a);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_run_on_pictures_gives_the_same_bits),
    };

    return cmocka_run_group_tests_name("run on pictures", tests, set_up, tear_down);
}
