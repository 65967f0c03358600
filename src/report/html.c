// report.html: the networks of runs, their curves, what the method did.
#include <report/summary.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/chart.h>
#include <report/page.h>

// Columns of a history, as charts want them.
typedef struct curves {
    double *epoch, *loss, *train, *calibration, *macs; // one allocation, [n] each, by network
    size_t first[PLC_CHART_MAX_SERIES / 2], n[PLC_CHART_MAX_SERIES / 2];
    const char *networks[PLC_CHART_MAX_SERIES / 2];
    int n_networks;
} curves;

static void find_networks(const plc_history *history, curves *c)
{
    for (size_t i = 0; i < history->n_items; i++) {
        int found = 0;

        while (found < c->n_networks && strcmp(c->networks[found], history->items[i].network) != 0)
            found++;
        if (found == c->n_networks && found < PLC_CHART_MAX_SERIES / 2)
            c->networks[c->n_networks++] = history->items[i].network;
    }
}

static pleach_status create_curves(pleach_ctx *ctx, const plc_history *history, curves *c)
{
    pleach_status status = PLEACH_OK;
    const size_t n = history->n_items;
    size_t at = 0;

    TRY(plc_alloc(ctx, 5 * n + 1, sizeof *c->epoch, &c->epoch));
    c->loss = c->epoch + n;
    c->train = c->loss + n;
    c->calibration = c->train + n;
    c->macs = c->calibration + n;
    find_networks(history, c);
    for (int k = 0; k < c->n_networks; k++) {
        c->first[k] = at;
        for (size_t i = 0; i < n; i++) {
            const plc_history_point *point = &history->items[i];

            if (strcmp(point->network, c->networks[k]) != 0)
                continue;
            c->epoch[at] = point->epoch;
            c->loss[at] = point->loss;
            c->train[at] = point->train_accuracy;
            c->calibration[at] = point->calibration_accuracy;
            c->macs[at++] = point->macs_kept;
        }
        c->n[k] = at - c->first[k];
    }
done:
    return status;
}

static bool any_finite(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

static void add_curve(plc_chart *chart, const curves *c, int network, const double *values,
                      const char *what, bool dashed)
{
    plc_chart_series *series = &chart->series[chart->n_series];
    const char *name = c->networks[network];

    if (chart->n_series == PLC_CHART_MAX_SERIES ||
        !any_finite(values + c->first[network], c->n[network]))
        return;
    *series = (plc_chart_series){.x = c->epoch + c->first[network],
                                 .y = values + c->first[network],
                                 .n = c->n[network],
                                 .colour = network % PLC_CHART_N_COLOURS,
                                 .dashed = dashed};
    snprintf(series->name, sizeof series->name, "%s%s%s", *name ? name : "main", *what ? ", " : "",
             what);
    chart->n_series++;
}

// A line where the main network goes from one phase to the next.
static void add_phase_marks(plc_chart *chart, const plc_history *history)
{
    const char *phase = "";

    for (size_t i = 0; i < history->n_items; i++) {
        const plc_history_point *point = &history->items[i];

        if (*point->network || strcmp(point->phase, phase) == 0)
            continue;
        phase = point->phase;
        if (chart->n_marks < PLC_CHART_MAX_MARKS) {
            chart->marks[chart->n_marks].x = point->epoch - 0.5; // between two epochs
            chart->marks[chart->n_marks++].name = phase;
        }
    }
}

static pleach_status html_curves(pleach_ctx *ctx, const plc_history *history, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    curves c = {0};
    plc_chart accuracy = {
        .title = "Accuracy per epoch", .x_label = "epoch", .whole_x = true, .percent = true};
    plc_chart loss = {.title = "Training loss per epoch", .x_label = "epoch", .whole_x = true};
    plc_chart macs = {.title = "Computations kept",
                      .x_label = "epoch",
                      .whole_x = true,
                      .percent = true,
                      .from_zero = true};

    TRY(create_curves(ctx, history, &c));
    for (int k = 0; k < c.n_networks; k++) {
        add_curve(&accuracy, &c, k, c.calibration, "calibration images", false);
        add_curve(&accuracy, &c, k, c.train, "training images", true);
        add_curve(&loss, &c, k, c.loss, "", false);
        if (c.networks[k][0] == '\0')
            add_curve(&macs, &c, k, c.macs, "", false);
    }
    add_phase_marks(&accuracy, history);
    add_phase_marks(&loss, history);
    add_phase_marks(&macs, history);
    TRY(plc_chart_draw(ctx, &accuracy, text));
    TRY(plc_chart_draw(ctx, &loss, text));
    TRY(plc_chart_draw(ctx, &macs, text));
done:
    free(c.epoch);
    return status;
}

static pleach_status html_flips(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const size_t n = report->n_mask_updates;
    plc_chart chart = {.title = "Masks that changed at each update",
                       .x_label = "mask update",
                       .whole_x = true,
                       .from_zero = true};
    double *columns = NULL;

    TRY(plc_alloc(ctx, 3 * n + 1, sizeof *columns, &columns));
    for (size_t i = 0; i < n; i++) {
        columns[i] = (double)(i + 1);
        columns[n + i] = report->mask_updates[i].flips;
        columns[2 * n + i] = report->mask_updates[i].returns;
    }
    chart.n_series = 2;
    chart.series[0] = (plc_chart_series){.name = "flips", .x = columns, .y = columns + n, .n = n};
    chart.series[1] = (plc_chart_series){.name = "of them returns",
                                         .x = columns,
                                         .y = columns + 2 * n,
                                         .n = n,
                                         .colour = 1,
                                         .dashed = true};
    TRY(plc_chart_draw(ctx, &chart, text));
done:
    free(columns);
    return status;
}

static pleach_status html_channels(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_chart_bar *bars = NULL;

    TRY(plc_alloc(ctx, report->n_channels + 1, sizeof *bars, &bars));
    for (size_t i = 0; i < report->n_channels; i++)
        bars[i] = (plc_chart_bar){.name = report->channels[i].layer,
                                  .before = report->channels[i].before,
                                  .after = report->channels[i].after};
    TRY(plc_chart_draw_bars(ctx, "Channels per layer, before and after", bars, report->n_channels,
                            text));
done:
    free(bars);
    return status;
}

// Empty where it is not known.
static pleach_status block_figure(pleach_ctx *ctx, plc_table *table, double value)
{
    return isfinite(value) ? plc_table_cell(ctx, table, "%.4f", value)
                           : plc_table_cell(ctx, table, "%s", "");
}

static pleach_status html_blocks(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    if (report->n_blocks == 0)
        return PLEACH_OK;
    plc_table_column(&table, 'l', "block");
    plc_table_column(&table, 'r', "importance (rise of the loss)");
    plc_table_column(&table, 'r', "border error");
    plc_table_column(&table, 'l', "action");
    for (size_t i = 0; i < report->n_blocks; i++) {
        TRY(plc_table_cell(ctx, &table, "%s",
                           report->blocks[i].name ? report->blocks[i].name : ""));
        TRY(block_figure(ctx, &table, report->blocks[i].importance));
        TRY(block_figure(ctx, &table, report->blocks[i].border_error));
        TRY(plc_table_cell(ctx, &table, "%s",
                           report->blocks[i].action ? report->blocks[i].action : ""));
    }
    TRY(plc_page_table(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

// Networks as points of one colour. `columns`: x, y, low and high, [stride] each. With labels, of several
// runs, stages on the way to a run's result are left out: they were not trained to their end.
static void add_points(plc_chart *chart, const char *name, const plc_report_network *networks,
                       size_t n, int n_epochs, double *columns, size_t stride, const char **labels)
{
    plc_chart_series *series = &chart->series[chart->n_series];

    if (chart->n_series == PLC_CHART_MAX_SERIES)
        return;
    *series = (plc_chart_series){.x = columns,
                                 .y = columns + stride,
                                 .low = columns + 2 * stride,
                                 .high = columns + 3 * stride,
                                 .n = n,
                                 .colour = chart->n_series % PLC_CHART_N_COLOURS,
                                 .points_only = true,
                                 .labels = labels};
    snprintf(series->name, sizeof series->name, "%s", name ? name : "");
    for (size_t i = 0; i < n; i++) {
        const bool is_stage = labels && networks[i].epochs < n_epochs;
        columns[i] = is_stage ? NAN : (double)networks[i].macs / 1e6;
        columns[stride + i] = networks[i].accuracy;
        columns[2 * stride + i] = networks[i].interval[0];
        columns[3 * stride + i] = networks[i].interval[1];
        if (labels)
            labels[i] = networks[i].name;
    }
    chart->n_series++;
}

// Accuracy over computations: a colour per network of one run, or per run of several.
static pleach_status html_scatter(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                  plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_chart chart = {.title = "Accuracy over computations, with 95 % intervals",
                       .x_label = "million multiply-accumulates per image",
                       .percent = true};
    double *columns = NULL;
    const char **labels = NULL;
    size_t n = 0, at = 0;

    for (size_t i = 0; i < n_runs; i++)
        n += runs[i].report->n_networks;
    if (n < 2)
        return PLEACH_OK;
    TRY(plc_alloc(ctx, 4 * n, sizeof *columns, &columns));
    TRY(plc_alloc(ctx, n, sizeof *labels, &labels));
    for (size_t i = 0; i < n_runs; i++) {
        const plc_report *report = runs[i].report;

        for (size_t j = 0; n_runs == 1 && j < n; j++)
            add_points(&chart, report->networks[j].name, &report->networks[j], 1, report->epochs,
                       columns + j, n, NULL);
        if (n_runs > 1)
            add_points(&chart, runs[i].title, report->networks, report->n_networks, report->epochs,
                       columns + at, n, labels + at);
        at += report->n_networks;
    }
    TRY(plc_chart_draw(ctx, &chart, text));
done:
    free(labels);
    free(columns);
    return status;
}

static pleach_status html_run(pleach_ctx *ctx, const plc_report_run *run, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_text words = {0};

    TRY(plc_text_printf(ctx, text, "<h2>"));
    TRY(plc_html_escape(ctx, run->title, text));
    TRY(plc_text_printf(ctx, text, "</h2>\n<p>"));
    TRY(plc_report_describe(ctx, run->report, &words));
    TRY(plc_html_escape(ctx, words.data, text));
    plc_text_finish(&words);
    TRY(plc_text_printf(ctx, text, "</p>\n"));
    TRY(plc_report_print_costs(ctx, run->report, &words));
    for (char *rest = words.data, *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        TRY(plc_text_printf(ctx, text, "<p class='soft'>"));
        TRY(plc_html_escape(ctx, line, text));
        TRY(plc_text_printf(ctx, text, "</p>\n"));
    }
    TRY(plc_text_printf(ctx, text, "<div class='charts'>\n"));
    if (run->history)
        TRY(html_curves(ctx, run->history, text));
    TRY(html_flips(ctx, run->report, text));
    TRY(html_channels(ctx, run->report, text));
    TRY(plc_text_printf(ctx, text, "</div>\n"));
    TRY(html_blocks(ctx, run->report, text));
done:
    plc_text_finish(&words);
    return status;
}

static pleach_status html_summary(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                  plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_summary summary = {0};
    plc_table table = {0};

    TRY(plc_summary_create(ctx, runs, n_runs, &summary));
    TRY(plc_summary_tabulate(ctx, &summary, &table));
    TRY(plc_text_printf(ctx, text, "<h2>Means over seeds</h2>\n"));
    TRY(plc_page_table(ctx, &table, text));
    TRY(plc_text_printf(ctx, text, "<div class='charts'>\n"));
    TRY(plc_summary_draw(ctx, &summary, text));
    TRY(plc_text_printf(ctx, text, "</div>\n"));
done:
    plc_table_finish(&table);
    plc_summary_finish(&summary);
    return status;
}

pleach_status plc_report_write_html(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                    const char *path)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    TRY(plc_page_begin(ctx, "pleach report", &text));
    TRY(plc_report_tabulate(ctx, runs, n_runs, &table));
    TRY(plc_page_table(ctx, &table, &text));
    TRY(plc_text_printf(ctx, &text, "<div class='charts'>\n"));
    TRY(html_scatter(ctx, runs, n_runs, &text));
    TRY(plc_text_printf(ctx, &text, "</div>\n"));
    if (plc_summary_suits(runs, n_runs))
        TRY(html_summary(ctx, runs, n_runs, &text));
    for (size_t i = 0; i < n_runs; i++)
        TRY(html_run(ctx, &runs[i], &text));
    TRY(plc_page_end(ctx, &text));
    TRY(plc_file_write_all(ctx, path, text.data, text.length));
done:
    plc_text_finish(&text);
    plc_table_finish(&table);
    return status;
}
