// Rows of kernels in the results of `pleach bench`, and their tables.
#include <cli/bench.h>

#include <math.h>
#include <stdlib.h>
#include <base/memory.h>

const char plc_bench_no_times[] = "the device tells no times of kernels";

static pleach_status add_kernel(pleach_ctx *ctx, const plc_profile_row *row, double total_seconds,
                                const plc_peaks *peaks, plc_bench_kernel *kernel)
{
    pleach_status status = PLEACH_OK;
    const double seconds = row->seconds > 0 ? row->seconds : (double)NAN;
    bool compute_bound = false;

    *kernel = (plc_bench_kernel){.runs = row->n_launches,
                                 .ms = row->seconds * 1e3,
                                 .share = total_seconds > 0 ? row->seconds / total_seconds : 0,
                                 .flops = row->flops,
                                 .executed_flops = row->executed_flops,
                                 .bytes = row->bytes,
                                 .gflops = 1e-9 * row->flops / seconds,
                                 .gb_s = 1e-9 * row->bytes / seconds,
                                 .peak_share = peaks ? plc_profile_share(row, peaks, &compute_bound)
                                                     : (double)NAN};
    TRY(plc_strdup(ctx, row->kernel, &kernel->kernel));
    TRY(plc_strdup(ctx, row->shape, &kernel->shape));
    TRY(plc_strdup(ctx, row->pass, &kernel->pass));
    TRY(plc_strdup(ctx, !peaks ? "" : compute_bound ? "compute" : "memory", &kernel->bound));
done:
    return status;
}

pleach_status plc_bench_add_kernels(pleach_ctx *ctx, const plc_profile *profile,
                                    const plc_peaks *peaks, plc_bench_kernel **items, size_t *n,
                                    size_t *capacity)
{
    pleach_status status = PLEACH_OK;
    const double total = plc_profile_total(profile).seconds;

    for (size_t i = 0; i < profile->n_items; i++) {
        TRY(plc_grow(ctx, items, capacity, *n + 1));
        TRY(add_kernel(ctx, &profile->items[i], total, peaks, &(*items)[(*n)++]));
    }
done:
    return status;
}

// "-" where the device tells no time.
static pleach_status add_number(pleach_ctx *ctx, plc_table *table, double value, int n_digits,
                                const char *unit)
{
    return isfinite(value) ? plc_table_cell(ctx, table, "%.*f%s", n_digits, value, unit)
                           : plc_table_cell(ctx, table, "-");
}

pleach_status plc_bench_print_kernels(pleach_ctx *ctx, const plc_bench_kernel *items, size_t n,
                                      bool by_shape, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    plc_table_column(&table, 'l', "kernel");
    if (by_shape) {
        plc_table_column(&table, 'l', "shape");
        plc_table_column(&table, 'l', "pass");
    }
    plc_table_column(&table, 'r', "runs");
    plc_table_column(&table, 'r', "ms");
    plc_table_column(&table, 'r', "share");
    plc_table_column(&table, 'r', "GFLOPS");
    plc_table_column(&table, 'r', "GB/s");
    if (by_shape) {
        plc_table_column(&table, 'l', "bound by");
        plc_table_column(&table, 'r', "of its peak");
    }
    for (size_t i = 0; i < n; i++) {
        TRY(plc_table_cell(ctx, &table, "%s", items[i].kernel));
        if (by_shape) {
            TRY(plc_table_cell(ctx, &table, "%s", items[i].shape));
            TRY(plc_table_cell(ctx, &table, "%s", items[i].pass));
        }
        TRY(plc_table_cell(ctx, &table, "%d", items[i].runs));
        TRY(plc_table_cell(ctx, &table, "%.3f", items[i].ms));
        TRY(plc_table_cell(ctx, &table, "%.1f %%", 100.0 * items[i].share));
        TRY(add_number(ctx, &table, items[i].gflops, 1, ""));
        TRY(add_number(ctx, &table, items[i].gb_s, 1, ""));
        if (by_shape) {
            TRY(plc_table_cell(ctx, &table, "%s", items[i].bound));
            TRY(add_number(ctx, &table, 100.0 * items[i].peak_share, 0, " %"));
        }
    }
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

pleach_status plc_bench_print_peaks(pleach_ctx *ctx, const plc_peaks *peaks, plc_text *text)
{
    return plc_text_printf(
        ctx, text, "peaks: %.0f GFLOPS, %.1f GB/s in cache, %.1f GB/s in memory\n", peaks->gflops,
        plc_peaks_bandwidth(peaks, 0), plc_peaks_bandwidth(peaks, INFINITY));
}
