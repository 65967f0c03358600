// Steps to be measured: made ready, run, timed.
#include <price/workload.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <base/random.h>
#include <price/energy.h>

// A repeat runs as many steps as fill this time: long against the clock and the queue's start.
static const double repeat_seconds = 0.5;

// Steps with a wait after each: as many as fill this time, within bounds. Ten are the fewest that
// have a 90th percentile.
static const double waited_seconds = 1.0;
enum { MIN_WAITED = 10, MAX_WAITED = 2000 };

// Rates at which noise does not diverge.
static const float learning_rate = 1e-4f, momentum = 0.9f;

pleach_status plc_workload_run(plc_workload *workload, int n)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < n; i++) {
        if (!workload->optimizer) {
            TRY(plc_session_infer_only(workload->session));
            continue;
        }
        TRY(plc_session_train(workload->session, workload->step++));
        TRY(plc_optimizer_step(workload->optimizer, learning_rate, momentum));
    }
    TRY(plc_device_finish(workload->session->device));
done:
    return status;
}

// Noise in place of images: speed does not depend on their content.
static pleach_status upload_noise(pleach_session *s, unsigned long long seed)
{
    pleach_status status = PLEACH_OK;
    const plc_shape in = s->graph->nodes[0].shape;
    const int n_classes = s->graph->nodes[s->graph->n_nodes - 1].shape.c;
    const size_t n_bytes = (size_t)s->batch * (size_t)in.c * (size_t)in.h * (size_t)in.w;
    unsigned char *images = NULL;
    int *labels = NULL;
    cl_event done_event = NULL;

    TRY(plc_alloc(s->ctx, n_bytes, 1, &images));
    TRY(plc_alloc(s->ctx, (size_t)s->batch, sizeof *labels, &labels));
    for (size_t i = 0; i < n_bytes; i++)
        images[i] = (unsigned char)plc_random_u32x4(seed, PLC_STREAM_TEST, 0, i).x;
    for (int i = 0; i < s->batch; i++)
        labels[i] = i % n_classes;
    TRY(plc_session_upload(s, images, labels, s->batch, &done_event));
    TRY(plc_device_wait(s->device, &done_event));
    TRY(plc_session_infer(s, 0, s->batch)); // fills the input's value for inference
    TRY(plc_device_finish(s->device));
done:
    free(images);
    free(labels);
    return status;
}

pleach_status plc_workload_create(pleach_device *device, const pleach_graph *graph,
                                  const float *weights, int batch, bool trains,
                                  unsigned long long seed, plc_workload *workload)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts opts = {.inference_only = !trains, .seed = seed};
    const plc_optimizer_opts sgd = {.kind = PLC_OPTIMIZER_SGD, .nesterov = true};
    const plc_build_counts before = plc_kernels_counts(device);
    const double begin = plc_clock_seconds();

    TRY(pleach_session_create(device->ctx, graph, device, batch, &opts, &workload->session));
    if (weights)
        TRY(plc_session_write_weights(workload->session, weights));
    if (trains)
        TRY(plc_optimizer_create(workload->session, &sgd, &workload->optimizer));
    workload->create_seconds = plc_clock_seconds() - begin;
    TRY(upload_noise(workload->session, seed));
    TRY(plc_workload_run(workload, 1));
    workload->first_step_seconds = plc_clock_seconds() - begin;
    workload->build = plc_kernels_counts(device);
    workload->build.n_compiled -= before.n_compiled;
    workload->build.n_cached -= before.n_cached;
    workload->build.seconds -= before.seconds;
done:
    if (status != PLEACH_OK)
        plc_workload_finish(workload);
    return status;
}

void plc_workload_finish(plc_workload *workload)
{
    plc_optimizer_destroy(&workload->optimizer);
    pleach_session_destroy(&workload->session);
    *workload = (plc_workload){0};
}

int plc_workload_lists(const plc_workload *workload,
                       const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS])
{
    const pleach_session *s = workload->session;

    if (!workload->optimizer) {
        lists[0] = &s->infer;
        return 1;
    }
    lists[0] = &s->input_train;
    lists[1] = &s->train;
    lists[2] = plc_optimizer_launches(workload->optimizer);
    return 3;
}

const char *plc_workload_pass(const plc_workload *workload, const plc_launch_list *list, int index)
{
    const pleach_session *s = workload->session;

    if (list == &s->input_train)
        return "input";
    if (list == &s->infer || (list == &s->train && index < s->n_forward))
        return "forward";
    return list == &s->train ? "backward" : "update";
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double plc_quantile(double *values, size_t n, double share)
{
    const size_t rank = (size_t)ceil(share * (double)n);

    qsort(values, n, sizeof *values, by_value);
    return values[rank > 0 ? (rank <= n ? rank : n) - 1 : 0];
}

static pleach_status time_steps(plc_workload *workload, int n, double *seconds)
{
    pleach_status status = PLEACH_OK;
    const double begin = plc_clock_seconds();

    TRY(plc_workload_run(workload, n));
    *seconds = plc_clock_seconds() - begin;
done:
    return status;
}

// How many steps of `one` second each fill `wanted` seconds.
static int steps_in(double wanted, double one, int low, int high)
{
    const double n = wanted / fmax(one, 1e-6);

    return n < low ? low : n > high ? high : (int)n;
}

static pleach_status time_waited(plc_workload *workload, double one, plc_speed *speed)
{
    pleach_status status = PLEACH_OK;
    const int n = steps_in(waited_seconds, one, MIN_WAITED, MAX_WAITED);
    double *times = NULL;

    TRY(plc_alloc(workload->session->ctx, (size_t)n, sizeof *times, &times));
    for (int i = 0; i < n; i++)
        TRY(time_steps(workload, 1, &times[i]));
    speed->n_waited = n;
    speed->p50 = plc_quantile(times, (size_t)n, 0.5);
    speed->p90 = plc_quantile(times, (size_t)n, 0.9);
done:
    free(times);
    return status;
}

// The processors' counters tell nothing of another device's energy.
static bool read_energy(const pleach_device *device, plc_energy *energy)
{
    return strcmp(device->info->kind, "cpu") == 0 && plc_energy_read(PLC_ENERGY_FOLDER, energy);
}

// Adds to *joules what was taken since *last, which becomes now; NAN where that is not told. At each repeat,
// because a counter may turn more than once in all of them.
static void add_energy(const pleach_device *device, plc_energy *last, double *joules)
{
    plc_energy now = {0};

    *joules += read_energy(device, &now) ? plc_energy_joules(last, &now) : (double)NAN;
    *last = now;
}

pleach_status plc_workload_speed(plc_workload *workload, int n_repeats, plc_speed *speed)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)n_repeats;
    pleach_session *s = workload->session;
    plc_energy last = {0};
    double *speeds = NULL, one = 0, seconds = 0, joules = 0;

    TRY(plc_alloc(s->ctx, n, sizeof *speeds, &speeds));
    TRY(plc_workload_run(workload, 2)); // caches, clocks, lazily finished kernels
    TRY(time_steps(workload, 1, &one));
    const int n_steps = steps_in(repeat_seconds, one, 0, 1 << 30) + 1;

    if (!read_energy(s->device, &last))
        joules = (double)NAN;
    for (int i = 0; i < n_repeats; i++) {
        TRY(time_steps(workload, n_steps, &seconds));
        speeds[i] = (double)n_steps * s->batch / seconds;
        add_energy(s->device, &last, &joules);
    }
    speed->joules_per_image = joules / ((double)n_repeats * n_steps * s->batch);
    speed->best = plc_quantile(speeds, n, 1.0); // which sorts them
    speed->median = (speeds[n / 2] + speeds[(n - 1) / 2]) / 2.0;
    TRY(time_waited(workload, one, speed));
done:
    free(speeds);
    return status;
}
