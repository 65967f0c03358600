// Profiles: launches of a step gathered in rows, times as the device's events have them.
#include <price/profile.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

static bool same_row(const plc_profile_row *a, const plc_profile_row *b)
{
    return strcmp(a->kernel, b->kernel) == 0 && strcmp(a->shape, b->shape) == 0 &&
           strcmp(a->pass, b->pass) == 0;
}

// The row of a launch; a new one when there is none yet. pass: NULL in a profile by kernel.
static pleach_status find_row(pleach_ctx *ctx, plc_profile *profile, const plc_launch *launch,
                              const char *pass, plc_profile_row **found)
{
    pleach_status status = PLEACH_OK;
    plc_profile_row wanted = {.kernel = launch->label, .pass = pass ? pass : ""};
    size_t row = 0;

    if (pass)
        memcpy(wanted.shape, launch->shape, sizeof wanted.shape);
    while (row < profile->n_items && !same_row(&profile->items[row], &wanted))
        row++;
    if (row == profile->n_items) {
        TRY(plc_grow(ctx, &profile->items, &profile->capacity, row + 1));
        profile->items[row] = wanted;
        profile->n_items++;
    }
    *found = &profile->items[row];
done:
    return status;
}

pleach_status plc_profile_create(const plc_workload *workload, bool by_shape, plc_profile *profile)
{
    pleach_status status = PLEACH_OK;
    const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS];
    const int n_lists = plc_workload_lists(workload, lists);
    plc_profile_row *row = NULL;

    for (int i = 0; i < n_lists; i++)
        for (int j = 0; j < lists[i]->n_items; j++) {
            const plc_launch *launch = lists[i]->items[j];

            TRY(find_row(workload->session->ctx, profile, launch,
                         by_shape ? plc_workload_pass(workload, lists[i], j) : NULL, &row));
            row->n_launches++;
            row->flops += launch->flops;
            row->executed_flops += plc_launch_executed_flops(launch);
            row->bytes += launch->bytes;
            row->seconds += launch->n_runs ? launch->seconds / (double)launch->n_runs : 0;
        }
done:
    return status;
}

static void reset_times(const plc_workload *workload)
{
    const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS];
    const int n_lists = plc_workload_lists(workload, lists);

    for (int i = 0; i < n_lists; i++)
        for (int j = 0; j < lists[i]->n_items; j++) {
            lists[i]->items[j]->seconds = 0;
            lists[i]->items[j]->n_runs = 0;
        }
}

static pleach_status profile_step(plc_workload *workload, bool by_shape, plc_profile *profile)
{
    pleach_status status = PLEACH_OK;

    reset_times(workload);
    workload->session->device->profile = true;
    TRY(plc_workload_run(workload, 1));
    TRY(plc_profile_create(workload, by_shape, profile));
done:
    workload->session->device->profile = false;
    return status;
}

pleach_status plc_profile_run(plc_workload *workload, int n_steps, bool by_shape,
                              plc_profile *profile)
{
    pleach_status status = PLEACH_OK;
    plc_profile now = {0};

    TRY(profile_step(workload, by_shape, profile));
    for (int i = 1; i < n_steps; i++) {
        TRY(profile_step(workload, by_shape, &now));
        for (size_t j = 0; j < now.n_items; j++) // the same launches: the same rows
            profile->items[j].seconds = fmin(profile->items[j].seconds, now.items[j].seconds);
        plc_profile_finish(&now);
    }
done:
    plc_profile_finish(&now);
    return status;
}

static int longest_first(const void *a, const void *b)
{
    const plc_profile_row *x = a, *y = b;

    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

void plc_profile_sort(plc_profile *profile)
{
    if (profile->n_items)
        qsort(profile->items, profile->n_items, sizeof *profile->items, longest_first);
}

void plc_profile_finish(plc_profile *profile)
{
    free(profile->items);
    *profile = (plc_profile){0};
}

plc_profile_row plc_profile_total(const plc_profile *profile)
{
    plc_profile_row total = {.kernel = "", .pass = ""};

    for (size_t i = 0; i < profile->n_items; i++) {
        total.n_launches += profile->items[i].n_launches;
        total.flops += profile->items[i].flops;
        total.executed_flops += profile->items[i].executed_flops;
        total.bytes += profile->items[i].bytes;
        total.seconds += profile->items[i].seconds;
    }
    return total;
}

double plc_step_roofline_seconds(const plc_workload *workload, const plc_peaks *peaks)
{
    const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS];
    const int n_lists = plc_workload_lists(workload, lists);
    double seconds = 0;

    for (int i = 0; i < n_lists; i++)
        for (int j = 0; j < lists[i]->n_items; j++)
            seconds += plc_peaks_seconds(peaks, plc_launch_executed_flops(lists[i]->items[j]),
                                         lists[i]->items[j]->bytes);
    return seconds;
}

double plc_profile_share(const plc_profile_row *row, const plc_peaks *peaks, bool *compute_bound)
{
    const double n = row->n_launches, flops = row->executed_flops / n, bytes = row->bytes / n;
    const double least = plc_peaks_seconds(peaks, flops, bytes);

    *compute_bound = flops > 0 && plc_peaks_seconds(peaks, flops, 0) >= least;
    return row->seconds > 0 ? n * least / row->seconds : NAN;
}
