// How a job's progress is shown on stderr: one line that is rewritten, or a line per epoch.
#ifndef PLC_CLI_PROGRESS_H
#define PLC_CLI_PROGRESS_H

#include <stdbool.h>
#include <pleach/run.h>

typedef enum plc_progress_mode {
    PLC_PROGRESS_AUTO, // bar on a terminal, else plain
    PLC_PROGRESS_BAR,
    PLC_PROGRESS_PLAIN,
    PLC_PROGRESS_NONE,
} plc_progress_mode;

typedef struct plc_progress {
    plc_progress_mode mode; // never AUTO after init
    bool colour;            // a terminal, and NO_COLOR is not set
    bool shown;             // a line is there to be rewritten
    double told;            // plain: when the device's progress was told last, 0: not yet
} plc_progress;

void plc_progress_init(plc_progress *progress, plc_progress_mode mode);

// A pleach_progress_fn; `user` is the plc_progress.
void plc_progress_show(void *user, const pleach_progress *now);

// A pleach_device_progress_fn; `user` is the plc_progress. Lines, where lines are shown, come at most
// every two seconds: nothing is said of what takes less.
void plc_progress_show_device(void *user, const char *what, int n_done, int n);

// Takes the line away before anything else is written to stderr.
void plc_progress_clear(plc_progress *progress);

// The line's text, at most `width` columns, without control characters: "prune 3/12  45 %  ...".
void plc_progress_format(const pleach_progress *now, int width, char *text, size_t size);

#endif
