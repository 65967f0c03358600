// Slices of classes: uploaded once.
#include <prune/device_slices.h>

pleach_status plc_device_slices_create(pleach_device *device, const plc_slices *slices,
                                       int n_classes, plc_device_slices *out)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_upload(device, "slices", slices->items,
                          (size_t)slices->n_items * sizeof *slices->items, &out->slices));
    TRY(plc_buffer_upload(device, "slice starts", slices->starts,
                          ((size_t)n_classes + 1) * sizeof *slices->starts, &out->starts));
done:
    return status;
}

void plc_device_slices_finish(pleach_device *device, plc_device_slices *slices)
{
    plc_buffer_destroy(device, &slices->slices);
    plc_buffer_destroy(device, &slices->starts);
}
