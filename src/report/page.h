// Pages without scripts or outside files, readable in light and dark: what all of them share.
#ifndef PLC_REPORT_PAGE_H
#define PLC_REPORT_PAGE_H

#include <base/text.h>
#include <report/table.h>

// Appends `words` with & < > " ' and control characters made harmless. NULL is nothing.
pleach_status plc_html_escape(pleach_ctx *ctx, const char *words, plc_text *text);

// Appends everything up to the first heading, "pleach". `title` is escaped.
pleach_status plc_page_begin(pleach_ctx *ctx, const char *title, plc_text *text);

// Appends a table whose cells are escaped; a wide one scrolls by itself.
pleach_status plc_page_table(pleach_ctx *ctx, const plc_table *table, plc_text *text);

pleach_status plc_page_end(pleach_ctx *ctx, plc_text *text);

#endif
