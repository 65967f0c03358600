// RAPL's counters in the powercap folder: one per zone, N from 0 on; a zone's `name` says what it counts.
#include <price/energy.h>

#include <stdio.h>
#include <string.h>

static FILE *open_file(const char *folder, int zone, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", folder, zone, name);
    return fopen(path, "r");
}

static bool read_number(const char *folder, int zone, const char *name, long long *number)
{
    FILE *file = open_file(folder, zone, name);

    if (!file)
        return false;
    const bool read = fscanf(file, "%lld", number) == 1 && *number >= 0;
    fclose(file);
    return read;
}

// Not "psys", the whole platform with its packages in it.
static bool is_package(const char *folder, int zone)
{
    static const char begin[] = "package";
    char name[sizeof begin] = "";
    FILE *file = open_file(folder, zone, "name");

    if (!file)
        return false;
    const bool read = fgets(name, sizeof name, file) != NULL;
    fclose(file);
    return read && strcmp(name, begin) == 0;
}

bool plc_energy_read(const char *folder, plc_energy *energy)
{
    int n = 0;

    energy->n_packages = 0;
    for (int zone = 0; zone < PLC_ENERGY_MAX_ZONES; zone++) {
        if (!is_package(folder, zone))
            continue;
        if (!read_number(folder, zone, "energy_uj", &energy->packages[n].microjoules) ||
            !read_number(folder, zone, "max_energy_range_uj", &energy->packages[n].range))
            return false;
        n++;
    }
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
