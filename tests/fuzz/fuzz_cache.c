// Entries of the kernel cache: what of a file may be handed to a driver.
#include "fuzz.h"

#include <stdlib.h>
#include <kernel/cache.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes = 0;
    const unsigned char *binary = plc_cache_find_binary((const char *)data, size, &bytes);

    // The binary is the file's end, and nothing else.
    if (binary && (binary < data || binary + bytes != data + size))
        abort();
    return 0;
}
