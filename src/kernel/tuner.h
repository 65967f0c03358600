// The tuner: which of several ways to compute the same thing is the fastest on this device.
//
//     plc_tune_problem problem = {.operation = "pool", .shape = "planes 64x16 images 128", ...};
//     TRY(plc_tuner_choose(device, &problem, &chosen));   // then append candidate `chosen`
//
// The answer comes from the first of these that knows the problem and names one of its candidates:
// what this process has measured, the user's file of this device and driver (kernel/tuning_file.h),
// the shipped defaults of cl/tuning for its kind, a measurement if the mode allows one, candidate 0.
//
//     mode               measures
//     PLEACH_TUNE_OFF    nothing
//     PLEACH_TUNE_FAST   what nothing else knows, for a few seconds per session; never `changes_bits`
//     PLEACH_TUNE_FULL   everything once per process, known or not, longer
//
// The same seed must give the same bits on the same device. So a choice that changes bits (Winograd or
// direct) is `changes_bits`: it is measured only when the user asks for it (PLEACH_TUNE_FULL,
// `pleach bench tune`), never on the side of a run. Its shape class must hold nothing that channel
// pruning changes, so no channel counts: else a compacted network would add in another order than the
// masked one. Choices that do not change bits (tiles) may have channel counts in their class, rounded up
// (plc_tune_round) so that pruned networks meet classes that are known.
#ifndef PLC_KERNEL_TUNER_H
#define PLC_KERNEL_TUNER_H

#include <device/launch.h>
#include <kernel/tuning.h>

enum { PLC_TUNE_MAX_BUFFERS = 8 };

typedef struct plc_tuner plc_tuner;

// Appends the launches of one candidate to `list`; they name `buffers`, one for each of buffer_floats.
// They have memory already. A failure rejects the candidate.
typedef pleach_status plc_tune_append(plc_launch_list *list, const void *user, int candidate,
                                      plc_buffer *const *buffers);

typedef struct plc_tune_problem {
    const char *operation;    // "conv_forward"
    const char *shape;        // shape class: all that the answer may depend on
    const char *const *names; // of the candidates: "tile 4x6"; number 0 is the default
    int n_candidates;         // 1 to PLC_TUNING_MAX_CANDIDATES
    plc_tune_append *append;
    const void *user;
    size_t buffer_floats
        [PLC_TUNE_MAX_BUFFERS]; // made for the measurement, all filled with +-[0.5, 1.5]
    int n_buffers;
    int result; // the buffer that must agree with candidate 0's
    bool
        result_is_tensor; // holds values as the device stores them (PLEACH_PRECISION_), else floats
    bool changes_bits;    // agreement is within `tolerance`; else every bit must be the same
    double
        tolerance; // of |difference| over the larger of |value| and the values' root mean square;
                   // what storing halfs rounds comes on top
} plc_tune_problem;

// Opens what is known of the device. `folder`: of the cache, NULL for no file. Files that cannot be read
// are warned of and not used.
pleach_status plc_tuner_create(pleach_device *device, const char *folder, int mode,
                               plc_tuner **tuner);
void plc_tuner_destroy(plc_tuner **tuner);

// *chosen is in [0, n_candidates). Blocks while it measures. A measurement that fails (no memory, a
// buffer above 1 GiB, no candidate that runs) is left out and candidate 0 taken: fails only without memory on the host.
pleach_status plc_tuner_choose(pleach_device *device, const plc_tune_problem *problem, int *chosen);

// Called when a session has been made: writes what was measured to the user's file (a file that cannot
// be written is a warning) and renews the time for PLEACH_TUNE_FAST.
void plc_tuner_end_session(pleach_device *device);

// While paused, answers come from what is known, nothing is measured, and questions are not noted: for
// sessions that are not the user's.
void plc_tuner_pause(plc_tuner *tuner, bool paused);

// A class for sizes up to the next power of two; n >= 1.
int plc_tune_round(int n);

// What the process has asked for so far, in this order; for reports.
typedef struct plc_tuner_answer {
    const plc_tuning_entry *entry;          // NULL: nobody knew, candidate 0 was taken
    const char *operation, *shape, *source; // source: "measured", "file", "shipped", "default"
    const char *name;                       // of the candidate
} plc_tuner_answer;

int plc_tuner_count(const plc_tuner *tuner);
plc_tuner_answer plc_tuner_get(const plc_tuner *tuner, int index);
// Path of the user's file, NULL when there is none.
const char *plc_tuner_path(const plc_tuner *tuner);
// Whether what was measured could be written there.
bool plc_tuner_is_kept(const plc_tuner *tuner);

#endif
