// PNG files.
#include "fuzz.h"

#include <data/decode.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static plc_picture picture; // reused, as a thread does

    plc_png_decode(plc_fuzz_ctx(), "input", data, size, &picture);
    return 0;
}
