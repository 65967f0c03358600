// Measures of several files of results, matched by group and name.
#include <report/bench.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

// One file's turn at the rows.
typedef struct filling {
    pleach_ctx *ctx;
    plc_bench_rows *rows;
    size_t file;
    const char *group;
} filling;

static pleach_status find_row(const filling *f, const char *measure, plc_bench_row **found)
{
    pleach_status status = PLEACH_OK;
    plc_bench_rows *rows = f->rows;
    size_t at = 0, end_of_group = rows->n_items;

    for (; at < rows->n_items; at++) {
        if (strcmp(rows->items[at].group, f->group) != 0)
            continue;
        end_of_group = at + 1;
        if (strcmp(rows->items[at].measure, measure) == 0)
            break;
    }
    if (at == rows->n_items) { // a group's rows stay together
        plc_bench_row row = {0};

        for (int i = 0; i < PLC_BENCH_MAX_FILES; i++)
            row.values[i] = NAN;
        TRY(plc_grow(f->ctx, &rows->items, &rows->capacity, rows->n_items + 1));
        at = end_of_group;
        memmove(&rows->items[at + 1], &rows->items[at], (rows->n_items - at) * sizeof row);
        rows->items[at] = row;
        rows->n_items++;
        TRY(plc_strdup(f->ctx, f->group, &rows->items[at].group));
        TRY(plc_strdup(f->ctx, measure, &rows->items[at].measure));
    }
    *found = &rows->items[at];
done:
    return status;
}

// A number that cannot be a measurement (null, zero, below) leaves no row.
static pleach_status add(const filling *f, double value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static pleach_status add(const filling *f, double value, const char *format, ...)
{
    pleach_status status = PLEACH_OK;
    char *measure = NULL;
    plc_bench_row *row = NULL;
    va_list args;

    if (!isfinite(value) || value <= 0)
        return PLEACH_OK;
    va_start(args, format);
    const int length = vasprintf(&measure, format, args);
    va_end(args);
    if (length < 0) {
        measure = NULL;
        FAIL(f->ctx, PLEACH_ENOMEM, "no memory for a comparison");
    }
    TRY(find_row(f, measure, &row));
    row->values[f->file] = value;
done:
    free(measure);
    return status;
}

static pleach_status add_device(const filling *f, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    const plc_peaks *peaks = &r->peaks;
    char bytes[PLC_FORMAT_MAX];

    TRY(add(f, peaks->gflops, "GFLOPS"));
    for (size_t i = 0; i < peaks->n_bandwidth; i++) {
        const plc_bandwidth *row = &peaks->bandwidth[i];

        plc_format_bytes((unsigned long long)row->bytes, bytes, sizeof bytes);
        TRY(add(f, row->copy_gb_s, "copy %s, GB/s", bytes));
        TRY(add(f, row->read_gb_s, "read %s, GB/s", bytes));
        TRY(add(f, row->write_gb_s, "write %s, GB/s", bytes));
    }
    TRY(add(f, peaks->launch_us, "launch, us"));
    TRY(add(f, peaks->launch_wait_us, "launch and wait, us"));
done:
    return status;
}

pleach_status plc_bench_name_kernel(pleach_ctx *ctx, const plc_bench_kernel *kernel, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const char *const parts[] = {kernel->kernel, kernel->shape, kernel->pass};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i] && *parts[i])
            TRY(plc_text_printf(ctx, text, "%s%s", text->length ? " " : "", parts[i]));
    if (!text->length)
        TRY(plc_text_printf(ctx, text, "?"));
done:
    return status;
}

static pleach_status add_kernel(const filling *f, const plc_bench_kernel *kernel)
{
    pleach_status status = PLEACH_OK;
    plc_text name = {0};

    TRY(plc_bench_name_kernel(f->ctx, kernel, &name));
    TRY(add(f, kernel->ms, "%s, ms", name.data));
done:
    plc_text_finish(&name);
    return status;
}

static pleach_status add_ops(const filling *f, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;

    TRY(add(f, r->kernel_ms, "all kernels, ms"));
    TRY(add(f, r->roofline.share, "share of the roofline"));
    for (size_t i = 0; i < r->n_ops; i++)
        TRY(add_kernel(f, &r->ops[i]));
done:
    return status;
}

static pleach_status add_speed(const filling *f, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;

    TRY(add(f, r->images_per_second.best, "images/s, best"));
    TRY(add(f, r->images_per_second.median, "images/s, median"));
    TRY(add(f, r->step_ms.p50, "single batch p50, ms"));
    TRY(add(f, r->step_ms.p90, "single batch p90, ms"));
    if (r->beside.model)
        TRY(add(f, r->beside.ratio, "single batch over that of %s", r->beside.model));
    TRY(add(f, r->start.first_step_seconds, "first step after, s"));
    TRY(add(f, r->kernel_ms, "kernels, ms"));
    TRY(add(f, r->roofline.share, "share of the roofline"));
    TRY(add(f, r->joules_per_image, "J an image"));
    TRY(add(f, (double)r->bytes_per_step / (1 << 20), "traffic of a step, MiB"));
    TRY(add(f, (double)r->device_peak_bytes / (1 << 20), "device memory, MiB"));
done:
    return status;
}

static pleach_status add_result(filling *f, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    plc_text group = {0};

    TRY(plc_text_printf(f->ctx, &group, "%s", r->kind));
    if (r->model)
        TRY(plc_text_printf(f->ctx, &group, " %s %dx%dx%d, batch %d", r->model, r->input[0],
                            r->input[1], r->input[2], r->batch));
    f->group = group.data;
    TRY(strcmp(r->kind, "device") == 0 ? add_device(f, r)
        : strcmp(r->kind, "ops") == 0  ? add_ops(f, r)
                                       : add_speed(f, r));
done:
    plc_text_finish(&group);
    return status;
}

pleach_status plc_bench_compare(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                plc_bench_rows *rows)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < files[i].n_results; j++)
            TRY(add_result(&(filling){.ctx = ctx, .rows = rows, .file = i}, &files[i].results[j]));
done:
    return status;
}

void plc_bench_rows_finish(plc_bench_rows *rows)
{
    for (size_t i = 0; i < rows->n_items; i++) {
        free(rows->items[i].group);
        free(rows->items[i].measure);
    }
    free(rows->items);
    *rows = (plc_bench_rows){0};
}

static pleach_status tabulate_value(pleach_ctx *ctx, plc_table *table, double value)
{
    if (!isfinite(value))
        return plc_table_cell(ctx, table, "-");
    return plc_table_cell(ctx, table, "%.*f", value < 1 ? 4 : value < 1000 ? 2 : 0, value);
}

pleach_status plc_bench_tabulate(pleach_ctx *ctx, const plc_bench *files, size_t n,
                                 const plc_bench_rows *rows, plc_table *table)
{
    pleach_status status = PLEACH_OK;

    plc_table_column(table, 'l', "benchmark");
    plc_table_column(table, 'l', "measure");
    for (size_t i = 0; i < n; i++) {
        plc_table_column(table, 'r', files[i].title);
        if (i > 0)
            plc_table_column(table, 'r', "ratio");
    }
    for (size_t i = 0; i < rows->n_items; i++) {
        const plc_bench_row *row = &rows->items[i];
        const bool same = i > 0 && strcmp(row->group, rows->items[i - 1].group) == 0;

        TRY(plc_table_cell(ctx, table, "%s", same ? "" : row->group));
        TRY(plc_table_cell(ctx, table, "%s", row->measure));
        for (size_t j = 0; j < n; j++) {
            const double ratio = row->values[j] / row->values[0];

            TRY(tabulate_value(ctx, table, row->values[j]));
            if (j > 0 && isfinite(ratio))
                TRY(plc_table_cell(ctx, table, "%.2f", ratio));
            else if (j > 0)
                TRY(plc_table_cell(ctx, table, "-"));
        }
    }
done:
    return status;
}
