// config.json of a run directory: its text, its options, their ranges.
#include "fuzz.h"

#include <run/options.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pleach_run_opts opts;
    json_error_t error;
    json_t *config = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &error);

    if (config && plc_options_from_json(plc_fuzz_ctx(), config, &opts) == PLEACH_OK)
        for (int compress = 0; compress < 2; compress++)
            (void)plc_options_check(plc_fuzz_ctx(), &opts, compress);
    json_decref(config);
    return 0;
}
