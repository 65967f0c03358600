// `pleach bench train` and `pleach bench infer`: how fast whole steps of a network are.
#include <cli/bench.h>

#include <math.h>
#include <string.h>
#include <base/memory.h>
#include <cli/model.h>
#include <price/latency_measure.h>
#include <price/macs.h>

enum { N_PROFILED = 3 }; // steps; of each row the fastest counts

static void set_speed(const plc_workload *workload, const plc_speed *speed, plc_bench_result *r)
{
    const pleach_session *session = workload->session;
    const double products = workload->optimizer ? 3.0 : 1.0; // backward is two more

    r->images_per_second.best = speed->best;
    r->images_per_second.median = speed->median;
    r->latency_ms = 1e3 * r->batch / speed->median;
    r->step_ms.p50 = 1e3 * speed->p50;
    r->step_ms.p90 = 1e3 * speed->p90;
    r->step_ms.steps = speed->n_waited;
    r->joules_per_image = speed->joules_per_image;
    r->wall_ms = 1e3 * r->batch / speed->best;
    r->macs = pleach_graph_macs(session->graph);
    r->gflops = 2e-9 * products * (double)r->macs * speed->median;
}

static void set_start(const plc_workload *workload, plc_bench_result *r)
{
    r->start.create_seconds = workload->create_seconds;
    r->start.first_step_seconds = workload->first_step_seconds;
    r->start.build_seconds = workload->build.seconds;
    r->start.programs_compiled = workload->build.n_compiled;
    r->start.programs_cached = workload->build.n_cached;
    // Not the device's peak, which has what the tuner and the self-test needed where the cache was empty.
    r->device_peak_bytes = (long long)workload->session->device->memory_bytes;
}

static pleach_status set_traffic(const plc_workload *workload, plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    plc_profile profile = {0};

    TRY(plc_profile_create(workload, false, &profile));
    r->bytes_per_step = (long long)plc_profile_total(&profile).bytes;
    r->least_bytes_per_step =
        (long long)plc_least_step_bytes(workload->session->graph, r->batch, workload->optimizer,
                                        workload->session->device->value_bytes);
done:
    plc_profile_finish(&profile);
    return status;
}

static pleach_status set_profile(plc_workload *workload, plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    plc_profile profile = {0};

    TRY(plc_profile_run(workload, N_PROFILED, false, &profile));
    plc_profile_sort(&profile);
    r->kernel_ms = 1e3 * plc_profile_total(&profile).seconds;
    TRY(plc_bench_add_kernels(workload->session->ctx, &profile, NULL, &r->profile, &r->n_profile,
                              &r->profile_capacity));
done:
    plc_profile_finish(&profile);
    return status;
}

// `beside`: the network that is timed in turns, or NULL.
static pleach_status measure(const plc_bench_args *args, plc_workload *workload,
                             const pleach_graph *beside, plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = workload->session->device;
    plc_speed speed;

    r->repeats = args->n_repeats;
    r->kernel_ms = r->roofline.ms = r->roofline.share = r->beside.ratio = NAN;
    r->peaks.gflops = r->peaks.launch_us = r->peaks.launch_wait_us = NAN;
    set_start(workload, r);
    TRY(set_traffic(workload, r));
    if (args->roofline)
        TRY(plc_peaks_measure(device, &r->peaks));
    TRY(plc_workload_speed(workload, args->n_repeats, &speed));
    set_speed(workload, &speed, r);
    if (args->roofline) {
        TRY(plc_peaks_measure(device, &r->peaks)); // before and after: the better counts
        r->roofline.ms = 1e3 * plc_step_roofline_seconds(workload, &r->peaks);
        r->roofline.share = r->roofline.ms / r->wall_ms;
    }
    if (args->profile)
        TRY(set_profile(workload, r));
    if (beside)
        TRY(plc_latency_time_ratio(device, workload->session->graph, beside, r->batch, false,
                                   &r->beside.ratio));
done:
    return status;
}

static pleach_status print_start(pleach_ctx *ctx, const plc_bench_result *r, plc_text *text)
{
    return plc_text_printf(
        ctx, text,
        "start: session after %.2f s (%.2f s in %d programs compiled and %d from the cache), first "
        "step done after %.2f s\n",
        r->start.create_seconds, r->start.build_seconds, r->start.programs_compiled,
        r->start.programs_cached, r->start.first_step_seconds);
}

static pleach_status print_text(plc_cli *cli, const plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;
    char memory[PLC_FORMAT_MAX], counted[PLC_FORMAT_MAX], least[PLC_FORMAT_MAX];
    pleach_ctx *ctx = cli->ctx;
    plc_text text = {0};

    plc_format_bytes((unsigned long long)r->device_peak_bytes, memory, sizeof memory);
    plc_format_bytes((unsigned long long)r->bytes_per_step, counted, sizeof counted);
    plc_format_bytes((unsigned long long)r->least_bytes_per_step, least, sizeof least);
    TRY(plc_text_printf(
        ctx, &text,
        "%s %s, %d x %d x %d, batch %d: %.0f images/s at best, %.0f median of %d; %.2f ms a batch, "
        "%.1f GFLOPS, %s on the device\n",
        r->kind, r->model, r->input[0], r->input[1], r->input[2], r->batch,
        r->images_per_second.best, r->images_per_second.median, r->repeats, r->latency_ms,
        r->gflops, memory));
    TRY(plc_text_printf(ctx, &text, "single batches: p50 %.2f ms, p90 %.2f ms of %d\n",
                        r->step_ms.p50, r->step_ms.p90, r->step_ms.steps));
    if (r->beside.model)
        TRY(plc_text_printf(ctx, &text, "single batches in turns with %s: %.3f of its time\n",
                            r->beside.model, r->beside.ratio));
    TRY(print_start(ctx, r, &text));
    TRY(plc_text_printf(ctx, &text, "traffic: %s a step; with everything fused %s\n", counted,
                        least));
    if (isfinite(r->joules_per_image))
        TRY(plc_text_printf(ctx, &text, "energy: %.4g J an image, of the processors\n",
                            r->joules_per_image));
    else
        TRY(plc_text_printf(ctx, &text, "energy: not available\n"));
    if (isfinite(r->roofline.share)) {
        TRY(plc_bench_print_peaks(ctx, &r->peaks, &text));
        TRY(plc_text_printf(ctx, &text, "roofline: %.2f ms a step at least, %.0f %% of %.2f ms\n",
                            r->roofline.ms, 100.0 * r->roofline.share, r->wall_ms));
    }
    if (r->n_profile) {
        if (r->kernel_ms > 0)
            TRY(plc_text_printf(ctx, &text, "kernels: %.2f ms of %.2f ms a step\n\n", r->kernel_ms,
                                r->wall_ms));
        else
            TRY(plc_text_printf(ctx, &text, "kernels: %s\n\n", plc_bench_no_times));
        TRY(plc_bench_print_kernels(ctx, r->profile, r->n_profile, false, &text));
    }
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

// The network of --beside; a file has images of its own, which must be those of the model.
static pleach_status open_beside(plc_cli *cli, const plc_bench_args *args, plc_model_file *beside,
                                 plc_bench_result *r)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_cli_open_model(cli, args->beside, r->input, args->n_classes, beside));
    const plc_shape in = beside->graph->nodes[0].shape;
    if (in.c != r->input[0] || in.h != r->input[1] || in.w != r->input[2])
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--beside '%s' takes %dx%dx%d images, '%s' %dx%dx%d: their times do not compare; a "
             "network by name takes those of --input",
             args->beside, in.c, in.h, in.w, args->model, r->input[0], r->input[1], r->input[2]);
    TRY(plc_cli_copy_name(cli->ctx, args->beside, &r->beside.model));
done:
    return status;
}

static pleach_status run_speed(plc_cli *cli, const char *kind, const struct argp_option *options,
                               int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    plc_bench_args args = plc_bench_defaults;
    const plc_cli_args accepted = {
        .options = options,
        .doc =
            "Speed of whole steps on images that are on the device already: images per second of "
            "steps that follow one another, and the latency of single batches.",
        .option = plc_bench_take_option,
        .user = &args};
    pleach_device *device = NULL;
    plc_workload workload = {0};
    plc_bench_result result = {0};
    plc_model_file beside = {0};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    TRY(plc_bench_open(cli, &args, kind, args.profile, &device, &workload, &result));
    if (args.beside)
        TRY(open_beside(cli, &args, &beside, &result));
    TRY(measure(&args, &workload, beside.graph, &result));
    TRY(cli->json ? plc_bench_print_json(cli, device, &result) : print_text(cli, &result));
done:
    plc_model_file_finish(&beside);
    plc_bench_result_finish(&result);
    plc_workload_finish(&workload);
    pleach_device_close(&device);
    return status;
}

pleach_status plc_bench_train(plc_cli *cli, int argc, char **argv)
{
    static const struct argp_option options[] = {
        PLC_BENCH_NETWORK_OPTIONS,
        PLC_BENCH_SPEED_OPTIONS,
        {0},
    };

    return run_speed(cli, "train", options, argc, argv);
}

pleach_status plc_bench_infer(plc_cli *cli, int argc, char **argv)
{
    static const struct argp_option options[] = {
        PLC_BENCH_NETWORK_OPTIONS,
        PLC_BENCH_SPEED_OPTIONS,
        PLC_BENCH_INFER_OPTIONS,
        {0},
    };

    return run_speed(cli, "infer", options, argc, argv);
}
