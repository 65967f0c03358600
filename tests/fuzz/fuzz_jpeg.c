// JPEG files. The first byte chooses how far they are reduced.
#include "fuzz.h"

#include <data/decode.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static plc_picture picture; // reused, as a thread does

    if (size > 0)
        plc_jpeg_decode(plc_fuzz_ctx(), "input", data + 1, size - 1, data[0], &picture);
    return 0;
}
