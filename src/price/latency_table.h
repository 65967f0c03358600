// Times of steps by their channel counts: in memory, and in a readable file per device.
#ifndef PLC_PRICE_LATENCY_TABLE_H
#define PLC_PRICE_LATENCY_TABLE_H

#include <device/device.h>

// Channels in and out, and what the step takes with them.
typedef struct plc_latency_point {
    int in, out;
    double ms;
} plc_latency_point;

// All that was measured of one kind of step. The key is (step, mapping).
typedef struct plc_latency_row {
    char *step, *mapping;      // owned: "conv 3x3 ... 32x32, batch 1", plc_tuning_mapping
    plc_latency_point *points; // owned
    size_t n_points, capacity;
} plc_latency_row;

// Works when zero.
typedef struct plc_latency_table {
    plc_latency_row *rows; // owned
    size_t n_rows, capacity;
} plc_latency_table;

// NULL when there is none. Valid until the next put.
const plc_latency_row *plc_latency_table_row(const plc_latency_table *table, const char *step,
                                             const char *mapping);
const plc_latency_point *plc_latency_table_find(const plc_latency_row *row, int in, int out);

// Adds a point or replaces the one of the same key. Copies the texts.
pleach_status plc_latency_table_put(pleach_ctx *ctx, plc_latency_table *table, const char *step,
                                    const char *mapping, plc_latency_point point);
void plc_latency_table_finish(plc_latency_table *table);

// A time with the digits that the file keeps, so that a run that measures and one that reads decide alike.
double plc_latency_rounded(double ms);

// Adds what the file holds; no file is no points. One that cannot be used is put aside as <path>.bad with
// a warning that gives the place, and what it held is measured again.
pleach_status plc_latency_table_read(pleach_ctx *ctx, const char *path, plc_latency_table *table);

// Writes the file whole, makes its folder. What another process had written there before stays, except
// where `table` has the same key.
pleach_status plc_latency_table_write(const pleach_device *device, const char *path,
                                      const plc_latency_table *table);

#endif
