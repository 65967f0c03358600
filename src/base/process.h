// Other programs: run with a limit, and ended with all that they have started.
#ifndef PLC_BASE_PROCESS_H
#define PLC_BASE_PROCESS_H

#include <stddef.h>
#include <base/status.h>

// What is to be run. All is borrowed.
typedef struct plc_process {
    const char *path;        // of the program; no folder is searched for it
    const char *const *argv; // its words, ends with NULL; argv[0] is the name that it sees
    const char *out,
        *err; // files that get its standard output and error; NULL: those of this process
    double limit_seconds;     // 0: none
    const volatile int *stop; // may be NULL; the handler of a signal sets it to end the program
} plc_process;

typedef enum plc_process_end {
    PLC_PROCESS_EXITED,     // code: its exit code
    PLC_PROCESS_SIGNALLED,  // code: the signal that ended it
    PLC_PROCESS_OVER_LIMIT, // was killed
    PLC_PROCESS_STOPPED,    // was killed because of *stop
} plc_process_end;

typedef struct plc_process_result {
    plc_process_end end;
    int code;
    double seconds; // from start to end
} plc_process_result;

// Runs a program with an empty standard input in a process group of its own, and blocks until it has
// ended. Whatever of its group is left then is killed. How it ended is no failure. Fails with PLEACH_EIO
// (the program or a file cannot be opened: text gives path and reason). A killed program that does not
// end, because a driver holds it in the kernel, is left behind with a warning. SIGCHLD has its
// standard action meanwhile.
pleach_status plc_process_run(pleach_ctx *ctx, const plc_process *process,
                              plc_process_result *result);

// "exit code 3", "ended by signal 11 (Segmentation fault)", "over the limit of 2 s", "stopped".
void plc_process_describe(const plc_process *process, const plc_process_result *result, char *text,
                          size_t size);

#endif
