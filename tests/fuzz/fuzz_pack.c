// Packs. The two fields that no fuzzer guesses, the length and the header's check sum, are put right.
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <data/pack.h>

static volatile size_t seen; // so that no read is left out

// What training reads: every name, every label, the first and the last byte of the images.
static void use(const plc_pack *pack)
{
    const size_t n = (size_t)pack->n_train + (size_t)pack->n_val;
    const size_t bytes = n * (size_t)pack->channels * (size_t)pack->side * (size_t)pack->side;
    size_t sum = 0;

    for (int i = 0; i < pack->n_classes; i++)
        sum += strlen(pack->class_names[i]);
    for (size_t i = 0; i < n; i++)
        sum += pack->labels[i];
    sum += pack->images[0];
    sum += pack->images[bytes - 1];
    seen = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    plc_pack pack = {0};

    if (!bytes)
        abort();
    if (size)
        memcpy(bytes, data, size);
    if (size >= PLC_PACK_HEADER_BYTES) {
        for (int i = 0; i < 8; i++)
            bytes[PLC_PACK_AT_FILE_BYTES + i] = (uint8_t)((uint64_t)size >> 8 * i);
        plc_pack_seal(bytes);
    }
    if (plc_pack_parse(plc_fuzz_ctx(), "input", bytes, size, &pack) == PLEACH_OK)
        use(&pack);
    plc_pack_finish(&pack);
    free(bytes);
    return 0;
}
