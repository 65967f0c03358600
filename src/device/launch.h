// Launch lists: kernels with frozen arguments, enqueued in order without any look-up.
#ifndef PLC_DEVICE_LAUNCH_H
#define PLC_DEVICE_LAUNCH_H

#include <device/device.h>

enum { PLC_MAX_ARGS = 20, PLC_MAX_ARG_BYTES = 192, PLC_MAX_SHAPE_TEXT = 48 };

typedef struct plc_arg {
    plc_buffer *buffer; // NULL: a value, or local memory
    bool local;         // `bytes` of local memory
    size_t bytes;
    unsigned char value[PLC_MAX_ARG_BYTES];
} plc_arg;

typedef struct plc_launch {
    const char *label;              // the kernel's name, static
    char shape[PLC_MAX_SHAPE_TEXT]; // what it works on, for people: "16->16 3x3 s1 32x32"
    int node;                       // of the session's graph: the anchor of its step; 0: of none
    cl_kernel kernel;               // owned
    const void *program;            // tells kernels of one name apart; NULL: not made by src/kernel
    size_t global[3], local[3];
    size_t most_items; // that a work-group of this kernel may have on this device
    plc_arg args[PLC_MAX_ARGS];
    int n_args;
    double flops, bytes;   // of one launch: what the layer's definition takes, what it moves
    double executed_flops; // what it computes where an algorithm needs fewer; 0: all of them
    double seconds;        // profile: total so far
    long long n_runs;
} plc_launch;

typedef struct plc_launch_list {
    pleach_device *device; // borrowed
    plc_launch **items;    // owned
    int n_items;
    size_t capacity;
} plc_launch_list;

void plc_launch_list_init(plc_launch_list *list, pleach_device *device);
void plc_launch_list_finish(plc_launch_list *list);

// Appends a launch of `kernel` (taken). Arguments follow in the kernel's order.
pleach_status plc_launch_list_append(plc_launch_list *list, cl_kernel kernel, const char *label,
                                     plc_launch **launch);
void plc_launch_arg_buffer(plc_launch *launch, plc_buffer *buffer);
void plc_launch_arg_value(plc_launch *launch, const void *value, size_t bytes);
void plc_launch_arg_local(plc_launch *launch, size_t bytes); // local memory of a work-group
void plc_launch_arg_int(plc_launch *launch, int value);
void plc_launch_arg_float(plc_launch *launch, float value);

// The FLOPs that a launch executes.
double plc_launch_executed_flops(const plc_launch *launch);

// Words for what the launch works on; cut off where they do not fit.
void plc_launch_set_shape(plc_launch *launch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Sets every argument on its kernel. Every buffer must exist by now. Fails with PLEACH_EDEVICE where a
// work-group has more items or local memory than the device gives this kernel (text: both numbers).
pleach_status plc_launch_list_freeze(plc_launch_list *list);

// Changes one value argument of a frozen launch (learning rate, step number).
pleach_status plc_launch_update_arg(plc_launch_list *list, plc_launch *launch, int index,
                                    const void *value);

// Enqueues one launch, all of a list, or its first n; do not wait, unless the device profiles.
pleach_status plc_launch_run(pleach_device *device, plc_launch *launch);
pleach_status plc_launch_list_run(plc_launch_list *list);
pleach_status plc_launch_list_run_first(plc_launch_list *list, int n);

#endif
