// Content hashes.
#include <base/hash.h>

#include <stdio.h>
#include <xxhash.h>

void plc_hash_hex(const void *data, size_t size, char hex[PLC_HASH_HEX_SIZE])
{
    const XXH128_hash_t hash = XXH3_128bits(data, size);

    snprintf(hex, PLC_HASH_HEX_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

uint64_t plc_hash_64(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}
