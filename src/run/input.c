// Fit and normalisation of images.
#include <run/input.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *remedy(plc_shape in, const pleach_dataset *data, char *text, size_t size)
{
    if (data->train_pictures && in.h == in.w && (in.c == 1 || in.c == 3)) {
        snprintf(text, size, "give --data %s:...,size=%d%s", data->name, in.h,
                 in.c == data->channels ? ""
                 : in.c == 1            ? ",channels=1"
                                        : ",channels=3");
        return text;
    }
    snprintf(text, size, "export the network for %dx%dx%d images, or give data that has its size%s",
             data->channels, data->height, data->width,
             in.h == in.w ? " (folder:DIR,size=N makes any)" : "");
    return text;
}

pleach_status plc_input_check(pleach_ctx *ctx, const char *model, const pleach_graph *graph,
                              const pleach_dataset *data)
{
    const plc_shape in = graph->nodes[0].shape, out = graph->nodes[graph->n_nodes - 1].shape;
    char text[160];

    if (out.h > 1 || out.w > 1)
        return plc_fail(
            ctx, PLEACH_EINPUT,
            "'%s' gives %dx%dx%d values an image; trained and evaluated are networks that "
            "give one value per class",
            model, out.c, out.h, out.w);
    if (in.c != data->channels || in.h != data->height || in.w != data->width)
        return plc_fail(ctx, PLEACH_EINPUT, "'%s' takes %dx%dx%d images, '%s' has %dx%dx%d; %s",
                        model, in.c, in.h, in.w, data->name, data->channels, data->height,
                        data->width, remedy(in, data, text, sizeof text));
    if (out.c != data->n_classes)
        return plc_fail(
            ctx, PLEACH_EINPUT,
            "'%s' tells %d classes apart, '%s' has %d; replace the network's last layer "
            "by one of %d and export it again",
            model, out.c, data->name, data->n_classes, data->n_classes);
    return PLEACH_OK;
}

// "0.28,0.31" as n numbers; a deviation must be above 0.
static bool parse_numbers(const char *text, int n, bool positive, float *values)
{
    for (int i = 0; i < n; i++) {
        char *end = NULL;

        values[i] = strtof(text, &end);
        if (end == text || !isfinite(values[i]) || (positive && values[i] <= 0) ||
            *end != (i + 1 < n ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

static bool is_positive(const char *key)
{
    return strcmp(key, "std") == 0;
}

static const char *kind_of(const char *key)
{
    return is_positive(key) ? "numbers above 0" : "numbers";
}

pleach_status plc_normalisation_read(pleach_ctx *ctx, const plc_tensors *extra, const char *key,
                                     int n, float *values, bool *found)
{
    const char *text = plc_tensors_metadata(extra, key);

    *found = text != NULL;
    if (text && !parse_numbers(text, n, is_positive(key), values))
        return plc_fail(ctx, PLEACH_EINPUT, "the model file's '%s' should be %d %s with commas",
                        key, n, kind_of(key));
    return PLEACH_OK;
}

static pleach_status choose(pleach_ctx *ctx, const char *key, const char *given,
                            const plc_tensors *extra, const float *usual, int n, float *values)
{
    bool found = false;

    memcpy(values, usual, (size_t)n * sizeof *values);
    if (*given == '\0')
        return extra ? plc_normalisation_read(ctx, extra, key, n, values, &found) : PLEACH_OK;
    if (parse_numbers(given, n, is_positive(key), values))
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EUSAGE,
                    "--%s '%s': %d %s are expected, one per channel of the images, with commas "
                    "between them",
                    key, given, n, kind_of(key));
}

// What the device computes with; it may take denormal numbers for 0.
static bool is_finite(float mean, float std)
{
    return std >= FLT_MIN && isfinite(mean * (1.0f / std));
}

pleach_status plc_normalisation_choose(pleach_ctx *ctx, const char *mean, const char *std,
                                       const plc_tensors *extra, const pleach_dataset *data,
                                       plc_normalisation *normalisation)
{
    pleach_status status = PLEACH_OK;

    TRY(choose(ctx, "mean", mean, extra, data->mean, data->channels, normalisation->mean));
    TRY(choose(ctx, "std", std, extra, data->deviation, data->channels, normalisation->std));
    for (int c = 0; c < data->channels; c++)
        if (!is_finite(normalisation->mean[c], normalisation->std[c]))
            FAIL(ctx, *mean || *std ? PLEACH_EUSAGE : PLEACH_EINPUT,
                 "channel %d has mean %g and standard deviation %g: (x - mean) / deviation is "
                 "beyond what a float holds; give --mean and --std of images from 0 to 1",
                 c, (double)normalisation->mean[c], (double)normalisation->std[c]);
done:
    return status;
}
