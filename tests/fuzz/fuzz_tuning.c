// Tuning files.
#include "fuzz.h"

#include <kernel/tuning_json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    plc_tuning tuning = {0};
    char kind[PLC_FORMAT_MAX];

    if (plc_tuning_parse(plc_fuzz_ctx(), "input", (const char *)data, size, &tuning) == PLEACH_OK)
        (void)plc_tuning_parse_kind(plc_fuzz_ctx(), (const char *)data, size, kind);
    plc_tuning_finish(&tuning);
    return 0;
}
