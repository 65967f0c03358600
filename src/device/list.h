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
    bool *unavailable; // by their drivers' words; NULL: none is
    int n_left_out;    // platforms and devices that cannot even be asked
    size_t info_capacity, id_capacity, platform_capacity, unavailable_capacity;
} plc_device_table;

pleach_status plc_device_table_create(pleach_ctx *ctx, const plc_cl *cl, plc_device_table **table);
void plc_device_table_destroy(plc_device_table **table);

// An emulator computes as slowly as it likes: it is taken only when it is asked for.
bool plc_device_is_emulator(const pleach_device_info *info);

// Whether nothing can run on the device of a row; `why` (may be NULL): "is not available" or "offers OpenCL 1.1, 1.2 is needed".
enum { PLC_OBSTACLE_MAX = 64 };
bool plc_device_has_obstacle(const plc_device_table *table, int row, char why[PLC_OBSTACLE_MAX]);

// The row that `choice` names (pleach_device_open says how).
pleach_status plc_device_table_choose(pleach_ctx *ctx, const plc_device_table *table,
                                      const char *choice, int *chosen);

#endif
