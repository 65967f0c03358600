// `pleach bench device`: what the device reaches at best.
#include <cli/bench.h>

#include <base/memory.h>

static pleach_status print_fma(pleach_ctx *ctx, const plc_peaks *peaks, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    plc_table_column(&table, 'r', "chains of multiply-adds");
    plc_table_column(&table, 'r', "GFLOPS");
    for (size_t i = 0; i < peaks->n_fma; i++) {
        TRY(plc_table_cell(ctx, &table, "%d", peaks->fma[i].chains));
        TRY(plc_table_cell(ctx, &table, "%.1f", peaks->fma[i].gflops));
    }
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

static pleach_status print_bandwidth(pleach_ctx *ctx, const plc_peaks *peaks, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    char bytes[PLC_FORMAT_MAX];
    plc_table table = {0};

    plc_table_column(&table, 'r', "array");
    plc_table_column(&table, 'r', "copy GB/s");
    plc_table_column(&table, 'r', "read GB/s");
    plc_table_column(&table, 'r', "write GB/s");
    for (size_t i = 0; i < peaks->n_bandwidth; i++) {
        const plc_bandwidth *row = &peaks->bandwidth[i];

        plc_format_bytes((unsigned long long)row->bytes, bytes, sizeof bytes);
        TRY(plc_table_cell(ctx, &table, "%s", bytes));
        TRY(plc_table_cell(ctx, &table, "%.1f", row->copy_gb_s));
        TRY(plc_table_cell(ctx, &table, "%.1f", row->read_gb_s));
        TRY(plc_table_cell(ctx, &table, "%.1f", row->write_gb_s));
    }
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

static pleach_status print_text(plc_cli *cli, const plc_peaks *peaks)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};

    TRY(plc_bench_print_peaks(cli->ctx, peaks, &text));
    TRY(plc_text_printf(cli->ctx, &text,
                        "a launch: %.1f us back to back, %.1f us with a wait after it\n\n",
                        peaks->launch_us, peaks->launch_wait_us));
    TRY(print_fma(cli->ctx, peaks, &text));
    TRY(plc_text_printf(cli->ctx, &text, "\n"));
    TRY(print_bandwidth(cli->ctx, peaks, &text));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

pleach_status plc_bench_device(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const plc_cli_args accepted = {
        .doc =
            "Peaks that the device itself reaches: multiply-adds, copying, reading and writing of "
            "arrays from cache-sized to large, and what a launch costs."};
    pleach_device *device = NULL;
    plc_bench_result result = {0};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    TRY(plc_strdup(cli->ctx, "device", &result.kind));
    TRY(plc_cli_open_device(cli, false, &device));
    TRY(plc_peaks_measure(device, &result.peaks));
    TRY(cli->json ? plc_bench_print_json(cli, device, &result) : print_text(cli, &result.peaks));
done:
    plc_bench_result_finish(&result);
    pleach_device_close(&device);
    return status;
}
