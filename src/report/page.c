// A page: head with its style, tables, end.
#include <report/page.h>

#include <string.h>

static const char before_title[] =
    "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
    "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
    "<meta name='color-scheme' content='light dark'>\n<title>";

static const char after_title[] =
    "</title>\n<style>\n"
    ":root{--ink:#1b2024;--soft:#5d6871;--line:#dde2e6;--page:#fff;--bar:#e3e8ec;"
    "--c0:#1f6fb2;--c1:#c4551a;--c2:#2b8457;--c3:#8a4bb0;--c4:#a67c00;--c5:#b03060}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6eaed;--soft:#9aa6af;--line:#343c43;"
    "--page:#15191c;--bar:#2c343a;--c0:#6ab0ea;--c1:#f0935a;--c2:#63c793;--c3:#c495e6;--c4:#dcb84a;"
    "--c5:#ee7fa5}}\n"
    "body{margin:2rem auto;max-width:72rem;padding:0 1rem;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "h1,h2{font-weight:600;line-height:1.2}h2{margin-top:2.5rem}p{margin:.4rem 0}\n"
    ".soft{color:var(--soft)}.scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}.r{text-align:right}th{font-weight:600}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:1."
    "5rem}\n"
    "figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}\n"
    "svg text{font:11px system-ui,sans-serif;fill:var(--soft)}.end{text-anchor:end}"
    ".mid{text-anchor:middle}svg text.note{font-size:10px}\n"
    ".grid{stroke:var(--line)}.mark{stroke:var(--soft);stroke-dasharray:2 3}"
    ".before{fill:var(--bar)}.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}"
    ".interval{stroke-width:2;opacity:.5}.legend{color:var(--soft);font-size:13px}"
    ".legend "
    "span{margin-right:1rem;white-space:nowrap}svg.key{width:24px;height:8px;margin-right:.4rem}\n"
    ".c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}"
    ".c4{stroke:var(--c4)}.c5{stroke:var(--c5)}\n"
    "circle.c0,rect.c0{fill:var(--c0)}circle.c1,rect.c1{fill:var(--c1)}"
    "circle.c2,rect.c2{fill:var(--c2)}circle.c3,rect.c3{fill:var(--c3)}"
    "circle.c4,rect.c4{fill:var(--c4)}circle.c5,rect.c5{fill:var(--c5)}rect{stroke:none}\n"
    "</style>\n</head>\n<body>\n<h1>pleach</h1>\n";

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

pleach_status plc_page_begin(pleach_ctx *ctx, const char *title, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_text_append(ctx, text, before_title, sizeof before_title - 1));
    TRY(plc_html_escape(ctx, title, text));
    TRY(plc_text_append(ctx, text, after_title, sizeof after_title - 1));
done:
    return status;
}

pleach_status plc_page_table(pleach_ctx *ctx, const plc_table *table, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const size_t n_columns = (size_t)table->n_columns;

    TRY(plc_text_printf(ctx, text, "<div class='scroll'><table>\n<tr>"));
    for (size_t i = 0; i < n_columns; i++) {
        TRY(plc_text_printf(ctx, text, "<th class='%c'>", table->align[i]));
        TRY(plc_html_escape(ctx, table->titles[i], text));
        TRY(plc_text_printf(ctx, text, "</th>"));
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        TRY(plc_text_printf(ctx, text, "%s<td class='%c'>", i % n_columns ? "" : "</tr>\n<tr>",
                            table->align[i % n_columns]));
        TRY(plc_html_escape(ctx, table->cells[i], text));
        TRY(plc_text_printf(ctx, text, "</td>"));
    }
    TRY(plc_text_printf(ctx, text, "</tr>\n</table></div>\n"));
done:
    return status;
}

pleach_status plc_page_end(pleach_ctx *ctx, plc_text *text)
{
    return plc_text_printf(ctx, text, "</body>\n</html>\n");
}
