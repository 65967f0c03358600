// The price of a network in milliseconds: its steps looked up, interpolated, measured where they are not known.
#include <price/latency.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/text.h>
#include <graph/kept.h>
#include <graph/op.h>
#include <kernel/kernels.h>
#include <kernel/sources.h>
#include <kernel/tuning_file.h>
#include <ops/channel_lanes.h>
#include <price/latency_measure.h>
#include <price/latency_step.h>
#include <price/latency_table.h>

struct plc_latency {
    pleach_device *device; // borrowed
    int batch;
    char *path; // owned, NULL: no file
    char mapping[PLC_FORMAT_MAX];
    plc_latency_table table;
    int n_measured, n_written;
    pleach_graph *reference; // owned; NULL: no network has been measured yet
    double reference_ms;
};

static pleach_status find_path(pleach_device *device, char **path)
{
    pleach_status status = PLEACH_OK;
    plc_text key = {0};
    const char *folder = plc_kernels_folder(device);

    *path = NULL;
    if (folder == NULL)
        return status;
    TRY(plc_text_printf(device->ctx, &key, "\n"));
    TRY(plc_sources_key(device->ctx, &key));
    TRY(plc_device_file_path(device, folder, "latency", key.data, path));
done:
    plc_text_finish(&key);
    return status;
}

pleach_status plc_latency_open(pleach_device *device, int batch, plc_latency **latency)
{
    pleach_status status = PLEACH_OK;
    plc_latency *l = NULL;

    TRY(plc_alloc(device->ctx, 1, sizeof *l, &l));
    l->device = device;
    l->batch = batch;
    plc_tuning_mapping(device, l->mapping);
    TRY(find_path(device, &l->path));
    if (l->path)
        TRY(plc_latency_table_read(device->ctx, l->path, &l->table));
    *latency = l;
    l = NULL;
done:
    plc_latency_close(&l);
    return status;
}

void plc_latency_close(plc_latency **latency)
{
    plc_latency *l = *latency;

    if (l == NULL)
        return;
    pleach_graph_destroy(&l->reference);
    plc_latency_table_finish(&l->table);
    free(l->path);
    free(l);
    *latency = NULL;
}

int plc_latency_batch(const plc_latency *latency)
{
    return latency->batch;
}

int plc_latency_n_measured(const plc_latency *latency)
{
    return latency->n_measured;
}

void plc_latency_grid(int n, int unit, int *low, int *high)
{
    const int n_units = (n + unit - 1) / unit;
    int power = 1; // the grid is 1, then 2, 3 times each power of two

    while (2 * power <= n_units)
        power *= 2;
    const int middle = power + power / 2;
    *low = n_units >= middle && power > 1 ? middle : power;
    *high = *low == n_units ? *low : *low == middle ? 2 * power : power > 1 ? middle : 2;
    *low *= unit;
    *high *= unit;
}

// How many channels of a kind's input and output are computed at once, so cost the same.
static void units_of(const plc_latency *l, const pleach_graph *graph, const plc_step_kind *kind,
                     int *in, int *out)
{
    const int lanes = plc_channel_lanes_suit(l->device, graph, l->batch) ? l->device->lanes : 1;

    *in = kind->factor ? lanes : 1;
    *out = lanes;
}

static pleach_status put(plc_latency *l, const char *step, int in, int out, double ms)
{
    const double least_ms = 1e-6; // of a clock that counts nanoseconds
    const plc_latency_point point = {in, out, plc_latency_rounded(ms > least_ms ? ms : least_ms)};

    l->n_measured++;
    return plc_latency_table_put(l->device->ctx, &l->table, step, l->mapping, point);
}

static void name_start(const plc_latency *l, char text[PLC_STEP_KIND_MAX])
{
    snprintf(text, PLC_STEP_KIND_MAX, "start, batch %d", l->batch);
}

// Measures a step of the given channels, and the start with it unless that is known.
static pleach_status measure(plc_latency *l, const pleach_graph *graph, const plc_step *step,
                             const plc_step_kind *kind, int in, int out)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *small = NULL;
    int anchor = 0;
    double step_ms = 0, start_ms = 0;
    char start[PLC_STEP_KIND_MAX];

    plc_device_tell(l->device, "timing layers", l->n_measured + 1, 0);
    TRY(plc_step_graph(l->device->ctx, graph, step, kind, in, out, &small, &anchor));
    TRY(plc_latency_time_step(l->device, small, anchor, l->batch, &step_ms, &start_ms));
    TRY(put(l, kind->text, in, out, step_ms));
    name_start(l, start);
    if (plc_latency_table_row(&l->table, start, l->mapping) == NULL)
        TRY(put(l, start, 1, 1, start_ms));
done:
    plc_device_tell(l->device, NULL, 0, 0);
    pleach_graph_destroy(&small);
    return status;
}

static pleach_status look_up(plc_latency *l, const pleach_graph *graph, const plc_step *step,
                             const plc_step_kind *kind, int in, int out, double *ms)
{
    pleach_status status = PLEACH_OK;
    const plc_latency_point *found =
        plc_latency_table_find(plc_latency_table_row(&l->table, kind->text, l->mapping), in, out);

    if (found == NULL) {
        TRY(measure(l, graph, step, kind, in, out));
        found = plc_latency_table_find(plc_latency_table_row(&l->table, kind->text, l->mapping), in,
                                       out);
    }
    *ms = found->ms;
done:
    return status;
}

// An axis of the grid: its neighbours of n, and how far n is on the way from low to high.
typedef struct axis {
    int at[2];
    double share;
} axis;

static axis make_axis(int n, int unit)
{
    axis a;
    const int rounded = (n + unit - 1) / unit * unit;

    plc_latency_grid(n, unit, &a.at[0], &a.at[1]);
    a.share = a.at[1] > a.at[0] ? (double)(rounded - a.at[0]) / (a.at[1] - a.at[0]) : 0;
    return a;
}

// Linear between the neighbours along each axis; what has no weight is not measured.
static pleach_status price_step(plc_latency *l, const pleach_graph *graph, const plc_step *step,
                                const plc_step_kind *kind, double *ms)
{
    pleach_status status = PLEACH_OK;
    int in_unit, out_unit;

    units_of(l, graph, kind, &in_unit, &out_unit);
    // The images' channels are never pruned.
    axis in = make_axis(kind->in, in_unit), out = make_axis(kind->out, out_unit);
    if (kind->of_images)
        in = (axis){{kind->in, kind->in}, 0};
    if (kind->factor)
        out = (axis){{0, 0}, 0};
    *ms = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const double weight = (i ? in.share : 1 - in.share) * (j ? out.share : 1 - out.share);
            double at = 0;
            if (weight == 0)
                continue;
            TRY(look_up(l, graph, step, kind, in.at[i],
                        kind->factor ? in.at[i] * kind->factor : out.at[j], &at));
            *ms += weight * at;
        }
done:
    return status;
}

static void keep(plc_latency *l)
{
    if (l->n_measured == l->n_written || l->path == NULL)
        return;
    if (plc_latency_table_write(l->device, l->path, &l->table) != PLEACH_OK)
        plc_log(l->device->ctx, PLEACH_LOG_WARNING, "latencies are not kept: %s",
                pleach_error(l->device->ctx));
    l->n_written = l->n_measured;
}

static double start_of(const plc_latency *l)
{
    char start[PLC_STEP_KIND_MAX];

    name_start(l, start);
    const plc_latency_point *point =
        plc_latency_table_find(plc_latency_table_row(&l->table, start, l->mapping), 1, 1);
    return point ? point->ms : 0;
}

pleach_status plc_latency_of_graph(plc_latency *l, const pleach_graph *graph,
                                   const plc_channels *channels, const unsigned char *mask,
                                   double *total_ms)
{
    pleach_status status = PLEACH_OK;
    pleach_graph shadow = {0};
    plc_steps steps = {0};
    plc_step_kind kind;
    bool *stays = NULL;

    *total_ms = 0;
    TRY(plc_alloc(l->device->ctx, (size_t)graph->n_nodes, sizeof *stays, &stays));
    TRY(plc_kept_shadow(l->device->ctx, graph, channels, mask, &shadow, stays));
    TRY(plc_steps_create(l->device->ctx, graph, false, &steps));
    for (int i = 0; i < steps.n_items; i++) {
        double ms = 0;
        if (!stays[steps.items[i].node] ||
            !plc_step_describe(&shadow, &steps.items[i], l->batch, &kind))
            continue;
        TRY(price_step(l, &shadow, &steps.items[i], &kind, &ms));
        *total_ms += ms;
    }
    *total_ms += start_of(l);
done:
    keep(l);
    plc_steps_finish(&steps);
    free(shadow.nodes);
    free(stays);
    return status;
}

static pleach_status set_reference(plc_latency *l, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_latency_time_graph(l->device, graph, l->batch, &l->reference_ms));
    TRY(plc_graph_copy(l->device->ctx, graph, &l->reference));
done:
    return status;
}

pleach_status plc_latency_measure(plc_latency *l, const pleach_graph *graph, bool roughly,
                                  double *ms)
{
    pleach_status status = PLEACH_OK;
    double ratio = 1;

    if (l->reference == NULL)
        TRY(set_reference(l, graph));
    else
        TRY(plc_latency_time_ratio(l->device, graph, l->reference, l->batch, roughly, &ratio));
    *ms = ratio * l->reference_ms;
done:
    return status;
}
