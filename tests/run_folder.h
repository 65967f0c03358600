// What tests of jobs share: a device, a folder of the test's own, a short job. After context.h.
#ifndef PLC_TESTS_RUN_FOLDER_H
#define PLC_TESTS_RUN_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pleach/run.h>
#include <platform.h>
#include <report/report.h>

enum { MAX_PATH = 256 };

static pleach_device *device;
static char folder[] = "/tmp/pleach-test-run-XXXXXX";

// Group setup and teardown of cmocka.
static inline int set_up(void **state)
{
    return make_fixture(state) || !mkdtemp(folder) ||
           pleach_device_open(ctx, plc_test_device(), NULL, &device) != PLEACH_OK;
}

static inline int tear_down(void **state)
{
    char command[MAX_PATH];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    pleach_device_close(&device);
    return system(command) | drop_fixture(state);
}

// Good for four names at a time.
static inline const char *path_of(const char *name)
{
    static char paths[4][MAX_PATH];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, MAX_PATH, "%s/%s", folder, name);
    return path;
}

// Two epochs of 256 images: a second or two.
static inline pleach_job short_job(const char *model, const char *out)
{
    pleach_job job = {0};

    pleach_run_opts_init(&job.opts);
    job.opts.model = model;
    job.opts.out = out;
    job.opts.epochs = 2;
    job.opts.limit = 256;
    job.opts.calibration = 64;
    job.opts.batch = 32;
    job.opts.macs = 0.5;
    job.opts.learning_rate = 0.02;
    return job;
}

static inline void expect(pleach_status found, pleach_status expected, const char *said)
{
    if (found != expected || !strstr(pleach_error(ctx), said))
        fail_msg("status %d, '%s'; expected %d, '%s'", found, pleach_error(ctx), expected, said);
}

static inline void read_report(const char *out, plc_report *report)
{
    char path[MAX_PATH + 16];

    snprintf(path, sizeof path, "%s/report.json", out);
    assert_ok(plc_report_read_json(ctx, path, report));
}

#endif
