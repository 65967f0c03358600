// What tuning has found, in memory: candidates of a problem with their times, and which one was taken.
#ifndef PLC_KERNEL_TUNING_H
#define PLC_KERNEL_TUNING_H

#include <base/text.h>
#include <device/device.h>

// Bounds of what a file may hold; writers keep to them as well.
enum {
    PLC_TUNING_MAX_CANDIDATES = 64,
    PLC_TUNING_MAX_TEXT = 200, // bytes of any text: names, classes, reasons
};

typedef struct plc_tuning_candidate {
    char *name;     // owned: "tile 4x6"
    double ms;      // of one run at best; 0 when rejected
    char *rejected; // owned: why it is out of the question, NULL when it is not
} plc_tuning_candidate;

// The key is (operation, shape, mapping).
typedef struct plc_tuning_entry {
    char *operation, *shape, *mapping; // owned; mapping: plc_tuning_mapping
    plc_tuning_candidate *candidates;  // owned
    size_t candidate_capacity;
    int n_candidates, chosen; // chosen is never a rejected one
} plc_tuning_entry;

// Works when zero.
typedef struct plc_tuning {
    plc_tuning_entry *items; // owned
    size_t capacity;
    int n_items;
} plc_tuning;

// "vector 16", "work-item 32": times of one layout say nothing about another.
void plc_tuning_mapping(const pleach_device *device, char text[PLC_FORMAT_MAX]);

// NULL when there is none. Valid until the next plc_tuning_put.
plc_tuning_entry *plc_tuning_find(const plc_tuning *tuning, const char *operation,
                                  const char *shape, const char *mapping);
// Adds an entry or replaces the one of the same key. Takes what `entry` owns, also on failure.
pleach_status plc_tuning_put(pleach_ctx *ctx, plc_tuning *tuning, plc_tuning_entry *entry);
pleach_status plc_tuning_entry_copy(pleach_ctx *ctx, const plc_tuning_entry *from,
                                    plc_tuning_entry *to);
// Copies the texts; too long ones are cut. `rejected` may be NULL.
pleach_status plc_tuning_entry_add(pleach_ctx *ctx, plc_tuning_entry *entry, const char *name,
                                   double ms, const char *rejected);
void plc_tuning_entry_finish(plc_tuning_entry *entry);
void plc_tuning_finish(plc_tuning *tuning);

#endif
