// Timing of steps and inferences. Steps follow one another many times between two waits, because that is how an
// inference runs them: its launches are enqueued without a wait, or joined into one.
#include <price/latency_measure.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/memory.h>
#include <ops/channel_network.h>
#include <price/workload.h>

// A trial takes about this long; the best of some counts, as other programs only add time.
static const double trial_seconds = 2e-3;
enum { N_TRIALS = 5, FEW_COPIES = 4, MOST_COPIES = 1024 };

// Whole inferences: some series of as many as fill this time, but at least so many. Of a series the median counts, of
// the series the median too: other programs come and go between them. Two networks are timed in turns, and of
// each turn the ratio counts: a machine that is slower for some seconds is slower for both, though not by the same
// share. Turns are added until the median of their ratios is known to within this share of it.
static const double series_seconds = 0.06, known = 0.01;
enum {
    N_SERIES = 31,
    FEW_TURNS = 11,
    MOST_TURNS = 101,
    LEAST_INFERENCES = 1,
    MOST_INFERENCES = 1000,
    WARM_UPS = 3,
};

// Copies of a step's launches as one list, joined where the session joins its own.
typedef struct copies {
    plc_launch_list list;   // items are the session's
    plc_launch_list joined; // empty where nothing is joined
    plc_buffer *launches, *state;
} copies;

static void finish_copies(pleach_device *device, copies *c)
{
    plc_device_settle(device); // nothing may still use what goes
    free(c->list.items);
    if (c->joined.device)
        plc_launch_list_finish(&c->joined);
    plc_buffer_destroy(device, &c->launches);
    plc_buffer_destroy(device, &c->state);
    *c = (copies){0};
}

static pleach_status join_copies(pleach_session *s, copies *c)
{
    pleach_status status = PLEACH_OK;
    const plc_channel_memory memory = {
        .slab = s->slabs.n_items > 0 ? s->slabs.items[0] : NULL,
        .input = s->infer_values.items[0].buffer,
        .logits = s->infer_values.items[s->graph->n_nodes - 1].buffer,
        .prepared = s->scratch_infer,
    };

    TRY(plc_channel_network_join(&c->list, &memory, &c->joined, &c->launches, &c->state));
    TRY(plc_launch_list_freeze(&c->joined));
done:
    return status;
}

static pleach_status make_copies(pleach_session *s, int anchor, int n_copies, copies *c)
{
    pleach_status status = PLEACH_OK;
    size_t capacity = 0;

    plc_launch_list_init(&c->list, s->device);
    plc_launch_list_init(&c->joined, s->device);
    for (int copy = 0; copy < n_copies; copy++)
        for (int i = 0; i < s->infer.n_items; i++) {
            if (s->infer.items[i]->node != anchor)
                continue;
            TRY(plc_grow(s->ctx, &c->list.items, &capacity, (size_t)c->list.n_items + 1));
            c->list.items[c->list.n_items++] = s->infer.items[i];
        }
    if (s->infer_network.n_items > 0)
        TRY(join_copies(s, c));
done:
    return status;
}

// The least time of n_copies of the step between two waits.
static pleach_status time_copies(pleach_session *s, int anchor, int n_copies, double *seconds)
{
    pleach_status status = PLEACH_OK;
    copies c = {0};

    TRY(make_copies(s, anchor, n_copies, &c));
    *seconds = INFINITY;
    for (int trial = -1; trial < N_TRIALS; trial++) { // the first one warms up
        TRY(plc_device_finish(s->device));
        const double begin = plc_clock_seconds();
        TRY(plc_launch_list_run(c.joined.n_items > 0 ? &c.joined : &c.list));
        TRY(plc_device_finish(s->device));
        if (trial >= 0)
            *seconds = fmin(*seconds, plc_clock_seconds() - begin);
    }
done:
    finish_copies(s->device, &c);
    return status;
}

static int copies_that_fill(double one)
{
    const double n = trial_seconds / fmax(one, 1e-9);

    return n > MOST_COPIES ? MOST_COPIES : n < 2 * FEW_COPIES ? 2 * FEW_COPIES : (int)n;
}

pleach_status plc_latency_time_step(pleach_device *device, const pleach_graph *graph, int anchor,
                                    int batch, double *step_ms, double *start_ms)
{
    pleach_status status = PLEACH_OK;
    plc_workload workload = {0};
    double few = 0, many = 0;

    TRY(plc_workload_create(device, graph, NULL, batch, false, 0, &workload));
    TRY(time_copies(workload.session, anchor, FEW_COPIES, &few));
    const int n = copies_that_fill(few / FEW_COPIES);
    TRY(time_copies(workload.session, anchor, n, &many));
    // The difference leaves the start out; noise may make it too small, and the mean is never less than true.
    const double slope = (many - few) / (n - FEW_COPIES), mean = many / n;
    const double seconds = slope > mean / 2 ? slope : mean;
    *step_ms = seconds * 1e3;
    *start_ms = fmax(few - FEW_COPIES * seconds, 0) * 1e3;
done:
    plc_workload_finish(&workload);
    return status;
}

static pleach_status time_inference(plc_workload *workload, double *seconds)
{
    pleach_status status = PLEACH_OK;
    const double begin = plc_clock_seconds();

    TRY(plc_workload_run(workload, 1));
    *seconds = plc_clock_seconds() - begin;
done:
    return status;
}

static int inferences_that_fill(double one)
{
    const double n = series_seconds / fmax(one, 1e-6);

    return n < LEAST_INFERENCES ? LEAST_INFERENCES : n > MOST_INFERENCES ? MOST_INFERENCES : (int)n;
}

// A network whose inferences are timed in series.
typedef struct timed {
    plc_workload workload;
    double *times; // owned, [n]
    int n;
} timed;

static void finish_timed(timed *t)
{
    free(t->times);
    plc_workload_finish(&t->workload);
}

static pleach_status make_timed(pleach_device *device, const pleach_graph *graph, int batch,
                                timed *t)
{
    pleach_status status = PLEACH_OK;
    double one = 0;

    TRY(plc_workload_create(device, graph, NULL, batch, false, 0, &t->workload));
    for (int i = 0; i < WARM_UPS; i++)
        TRY(time_inference(&t->workload, &one));
    t->n = inferences_that_fill(one);
    TRY(plc_alloc(device->ctx, (size_t)t->n, sizeof *t->times, &t->times));
done:
    return status;
}

// The median of one series, in seconds. What ran before it has put other things into the caches: the first
// inference does not count.
static pleach_status time_series(timed *t, double *median)
{
    pleach_status status = PLEACH_OK;
    double first = 0;

    TRY(time_inference(&t->workload, &first));
    for (int i = 0; i < t->n; i++)
        TRY(time_inference(&t->workload, &t->times[i]));
    *median = plc_quantile(t->times, (size_t)t->n, 0.5);
done:
    return status;
}

pleach_status plc_latency_time_graph(pleach_device *device, const pleach_graph *graph, int batch,
                                     double *ms)
{
    pleach_status status = PLEACH_OK;
    timed network = {0};
    double medians[N_SERIES];

    TRY(make_timed(device, graph, batch, &network));
    for (int i = 0; i < N_SERIES; i++)
        TRY(time_series(&network, &medians[i]));
    *ms = plc_quantile(medians, N_SERIES, 0.5) * 1e3;
done:
    finish_timed(&network);
    return status;
}

// Whether the median of n ratios is known well enough: half of its 95 % interval, 1.57 times the distance between
// the quartiles over the root of n (McGill, Tukey, Larsen 1978, "Variations of box plots"), as a share of it.
static bool is_known(const double *ratios, int n, double *median)
{
    double sorted[MOST_TURNS];

    memcpy(sorted, ratios, (size_t)n * sizeof *sorted);
    *median = plc_quantile(sorted, (size_t)n, 0.5);
    const double spread =
        plc_quantile(sorted, (size_t)n, 0.75) - plc_quantile(sorted, (size_t)n, 0.25);
    return n >= FEW_TURNS && 1.57 * spread / sqrt(n) <= known * *median;
}

pleach_status plc_latency_time_ratio(pleach_device *device, const pleach_graph *graph,
                                     const pleach_graph *reference, int batch, bool roughly,
                                     double *ratio)
{
    pleach_status status = PLEACH_OK;
    timed network = {0}, other = {0};
    const int most = roughly ? FEW_TURNS : MOST_TURNS;
    double ratios[MOST_TURNS];
    bool enough = false;

    TRY(make_timed(device, graph, batch, &network));
    TRY(make_timed(device, reference, batch, &other));
    for (int i = 0; i < most && !enough; i++) {
        double seconds = 0, beside = 0;
        TRY(time_series(&network, &seconds));
        TRY(time_series(&other, &beside));
        ratios[i] = seconds / beside;
        enough = is_known(ratios, i + 1, ratio);
    }
done:
    finish_timed(&network);
    finish_timed(&other);
    return status;
}
