// A summary as a table and as charts.
#include <report/summary.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <report/chart.h>

static pleach_status tabulate_row(pleach_ctx *ctx, const plc_summary *s, const plc_summary_row *row,
                                  bool labelled, bool pruned, plc_table *table)
{
    pleach_status status = PLEACH_OK;
    char text[PLC_FORMAT_MAX];

    if (labelled)
        TRY(plc_table_cell(ctx, table, "%s", s->labels[row->group]));
    TRY(plc_table_cell(ctx, table, "%s", row->network));
    TRY(plc_table_cell(ctx, table, "%d", row->n_seeds));
    TRY(plc_table_cell(ctx, table, "%.2f %%", 100.0 * row->accuracy));
    TRY(plc_table_cell(ctx, table, "%.2f..%.2f", 100.0 * row->interval[0],
                       100.0 * row->interval[1]));
    plc_format_count((unsigned long long)row->macs, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", text));
    plc_format_count((unsigned long long)row->params, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", text));
    TRY(plc_table_cell(ctx, table, "%.4g", row->conv_layers));
    TRY(plc_table_cell(ctx, table, "%.2f ms", row->latency_ms));
    plc_format_seconds(row->train_seconds, text, sizeof text);
    TRY(plc_table_cell(ctx, table, "%s", text));
    if (pruned)
        TRY(plc_table_cell(ctx, table, "%.1f", s->flips[row->group]));
done:
    return status;
}

static bool any_flips(const plc_summary *s)
{
    for (int g = 0; g < s->n_groups; g++)
        if (s->flips[g] > 0)
            return true;
    return false;
}

pleach_status plc_summary_tabulate(pleach_ctx *ctx, const plc_summary *s, plc_table *table)
{
    pleach_status status = PLEACH_OK;
    static const char *const titles[] = {"seeds",  "accuracy",    "95 % interval", "MACs",
                                         "params", "conv layers", "latency",       "training"};
    const bool labelled = s->n_groups > 1, pruned = any_flips(s);

    *table = (plc_table){0};
    if (labelled)
        plc_table_column(table, 'l', "setting");
    plc_table_column(table, 'l', "network");
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        plc_table_column(table, 'r', titles[i]);
    if (pruned)
        plc_table_column(table, 'r', "flips per update");
    for (size_t i = 0; i < s->n_rows; i++)
        TRY(tabulate_row(ctx, s, &s->rows[i], labelled, pruned, table));
done:
    return status;
}

// What a chart's points are drawn from: x, y, low and high, [n_rows] each.
typedef struct columns {
    double *x, *y, *low, *high; // one allocation
    const char **labels;        // owned list
    size_t n;
} columns;

static pleach_status create_columns(pleach_ctx *ctx, const plc_summary *s, columns *c)
{
    pleach_status status = PLEACH_OK;
    const size_t n = s->n_rows + (size_t)s->n_groups + 1;

    *c = (columns){0};
    TRY(plc_alloc(ctx, 4 * n, sizeof *c->x, &c->x));
    TRY(plc_alloc(ctx, n, sizeof *c->labels, &c->labels));
    c->y = c->x + n;
    c->low = c->y + n;
    c->high = c->low + n;
done:
    return status;
}

static void finish_columns(columns *c)
{
    free(c->x);
    free(c->labels);
}

typedef double x_of(const plc_summary *s, const plc_summary_row *row);

static double x_macs(const plc_summary *s, const plc_summary_row *row)
{
    (void)s;
    return row->macs / 1e6;
}

static double x_latency(const plc_summary *s, const plc_summary_row *row)
{
    (void)s;
    return row->latency_ms;
}

static double x_option(const plc_summary *s, const plc_summary_row *row)
{
    return s->values[row->group];
}

// Points of one network in all settings, in their order.
static void add_series(plc_chart *chart, const plc_summary *s, const char *network, x_of *x,
                       bool line, columns *c)
{
    plc_chart_series *series = &chart->series[chart->n_series];
    const size_t first = c->n;

    for (size_t i = 0; i < s->n_rows; i++) {
        const plc_summary_row *row = &s->rows[i];
        if (!row->final || strcmp(row->network, network) != 0)
            continue;
        c->x[c->n] = x(s, row);
        c->y[c->n] = row->accuracy;
        c->low[c->n] = row->interval[0];
        c->high[c->n] = row->interval[1];
        c->labels[c->n++] = s->labels[row->group];
    }
    if (chart->n_series == PLC_CHART_MAX_SERIES || c->n == first)
        return;
    *series = (plc_chart_series){.x = c->x + first,
                                 .y = c->y + first,
                                 .low = c->low + first,
                                 .high = c->high + first,
                                 .n = c->n - first,
                                 .colour = chart->n_series % PLC_CHART_N_COLOURS,
                                 .points_only = !line,
                                 .labels = line || s->n_groups == 1 ? NULL : c->labels + first};
    snprintf(series->name, sizeof series->name, "%s", network);
    chart->n_series++;
}

static pleach_status draw_accuracy(pleach_ctx *ctx, const plc_summary *s, const char *title,
                                   const char *x_label, x_of *x, bool line, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_chart chart = {.title = title, .x_label = x_label, .percent = true};
    columns c = {0};

    TRY(create_columns(ctx, s, &c));
    for (size_t i = 0; i < s->n_rows; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen |= strcmp(s->rows[j].network, s->rows[i].network) == 0;
        if (!seen)
            add_series(&chart, s, s->rows[i].network, x, line, &c);
    }
    TRY(plc_chart_draw(ctx, &chart, text));
done:
    finish_columns(&c);
    return status;
}

static pleach_status draw_flips(pleach_ctx *ctx, const plc_summary *s, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_chart chart = {.title = "Masks that changed, per update",
                       .x_label = s->option,
                       .from_zero = true,
                       .n_series = 2};

    chart.series[0] = (plc_chart_series){
        .name = "flips", .x = s->values, .y = s->flips, .n = (size_t)s->n_groups};
    chart.series[1] = (plc_chart_series){.name = "of them returns",
                                         .x = s->values,
                                         .y = s->returns,
                                         .n = (size_t)s->n_groups,
                                         .colour = 1,
                                         .dashed = true};
    TRY(plc_chart_draw(ctx, &chart, text));
done:
    return status;
}

pleach_status plc_summary_draw(pleach_ctx *ctx, const plc_summary *s, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_text title = {0};

    TRY(draw_accuracy(ctx, s, "Accuracy over computations, means over seeds",
                      "million multiply-accumulates per image", x_macs, false, text));
    TRY(draw_accuracy(ctx, s, "Accuracy over latency, means over seeds", "milliseconds per batch",
                      x_latency, false, text));
    if (s->option && isfinite(s->values[0])) {
        TRY(plc_text_printf(ctx, &title, "Accuracy over --%s", s->option));
        TRY(draw_accuracy(ctx, s, title.data, s->option, x_option, true, text));
        if (any_flips(s))
            TRY(draw_flips(ctx, s, text));
    }
done:
    plc_text_finish(&title);
    return status;
}
