// Bar charts as inline SVG: one row per bar, its name to the left, its numbers to the right.
#include <report/chart.h>

#include <math.h>
#include <report/page.h>

enum { WIDTH = 640, BAR_ROW = 18, BAR_HEIGHT = 13, BAR_LEFT = 190, BAR_RIGHT = 70 };

static pleach_status draw_rectangle(pleach_ctx *ctx, double value, size_t top, double scale,
                                    plc_text *text)
{
    return plc_text_printf(ctx, text, " x='%d' y='%zu' width='%.1f' height='%d'/>", BAR_LEFT, top,
                           value * scale, BAR_HEIGHT);
}

// One row; `scale` is the width of 1.
static pleach_status draw_bar(pleach_ctx *ctx, const plc_chart_bar *bar, size_t top, double scale,
                              plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const double longest = fmax(fmax(bar->before, bar->after), 0) * scale;

    TRY(plc_text_printf(ctx, text, "<text class='end' x='%d' y='%zu'>", BAR_LEFT - 8, top + 11));
    TRY(plc_html_escape(ctx, bar->name, text));
    TRY(plc_text_printf(ctx, text, "</text>"));
    if (isfinite(bar->before)) {
        TRY(plc_text_printf(ctx, text, "<rect class='before'"));
        TRY(draw_rectangle(ctx, bar->before, top, scale, text));
    }
    if (isfinite(bar->after)) {
        TRY(plc_text_printf(ctx, text, "<rect class='c%d'", bar->colour));
        TRY(draw_rectangle(ctx, bar->after, top, scale, text));
    }
    TRY(plc_text_printf(ctx, text, "<text x='%.1f' y='%zu'>", BAR_LEFT + longest + 6, top + 11));
    if (isfinite(bar->before))
        TRY(plc_text_printf(ctx, text, "%.6g &#8594; ", bar->before));
    if (isfinite(bar->after))
        TRY(plc_text_printf(ctx, text, "%.6g", bar->after));
    TRY(plc_text_printf(ctx, text, "</text>\n"));
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
        largest = fmax(largest, fmax(bars[i].before, bars[i].after)); // passes NAN over
    if (!(largest > 0) || !isfinite(largest))
        return PLEACH_OK;
    TRY(plc_text_printf(ctx, text, "<figure><figcaption>"));
    TRY(plc_html_escape(ctx, title, text));
    TRY(plc_text_printf(ctx, text,
                        "</figcaption>\n<svg viewBox='0 0 %d %zu' role='img' aria-label='", WIDTH,
                        n_bars * BAR_ROW + 4));
    TRY(plc_html_escape(ctx, title, text));
    TRY(plc_text_printf(ctx, text, "'>\n"));
    for (size_t i = 0; i < n_bars; i++)
        TRY(draw_bar(ctx, &bars[i], i * BAR_ROW + 3, room / largest, text));
    TRY(plc_text_printf(ctx, text, "</svg></figure>\n"));
done:
    return status;
}
