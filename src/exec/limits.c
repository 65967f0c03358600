// Whether a session's buffers can be had, and what to change where they cannot.
#include <exec/limits.h>

#include <limits.h>
#include <stdio.h>

// The most bytes of a buffer: one allocation, or what kernels index with an int.
typedef struct buffer_limit {
    size_t bytes;
    bool indexed; // decided by the index
} buffer_limit;

static buffer_limit limit_of(size_t allocation_bytes, size_t element_bytes)
{
    const size_t indexed = (size_t)INT_MAX * element_bytes;

    return indexed < allocation_bytes ? (buffer_limit){indexed, true}
                                      : (buffer_limit){allocation_bytes, false};
}

static pleach_status refuse_buffer(const pleach_session *s, const plc_buffer *buffer,
                                   buffer_limit most, const char *advice)
{
    if (most.indexed)
        return plc_fail(s->ctx, PLEACH_ENOMEM, "one %s needs %zu bytes, kernels index %zu; %s",
                        buffer->name, buffer->bytes, most.bytes, advice);
    return plc_fail(s->ctx, PLEACH_ENOMEM,
                    "one %s needs %zu bytes, at most %zu can be had at once on '%s'; %s",
                    buffer->name, buffer->bytes, most.bytes, s->device->info->name, advice);
}

enum { ADVICE_MAX = 80 };

// Images by which values grow.
static int step_of_values(const pleach_session *s, bool channel_lanes)
{
    return channel_lanes ? 1 : s->device->lanes;
}

static void advise_less(const pleach_session *s, bool channel_lanes, char *advice)
{
    const int step = step_of_values(s, channel_lanes);

    if (s->batch > step)
        snprintf(advice, ADVICE_MAX, "use a smaller --batch than %d",
                 (s->batch - 1) / step * step + 1);
    else if (step > PLC_LEAST_LANES)
        snprintf(advice, ADVICE_MAX, "use fewer --lanes than %d or smaller images", step);
    else
        snprintf(advice, ADVICE_MAX, "use smaller images");
}

// Where `images` of this buffer are known to fit; another may need more.
static void advise_fitting(int images_of_step, size_t images, char *advice)
{
    const size_t step = (size_t)images_of_step;
    size_t lanes = PLC_LEAST_LANES;

    while (2 * lanes <= images)
        lanes *= 2;
    if (images >= step)
        snprintf(advice, ADVICE_MAX, "use a --batch of at most %zu", images / step * step);
    else if (images >= PLC_LEAST_LANES)
        snprintf(advice, ADVICE_MAX, "use a --batch of at most %zu with --lanes %zu", lanes, lanes);
    else
        snprintf(advice, ADVICE_MAX, "use smaller images");
}

size_t plc_spare_bytes(const pleach_session *s, bool channel_lanes)
{
    return channel_lanes ? (size_t)s->device->lanes * sizeof(float) : 0;
}

pleach_status plc_check_value(const pleach_session *s, const plc_buffer *value,
                              size_t allocation_bytes, bool channel_lanes)
{
    const buffer_limit most = limit_of(allocation_bytes, (size_t)s->device->value_bytes);
    const size_t spare = plc_spare_bytes(s, channel_lanes);
    const int n_images = channel_lanes ? s->batch : s->n_blocks * s->device->lanes;
    char advice[ADVICE_MAX];

    if (value->bytes <= most.bytes)
        return PLEACH_OK;
    advise_fitting(step_of_values(s, channel_lanes),
                   (most.bytes - spare) / ((value->bytes - spare) / (size_t)n_images), advice);
    return refuse_buffer(s, value, most, advice);
}

pleach_status plc_check_images(const pleach_session *s, size_t image_bytes)
{
    const buffer_limit most = {s->device->info->max_allocation_bytes, false};
    const plc_buffer images = {.name = "batch of images", .bytes = (size_t)s->batch * image_bytes};
    char advice[ADVICE_MAX];

    if (images.bytes <= most.bytes)
        return PLEACH_OK;
    advise_fitting(1, most.bytes / image_bytes, advice);
    return refuse_buffer(s, &images, most, advice);
}

pleach_status plc_check_floats(const pleach_session *s, const plc_buffer *floats,
                               size_t allocation_bytes)
{
    const buffer_limit most = limit_of(allocation_bytes, sizeof(float));
    char advice[ADVICE_MAX];

    if (floats->bytes <= most.bytes)
        return PLEACH_OK;
    advise_less(s, false, advice);
    return refuse_buffer(s, floats, most, advice);
}

pleach_status plc_check_total(const pleach_session *s, size_t total_bytes)
{
    const size_t used = s->device->memory_bytes, there = s->device->info->global_memory_bytes;
    char advice[ADVICE_MAX];

    if (used + total_bytes <= there)
        return PLEACH_OK;
    advise_less(s, s->opts.inference_only && s->channel_lanes, advice);
    return plc_fail(s->ctx, PLEACH_ENOMEM,
                    "activations need %zu bytes beside %zu in use, '%s' has %zu; %s", total_bytes,
                    used, s->device->info->name, there, advice);
}
