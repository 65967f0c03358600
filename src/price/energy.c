// RAPL's counters in the powercap folder: one per package, N from 0 on.
#include <price/energy.h>

#include <stdio.h>

static bool read_number(const char *folder, int package, const char *name, long long *number)
{
    char path[512];

    snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", folder, package, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    const bool read = fscanf(file, "%lld", number) == 1 && *number >= 0;
    fclose(file);
    return read;
}

bool plc_energy_read(const char *folder, plc_energy *energy)
{
    int n = 0;

    while (n < PLC_ENERGY_MAX_PACKAGES &&
           read_number(folder, n, "energy_uj", &energy->packages[n].microjoules) &&
           read_number(folder, n, "max_energy_range_uj", &energy->packages[n].range))
        n++;
    energy->n_packages = n;
    return n > 0;
}

double plc_energy_joules(const plc_energy *before, const plc_energy *after)
{
    double joules = 0;

    for (int i = 0; i < before->n_packages && i < after->n_packages; i++) {
        long long taken = after->packages[i].microjoules - before->packages[i].microjoules;

        if (taken < 0) // the counter has started again
            taken += before->packages[i].range;
        joules += 1e-6 * (double)taken;
    }
    return joules;
}
