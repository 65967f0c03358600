// An OpenCL that breaks on demand: a function table for plc_kernels_open that plants one fault.
//
//     plc_faults.call = PLC_CALL_clCreateBuffer; plc_faults.at = 3; plc_faults.error = CL_OUT_OF_RESOURCES;
//     ... the third clCreateBuffer from now on fails ...
//     plc_faults_clear();
//
// Objects are counted, so that a test sees what was not released.
#ifndef PLC_TESTS_FAULTY_CL_H
#define PLC_TESTS_FAULTY_CL_H

#include <device/cl.h>

typedef enum plc_call {
#define X(name) PLC_CALL_##name,
    PLC_CL_FUNCTIONS(X)
#undef X
        PLC_N_CALLS
} plc_call;

extern const char *const plc_call_names[PLC_N_CALLS];

// What goes wrong with launches of the kernels called plc_faults.kernel.
typedef enum plc_wrong {
    PLC_WRONG_NOTHING,
    PLC_WRONG_SKIPPED,     // not executed
    PLC_WRONG_FIRST_GROUP, // only the first work-group is executed
    PLC_WRONG_BIT,         // the first float that it wrote has another exponent
    PLC_N_WRONGS,
} plc_wrong;

// One fault; zero: none.
typedef struct plc_fault {
    plc_call call; // fails: the `at`-th call of it, counted from 1; at 0: never
    bool any;      // instead: the `at`-th call of any function
    bool lost;     // and every later call, of any function
    int at;
    cl_int error;
    plc_wrong wrong; // with `kernel`
    const char *kernel;
    int n_seen;      // calls that counted so far
    int n_planted;   // calls that failed or launches that went wrong
    plc_call failed; // the call that failed first
} plc_fault;

extern plc_fault plc_faults;
void plc_faults_clear(void);

// Calls of each function so far.
extern int plc_n_calls[PLC_N_CALLS];

// Objects made through the table and not released: contexts, queues, programs, kernels, buffers, events.
extern int plc_live_objects;

// Sub-buffers that were released while a later one of the same buffer was there: NVIDIA's driver crashes where both overlap.
extern int plc_n_early_releases;

// Names of the kernels that were launched, each once, since plc_launched_clear.
enum { PLC_MAX_LAUNCHED = 128, PLC_KERNEL_NAME_MAX = 64 };
extern char plc_launched[PLC_MAX_LAUNCHED][PLC_KERNEL_NAME_MAX];
extern int plc_n_launched;
void plc_launched_clear(void);

// Sizes of what was read from the device, in order; the count goes on where the table ends.
enum { PLC_MAX_READS = 4096 };
extern size_t plc_read_bytes[PLC_MAX_READS];
extern int plc_n_reads;

extern const plc_cl plc_faulty_cl;

// In place of clEnqueueNDRangeKernel: a driver that computes nothing and says that it did.
cl_int CL_API_CALL plc_skip_launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                   const size_t *offset, const size_t *global, const size_t *local,
                                   cl_uint n_events, const cl_event *events, cl_event *event);

#endif
