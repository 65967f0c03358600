// Tables of plain ASCII text for the terminal.
#ifndef PLC_REPORT_TABLE_H
#define PLC_REPORT_TABLE_H

#include <base/status.h>
#include <base/text.h>

enum { PLC_TABLE_MAX_COLUMNS = 20 };

// Works when zero, once columns are added.
typedef struct plc_table {
    const char *titles[PLC_TABLE_MAX_COLUMNS]; // static
    char align[PLC_TABLE_MAX_COLUMNS];         // 'l' or 'r'
    int n_columns;
    char **cells; // owned, row by row
    size_t n_cells, capacity;
} plc_table;

// `align` 'l' for words, 'r' for numbers. All columns come before the first cell.
void plc_table_column(plc_table *table, char align, const char *title);

// Appends the next cell of the row; a row is full after n_columns cells, the next one begins by itself.
pleach_status plc_table_cell(pleach_ctx *ctx, plc_table *table, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Appends title line, rule and rows to `text`, two spaces between columns, none at a line's end.
// Bytes that are no printable ASCII become '?': names come from files and drivers.
pleach_status plc_table_print(pleach_ctx *ctx, const plc_table *table, plc_text *text);
void plc_table_finish(plc_table *table);

#endif
