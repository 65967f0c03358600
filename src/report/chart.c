// Charts as inline SVG: axes with round steps, lines, points with a tooltip.
#include <report/chart.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <report/page.h>

enum {
    WIDTH = 640,
    HEIGHT = 270,
    LEFT = 58,
    RIGHT = 14,
    TOP = 30,
    BOTTOM = 40, // margins around the plot
    WANTED_TICKS = 5,
};

typedef struct axis {
    double low, high, step; // logarithmic: low and high are powers of ten
    bool logarithmic;
} axis;

// Axes around values up to it have finite ends and ticks.
static const double largest_value = 1e300;

static bool is_drawn(double value)
{
    return fabs(value) <= largest_value; // NAN is not
}

static bool is_point(const plc_chart *chart, const plc_chart_series *series, size_t i)
{
    return is_drawn(series->x[i]) && is_drawn(series->y[i]) &&
           (!chart->logarithmic || (series->x[i] > 0 && series->y[i] > 0));
}

static void widen(axis *range, double value)
{
    if (is_drawn(value)) {
        range->low = fmin(range->low, value);
        range->high = fmax(range->high, value);
    }
}

// Steps of 1, 2 or 5 times a power of ten, about WANTED_TICKS of them, ends on steps.
static void round_axis(axis *range, bool whole)
{
    // So wide that a tick is another number than the one before.
    const double least = fmax(fabs(range->high), fabs(range->low)) * 1e-9;
    const double span = range->high - range->low > least ? range->high - range->low
                                                         : fmax(fabs(range->high) * 0.1, 1e-3);
    const double raw = span / WANTED_TICKS, power = pow(10.0, floor(log10(raw)));
    const double digit = raw / power;

    range->step = power * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1);
    if (whole && range->step < 1)
        range->step = 1;
    range->low = floor(range->low / range->step) * range->step;
    range->high = ceil(range->high / range->step) * range->step;
    if (range->high <= range->low)
        range->high = range->low + range->step;
}

static void round_decades(axis *range)
{
    range->low = pow(10.0, floor(log10(fmax(range->low, 1e-300))));
    range->high = pow(10.0, ceil(log10(range->high)));
    if (range->high <= range->low)
        range->high = range->low * 10;
}

// Where a value lies between the axis's ends, 0..1.
static double place(const axis *range, double value)
{
    if (range->logarithmic)
        return (log10(value) - log10(range->low)) / (log10(range->high) - log10(range->low));
    return (value - range->low) / (range->high - range->low);
}

static double place_x(const axis *x, double value)
{
    return LEFT + place(x, value) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axis *y, double value)
{
    return HEIGHT - BOTTOM - place(y, value) * (HEIGHT - TOP - BOTTOM);
}

// Ticks from low to high: v = low, next_tick(v), ... while has_tick(v).
static bool has_tick(const axis *range, double value)
{
    return value <= (range->logarithmic ? range->high * 2 : range->high + range->step / 2);
}

static double next_tick(const axis *range, double value)
{
    return range->logarithmic ? value * 10 : value + range->step;
}

static void format_tick(double value, double step, char *text, size_t size)
{
    const double largest_count = 1e18; // of those that have a letter behind them

    if (fabs(value) < step * 1e-6)
        value = 0;
    if (value >= 10000 && value < largest_count)
        plc_format_count((unsigned long long)value, text, size);
    else if (step == 0 || fabs(value) >= largest_count) // 0: logarithmic
        snprintf(text, size, "%g", value);
    else
        snprintf(text, size, "%.*f", step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9), value);
}

static pleach_status draw_axes(pleach_ctx *ctx, const plc_chart *chart, const axis *x,
                               const axis *y, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const double scale = chart->percent ? 100.0 : 1.0;
    char tick[PLC_FORMAT_MAX];

    for (double v = y->low; has_tick(y, v); v = next_tick(y, v)) {
        format_tick(v * scale, y->step * scale, tick, sizeof tick);
        TRY(plc_text_printf(ctx, text,
                            "<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/><text "
                            "class='end' x='%d' y='%.1f'>%s%s</text>",
                            LEFT, WIDTH - RIGHT, place_y(y, v), place_y(y, v), LEFT - 6,
                            place_y(y, v) + 4, tick, chart->percent ? " %" : ""));
    }
    for (double v = x->low; has_tick(x, v); v = next_tick(x, v)) {
        format_tick(v, x->step, tick, sizeof tick);
        TRY(plc_text_printf(ctx, text, "<text class='mid' x='%.1f' y='%d'>%s</text>", place_x(x, v),
                            HEIGHT - BOTTOM + 16, tick));
    }
    TRY(plc_text_printf(ctx, text, "<text class='mid' x='%d' y='%d'>", (LEFT + WIDTH - RIGHT) / 2,
                        HEIGHT - 6));
    TRY(plc_html_escape(ctx, chart->x_label, text));
    TRY(plc_text_printf(ctx, text, "</text>"));
    for (int i = 0; i < chart->n_marks; i++) {
        const double at = place_x(x, fmax(chart->marks[i].x, x->low));
        const bool at_edge = at > WIDTH - 60;

        // Two rows of names, so that short phases stay readable.
        TRY(plc_text_printf(ctx, text,
                            "<line class='mark' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/><text "
                            "class='note%s' x='%.1f' y='%d'>",
                            at, at, i % 2 ? 16 : 4, HEIGHT - BOTTOM, at_edge ? " end" : "",
                            at_edge ? at - 3 : at + 3, i % 2 ? 24 : 12));
        TRY(plc_html_escape(ctx, chart->marks[i].name, text));
        TRY(plc_text_printf(ctx, text, "</text>"));
    }
done:
    return status;
}

// Beside a point that stands alone: its name, on the side where there is room.
static pleach_status draw_label(pleach_ctx *ctx, const plc_chart_series *series, size_t i,
                                double px, double py, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const bool at_edge = px > WIDTH * 0.7;

    TRY(plc_text_printf(ctx, text, "<text class='note%s' x='%.1f' y='%.1f'>", at_edge ? " end" : "",
                        at_edge ? px - 8 : px + 8, py + 4));
    TRY(plc_html_escape(ctx, series->name, text));
    if (series->labels && series->labels[i]) {
        TRY(plc_text_printf(ctx, text, ": "));
        TRY(plc_html_escape(ctx, series->labels[i], text));
    }
    TRY(plc_text_printf(ctx, text, "</text>"));
done:
    return status;
}

static pleach_status draw_points(pleach_ctx *ctx, const plc_chart *chart,
                                 const plc_chart_series *series, const axis *x, const axis *y,
                                 plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const double scale = chart->percent ? 100.0 : 1.0;

    for (size_t i = 0; i < series->n; i++) {
        if (!is_point(chart, series, i))
            continue;
        const double px = place_x(x, series->x[i]), py = place_y(y, series->y[i]);

        if (series->low && is_drawn(series->low[i]) && is_drawn(series->high[i]))
            TRY(plc_text_printf(
                ctx, text, "<line class='interval c%d' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>",
                series->colour, px, px, place_y(y, series->low[i]), place_y(y, series->high[i])));
        TRY(plc_text_printf(ctx, text, "<circle class='c%d' cx='%.1f' cy='%.1f' r='%s'><title>",
                            series->colour, px, py, series->points_only ? "4.5" : "2.5"));
        TRY(plc_html_escape(ctx, series->name, text));
        if (series->labels && series->labels[i]) {
            TRY(plc_text_printf(ctx, text, ", "));
            TRY(plc_html_escape(ctx, series->labels[i], text));
        }
        TRY(plc_text_printf(ctx, text, ": %.4g%s at %.6g</title></circle>", series->y[i] * scale,
                            chart->percent ? " %" : "", series->x[i]));
        if (series->points_only && !series->quiet)
            TRY(draw_label(ctx, series, i, px, py, text));
    }
done:
    return status;
}

static pleach_status draw_series(pleach_ctx *ctx, const plc_chart *chart,
                                 const plc_chart_series *series, const axis *x, const axis *y,
                                 plc_text *text)
{
    pleach_status status = PLEACH_OK;
    bool begun = false;

    if (!series->points_only) {
        TRY(plc_text_printf(ctx, text, "<path class='line%s c%d' d='",
                            series->dashed ? " dashed" : "", series->colour));
        for (size_t i = 0; i < series->n; i++)
            if (is_point(chart, series, i)) {
                TRY(plc_text_printf(ctx, text, "%c%.1f %.1f", begun ? 'L' : 'M',
                                    place_x(x, series->x[i]), place_y(y, series->y[i])));
                begun = true;
            }
        TRY(plc_text_printf(ctx, text, "'/>"));
    }
    if (!series->line_only)
        TRY(draw_points(ctx, chart, series, x, y, text));
done:
    return status;
}

static pleach_status draw_legend(pleach_ctx *ctx, const plc_chart *chart, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_text_printf(ctx, text, "<p class='legend'>"));
    for (int i = 0; i < chart->n_series; i++) {
        TRY(plc_text_printf(ctx, text,
                            "<span><svg class='key' viewBox='0 0 24 8' role='img' "
                            "aria-hidden='true'><path class='line%s c%d' d='M0 4L24 4'/></svg>",
                            chart->series[i].dashed ? " dashed" : "", chart->series[i].colour));
        TRY(plc_html_escape(ctx, chart->series[i].name, text));
        TRY(plc_text_printf(ctx, text, "</span> "));
    }
    TRY(plc_text_printf(ctx, text, "</p>\n"));
done:
    return status;
}

// Axes around all points; false when there is none.
static bool set_axes(const plc_chart *chart, axis *x, axis *y)
{
    *x = *y = (axis){INFINITY, -INFINITY, 0, chart->logarithmic};
    for (int i = 0; i < chart->n_series; i++) {
        const plc_chart_series *series = &chart->series[i];

        for (size_t j = 0; j < series->n; j++)
            if (is_point(chart, series, j)) {
                widen(x, series->x[j]);
                widen(y, series->y[j]);
                if (series->low) {
                    widen(y, series->low[j]);
                    widen(y, series->high[j]);
                }
            }
    }
    if (!isfinite(x->low))
        return false;
    if (chart->logarithmic) {
        round_decades(x);
        round_decades(y);
        return true;
    }
    if (chart->from_zero)
        widen(y, 0.0);
    round_axis(x, chart->whole_x);
    round_axis(y, false);
    return true;
}

pleach_status plc_chart_draw(pleach_ctx *ctx, const plc_chart *chart, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    axis x, y;

    if (!set_axes(chart, &x, &y))
        return PLEACH_OK;
    TRY(plc_text_printf(ctx, text, "<figure><figcaption>"));
    TRY(plc_html_escape(ctx, chart->title, text));
    TRY(plc_text_printf(ctx, text,
                        "</figcaption>\n<svg viewBox='0 0 %d %d' role='img' aria-label='", WIDTH,
                        HEIGHT));
    TRY(plc_html_escape(ctx, chart->title, text));
    TRY(plc_text_printf(ctx, text, "'>\n"));
    TRY(draw_axes(ctx, chart, &x, &y, text));
    for (int i = 0; i < chart->n_series; i++) {
        TRY(plc_text_append(ctx, text, "\n", 1));
        TRY(draw_series(ctx, chart, &chart->series[i], &x, &y, text));
    }
    TRY(plc_text_printf(ctx, text, "\n</svg>\n"));
    if (chart->n_series > 1)
        TRY(draw_legend(ctx, chart, text));
    TRY(plc_text_printf(ctx, text, "</figure>\n"));
done:
    return status;
}
