// Charts as inline SVG: axes with round steps, lines, points with a tooltip, bars.
#include <report/chart.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 270,
    LEFT = 58,
    RIGHT = 14,
    TOP = 30,
    BOTTOM = 40, // margins around the plot
    WANTED_TICKS = 5,
    BAR_ROW = 18,
    BAR_LEFT = 190,
    BAR_RIGHT = 70,
};

pleach_status plc_html_escape(pleach_ctx *ctx, const char *words, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (const char *c = words ? words : ""; *c; c++) {
        const char *entity = *c == '&'                               ? "&amp;"
                             : *c == '<'                             ? "&lt;"
                             : *c == '>'                             ? "&gt;"
                             : *c == '"'                             ? "&quot;"
                             : *c == '\''                            ? "&#39;"
                             : (unsigned char)*c < ' ' || *c == 0x7f ? " "
                                                                     : NULL;
        if (entity)
            TRY(plc_text_append(ctx, text, entity, strlen(entity)));
        else
            TRY(plc_text_append(ctx, text, c, 1));
    }
done:
    return status;
}

typedef struct axis {
    double low, high, step;
} axis;

static bool is_point(const plc_chart_series *series, size_t i)
{
    return isfinite(series->x[i]) && isfinite(series->y[i]);
}

static void widen(axis *range, double value)
{
    if (isfinite(value)) {
        range->low = fmin(range->low, value);
        range->high = fmax(range->high, value);
    }
}

// Steps of 1, 2 or 5 times a power of ten, about WANTED_TICKS of them, ends on steps.
static void round_axis(axis *range, bool whole)
{
    const double span = range->high - range->low > 0 ? range->high - range->low
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

static double place_x(const axis *x, double value)
{
    return LEFT + (value - x->low) / (x->high - x->low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axis *y, double value)
{
    return HEIGHT - BOTTOM - (value - y->low) / (y->high - y->low) * (HEIGHT - TOP - BOTTOM);
}

static void format_tick(double value, double step, char *text, size_t size)
{
    if (fabs(value) < step * 1e-6)
        value = 0;
    if (value >= 10000)
        plc_format_count((unsigned long long)value, text, size);
    else
        snprintf(text, size, "%.*f", step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9), value);
}

static pleach_status draw_axes(pleach_ctx *ctx, const plc_chart *chart, const axis *x,
                               const axis *y, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const double scale = chart->percent ? 100.0 : 1.0;
    char tick[PLC_FORMAT_MAX];

    for (double v = y->low; v <= y->high + y->step / 2; v += y->step) {
        format_tick(v * scale, y->step * scale, tick, sizeof tick);
        TRY(plc_text_printf(ctx, text,
                            "<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/><text "
                            "class='end' x='%d' y='%.1f'>%s%s</text>",
                            LEFT, WIDTH - RIGHT, place_y(y, v), place_y(y, v), LEFT - 6,
                            place_y(y, v) + 4, tick, chart->percent ? " %" : ""));
    }
    for (double v = x->low; v <= x->high + x->step / 2; v += x->step) {
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
        if (!is_point(series, i))
            continue;
        const double px = place_x(x, series->x[i]), py = place_y(y, series->y[i]);

        if (series->low && isfinite(series->low[i]) && isfinite(series->high[i]))
            TRY(plc_text_printf(
                ctx, text, "<line class='interval c%d' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>",
                series->colour, px, px, place_y(y, series->low[i]), place_y(y, series->high[i])));
        TRY(plc_text_printf(ctx, text, "<circle class='c%d' cx='%.1f' cy='%.1f' r='%s'><title>",
                            series->colour, px, py, series->points_only ? "4.5" : "2.5"));
        TRY(plc_html_escape(ctx, series->name, text));
        TRY(plc_text_printf(ctx, text, ": %.4g%s at %.6g</title></circle>", series->y[i] * scale,
                            chart->percent ? " %" : "", series->x[i]));
        if (series->points_only)
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
            if (is_point(series, i)) {
                TRY(plc_text_printf(ctx, text, "%c%.1f %.1f", begun ? 'L' : 'M',
                                    place_x(x, series->x[i]), place_y(y, series->y[i])));
                begun = true;
            }
        TRY(plc_text_printf(ctx, text, "'/>"));
    }
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

pleach_status plc_chart_draw(pleach_ctx *ctx, const plc_chart *chart, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    axis x = {INFINITY, -INFINITY, 0}, y = {INFINITY, -INFINITY, 0};

    for (int i = 0; i < chart->n_series; i++) {
        const plc_chart_series *series = &chart->series[i];

        for (size_t j = 0; j < series->n; j++)
            if (is_point(series, j)) {
                widen(&x, series->x[j]);
                widen(&y, series->y[j]);
                if (series->low) {
                    widen(&y, series->low[j]);
                    widen(&y, series->high[j]);
                }
            }
    }
    if (!isfinite(x.low))
        return PLEACH_OK;
    if (chart->from_zero)
        widen(&y, 0.0);
    round_axis(&x, chart->whole_x);
    round_axis(&y, false);
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

pleach_status plc_chart_draw_bars(pleach_ctx *ctx, const char *title, const plc_chart_bar *bars,
                                  size_t n_bars, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    double largest = 0;
    const double room = WIDTH - BAR_LEFT - BAR_RIGHT;

    for (size_t i = 0; i < n_bars; i++)
        largest = fmax(largest, fmax(bars[i].before, bars[i].after));
    if (!(largest > 0) || !isfinite(largest))
        return PLEACH_OK;
    TRY(plc_text_printf(ctx, text, "<figure><figcaption>"));
    TRY(plc_html_escape(ctx, title, text));
    TRY(plc_text_printf(ctx, text,
                        "</figcaption>\n<svg viewBox='0 0 %d %zu' role='img' aria-label='", WIDTH,
                        n_bars * BAR_ROW + 4));
    TRY(plc_html_escape(ctx, title, text));
    TRY(plc_text_printf(ctx, text, "'>\n"));
    for (size_t i = 0; i < n_bars; i++) {
        const size_t top = i * BAR_ROW + 3;
        const double before = bars[i].before / largest * room,
                     after = bars[i].after / largest * room;

        TRY(plc_text_printf(ctx, text, "<text class='end' x='%d' y='%zu'>", BAR_LEFT - 8,
                            top + 11));
        TRY(plc_html_escape(ctx, bars[i].name, text));
        TRY(plc_text_printf(ctx, text,
                            "</text><rect class='before' x='%d' y='%zu' width='%.1f' height='13'/>"
                            "<rect class='c0' x='%d' y='%zu' width='%.1f' height='13'/>"
                            "<text x='%.1f' y='%zu'>%.6g &#8594; %.6g</text>\n",
                            BAR_LEFT, top, before, BAR_LEFT, top, after,
                            BAR_LEFT + fmax(before, after) + 6, top + 11, bars[i].before,
                            bars[i].after));
    }
    TRY(plc_text_printf(ctx, text, "</svg></figure>\n"));
done:
    return status;
}
