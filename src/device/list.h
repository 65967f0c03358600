// Platforms and devices with their OpenCL handles; the public list is its first part.
#ifndef PLC_DEVICE_LIST_H
#define PLC_DEVICE_LIST_H

#include <pleach/device.h>
#include <stdio.h>
#include <device/cl.h>

typedef struct plc_device_table {
    pleach_device_list list; // first: the public list is a view of the table
    cl_device_id *ids;
    cl_platform_id *platforms;
    int n_left_out; // platforms and devices that cannot even be asked
    size_t info_capacity, id_capacity, platform_capacity;
} plc_device_table;

pleach_status plc_device_table_create(pleach_ctx *ctx, const plc_cl *cl, plc_device_table **table);
void plc_device_table_destroy(plc_device_table **table);

// An emulator computes as slowly as it likes: it is taken only when it is asked for.
bool plc_device_is_emulator(const pleach_device_info *info);

// The row that `choice` names (pleach_device_open says how).
pleach_status plc_device_table_choose(pleach_ctx *ctx, const plc_device_table *table,
                                      const char *choice, int *chosen);

#endif
