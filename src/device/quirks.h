// Quirks: what single platforms need that no query of OpenCL tells. One table instead of vendors' names
// in the code; an entry says what is done, why, and which test fails without it.
#ifndef PLC_DEVICE_QUIRKS_H
#define PLC_DEVICE_QUIRKS_H

#include <pleach/device.h>

typedef struct plc_quirks {
    const char *build_options; // of every program, each after a space; "" for none
    bool keeps_binaries;       // has a cache of kernels of its own, and asking for a binary is dear
    bool whole_writes;         // what the host writes or fills must be a whole buffer
    bool emulates;             // computes as slowly as it likes: taken only when it is asked for
} plc_quirks;

// Those of a device: all entries whose platform and driver match.
plc_quirks plc_quirks_of(const pleach_device_info *info);

#endif
