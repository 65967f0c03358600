// Views of a picture. Randomness comes from counters, and no function of the C library is used whose
// last bit differs between machines (sqrt does not).
#include <data/view.h>

#include <math.h>
#include <base/random.h>

enum { FACTOR_BITS = 16, ONE = 1 << FACTOR_BITS };

static double uniform(uint32_t bits)
{
    return (double)plc_random_uniform(bits);
}

static int clamp_int(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

// (1 + t) / (1 - t) for t in [-1/7, 1/7] is 3:4 to 4:3, and as often r as 1 / r.
static plc_rect random_rect(const plc_variety *variety, plc_u32x4 bits, int side)
{
    const double area = variety->least_area + (1.0 - variety->least_area) * uniform(bits.x);
    const double t = (2.0 * uniform(bits.y) - 1.0) / 7.0;
    const double stretch = sqrt((1.0 + t) / (1.0 - t)), length = side * sqrt(area);
    const int width = clamp_int((int)(length * stretch + 0.5), 1, side);
    const int height = clamp_int((int)(length / stretch + 0.5), 1, side);

    return (plc_rect){(int)plc_random_below(bits.z, (uint32_t)(side - width + 1)),
                      (int)plc_random_below(bits.w, (uint32_t)(side - height + 1)), width, height};
}

static int random_factor(double jitter, uint32_t bits)
{
    return (int)((1.0 + jitter * (2.0 * uniform(bits) - 1.0)) * ONE + 0.5);
}

// Brings `value` to `factor` times its distance from `from`.
static uint8_t move(int value, int from, int factor)
{
    const int64_t moved = ((int64_t)(value - from) * factor + ONE / 2) >> FACTOR_BITS;

    return (uint8_t)clamp_int((int)moved + from, 0, 255);
}

// Contrast is about the mean of all values.
static int mean_value(const uint8_t *values, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return (int)((sum + n / 2) / n);
}

static void jitter_colours(double jitter, plc_u32x4 bits, uint8_t *image, int channels,
                           size_t plane)
{
    const int brightness = random_factor(jitter, bits.x), contrast = random_factor(jitter, bits.y),
              saturation = random_factor(jitter, bits.z);
    const size_t n = (size_t)channels * plane;

    for (size_t i = 0; i < n; i++)
        image[i] = move(image[i], 0, brightness);
    const int mean = mean_value(image, n);
    for (size_t i = 0; i < n; i++)
        image[i] = move(image[i], mean, contrast);
    if (channels != 3)
        return;
    for (size_t i = 0; i < plane; i++) {
        const int from = plc_grey(image[i], image[plane + i], image[2 * plane + i]);

        for (size_t c = 0; c < 3; c++)
            image[c * plane + i] = move(image[c * plane + i], from, saturation);
    }
}

pleach_status plc_view(pleach_ctx *ctx, plc_resampler *resampler, const uint8_t *square,
                       int channels, int side, const plc_variety *variety, const plc_draw *draw,
                       uint8_t *out, int size)
{
    pleach_status status = PLEACH_OK;
    const size_t plane = (size_t)size * (size_t)size;
    const int margin = (side - size) / 2;
    plc_rect rect = {margin, margin, size, size};
    plc_u32x4 place = {0}, colours = {0};

    if (draw) {
        place =
            plc_random_u32x4(draw->seed, PLC_STREAM_VIEW, draw->epoch, 2 * (uint64_t)draw->picture);
        colours = plc_random_u32x4(draw->seed, PLC_STREAM_VIEW, draw->epoch,
                                   2 * (uint64_t)draw->picture + 1);
        if (variety->least_area > 0.0 && variety->least_area < 1.0)
            rect = random_rect(variety, place, side);
    }
    for (int c = 0; c < channels; c++) {
        const plc_plane from = {square + (size_t)c * (size_t)side * (size_t)side, 1, (size_t)side};

        TRY(plc_resample(ctx, resampler, from, rect, out + (size_t)c * plane, size));
    }
    if (draw && variety->jitter > 0.0)
        jitter_colours(variety->jitter, colours, out, channels, plane);
done:
    return status;
}
