// Resampling in two passes, first along rows, then along columns.
#include <data/resample.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

enum { WEIGHT_BITS = 14, ONE = 1 << WEIGHT_BITS, HALF = ONE / 2 };

// How outputs are made of inputs along one axis: output i is the sum over j < n_taps of
// weights[i * n_taps + j] * input[firsts[i] + j]. Inputs behind the end have the weight 0.
typedef struct taps {
    const int16_t *weights;
    const int *firsts;
    int n_taps;
} taps;

static double triangle(int input, int n_in, double centre, double radius)
{
    const double distance = fabs(input + 0.5 - centre) / radius;

    return input < n_in && distance < 1.0 ? 1.0 - distance : 0.0;
}

// The running sum is rounded, not each weight: none is negative, and the sum is ONE exactly.
static void weigh(int16_t *weights, int n_taps, int first, int n_in, double centre, double radius)
{
    double sum = 0.0, so_far = 0.0;
    int given = 0;

    for (int j = 0; j < n_taps; j++)
        sum += triangle(first + j, n_in, centre, radius);
    for (int j = 0; j < n_taps; j++) {
        so_far += triangle(first + j, n_in, centre, radius);
        const int reached = (int)(so_far / sum * ONE + 0.5);

        weights[j] = (int16_t)(reached - given);
        given = reached;
    }
}

static pleach_status make_taps(pleach_ctx *ctx, plc_resampler *r, int n_in, int n_out, taps *taps)
{
    pleach_status status = PLEACH_OK;
    const double scale = (double)n_in / n_out, radius = scale > 1.0 ? scale : 1.0;
    const int widest = 2 * (int)ceil(radius) + 1, n_taps = widest < n_in ? widest : n_in;

    TRY(plc_grow(ctx, &r->weights, &r->weights_capacity, (size_t)n_out * (size_t)n_taps));
    TRY(plc_grow(ctx, &r->firsts, &r->firsts_capacity, (size_t)n_out));
    for (int i = 0; i < n_out; i++) {
        const double centre = (i + 0.5) * scale;
        int first = (int)floor(centre - radius);

        if (first > n_in - n_taps)
            first = n_in - n_taps;
        if (first < 0)
            first = 0;
        r->firsts[i] = first;
        weigh(r->weights + (size_t)i * (size_t)n_taps, n_taps, first, n_in, centre, radius);
    }
    *taps = (struct taps){r->weights, r->firsts, n_taps};
done:
    return status;
}

static uint8_t rounded(int sum)
{
    return (uint8_t)((sum + HALF) >>
                     WEIGHT_BITS); // weights are 0 or more: no value leaves its range
}

static void along_rows(const taps *taps, plc_plane plane, plc_rect rect, uint8_t *out, int side)
{
    for (int y = 0; y < rect.height; y++) {
        const uint8_t *row =
            plane.data + (size_t)(rect.y + y) * plane.row_step + (size_t)rect.x * plane.step;

        for (int i = 0; i < side; i++) {
            const int16_t *weights = taps->weights + (size_t)i * (size_t)taps->n_taps;
            const uint8_t *in = row + (size_t)taps->firsts[i] * plane.step;
            int sum = 0;

            for (int j = 0; j < taps->n_taps; j++)
                sum += weights[j] * in[(size_t)j * plane.step];
            out[(size_t)y * (size_t)side + (size_t)i] = rounded(sum);
        }
    }
}

static void along_columns(const taps *taps, const uint8_t *in, uint8_t *out, int side)
{
    for (int i = 0; i < side; i++) {
        const int16_t *weights = taps->weights + (size_t)i * (size_t)taps->n_taps;
        const uint8_t *column = in + (size_t)taps->firsts[i] * (size_t)side;

        for (int x = 0; x < side; x++) {
            int sum = 0;

            for (int j = 0; j < taps->n_taps; j++)
                sum += weights[j] * column[(size_t)j * (size_t)side + (size_t)x];
            out[(size_t)i * (size_t)side + (size_t)x] = rounded(sum);
        }
    }
}

static void copy(plc_plane plane, plc_rect rect, uint8_t *out)
{
    for (int y = 0; y < rect.height; y++)
        for (int x = 0; x < rect.width; x++)
            *out++ = plane.data[(size_t)(rect.y + y) * plane.row_step +
                                (size_t)(rect.x + x) * plane.step];
}

pleach_status plc_resample(pleach_ctx *ctx, plc_resampler *r, plc_plane plane, plc_rect rect,
                           uint8_t *out, int side)
{
    pleach_status status = PLEACH_OK;
    taps taps = {0};

    if (rect.width == side && rect.height == side) {
        copy(plane, rect, out);
        return PLEACH_OK;
    }
    TRY(plc_grow(ctx, &r->narrowed, &r->narrowed_capacity, (size_t)rect.height * (size_t)side));
    TRY(make_taps(ctx, r, rect.width, side, &taps));
    along_rows(&taps, plane, rect, r->narrowed, side);
    TRY(make_taps(ctx, r, rect.height, side, &taps));
    along_columns(&taps, r->narrowed, out, side);
done:
    return status;
}

void plc_resampler_finish(plc_resampler *resampler)
{
    free(resampler->weights);
    free(resampler->firsts);
    free(resampler->narrowed);
    *resampler = (plc_resampler){0};
}
