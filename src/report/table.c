// Tables of plain ASCII text: cells are kept, widths follow from the widest.
#include <report/table.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

void plc_table_column(plc_table *table, char align, const char *title)
{
    assert(table->n_columns < PLC_TABLE_MAX_COLUMNS && table->n_cells == 0);
    table->align[table->n_columns] = align;
    table->titles[table->n_columns++] = title;
}

pleach_status plc_table_cell(pleach_ctx *ctx, plc_table *table, const char *format, ...)
{
    pleach_status status = PLEACH_OK;
    char *cell = NULL;
    int length = 0;
    va_list args;

    TRY(plc_grow(ctx, &table->cells, &table->capacity, table->n_cells + 1));
    va_start(args, format);
    length = vasprintf(&cell, format, args);
    va_end(args);
    if (length < 0)
        FAIL(ctx, PLEACH_ENOMEM, "no memory for a table");
    table->cells[table->n_cells++] = cell;
done:
    return status;
}

static pleach_status print_line(pleach_ctx *ctx, const plc_table *table, const int *widths,
                                const char *const *cells, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    const size_t start = text->length;

    for (int i = 0; i < table->n_columns; i++) {
        const int width = table->align[i] == 'r' ? widths[i] : -widths[i];

        TRY(plc_text_printf(ctx, text, "%s%*s", i ? "  " : "", width, cells[i]));
    }
    for (char *c = text->data + start; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    while (text->length && text->data[text->length - 1] == ' ')
        text->data[--text->length] = '\0';
    TRY(plc_text_append(ctx, text, "\n", 1));
done:
    return status;
}

static pleach_status print_rule(pleach_ctx *ctx, const plc_table *table, const int *widths,
                                plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < table->n_columns; i++) {
        TRY(plc_text_append(ctx, text, "  ", i ? 2 : 0));
        for (int j = 0; j < widths[i]; j++)
            TRY(plc_text_append(ctx, text, "-", 1));
    }
    TRY(plc_text_append(ctx, text, "\n", 1));
done:
    return status;
}

pleach_status plc_table_print(pleach_ctx *ctx, const plc_table *table, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    int widths[PLC_TABLE_MAX_COLUMNS] = {0};
    const size_t n_columns = (size_t)table->n_columns;

    assert(n_columns && table->n_cells % n_columns == 0);
    for (size_t i = 0; i < n_columns; i++)
        widths[i] = (int)strlen(table->titles[i]);
    for (size_t i = 0; i < table->n_cells; i++) {
        const int length = (int)strlen(table->cells[i]);

        if (length > widths[i % n_columns])
            widths[i % n_columns] = length;
    }
    TRY(print_line(ctx, table, widths, table->titles, text));
    TRY(print_rule(ctx, table, widths, text));
    for (size_t i = 0; i < table->n_cells; i += n_columns)
        TRY(print_line(ctx, table, widths, (const char *const *)table->cells + i, text));
done:
    return status;
}

void plc_table_finish(plc_table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (plc_table){0};
}
