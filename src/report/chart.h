// Charts as inline SVG, styled by the classes and variables of the page (page.c).
#ifndef PLC_REPORT_CHART_H
#define PLC_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <base/status.h>
#include <base/text.h>

enum { PLC_CHART_MAX_SERIES = 24, PLC_CHART_MAX_MARKS = 32, PLC_CHART_N_COLOURS = 6 };

// Points whose x or y is not finite or beyond 1e300 (or not positive on a logarithmic axis) are left out. All borrowed.
typedef struct plc_chart_series {
    char name[64];
    const double *x, *y;
    const double *low, *high; // NULL, or an interval around each y
    size_t n;
    int colour; // 0..PLC_CHART_N_COLOURS-1
    bool dashed;
    bool points_only;          // no line; each point is named by the series, and its label
    bool quiet;                // names only show when pointed at: many points
    bool line_only;            // no points
    const char *const *labels; // NULL, or the rest of each point's name
} plc_chart_series;

typedef struct plc_chart {
    const char *title, *x_label;
    bool logarithmic; // both axes; whole_x, from_zero and percent are not for it
    bool percent;     // y is a share: shown times 100
    bool from_zero;   // the y axis begins at 0
    bool whole_x;     // x counts something: no ticks between
    plc_chart_series series[PLC_CHART_MAX_SERIES];
    int n_series;
    struct {
        double x;
        const char *name;
    } marks[PLC_CHART_MAX_MARKS]; // vertical lines: where a phase begins
    int n_marks;
} plc_chart;

// Appends a <figure>; nothing when no point is finite.
pleach_status plc_chart_draw(pleach_ctx *ctx, const plc_chart *chart, plc_text *text);

// Horizontal bars: before as an outline, after filled, a row per item. Without a before (NAN) the number
// alone is written; without an after nothing.
typedef struct plc_chart_bar {
    const char *name;
    double before, after;
    int colour; // 0..PLC_CHART_N_COLOURS-1
} plc_chart_bar;
pleach_status plc_chart_draw_bars(pleach_ctx *ctx, const char *title, const plc_chart_bar *bars,
                                  size_t n_bars, plc_text *text);

#endif
