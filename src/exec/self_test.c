// Which parts have passed, running those that have not, and what to say of a device that fails.
#include <exec/self_test.h>

#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <exec/self_test_cases.h>
#include <kernel/binary.h>
#include <kernel/kernels.h>
#include <kernel/tuner.h>

// Training proves inference as well where no network was left out: the same networks compute both.
static bool covers(plc_self_test_part run, plc_self_test_part part, bool whole)
{
    return run == part ||
           (run == PLC_SELF_TEST_TRAINING && part == PLC_SELF_TEST_INFERENCE && whole);
}

static pleach_status find_path(pleach_device *device, char **path)
{
    const char *folder = plc_kernels_folder(device);
    const plc_binary *binary = plc_kernels_binary(device);

    *path = NULL;
    return folder ? plc_self_test_path(device->ctx, folder, device->info, device->lanes,
                                       device->vector_lanes,
                                       binary ? plc_binary_hash(binary) : NULL, path)
                  : PLEACH_OK;
}

pleach_status plc_self_test_count(pleach_device *device, const char *name, pleach_status status,
                                  plc_self_test_outcome *outcome)
{
    if (status != PLEACH_EBUILD || !plc_kernels_binary(device)) {
        outcome->n_run++;
        return status;
    }
    outcome->n_left_out++;
    plc_log(device->ctx, PLEACH_LOG_INFO, "self-test without %s: %s", name,
            pleach_error(device->ctx));
    return PLEACH_OK;
}

static void take_outcome(plc_self_test_part run, const plc_self_test_outcome *outcome,
                         plc_self_test_result *result)
{
    const bool nothing = outcome->n_run == 0 && outcome->n_left_out > 0;

    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        if (covers(run, (plc_self_test_part)i, outcome->n_left_out == 0)) {
            result->passed[i] = !outcome->wrong[0] && !nothing;
            result->untested[i] = nothing;
            memcpy(result->failed[i], outcome->wrong, sizeof outcome->wrong);
        }
}

// Its networks are not the user's: their progress is not told and what they ask the tuner not measured.
static pleach_status run_part(pleach_device *device, plc_self_test_part part,
                              plc_self_test_result *result)
{
    pleach_status status = PLEACH_OK;
    plc_self_test_outcome outcome = {0};
    pleach_device_progress_fn *progress = device->progress;
    const double started = plc_clock_seconds();

    plc_device_tell(device, "testing the device", (int)part + 1, PLC_SELF_TEST_N_PARTS);
    device->progress = NULL;
    plc_tuner_pause(device->tuner, true);
    status = part == PLC_SELF_TEST_REWRITE ? plc_self_test_arenas(device, &outcome)
             : part == PLC_SELF_TEST_FEW_IMAGES
                 ? plc_self_test_few_images(device, &outcome)
                 : plc_self_test_networks(device, part == PLC_SELF_TEST_TRAINING, &outcome);
    plc_tuner_pause(device->tuner, false);
    device->progress = progress;
    plc_device_tell(device, NULL, 0, 0);
    if (status != PLEACH_OK)
        return plc_fail_in(device->ctx, status, "self-test of '%s'", device->info->name);
    take_outcome(part, &outcome, result);
    plc_log(device->ctx, PLEACH_LOG_DEBUG, "self-test, %s: %s after %.3f s",
            plc_self_test_part_name(part),
            outcome.wrong[0]         ? outcome.wrong
            : result->untested[part] ? "no kernel to test"
                                     : "passed",
            plc_clock_seconds() - started);
    return status;
}

static void keep(pleach_device *device, const char *path, const plc_self_test_result *result)
{
    if (path && plc_self_test_write(device->ctx, path, result) != PLEACH_OK)
        plc_log(device->ctx, PLEACH_LOG_WARNING, "the self-test's result is not kept: %s",
                pleach_error(device->ctx));
}

static pleach_status refuse(pleach_device *device, const char *wrong)
{
    const pleach_device_info *info = device->info;

    return plc_fail(
        device->ctx, PLEACH_EDEVICE,
        "'%s' (%s, driver %s) computes wrongly: %s; update its driver or choose another "
        "device (`pleach devices`); --allow-broken goes on all the same",
        info->name, info->platform_name, info->driver_version, wrong);
}

pleach_status plc_self_test_require(pleach_device *device, plc_self_test_part part)
{
    pleach_status status = PLEACH_OK;
    plc_self_test_result result = {0};
    char *path = NULL;
    bool warned = false;

    if (device->value_bytes != (int)sizeof(float))
        return PLEACH_OK; // the known answers are those of float storage

    if (device->tested & 1u << part)
        return PLEACH_OK;
    TRY(find_path(device, &path));
    if (path)
        TRY(plc_self_test_read(device->ctx, path, &result));
    if (!result.passed[part]) {
        status = run_part(device, part, &result);
        if (status == PLEACH_OK) {
            keep(device, path, &result);
            if (result.failed[part][0])
                status = refuse(device, result.failed[part]);
        }
        if (status != PLEACH_OK && status != PLEACH_ENOMEM && device->allow_broken) {
            plc_log(device->ctx, PLEACH_LOG_WARNING, "%s", pleach_error(device->ctx));
            status = PLEACH_OK;
            warned = true;
        }
        TRY(status);
    }
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        if (covers(part, (plc_self_test_part)i, warned || result.passed[i]))
            device->tested |= 1u << i;
done:
    free(path);
    return status;
}

pleach_status plc_self_test_run(pleach_device *device, plc_self_test_result *result)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    *result = (plc_self_test_result){0};
    TRY(find_path(device, &path));
    TRY(run_part(device, PLC_SELF_TEST_TRAINING, result));
    if (!result->passed[PLC_SELF_TEST_INFERENCE] && !result->failed[PLC_SELF_TEST_INFERENCE][0])
        TRY(run_part(device, PLC_SELF_TEST_INFERENCE, result));
    TRY(run_part(device, PLC_SELF_TEST_FEW_IMAGES, result));
    TRY(run_part(device, PLC_SELF_TEST_REWRITE, result));
    keep(device, path, result);
done:
    free(path);
    return status;
}
