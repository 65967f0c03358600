// What a run's log.jsonl says of its epochs: the points of the curves.
#ifndef PLC_REPORT_HISTORY_H
#define PLC_REPORT_HISTORY_H

#include <stddef.h>
#include <base/status.h>

// One line {"event": "epoch", ...} of log.jsonl; field names are its keys. A number that the line does
// not have is NAN.
typedef struct plc_history_point {
    char *phase, *network; // owned; network "" is the main one
    int epoch;             // 1-based, of the job
    double loss, train_accuracy, calibration_accuracy;
    double images_per_second, learning_rate, macs_kept, seconds;
} plc_history_point;

// Works when zero.
typedef struct plc_history {
    plc_history_point *items; // owned
    size_t n_items, capacity;
    int n_bad_lines; // skipped
} plc_history;

// Reads `path`. Lines of other events are passed over; a line that is no JSON (the last one of a run
// that was killed) is skipped, counted and told to the log. An epoch that comes again, as in a run
// that was resumed, replaces what its network had from that epoch on. Fails with PLEACH_EIO.
pleach_status plc_history_read(pleach_ctx *ctx, const char *path, plc_history *history);
void plc_history_finish(plc_history *history);

#endif
