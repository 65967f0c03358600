// A report in memory: growing it, freeing it, the interval of an accuracy.
#include <report/report.h>

#include <math.h>
#include <string.h>
#include <base/memory.h>

void plc_report_finish(plc_report *report)
{
    plc_fields_finish(plc_report_fields, report);
    *report = (plc_report){0};
}

pleach_status plc_report_add_network(pleach_ctx *ctx, plc_report *report, const char *name,
                                     plc_report_network **network)
{
    pleach_status status = PLEACH_OK;
    plc_report_network *added = NULL;

    TRY(plc_grow(ctx, &report->networks, &report->networks_capacity, report->n_networks + 1));
    added = &report->networks[report->n_networks];
    *added = (plc_report_network){.accuracy = NAN, .interval = {NAN, NAN}, .loss = NAN};
    TRY(plc_strdup(ctx, name, &added->name));
    report->n_networks++;
    *network = added;
done:
    return status;
}

pleach_status plc_report_set_channels(pleach_ctx *ctx, plc_report *report, const char *layer,
                                      int before, int after)
{
    pleach_status status = PLEACH_OK;
    plc_report_channels *added = NULL;

    for (size_t i = 0; i < report->n_channels; i++)
        if (strcmp(report->channels[i].layer, layer) == 0) {
            report->channels[i].after = after;
            return PLEACH_OK;
        }
    TRY(plc_grow(ctx, &report->channels, &report->channels_capacity, report->n_channels + 1));
    added = &report->channels[report->n_channels];
    *added = (plc_report_channels){.before = before, .after = after};
    TRY(plc_strdup(ctx, layer, &added->layer));
    report->n_channels++;
done:
    return status;
}

pleach_status plc_report_add_mask_update(pleach_ctx *ctx, plc_report *report,
                                         const plc_report_mask_update *update)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &report->mask_updates, &report->mask_updates_capacity,
                 report->n_mask_updates + 1));
    report->mask_updates[report->n_mask_updates++] = *update;
done:
    return status;
}

pleach_status plc_report_add_target(pleach_ctx *ctx, plc_report *report, const char *kind,
                                    double target, double dense, int batch)
{
    pleach_status status = PLEACH_OK;
    plc_report_target *added = NULL;

    TRY(plc_grow(ctx, &report->targets, &report->targets_capacity, report->n_targets + 1));
    added = &report->targets[report->n_targets];
    *added = (plc_report_target){.target = target, .dense = dense, .batch = batch};
    TRY(plc_strdup(ctx, kind, &added->kind));
    report->n_targets++;
done:
    return status;
}

pleach_status plc_report_add_block(pleach_ctx *ctx, plc_report *report, const char *name,
                                   const char *action, double importance)
{
    pleach_status status = PLEACH_OK;
    plc_report_block *added = NULL;

    TRY(plc_grow(ctx, &report->blocks, &report->blocks_capacity, report->n_blocks + 1));
    added = &report->blocks[report->n_blocks++];
    *added = (plc_report_block){.importance = importance, .border_error = NAN};
    TRY(plc_strdup(ctx, name, &added->name));
    TRY(plc_strdup(ctx, action, &added->action));
done:
    return status;
}

void plc_wilson_interval(double n_correct, double n, double interval[2])
{
    const double z = 1.959963984540054; // 97.5 % quantile of the normal distribution

    interval[0] = interval[1] = NAN;
    if (!(n > 0))
        return;
    const double p = n_correct / n, scale = 1.0 / (1.0 + z * z / n);
    const double centre = (p + z * z / (2.0 * n)) * scale;
    const double half = z * scale * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    interval[0] = fmax(0.0, centre - half);
    interval[1] = fmin(1.0, centre + half);
}
