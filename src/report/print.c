// A report as text: the table of networks and, below it, what the method cost.
#include <report/summary.h>

#include <math.h>
#include <string.h>

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static pleach_status tabulate_network(pleach_ctx *ctx, const plc_report_network *network,
                                      plc_table *table)
{
    pleach_status status = PLEACH_OK;
    char text[PLC_FORMAT_MAX];

    TRY(plc_table_cell(ctx, table, "%s", or_empty(network->name)));
    if (isfinite(network->accuracy))
        TRY(plc_table_cell(ctx, table, "%.2f %%", 100.0 * network->accuracy));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    if (isfinite(network->interval[0]) && isfinite(network->interval[1]))
        TRY(plc_table_cell(ctx, table, "%.2f..%.2f", 100.0 * network->interval[0],
                           100.0 * network->interval[1]));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    plc_format_count((unsigned long long)network->macs, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", text));
    plc_format_count((unsigned long long)network->params, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", text));
    TRY(plc_table_cell(ctx, table, "%d", network->conv_layers));
    if (network->latency_ms > 0 && network->inference_ms > 0 &&
        network->inference_batch != network->latency_batch)
        TRY(plc_table_cell(ctx, table, "%.2f ms (%d), %.3g ms (%d)", network->latency_ms,
                           network->latency_batch, network->inference_ms,
                           network->inference_batch));
    else if (network->latency_ms > 0)
        TRY(plc_table_cell(ctx, table, "%.2f ms (%d)", network->latency_ms,
                           network->latency_batch));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    if (network->images_per_second > 0)
        TRY(plc_table_cell(ctx, table, "%.0f", network->images_per_second));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    plc_format_seconds(network->train_seconds, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", network->train_seconds > 0 ? text : "-"));
    TRY(plc_table_cell(ctx, table, "%d", network->epochs));
done:
    return status;
}

pleach_status plc_report_tabulate(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                  plc_table *table)
{
    pleach_status status = PLEACH_OK;
    static const struct {
        char align;
        const char *title;
    } columns[] = {
        {'l', "network"},  {'r', "accuracy"},    {'r', "95 % interval"},   {'r', "MACs"},
        {'r', "params"},   {'r', "conv layers"}, {'r', "latency (batch)"}, {'r', "images/s"},
        {'r', "training"}, {'r', "epochs"}};

    *table = (plc_table){0};
    if (n_runs > 1)
        plc_table_column(table, 'l', "run");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        plc_table_column(table, columns[i].align, columns[i].title);
    for (size_t i = 0; i < n_runs; i++)
        for (size_t j = 0; j < runs[i].report->n_networks; j++) {
            if (n_runs > 1)
                TRY(plc_table_cell(ctx, table, "%s", runs[i].title));
            TRY(tabulate_network(ctx, &runs[i].report->networks[j], table));
        }
done:
    return status;
}

pleach_status plc_report_describe(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    const char *options = or_empty(report->options);

    return plc_text_printf(
        ctx, text, "%s on %s, %d x %d x %d, %d classes; %d epochs of batch %d, seed %llu%s%s",
        or_empty(report->model), or_empty(report->data), report->input[0], report->input[1],
        report->input[2], report->n_classes, report->epochs, report->batch, report->seed,
        *options ? "; " : "", options);
}

// "blocks: 2 of 9 dropped: layer1.1.add, layer1.2.add", a line for each action that was taken.
static pleach_status print_blocks(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    static const char *const actions[][2] = {
        {"drop", "dropped"}, {"merge", "merged"}, {"empty", "emptied by pruning"}};

    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++) {
        size_t n = 0;
        for (size_t i = 0; i < report->n_blocks; i++)
            n += strcmp(or_empty(report->blocks[i].action), actions[a][0]) == 0;
        if (n == 0 && (a > 0 || report->n_blocks == 0))
            continue;
        TRY(plc_text_printf(ctx, text, "blocks: %zu of %zu %s", n, report->n_blocks,
                            actions[a][1]));
        const char *before = ": ";
        for (size_t i = 0; i < report->n_blocks; i++)
            if (strcmp(or_empty(report->blocks[i].action), actions[a][0]) == 0) {
                TRY(plc_text_printf(ctx, text, "%s%s", before, or_empty(report->blocks[i].name)));
                before = ", ";
            }
        TRY(plc_text_append(ctx, text, "\n", 1));
    }
done:
    return status;
}

static pleach_status print_targets(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < report->n_targets; i++) {
        const plc_report_target *t = &report->targets[i];
        const bool latency = t->kind && strcmp(t->kind, "latency") == 0;
        TRY(plc_text_printf(ctx, text, i ? ", " : "targets: "));
        if (latency)
            TRY(plc_text_printf(ctx, text, "%g ms at batch %d (dense %.3g ms)", t->target, t->batch,
                                t->dense));
        else
            TRY(plc_text_printf(ctx, text, "%g %% of the %s", 100 * t->target,
                                t->kind && strcmp(t->kind, "macs") == 0 ? "MACs" : "parameters"));
    }
    if (report->n_targets > 0)
        TRY(plc_text_append(ctx, text, "\n", 1));
done:
    return status;
}

static pleach_status print_masks(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    long long flips = 0, returns = 0;

    if (report->n_mask_updates == 0)
        return PLEACH_OK;
    for (size_t i = 0; i < report->n_mask_updates; i++) {
        flips += report->mask_updates[i].flips;
        returns += report->mask_updates[i].returns;
    }
    TRY(plc_text_printf(
        ctx, text,
        "masks: %zu updates, %lld flips, %lld channels came back, %d pruned at the end\n",
        report->n_mask_updates, flips, returns,
        report->mask_updates[report->n_mask_updates - 1].n_pruned));
done:
    return status;
}

pleach_status plc_report_print_costs(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    char device[PLC_FORMAT_MAX], host[PLC_FORMAT_MAX], seconds[PLC_FORMAT_MAX];

    TRY(print_targets(ctx, report, text));
    TRY(print_masks(ctx, report, text));
    TRY(print_blocks(ctx, report, text));
    if (report->method_cost.total_seconds > 0)
        TRY(plc_text_printf(ctx, text,
                            "method: scores %.1f ms, masks %.1f ms, compaction %.1f ms, fusion "
                            "%.1f ms; %.2f s in all, "
                            "%.2f %% of the training time\n",
                            report->method_cost.score_ms, report->method_cost.mask_ms,
                            report->method_cost.compact_ms, report->method_cost.fuse_ms,
                            report->method_cost.total_seconds,
                            100.0 * report->method_cost.share_of_training));
    plc_format_bytes((unsigned long long)report->memory.device_peak_bytes, device, sizeof device);
    plc_format_bytes((unsigned long long)report->memory.host_peak_bytes, host, sizeof host);
    plc_format_seconds(report->seconds, seconds, sizeof seconds);
    if (report->memory.device_peak_bytes > 0)
        TRY(plc_text_printf(ctx, text, "memory: %s on the device, %s on the host at most\n", device,
                            host));
    if (report->seconds > 0)
        TRY(plc_text_printf(ctx, text, "time: %s\n", seconds));
    TRY(plc_text_printf(ctx, text, "device: %s (%s, driver %s), %d lanes, %s\n",
                        or_empty(report->device.name), or_empty(report->device.platform),
                        or_empty(report->device.driver), report->device.lanes,
                        or_empty(report->device.mapping)));
done:
    return status;
}

static pleach_status print_summary(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                   plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_summary summary = {0};
    plc_table table = {0};

    TRY(plc_summary_create(ctx, runs, n_runs, &summary));
    TRY(plc_summary_tabulate(ctx, &summary, &table));
    TRY(plc_text_printf(ctx, text, "\nmeans over seeds:\n"));
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    plc_summary_finish(&summary);
    return status;
}

pleach_status plc_report_print(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                               plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    TRY(plc_report_tabulate(ctx, runs, n_runs, &table));
    if (n_runs == 1) {
        TRY(plc_report_describe(ctx, runs[0].report, text));
        TRY(plc_text_append(ctx, text, "\n\n", 2));
    }
    TRY(plc_table_print(ctx, &table, text));
    if (plc_summary_suits(runs, n_runs))
        TRY(print_summary(ctx, runs, n_runs, text));
    for (size_t i = 0; i < n_runs; i++) {
        TRY(plc_text_append(ctx, text, "\n", 1));
        if (n_runs > 1) {
            TRY(plc_text_printf(ctx, text, "%s: ", runs[i].title));
            TRY(plc_report_describe(ctx, runs[i].report, text));
            TRY(plc_text_append(ctx, text, "\n", 1));
        }
        TRY(plc_report_print_costs(ctx, runs[i].report, text));
    }
    for (size_t i = 0; i < text->length; i++)
        if (text->data[i] != '\n' && (text->data[i] < ' ' || text->data[i] > '~'))
            text->data[i] = '?';
done:
    plc_table_finish(&table);
    return status;
}
