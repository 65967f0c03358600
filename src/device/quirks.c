// The table of quirks.
#include <device/quirks.h>

#include <string.h>

// `platform` is a part of CL_PLATFORM_NAME, `driver` the beginning of CL_DRIVER_VERSION ("": any).
static const struct {
    const char *platform, *driver;
    plc_quirks quirks;
} entries[] = {
    // Finishes a kernel when it is first launched and keeps it; a program's binary makes it compile
    // each kernel once more. Test: cli/test_bench, cold and warm starts.
    {"Portable Computing Language", "", {.keeps_binaries = true}},

    // Its interpreter knows neither the intrinsics that LLVM 14 leaves where a function with restrict
    // arguments was inlined nor what its optimizer makes (freeze). Test: ops/test_conv on that platform.
    // What the host writes replaces all that it knows of the buffer's initialised bytes, and a fill is
    // written in pieces of its pattern: reports of uninitialised values that are none.
    // Test: ops/test_loss on that platform.
    {"Oclgrind",
     "Oclgrind 21.10",
     {.build_options = " -cl-opt-disable -Drestrict=", .whole_writes = true}},
    {"Oclgrind", "", {.emulates = true}}, // Test: device/test_choice

    {"FPGA Emulation", "", {.emulates = true}}, // Test: the same
};

plc_quirks plc_quirks_of(const pleach_device_info *info)
{
    plc_quirks all = {.build_options = ""};

    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const plc_quirks *q = &entries[i].quirks;
        if (!strstr(info->platform_name, entries[i].platform) ||
            strncmp(info->driver_version, entries[i].driver, strlen(entries[i].driver)) != 0)
            continue;
        if (q->build_options)
            all.build_options = q->build_options;
        all.keeps_binaries |= q->keeps_binaries;
        all.whole_writes |= q->whole_writes;
        all.emulates |= q->emulates;
    }
    return all;
}
