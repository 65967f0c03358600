// report.html: one page without scripts or outside files, readable in light and dark.
#include <report/report.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/chart.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
    "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
    "<meta name='color-scheme' content='light dark'>\n<title>pleach report</title>\n<style>\n"
    ":root{--ink:#1b2024;--soft:#5d6871;--line:#dde2e6;--page:#fff;--bar:#e3e8ec;"
    "--c0:#1f6fb2;--c1:#c4551a;--c2:#2b8457;--c3:#8a4bb0;--c4:#a67c00;--c5:#b03060}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6eaed;--soft:#9aa6af;--line:#343c43;"
    "--page:#15191c;--bar:#2c343a;--c0:#6ab0ea;--c1:#f0935a;--c2:#63c793;--c3:#c495e6;--c4:#dcb84a;"
    "--c5:#ee7fa5}}\n"
    "body{margin:2rem auto;max-width:72rem;padding:0 1rem;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "h1,h2{font-weight:600;line-height:1.2}h2{margin-top:2.5rem}p{margin:.4rem 0}\n"
    ".soft{color:var(--soft)}.scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}.r{text-align:right}th{font-weight:600}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:1."
    "5rem}\n"
    "figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}\n"
    "svg text{font:11px system-ui,sans-serif;fill:var(--soft)}.end{text-anchor:end}"
    ".mid{text-anchor:middle}svg text.note{font-size:10px}\n"
    ".grid{stroke:var(--line)}.mark{stroke:var(--soft);stroke-dasharray:2 3}"
    ".before{fill:var(--bar)}.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}"
    ".interval{stroke-width:2;opacity:.5}.legend{color:var(--soft);font-size:13px}"
    ".legend "
    "span{margin-right:1rem;white-space:nowrap}svg.key{width:24px;height:8px;margin-right:.4rem}\n"
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}"
    ".c4{stroke:var(--c4)}.c5{stroke:var(--c5)}\n"
    "circle.c0,rect.c0{fill:var(--c0)}circle.c1{fill:var(--c1)}circle.c2{fill:var(--c2)}"
    "circle.c3{fill:var(--c3)}circle.c4{fill:var(--c4)}circle.c5{fill:var(--c5)}rect{stroke:none}\n"
    "</style>\n</head>\n<body>\n<h1>pleach</h1>\n";

static pleach_status html_table(pleach_ctx *ctx, const plc_table *table, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const size_t n_columns = (size_t)table->n_columns;

    TRY(plc_text_printf(ctx, text, "<div class='scroll'><table>\n<tr>"));
    for (size_t i = 0; i < n_columns; i++) {
        TRY(plc_text_printf(ctx, text, "<th class='%c'>", table->align[i]));
        TRY(plc_html_escape(ctx, table->titles[i], text));
        TRY(plc_text_printf(ctx, text, "</th>"));
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        TRY(plc_text_printf(ctx, text, "%s<td class='%c'>", i % n_columns ? "" : "</tr>\n<tr>",
                            table->align[i % n_columns]));
        TRY(plc_html_escape(ctx, table->cells[i], text));
        TRY(plc_text_printf(ctx, text, "</td>"));
    }
    TRY(plc_text_printf(ctx, text, "</tr>\n</table></div>\n"));
done:
    return status;
}

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
        bars[i] = (plc_chart_bar){report->channels[i].layer, report->channels[i].before,
                                  report->channels[i].after};
    TRY(plc_chart_draw_bars(ctx, "Channels per layer, before and after", bars, report->n_channels,
                            text));
done:
    free(bars);
    return status;
}

static pleach_status html_blocks(pleach_ctx *ctx, const plc_report *report, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    if (report->n_blocks == 0)
        return PLEACH_OK;
    plc_table_column(&table, 'l', "block");
    plc_table_column(&table, 'r', "importance (rise of the loss)");
    plc_table_column(&table, 'l', "");
    for (size_t i = 0; i < report->n_blocks; i++) {
        TRY(plc_table_cell(ctx, &table, "%s",
                           report->blocks[i].name ? report->blocks[i].name : ""));
        TRY(plc_table_cell(ctx, &table, "%.4f", report->blocks[i].importance));
        TRY(plc_table_cell(ctx, &table, "%s", report->blocks[i].dropped ? "dropped" : "kept"));
    }
    TRY(html_table(ctx, &table, text));
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

pleach_status plc_report_write_html(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                    const char *path)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    TRY(plc_text_append(ctx, &text, head, sizeof head - 1));
    TRY(plc_report_tabulate(ctx, runs, n_runs, &table));
    TRY(html_table(ctx, &table, &text));
    TRY(plc_text_printf(ctx, &text, "<div class='charts'>\n"));
    TRY(html_scatter(ctx, runs, n_runs, &text));
    TRY(plc_text_printf(ctx, &text, "</div>\n"));
    for (size_t i = 0; i < n_runs; i++)
        TRY(html_run(ctx, &runs[i], &text));
    TRY(plc_text_printf(ctx, &text, "</body>\n</html>\n"));
    TRY(plc_file_write_all(ctx, path, text.data, text.length));
done:
    plc_text_finish(&text);
    plc_table_finish(&table);
    return status;
}
