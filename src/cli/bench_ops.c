// `pleach bench ops`: each kernel and layer shape of a training step beside the device's peaks.
#include <cli/bench.h>

#include <string.h>

enum { N_STEPS = 5 }; // profiled; of each row the fastest counts

static pleach_status measure(plc_cli *cli, plc_workload *workload, plc_bench_result *result)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = workload->session->device;
    plc_profile profile = {0};

    TRY(plc_peaks_measure(device, &result->peaks));
    TRY(plc_profile_run(workload, N_STEPS, true, &profile));
    TRY(plc_peaks_measure(device, &result->peaks)); // speeds change while other work comes and goes
    plc_profile_sort(&profile);
    TRY(plc_bench_add_kernels(cli->ctx, &profile, &result->peaks, &result->ops, &result->n_ops,
                              &result->ops_capacity));
    const plc_profile_row total = plc_profile_total(&profile);
    result->kernel_ms = total.seconds * 1e3;
    result->bytes_per_step = (long long)total.bytes;
    result->roofline.ms = plc_step_roofline_seconds(workload, &result->peaks) * 1e3;
    result->roofline.share = result->roofline.ms / result->kernel_ms;
done:
    plc_profile_finish(&profile);
    return status;
}

static pleach_status print_text(plc_cli *cli, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};

    TRY(plc_text_printf(cli->ctx, &text, "training step of %s, %d x %d x %d, batch %d: ", r->model,
                        r->input[0], r->input[1], r->input[2], r->batch));
    if (r->kernel_ms > 0)
        TRY(plc_text_printf(cli->ctx, &text,
                            "kernels take %.2f ms, the roofline %.2f ms, %.0f %% of that\n",
                            r->kernel_ms, r->roofline.ms, 100.0 * r->roofline.share));
    else
        TRY(plc_text_printf(cli->ctx, &text, "%s; the roofline takes %.2f ms\n", plc_bench_no_times,
                            r->roofline.ms));
    TRY(plc_bench_print_peaks(cli->ctx, &r->peaks, &text));
    TRY(plc_text_printf(cli->ctx, &text, "\n"));
    TRY(plc_bench_print_kernels(cli->ctx, r->ops, r->n_ops, true, &text));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

pleach_status plc_bench_ops(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {PLC_BENCH_NETWORK_OPTIONS, {0}};
    plc_bench_args args = plc_bench_defaults;
    const plc_cli_args accepted = {
        .options = options,
        .doc = "Time of each distinct kernel and layer shape of a training step, and how near it "
               "comes to the device's peaks, which are measured in the same run.",
        .option = plc_bench_take_option,
        .user = &args};
    pleach_device *device = NULL;
    plc_workload workload = {0};
    plc_bench_result result = {0};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    TRY(plc_bench_open(cli, &args, "ops", true, &device, &workload, &result));
    TRY(measure(cli, &workload, &result));
    TRY(cli->json ? plc_bench_print_json(cli, device, &result) : print_text(cli, &result));
done:
    plc_bench_result_finish(&result);
    plc_workload_finish(&workload);
    pleach_device_close(&device);
    return status;
}
