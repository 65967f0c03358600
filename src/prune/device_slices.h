// Slices of classes on the device, as the kernels of cl/prune.cl read them.
#ifndef PLC_PRUNE_DEVICE_SLICES_H
#define PLC_PRUNE_DEVICE_SLICES_H

#include <device/device.h>
#include <prune/slices.h>

typedef struct plc_device_slices {
    plc_buffer *slices, *starts; // owned: plc_slices.items, .starts
} plc_device_slices;

pleach_status plc_device_slices_create(pleach_device *device, const plc_slices *slices,
                                       int n_classes, plc_device_slices *out);
void plc_device_slices_finish(pleach_device *device, plc_device_slices *slices);

#endif
