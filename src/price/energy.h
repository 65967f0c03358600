// Energy that a machine's processors have taken, where Linux tells it (RAPL).
#ifndef PLC_PRICE_ENERGY_H
#define PLC_PRICE_ENERGY_H

#include <stdbool.h>
#include <base/status.h>

#define PLC_ENERGY_FOLDER "/sys/class/powercap"
enum { PLC_ENERGY_MAX_ZONES = 64 };

// Counters of all processor packages: what each counts since some moment, in microjoules, and where it
// starts again.
typedef struct plc_energy {
    int n_packages;
    struct {
        long long microjoules, range;
    } packages[PLC_ENERGY_MAX_ZONES];
} plc_energy;

// Reads intel-rapl:N/energy_uj of `folder` (PLC_ENERGY_FOLDER) where the zone is a package. False where there is
// none, or one that this user may not read.
bool plc_energy_read(const char *folder, plc_energy *energy);

// Joules between two readings less than one turn of a counter apart (minutes at full power).
double plc_energy_joules(const plc_energy *before, const plc_energy *after);

#endif
