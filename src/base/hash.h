// Content hashes: keys of the binary cache, identity of model files.
#ifndef PLC_BASE_HASH_H
#define PLC_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { PLC_HASH_HEX_SIZE = 33 };

// XXH3, 128 bits, as 32 lower-case hexadecimal digits and a NUL. Not for secrets.
void plc_hash_hex(const void *data, size_t size, char hex[PLC_HASH_HEX_SIZE]);

// XXH3, 64 bits: check sums inside files.
uint64_t plc_hash_64(const void *data, size_t size);

#endif
