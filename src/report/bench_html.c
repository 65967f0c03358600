// The page of a comparison: bars, rooflines with the kernels under them, the table.
#include <report/bench.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <report/chart.h>
#include <report/page.h>

// Bars of a group's first measure, one per file that has it.
static pleach_status draw_group(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                const plc_bench_row *row, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_chart_bar bars[PLC_BENCH_MAX_FILES];
    size_t n_bars = 0;
    plc_text title = {0};

    for (size_t i = 0; i < n; i++)
        if (isfinite(row->values[i]))
            bars[n_bars++] = (plc_chart_bar){.name = files[i].title,
                                             .before = NAN,
                                             .after = row->values[i],
                                             .colour = (int)i % PLC_CHART_N_COLOURS};
    TRY(plc_text_printf(ctx, &title, "%s: %s", row->group, row->measure));
    TRY(plc_chart_draw_bars(ctx, title.data, bars, n_bars, text));
done:
    plc_text_finish(&title);
    return status;
}

static pleach_status draw_groups(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                 const plc_bench_rows *rows, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < rows->n_items; i++)
        if (i == 0 || strcmp(rows->items[i].group, rows->items[i - 1].group) != 0)
            TRY(draw_group(ctx, files, n, &rows->items[i], text));
done:
    return status;
}

enum { ROOF_POINTS = 3, N_ROOFS = 2 }; // left end, ridge, right end; of memory and of caches

// What a chart of one file borrows. Columns have a place for each kernel of the file.
typedef struct roofline {
    double roofs_x[N_ROOFS][ROOF_POINTS], roofs_y[N_ROOFS][ROOF_POINTS];
    double *x, *y;
    char **labels;
    size_t n;
} roofline;

static void finish_roofline(roofline *r)
{
    for (size_t i = 0; r->labels && i < r->n; i++)
        free(r->labels[i]);
    free(r->labels);
    free(r->x);
    free(r->y);
}

static pleach_status collect_kernels(pleach_ctx *ctx, const plc_bench *file, roofline *r)
{
    pleach_status status = PLEACH_OK;
    size_t n = 0;
    plc_text label = {0};

    for (size_t i = 0; i < file->n_results; i++)
        n += file->results[i].n_ops;
    TRY(plc_alloc(ctx, n + 1, sizeof *r->x, &r->x));
    TRY(plc_alloc(ctx, n + 1, sizeof *r->y, &r->y));
    TRY(plc_alloc(ctx, n + 1, sizeof *r->labels, &r->labels));
    for (size_t i = 0; i < file->n_results; i++)
        for (size_t j = 0; j < file->results[i].n_ops; j++) {
            const plc_bench_kernel *op = &file->results[i].ops[j];

            // Not finite or 0 where it does not compute.
            r->x[r->n] = op->executed_flops / op->bytes;
            r->y[r->n] = 1e-6 * op->executed_flops / op->ms;
            TRY(plc_bench_name_kernel(ctx, op, &label));
            TRY(plc_text_take(ctx, &label, &r->labels[r->n]));
            r->n++;
        }
done:
    plc_text_finish(&label);
    return status;
}

static void add_roof(plc_chart *chart, roofline *r, int roof, const char *name, double gflops,
                     double gb_s, const double ends[2], int colour)
{
    plc_chart_series *series = &chart->series[chart->n_series++];
    double *x = r->roofs_x[roof], *y = r->roofs_y[roof];
    const double ridge = gflops / gb_s;

    x[0] = fmin(ends[0], ridge);
    x[1] = ridge;
    x[2] = fmax(ends[1], ridge);
    for (int i = 0; i < ROOF_POINTS; i++)
        y[i] = fmin(gflops, gb_s * x[i]);
    *series = (plc_chart_series){
        .x = x, .y = y, .n = ROOF_POINTS, .colour = colour, .dashed = roof > 0, .line_only = true};
    snprintf(series->name, sizeof series->name, "%s", name);
}

// The peaks that were measured last in a file, NULL if none were.
static const plc_peaks *find_peaks(const plc_bench *file)
{
    for (size_t i = file->n_results; i-- > 0;)
        if (file->results[i].peaks.gflops > 0 &&
            plc_peaks_bandwidth(&file->results[i].peaks, INFINITY) > 0)
            return &file->results[i].peaks;
    return NULL;
}

static pleach_status draw_roofline(pleach_ctx *ctx, const plc_bench *file, int colour,
                                   plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const plc_peaks *peaks = find_peaks(file);
    double ends[2] = {0.1, 1000}; // FLOPs per byte: an addition; a large convolution
    roofline r = {0};
    plc_text title = {0};
    plc_chart chart = {.x_label = "FLOPs per byte", .logarithmic = true};

    if (!peaks)
        return PLEACH_OK;
    TRY(collect_kernels(ctx, file, &r));
    for (size_t i = 0; i < r.n; i++)
        if (isfinite(r.x[i]) && r.x[i] > 0) {
            ends[0] = fmin(ends[0], r.x[i]);
            ends[1] = fmax(ends[1], r.x[i]);
        }
    TRY(plc_text_printf(ctx, &title, "GFLOPS under the roofline: %s, %s", file->title,
                        file->device.name ? file->device.name : ""));
    chart.title = title.data;
    add_roof(&chart, &r, 0, "roof of memory", peaks->gflops, plc_peaks_bandwidth(peaks, INFINITY),
             ends, colour);
    add_roof(&chart, &r, 1, "roof of caches", peaks->gflops, plc_peaks_bandwidth(peaks, 0), ends,
             colour);
    chart.series[chart.n_series++] =
        (plc_chart_series){.name = "kernels",
                           .x = r.x,
                           .y = r.y,
                           .n = r.n,
                           .colour = (colour + 1) % PLC_CHART_N_COLOURS,
                           .points_only = true,
                           .quiet = true,
                           .labels = (const char *const *)r.labels};
    TRY(plc_chart_draw(ctx, &chart, text));
done:
    finish_roofline(&r);
    plc_text_finish(&title);
    return status;
}

static pleach_status list_files(pleach_ctx *ctx, const plc_bench *files, size_t n, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    plc_table_column(&table, 'l', "file");
    plc_table_column(&table, 'l', "device");
    plc_table_column(&table, 'l', "platform");
    plc_table_column(&table, 'l', "driver");
    plc_table_column(&table, 'l', "layout");
    for (size_t i = 0; i < n; i++) {
        TRY(plc_table_cell(ctx, &table, "%s", files[i].title));
        TRY(plc_table_cell(ctx, &table, "%s", files[i].device.name ? files[i].device.name : ""));
        TRY(plc_table_cell(ctx, &table, "%s",
                           files[i].device.platform ? files[i].device.platform : ""));
        TRY(plc_table_cell(ctx, &table, "%s",
                           files[i].device.driver ? files[i].device.driver : ""));
        TRY(plc_table_cell(ctx, &table, "%d lanes, %s", files[i].device.lanes,
                           files[i].device.mapping ? files[i].device.mapping : ""));
    }
    TRY(plc_page_table(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

static pleach_status draw_files(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                const plc_bench_rows *rows, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    TRY(list_files(ctx, files, n, text));
    TRY(plc_text_printf(ctx, text, "<div class='charts'>\n"));
    TRY(draw_groups(ctx, files, n, rows, text));
    for (size_t i = 0; i < n; i++)
        TRY(draw_roofline(ctx, &files[i], (int)i % PLC_CHART_N_COLOURS, text));
    TRY(plc_text_printf(ctx, text, "</div>\n"));
    TRY(plc_bench_tabulate(ctx, files, n, rows, &table));
    TRY(plc_page_table(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

pleach_status plc_bench_write_html(pleach_ctx *ctx, const plc_table *first, const plc_bench *files,
                                   size_t n, const plc_bench_rows *rows, const char *path)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};

    TRY(plc_page_begin(ctx, "pleach bench", &text));
    if (first)
        TRY(plc_page_table(ctx, first, &text));
    if (n)
        TRY(draw_files(ctx, files, n, rows, &text));
    TRY(plc_page_end(ctx, &text));
    TRY(plc_file_write_all(ctx, path, text.data, text.length));
done:
    plc_text_finish(&text);
    return status;
}
